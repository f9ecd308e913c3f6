export {
  CALIBRATION_LIFETIME,
  CalibratedBoard,
  DEFAULT_READ_VOLTAGE,
  measureConductance,
  nominalCalibration,
  type ReadOptions,
} from './converters/calibrated-board.js';
export { type CalibrateOptions, calibrateConverters } from './converters/converters.js';
export type { ConverterCalibration, ConverterLine, ReadCurve, ReadProfile } from './converters/types.js';
export { type ArrayWindow, arrayWindow } from './devices/beliefs.js';
export {
  type CalibrateDevicesOptions,
  calibrateDevices,
  type DeviceCalibration,
} from './devices/calibrate-devices.js';
export type { Belief, Prior } from './devices/device-estimate.js';
export { W_SDC_PRIOR } from './devices/prior.js';
export { asLastCalibrated, calibratedBoard, freshNeurons, notThere } from './fresh.js';
export { type FitOptions, fitLoops, predictionError } from './loops/fit.js';
export { type FitEachOptions, fitEach } from './loops/fit-each.js';
export type { Fit, FittedName } from './loops/fit-report.js';
export { fitTable } from './loops/fit-table.js';
export { formatLoop, parseLoopName, readLoop } from './loops/loop-file.js';
export { type LoopDrive, type LoopResponse, type MeasuredLoop, steadyLoop } from './loops/loop-model.js';
export {
  type CellSample,
  checkBudget,
  driveCell,
  type EnduranceResult,
  endurancePulses,
  FORMING,
  formCell,
  measureEndurance,
  measureRetention,
  retentionTimes,
  type Step,
  type SweepContext,
  traceCell,
  type Waveform,
  waveSteps,
} from './loops/sweep.js';
export {
  calibrateNeurons,
  checkNeurons,
  correctedStimuli,
  type NeuronOptions,
} from './neurons/neurons.js';
export type { NeuronCalibration, NeuronFit } from './neurons/types.js';
export { type GatedOperation, type GateOptions, GuardedBoard, guardBoard } from './passport/gate.js';
export {
  ArrayPassport,
  type CellHealth,
  type CellTable,
  type ChipDescription,
  dataFolder,
  Passport,
} from './passport/passport.js';
export {
  type ArraySummary,
  heatmap,
  type PassportSummary,
  passportSummary,
  passportText,
} from './passport/passport-view.js';
export { type ProgramOptions, programArray } from './programming/program.js';
export { type Rehearsal, rehearseArray } from './programming/rehearse.js';
export {
  type FailedCell,
  type FailureReason,
  outOfUse,
  type ProgrammingReport,
} from './programming/report.js';
export { type TwinCells, type TwinFields, twinCells, twinProfile } from './twin.js';
