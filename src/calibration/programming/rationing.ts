/** Which cells may be pulsed in a round, so that pulses do not undo through half-selected cells what others did. */
import type { CalibratedBoard } from '../converters/calibrated-board.js';
import type { DeviceEstimate } from '../devices/device-estimate.js';
import { doseOf, LineDoses } from '../devices/half-select.js';
import { Breather } from './breather.js';
import type { JobCell } from './job-cell.js';
import type { Candidate } from './pulse-planner.js';
import type { Readings } from './readings.js';

/** Neighbours that one pulse may be expected to push out of tolerance, by the count of erasing phases so far. */
const DAMAGE = [Infinity, Infinity, 16, 4, 2, 1, 0.5];
/** One way is seen through for its last cells, unless so many times as many wait for the other. */
const FEW = 10;
/** Rounds of one way that may pass without fewer cells waiting for it. */
const IDLE = 10;

/** How far below its target a write is taken to begin when it is foreseen, in units of half the tolerance. */
const APPROACH = 4;
/** What it costs to set a neighbour again whose own pulse moves no other, in neighbours lost. */
const REPAIR = 0.25;

export class Rationing {
  /** What the pulses of this round put on their lines. */
  doses: LineDoses;

  /** The way under way: writing or erasing. */
  #writing = false;
  /** Fewest cells that waited for the way under way, and rounds since they last became fewer. */
  #phase = { fewest: Number.POSITIVE_INFINITY, idle: 0 };
  #cycle = 0;

  /** Writes that the cells out of tolerance still need, where the order of cells decides. */
  #coming = new Map<JobCell, { voltage: number; dose: number }>();

  /** What it costs to set a cell again, as far as this round has asked. */
  readonly #repairs = new Map<JobCell, number>();

  readonly #board: CalibratedBoard;
  readonly #estimate: DeviceEstimate;
  readonly #readings: Readings;
  readonly #cells: ReadonlyMap<number, JobCell>;

  constructor(
    board: CalibratedBoard,
    estimate: DeviceEstimate,
    readings: Readings,
    cells: ReadonlyMap<number, JobCell>,
  ) {
    this.#board = board;
    this.#estimate = estimate;
    this.#readings = readings;
    this.#cells = cells;
    this.doses = this.#noDoses();
  }

  /** How often erasing has begun. */
  get cycle(): number {
    return this.#cycle;
  }

