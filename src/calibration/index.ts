export {
  CALIBRATION_LIFETIME,
  CalibratedBoard,
  DEFAULT_READ_VOLTAGE,
  measureConductance,
  nominalCalibration,
} from './calibrated-board.js';
export { type CalibrateOptions, calibrateConverters } from './converters.js';
export { ArrayPassport, type CellHealth, dataFolder, Passport } from './passport.js';
export { programArray } from './program.js';
export type {
  ConverterCalibration,
  ConverterLine,
  FailedCell,
  FailureReason,
  ProgrammingReport,
  ProgramOptions,
  ReadOptions,
} from './types.js';
