export {
  CALIBRATION_LIFETIME,
  CalibratedBoard,
  DEFAULT_READ_VOLTAGE,
  measureConductance,
  nominalCalibration,
} from './converters/calibrated-board.js';
export { type CalibrateOptions, calibrateConverters } from './converters/converters.js';
export {
  type Fit,
  type FittedName,
  fitLoops,
  fitTable,
  type MeasuredLoop,
  predictionError,
} from './loops/fit.js';
export { formatLoop, parseLoopName, readLoop } from './loops/loop-file.js';
export { type LoopDrive, type LoopResponse, steadyLoop } from './loops/loop-model.js';
export {
  type CellSample,
  checkBudget,
  driveCell,
  type EnduranceResult,
  FORMING,
  formCell,
  measureEndurance,
  measureRetention,
  type Step,
  waveSteps,
} from './loops/sweep.js';
export {
  calibrateNeurons,
  checkNeurons,
  correctedStimuli,
  freshNeurons,
  type NeuronCalibration,
  type NeuronFit,
} from './neurons/neurons.js';
export {
  ArrayPassport,
  type CellHealth,
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
export type { Belief, Prior } from './programming/device-estimate.js';
export { calibrateDevices, type DeviceCalibration } from './programming/devices.js';
export { W_SDC_PRIOR } from './programming/prior.js';
export { arrayWindow, programArray } from './programming/program.js';
export { twinCells, twinProfile } from './twin.js';
export type {
  ConverterCalibration,
  ConverterLine,
  FailedCell,
  FailureReason,
  ProgrammingReport,
  ProgramOptions,
  ReadOptions,
} from './types.js';
export { outOfUse } from './types.js';
