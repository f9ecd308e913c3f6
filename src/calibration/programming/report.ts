/** What a programming job reports. SI units, arrays row by row. */

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

/** Whether a cell that failed so is out of use; others may be set by a later job. */
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
