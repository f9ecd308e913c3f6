/** Which cells are worth a pulse, and how many of them a budget still allows. */
import type { ProgrammingReport } from '../../calibration/index.js';
import type { ArrayConductances } from '../chip/mapping.js';

export interface Budget {
  pulses: number;
  /** J */
  energy: number;
}

/** Pulses that re-programming a cell is expected to take before anything was measured. */
const FIRST_GUESS = 1.5;

export class PulseEconomy {
  #cells = 0;

  readonly #limit: Budget;
  readonly #rounds: number;

  /**
   * @param limit what fine-tuning may spend; Infinity for no limit.
   * @param spent what it has spent already.
   * @param rounds pulses that one programming gives a cell at most.
   */
  constructor(
    limit: Budget,
    readonly spent: Budget,
    rounds: number,
  ) {
    this.#limit = limit;
    this.#rounds = rounds;
  }

  note(reports: readonly ProgrammingReport[]): void {
    for (const { pulses, energy, cells } of reports) {
      this.spent.pulses += pulses;
      this.spent.energy += energy;
      this.#cells += cells;
    }
  }

  /** Pulses that the budget still holds, J turned into pulses of the size seen so far. */
  get left(): number {
    const each = this.spent.pulses > 0 ? this.spent.energy / this.spent.pulses : 0;
    const byEnergy = each > 0 ? (this.#limit.energy - this.spent.energy) / each : Infinity;
    return Math.max(0, Math.min(this.#limit.pulses - this.spent.pulses, byEnergy));
  }

  /** Pulses that re-programming so many cells is expected to take. */
  costOf(cells: number): number {
    return cells * (this.#cells > 0 ? Math.max(1, this.spent.pulses / this.#cells) : FIRST_GUESS);
  }

  /** Cells that may be re-programmed for so many pulses, even if all take every round there is. */
  cellsFor(pulses: number): number {
    return Math.floor(Math.min(pulses / this.costOf(1), this.left / this.#rounds));
  }

  /**
   * Pulses for the next update, of so many that are still to come: twice an even share, since early updates move
   * farther. What the way back to the best state would cost is kept.
   */
  allowance(updates: number, wayBack: number): number {
    return Math.max(0, this.left - this.costOf(wayBack)) * Math.min(1, 2 / updates);
  }
}

/**
 * The targets that have moved by more than the deadband from what the cells were last programmed to, NaN
 * elsewhere; of more than `most`, those that have moved farthest. What is not worth a pulse keeps its old target,
 * so that small steps add up.
 */
export function worthAPulse(
  before: ArrayConductances,
  after: ArrayConductances,
  deadband: number,
  most: number,
): ArrayConductances {
  const moved = (array: number, i: number) => {
    const by = Math.abs(after.get(array)![i] - before.get(array)![i]);
    // A cell that was never programmed has all the way to go.
    return Number.isNaN(by) && !Number.isNaN(after.get(array)![i]) ? Infinity : by;
  };
  const moves: number[] = [];
  for (const [array, targets] of after)
    for (let i = 0; i < targets.length; i++) {
      const by = moved(array, i);
      if (by > deadband) moves.push(by);
    }
  let limit = deadband;
  if (moves.length > most) limit = moves.sort((a, b) => b - a)[most] ?? Infinity;
  return new Map(
    [...after].map(([array, targets]) => [
      array,
      targets.map((g, i) => (moved(array, i) > limit ? g : Number.NaN)),
    ]),
  );
}
