/** What the calibration room hands over: shapes of its measurements and reports. SI units, arrays row by row. */
import type { Emit } from '../shared/events.js';
import type { Prior } from './programming/device-estimate.js';

/** A straight line with its uncertainty (one standard deviation) and the RMS of its residuals. */
export interface ConverterLine {
  offset: number;
  offsetSigma: number;
  gain: number;
  gainSigma: number;
}

/**
 * Converter errors of a board. A row DAC puts out `offset + gain x nominal` (V), a column ADC shows
 * `offset + gain x true` (A). Rows and columns are only ever seen in series, so one factor common to all
 * row gains (and inverse in all column gains) cannot be told: the mean row gain is set to 1. Conductances
 * and products do not depend on it.
 */
export interface ConverterCalibration {
  boardSerial: string;
  /** ISO 8601 */
  measured: string;
  rows: ConverterLine[];
  /** Ranges x columns. */
  columns: ConverterLine[][];
  /** RMS of what the lines leave unexplained, in each range, A. */
  residuals: number[];
  /** The vendor's R(v), where it was chosen: arrays are read by it; products and sweeps by the lines. */
  reads?: ReadProfile | undefined;
}

/**
 * R(v) = a0·(a1/v^a3 + a2) of Knowm's software, in the two products of its three factors that can be told apart:
 * R = scale·v^−exponent + offset, Ω, with v the reading as a share of the range.
 */
export interface ReadCurve {
  scale: number;
  exponent: number;
  offset: number;
  /** RMS over the reference resistors, relative. */
  residual: number;
}

/** One curve a column, of reads at this voltage (V) in the finest range. */
export interface ReadProfile {
  voltage: number;
  columns: ReadCurve[];
}

export interface ReadOptions {
  /** V; default 0.05, or less where the board's read limit is lower. */
  voltage?: number;
  /** ADC samples averaged by the board, 1 to 255; default 8. */
  samples?: number;
  /** Only these rows are read (others are NaN); default all. */
  rows?: readonly number[];
}

export interface ProgramOptions {
  /** Largest |conductance - target| that counts as done, S; default 2 % of the array's window. */
  tolerance?: number;
  /** Pulses a cell may have in this job; default 30. */
  maxPulses?: number;
  /** Read-and-pulse rounds; default 60. */
  maxRounds?: number;
  /** ADC samples averaged in a read; default 8. */
  samples?: number;
  /** What is assumed of cells that the passport does not know; default W+SDC. */
  prior?: Prior;
  /**
   * Whether the passport is written at the end of the job; default true. Many small jobs in a row leave it to the
   * pulse log, which loses nothing either, and to the last of them.
   */
  settle?: boolean;
  emit?: Emit;
  /** Heads the progress events; default 'program'. */
  stage?: string;
  /** Ends the job after the batch under way, with an 'interrupted' MemloopError. */
  signal?: AbortSignal;
}

/**
 * `half-select`: the job ended before it could be set without moving neighbours that are in tolerance. `read noise`: it is
 * as near as reads can tell. `out of reach`: the target is beyond the array's window and this cell's own range.
 */
export type FailureReason =
  | 'stuck low'
  | 'stuck high'
  | 'write fails'
  | 'erase fails'
  | 'quarantined'
  | 'half-select'
  | 'read noise'
  | 'out of reach'
  | 'pulse budget';

/** Whether a cell that failed so no longer does as it is told; the others may be set by a later job. */
export const outOfUse = (
  reason: FailureReason,
): reason is Exclude<FailureReason, 'half-select' | 'read noise' | 'out of reach' | 'pulse budget'> =>
  !['half-select', 'read noise', 'out of reach', 'pulse budget'].includes(reason);

export interface FailedCell {
  array: number;
  row: number;
  column: number;
  reason: FailureReason;
  /** S */
  conductance: number;
  /** S */
  target: number;
}

export interface ProgrammingReport {
  array: number;
  /** Cells with a target. */
  cells: number;
  /** Share of those cells within tolerance at the final read of the array. */
  inTolerance: number;
  /** Mean pulses of this job over the cells with a target. */
  pulsesPerCell: number;
  /** Pulses of this job. */
  pulses: number;
  failed: FailedCell[];
  /** Final read, rows x columns, S; NaN in rows that this job did not touch. */
  conductance: Float64Array;
  /** Targets as given, S. */
  targets: Float64Array;
  /** S */
  tolerance: number;
  /** Requests to the board answered in this job: reads and batches of pulses. */
  roundTrips: number;
  /** Estimate from the device equations, J. */
  energy: number;
  /** RMS of the error over healthy cells, S. */
  rmsError: number;
}
