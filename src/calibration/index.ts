export {
  CALIBRATION_LIFETIME,
  CalibratedBoard,
  DEFAULT_READ_VOLTAGE,
  measureConductance,
  nominalCalibration,
} from './calibrated-board.js';
export { type CalibrateOptions, calibrateConverters } from './converters.js';
export type { Belief, Prior } from './device-estimate.js';
export { calibrateDevices, type DeviceCalibration } from './devices.js';
export { type Fit, type FittedName, fitLoops, fitTable, type MeasuredLoop, predictionError } from './fit.js';
export { formatLoop, parseLoopName, readLoop } from './loop-file.js';
export { type LoopDrive, type LoopResponse, steadyLoop } from './loop-model.js';
export {
  calibrateNeurons,
  checkNeurons,
  correctedStimuli,
  freshNeurons,
  type NeuronCalibration,
  type NeuronFit,
} from './neurons.js';
export { ArrayPassport, type CellHealth, type ChipDescription, dataFolder, Passport } from './passport.js';
export {
  type ArraySummary,
  heatmap,
  type PassportSummary,
  passportSummary,
  passportText,
} from './passport-view.js';
export { fitPlot, loopPlot, loopText, type ProgrammedCell, programPlot } from './plots.js';
export { W_SDC_PRIOR } from './prior.js';
export { arrayWindow, programArray } from './program.js';
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
} from './sweep.js';
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