  /**
   * The cells of this round: one that drives one way only, as erasing and writing side by side would undo each other
   * through the half-selected cells. Erasing comes first, because at its low thresholds it disturbs more; the way changes
   * when no cell waits for the one under way, or when those that do no longer become fewer. `ending` rounds only write.
   */
  ofOneWay(outside: readonly JobCell[], ending: boolean): JobCell[] {
    const waiting = (up: boolean) =>
      outside.filter(
        ({ denied, target, index }) =>
          denied !== this.#cycle && target > this.#readings.conductance[index] === up,
      );
    const up = waiting(true);
    const down = waiting(false);
    if (ending) {
      this.#writing = true;
      return up;
    }
    const [now, other] = this.#writing ? [up.length, down.length] : [down.length, up.length];
    if (now < 0.9 * this.#phase.fewest) this.#phase = { fewest: now, idle: 0 };
    else this.#phase.idle += 1;
    if (now === 0 || (this.#phase.idle >= IDLE && other > FEW * now)) {
      this.#phase = { fewest: Number.POSITIVE_INFINITY, idle: 0 };
      this.#writing = !this.#writing;
      if (!this.#writing) this.#cycle += 1;
    }
    return this.#writing ? up : down;
  }

  /**
   * Looks ahead, where half-selected cells see so much of a pulse that the order of cells decides: which writes the cells
   * out of tolerance still need, and what these do on their lines.
   */
  foresee(outside: readonly JobCell[]): void {
    this.#coming.clear();
    if (!this.#estimate.isWary) return;
    for (const cell of outside) {
      if (cell.denied === this.#cycle) continue;
      const { voltage, dose } = this.#approach(cell);
      this.#coming.set(cell, { voltage, dose });
    }
  }

  /** The last write of a cell on the way up to its target, the one of the highest voltage, and its dose. */
  #approach(cell: JobCell): { voltage: number; dose: number } {
    const p = this.#estimate.parametersOf(cell.belief);
    const to = this.#estimate.stateOf(p, cell.target);
    const tolerance = this.#readings.stateTolerance(cell);
    const state = this.#estimate.stateOf(p, this.#readings.conductance[cell.index]);
    const from = Math.max(0.5 * to, Math.min(state, to - APPROACH * tolerance));
    const pulse = this.#estimate.aim(cell.belief, p, { from, to, tolerance });
    return { voltage: pulse.voltage, dose: doseOf(pulse, this.#board.description, { p, from, to }) };
  }

  /** Exponent by which the writes to come on its lines, above a voltage, will drive a cell towards on. */
  #comingOf(cell: JobCell, above: number): number {
    let dose = 0;
    for (const [other, { voltage, dose: of }] of this.#coming)
      if (other !== cell && voltage > above && (other.row === cell.row || other.column === cell.column))
        dose += of;
    const { vt } = this.#estimate.prior.parameters;
    return (dose * Math.exp(-cell.belief.von / vt)) / Math.exp(cell.belief.logTau);
  }

  /** Whether a cell is to be written only after stronger neighbours, whose pulses would move it out of tolerance again. */
  #isHeld({ cell, pulse, state, change }: Candidate): boolean {
    if (this.#coming.size === 0 || pulse.voltage < 0) return false;
    const moved = -Math.expm1(-this.#comingOf(cell, pulse.voltage)) * (1 - state - change);
    return moved > this.#readings.stateTolerance(cell);
  }

  /**
   * The pulses of this round in the order in which they are to be sent: strong ones disturb their neighbours most, so
   * cells of low thresholds come last. A cell that the pulses before its own would move by a good part of what it needs
   * waits for a later round; one whose pulse would do too much damage, for the next cycle.
   */
  async choose(candidates: readonly Candidate[]): Promise<Candidate[]> {
    this.doses = this.#noDoses();
    this.#repairs.clear();
    const allowance = DAMAGE[Math.min(this.#cycle, DAMAGE.length - 1)];
    const breather = new Breather();
    const chosen: Candidate[] = [];
    for (const candidate of candidates.toSorted(
      (a, b) => Math.abs(b.pulse.voltage) - Math.abs(a.pulse.voltage),
    )) {
      if (breather.due) await breather.breathe();
      const { cell, pulse, state, change } = candidate;
      const p = this.#estimate.parametersOf(cell.belief);
      const dose = doseOf(pulse, this.#board.description, { p, from: state, to: state + change });
      const disturb = this.doses.disturb(cell.belief, state, cell.row, cell.column);
      const waits = Math.abs(disturb) > Math.max(0.2 * Math.abs(change), this.#readings.stateTolerance(cell));
      if (
        !waits &&
        allowance < Number.POSITIVE_INFINITY &&
        this.#damage(cell, pulse.voltage > 0, dose) > allowance
      )
        cell.denied = this.#cycle;
      if (waits || this.#isHeld(candidate) || cell.denied === this.#cycle) {
        cell.sent = undefined;
        continue;
      }
      this.doses.add(cell.row, cell.column, pulse.voltage > 0, dose);
      if (cell.sent) cell.sent.dose = dose;
      chosen.push(candidate);
    }
    return chosen;
  }

  /** What is lost, in neighbours, when this cell is moved towards off and must be written again. */
  #costOfRepair(cell: JobCell): number {
    const known = this.#repairs.get(cell);
    if (known !== undefined) return known;
    const cost = Math.min(1, REPAIR + this.#damage(cell, true, this.#approach(cell).dose));
    this.#repairs.set(cell, cost);
    return cost;
  }

  #noDoses(): LineDoses {
    return new LineDoses(this.#board.description, this.#estimate.prior.parameters.vt);
  }

  /** How many neighbours that are in tolerance a pulse is expected to push out of it. */
  #damage(cell: JobCell, up: boolean, dose: number): number {
    if (dose === 0) return 0;
    const { rows, columns } = this.#board.description;
    const { vt } = this.#estimate.prior.parameters;
    let sum = 0;
    const count = (index: number) => {
      const other = this.#cells.get(index);
      if (!other || other === cell || other.failure !== undefined || !this.#readings.near(other)) return;
      const { belief } = other;
      const exponent = (dose * Math.exp(-(up ? belief.von : belief.voff) / vt)) / Math.exp(belief.logTau);
      const p = this.#estimate.parametersOf(belief);
      const conductance = this.#readings.conductance[index];
      const state = this.#estimate.stateOf(p, conductance);
      const moved = -Math.expm1(-exponent) * (up ? 1 - state : state);
      const error = conductance - other.target;
      const room = this.#readings.tolerance + (up ? -error : error);
      const harm = Math.min(1, (moved * (belief.high - belief.low)) / room);
      sum += this.#estimate.isWary && !up ? harm * this.#costOfRepair(other) : harm;
    };
    for (let c = 0; c < columns; c++) count(cell.row * columns + c);
    for (let r = 0; r < rows; r++) count(r * columns + cell.column);
    return sum;
  }
}
