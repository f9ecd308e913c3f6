/** Which cells are worth a pulse, and how many of them the budget still allows. */
import type { ProgrammingReport } from '../../calibration/index.js';
import type { ArrayConductances } from '../mapping/mapping.js';

export interface Budget {
  pulses: number;
  /** J */
  energy: number;
}

/** Pulses that re-programming a cell is expected to take, before any was measured. */
const FIRST_GUESS = 1.5;

/** Keeps the account of a budget of pulses and energy. */
export class PulseEconomy {
  #cells = 0;

  readonly #limit: Budget;
  readonly #rounds: number;

  /**
   * @param limit what fine-tuning may spend; Infinity for no limit.
   * @param spent what it has spent already.
   * @param rounds largest number of pulses that one job applies to a cell.
   */
  constructor(
    limit: Budget,
    readonly spent: Budget,
    rounds: number,
  ) {
    this.#limit = limit;
    this.#rounds = rounds;
  }

  /** Books what programming jobs have spent. */
  note(reports: readonly ProgrammingReport[]): void {
    for (const { pulses, energy, cells } of reports) {
      this.spent.pulses += pulses;
      this.spent.energy += energy;
      this.#cells += cells;
    }
  }

  /** Pulses that the budget still holds; energy is converted at the mean energy of the pulses so far. */
  get left(): number {
    const each = this.spent.pulses > 0 ? this.spent.energy / this.spent.pulses : 0;
    const byEnergy = each > 0 ? (this.#limit.energy - this.spent.energy) / each : Infinity;
    return Math.max(0, Math.min(this.#limit.pulses - this.spent.pulses, byEnergy));
  }

  /** Pulses that re-programming this many cells is expected to take. */
  costOf(cells: number): number {
    return cells * (this.#cells > 0 ? Math.max(1, this.spent.pulses / this.#cells) : FIRST_GUESS);
  }

  /** Cells that may be re-programmed for this many pulses, even if each of them takes all rounds. */
  cellsFor(pulses: number): number {
    return Math.floor(Math.min(pulses / this.costOf(1), this.left / this.#rounds));
  }

  /**
   * Pulses for the next update: twice an even share, since early updates move farther.
   *
   * @param updates that are still to come, with the next.
   * @param wayBack cells to re-program to return to the best state; pulses for them are kept back.
   */
  allowance(updates: number, wayBack: number): number {
    return Math.max(0, this.left - this.costOf(wayBack)) * Math.min(1, 2 / updates);
  }
}

/**
 * The targets (S) that have moved by more than the deadband from those that the cells were last programmed to, NaN
 * elsewhere; if there are more than `max`, those that have moved farthest. The other cells keep their old targets, so
 * that small steps add up.
 */
export function worthAPulse(
  before: ArrayConductances,
  after: ArrayConductances,
  deadband: number,
  max: number,
): ArrayConductances {
  const moved = (array: number, i: number) => {
    const by = Math.abs(after.get(array)![i] - before.get(array)![i]);
    // A cell that was never programmed has the whole way to go.
    return Number.isNaN(by) && !Number.isNaN(after.get(array)![i]) ? Infinity : by;
  };
  const moves: number[] = [];
  for (const [array, targets] of after)
    for (let i = 0; i < targets.length; i++) {
      const by = moved(array, i);
      if (by > deadband) moves.push(by);
    }
  let limit = deadband;
  if (moves.length > max) limit = moves.sort((a, b) => b - a)[max] ?? Infinity;
  return new Map(
    [...after].map(([array, targets]) => [
      array,
      targets.map((g, i) => (moved(array, i) > limit ? g : Number.NaN)),
    ]),
  );
}
