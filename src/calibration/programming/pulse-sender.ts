/** Sends the pulses of a job on one array. */
import { isUnsettled } from '../../driver/board/outcomes.js';
import type { OutcomeCode } from '../../driver/codes.js';
import { MemloopError } from '../../shared/errors.js';
import type { CalibratedBoard } from '../converters/calibrated-board.js';

export interface CellPulse {
  /** row x columns + column */
  cell: number;
  /** The row DAC's nominal voltage, V. */
  nominal: number;
  /** s */
  width: number;
  /** Estimate, J. */
  energy: number;
}

/** Refusals that end a cell's part in the job: limits of its pulses and its current, none at all, its budget, its quarantine. */
const EXHAUSTED: readonly OutcomeCode[] = [
  'LIMIT_PULSES',
  'LIMIT_CURRENT',
  'NO_CURRENT',
  'BUDGET',
  'QUARANTINED',
];

/**
 * Applies pulses in order. `exhausted` are cells that were refused for the number of their pulses. With `unknown` the
 * fate of some was settled by the board's count only, and nothing after them was sent: read before pulsing again. Throws
 * `interrupted` on abort, `board-lost` when the board is gone, `board-refused` for any other refusal.
 */
export async function sendPulses(
  board: CalibratedBoard,
  array: number,
  pulses: readonly CellPulse[],
  signal?: AbortSignal,
): Promise<{ exhausted: number[]; unknown: boolean }> {
  if (pulses.length === 0) return { exhausted: [], unknown: false };
  const { columns } = board.description;
  const placeOf = (cell: number) => ({ row: Math.floor(cell / columns), column: cell % columns });
  const outcomes = await board.board.cells(
    pulses.map(({ cell, nominal, width, energy }) => ({
      kind: 'pulse' as const,
      array,
      ...placeOf(cell),
      voltage: nominal,
      width,
      energy,
    })),
    { signal },
  );
  if (outcomes.some(isUnsettled)) return { exhausted: [], unknown: true };
  const exhausted: number[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status !== 'refused') continue;
    const { cell } = pulses[i];
    if (EXHAUSTED.includes(outcome.code)) {
      exhausted.push(cell);
      continue;
    }
    // A board that is gone says so here, in its own words.
    await board.board.health();
    const { row, column } = placeOf(cell);
    throw new MemloopError(
      'board-refused',
      `the board refused a pulse on array ${array} row ${row} column ${column}: ${outcome.reason}`,
    );
  }
  return { exhausted, unknown: false };
}
