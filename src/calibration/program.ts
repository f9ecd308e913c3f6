import type { CalibratedBoard } from './calibrated-board.js';
import type { Passport } from './passport.js';
import type { ProgrammingReport, ProgramOptions } from './types.js';

/**
 * Write-verify over a whole array: reads, aims one pulse at every cell outside tolerance, sends them all, reads
 * again. `targets` are rows x columns, S; NaN leaves a cell alone. Starts from a measurement, so calling it again
 * finishes an interrupted job.
 */
export declare function programArray(
  board: CalibratedBoard,
  passport: Passport,
  array: number,
  targets: Float64Array,
  options?: ProgramOptions,
): Promise<ProgrammingReport>;
