/** The pulse that a cell needs next, or why it gets none any more. */
import type { CalibratedBoard } from '../converters/calibrated-board.js';
import type { Belief, DeviceEstimate } from '../devices/device-estimate.js';
import type { ArrayPassport } from '../passport/passport.js';
import { isBeyond, type JobCell } from './job-cell.js';
import { type PlannedPulse, planPulse, pulseEnergy } from './pulse-plan.js';
import type { Readings } from './readings.js';
import type { FailureReason } from './report.js';

/** Pulses in a row that ought to have moved a cell and did not, after which that direction is given up. */
const PATIENCE = 6;
/** Pulses that may try to take a cell beyond the range that was measured. */
const BEYOND = 8;

/** A pulse for one cell, before it is known whether its neighbours can bear it. */
export interface Candidate {
  cell: JobCell;
  pulse: PlannedPulse;
  /** Estimate, J. */
  energy: number;
  /** State of the cell, and the change that is wanted of it. */
  state: number;
  change: number;
}

export class PulsePlanner {
  readonly #board: CalibratedBoard;
  readonly #estimate: DeviceEstimate;
  readonly #readings: Readings;
  readonly #passport: ArrayPassport;
  readonly #maxPulses: number;
  readonly #wary: boolean;

  constructor(
    board: CalibratedBoard,
    estimate: DeviceEstimate,
    readings: Readings,
    passport: ArrayPassport,
    { maxPulses = 30 }: { maxPulses?: number | undefined },
  ) {
    this.#board = board;
    this.#estimate = estimate;
    this.#readings = readings;
    this.#passport = passport;
    this.#maxPulses = maxPulses;
    this.#wary = estimate.isWary;
  }

  /** Notes the pulse in the cell, or why the cell is given up. */
  plan(cell: JobCell): Candidate | undefined {
    const conductance = this.#readings.conductance[cell.index];
    const up = cell.target > conductance;
    const beyond = isBeyond(cell);
    if (beyond && cell.beyond++ >= BEYOND) {
      cell.failure = failureOf(cell, up, Number.NaN);
      return undefined;
    }
    const p = this.#estimate.parametersOf(beyond ? stretched(cell, up) : cell.belief);
    const state = this.#estimate.stateOf(p, conductance);
    const target = this.#estimate.stateOf(p, cell.target);
    if ((up ? cell.fruitless.up : cell.fruitless.down) >= PATIENCE) {
      cell.failure = failureOf(cell, up, state);
      return undefined;
    }
    if (cell.pulses >= this.#maxPulses || this.#passport.refusal(cell.index) !== undefined) {
      cell.failure = 'pulse budget';
      return undefined;
    }
    const tolerance = this.#readings.stateTolerance(cell);
    const to = this.#wary ? this.#estimate.stepTowards(p, state, target) : target;
    const aimed = this.#estimate.aim(cell.belief, p, { from: state, to, tolerance });
    const pulse = planPulse(this.#board, cell.row, aimed);
    const change = to - state;
    cell.sent = { pulse, ambitious: Math.abs(change) > 6 * this.#readings.stateNoise(cell), dose: 0 };
    const { seriesResistance } = this.#estimate.limits;
    const energy = pulseEnergy(p, (state + to) / 2, pulse, seriesResistance);
    return { cell, pulse, energy, state, change };
  }
}

/** A cell's range was measured with all others at the same end, where the lines' resistance hides most of it. */
function stretched({ belief, target }: JobCell, up: boolean): Belief {
  const margin = 0.05 * (belief.high - belief.low);
  return up
    ? { ...belief, high: Math.max(belief.high, target + margin) }
    : { ...belief, low: Math.min(belief.low, Math.max(0.5 * target, target - margin)) };
}

/** Why a direction in which nothing moves any more ends the cell; a state of NaN says nothing of being stuck. */
function failureOf(cell: JobCell, up: boolean, state: number): FailureReason {
  if (!cell.moved) {
    if (up && state < 0.15) return 'stuck low';
    if (!up && state > 0.7) return 'stuck high';
  }
  if (up && cell.aboveWindow) return 'out of reach';
  return up ? 'write fails' : 'erase fails';
}
