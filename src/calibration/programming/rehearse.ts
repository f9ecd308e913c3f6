import type { CalibratedBoard } from '../converters/calibrated-board.js';
import { arrayWindow, defaultTolerance } from '../devices/beliefs.js';

/** What a programming job would find. */
export interface Rehearsal {
  /** Cells with a target. */
  cells: number;
  /** Those of them that are out of tolerance and would be pulsed. */
  outside: number;
  /** Those that are out of tolerance and would be left as they are: quarantined, out of use, or over their budget. */
  leftOut: number;
}

/** `programArray` up to its first pulse: reads the array and counts the cells that it would have to move. */
export async function rehearseArray(
  board: CalibratedBoard,
  array: number,
  targets: Float64Array,
  { tolerance }: { tolerance?: number } = {},
): Promise<Rehearsal> {
  const passport = board.passport.array(array);
  const allowed = tolerance ?? defaultTolerance(arrayWindow(passport));
  const refused = board.board.leaveOut(array);
  const measured = await board.conductances(array);
  const found: Rehearsal = { cells: 0, outside: 0, leftOut: 0 };
  for (const [cell, target] of targets.entries()) {
    if (Number.isNaN(target)) continue;
    found.cells++;
    if (Math.abs(measured[cell] - target) <= allowed) continue;
    if (refused.has(cell) || passport.unhealthy.has(cell)) found.leftOut++;
    else found.outside++;
  }
  return found;
}
