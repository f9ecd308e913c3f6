/** The cells of a programming job. */
import { MemloopError } from '../../shared/errors.js';
import { si } from '../../shared/text.js';
import { type ArrayWindow, beliefOf } from '../devices/beliefs.js';
import type { Belief, Prior, Pulse } from '../devices/device-estimate.js';
import type { ArrayPassport } from '../passport/passport.js';
import type { FailureReason } from './report.js';

/** What a job knows of one cell. */
export interface JobCell {
  /** row x columns + column */
  readonly index: number;
  readonly row: number;
  readonly column: number;
  /** S */
  readonly target: number;
  /** Whether the target is above what nearly all cells of the array can be brought to. */
  readonly aboveWindow: boolean;
  readonly belief: Belief;
  /** Pulses of this job. */
  pulses: number;
  /** Fruitless pulses in a row, towards on and towards off. */
  fruitless: { up: number; down: number };
  /** Whether it has ever answered a pulse. */
  moved: boolean;
  /** Pulses that tried to take it beyond its range. */
  beyond: number;
  /** The pulse of this round, whether it was to move the cell by more than noise, and its dose on its lines, s. */
  sent: { pulse: Pulse; ambitious: boolean; dose: number } | undefined;
  /** Conductance before the pulses of this round, S. */
  before: number;
  /** Why it is given up. */
  failure: FailureReason | undefined;
  /** The cycle of erasing and writing in which its pulse would have moved too many neighbours. */
  denied: number | undefined;
}

/** The cells with a target (not NaN). Throws `bad-input` for targets outside the array's window and reach. */
export function jobCells(
  passport: ArrayPassport,
  array: number,
  targets: Float64Array,
  window: ArrayWindow,
  { tolerance, prior }: { tolerance: number; prior: Prior },
): JobCell[] {
  const cells: JobCell[] = [];
  for (const [index, target] of targets.entries()) {
    if (Number.isNaN(target)) continue;
    const row = Math.floor(index / passport.columns);
    const column = index % passport.columns;
    if (target < window.low - tolerance || target > window.reach + tolerance) {
      throw new MemloopError(
        'bad-input',
        `the target of array ${array} row ${row} column ${column} is ${si(target, 'S')}, outside the array's window of ${si(window.low, 'S')} to ${si(window.high, 'S')}`,
      );
    }
    cells.push({
      index,
      row,
      column,
      target,
      aboveWindow: target > window.high + tolerance,
      belief: beliefOf(passport, index, prior),
      pulses: 0,
      fruitless: { up: 0, down: 0 },
      moved: false,
      beyond: 0,
      sent: undefined,
      before: Number.NaN,
      failure: passport.unhealthy.get(index)?.health,
      denied: undefined,
    });
  }
  return cells;
}

/** Whether the target lies so near the end of the cell's range that how it gets there says little of its threshold. */
export function isBeyond({ belief, target }: JobCell): boolean {
  const margin = 0.02 * (belief.high - belief.low);
  return target > belief.high - margin || target < belief.low;
}
