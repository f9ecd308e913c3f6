/** Write-verify over a whole array. */

import { dividedVoltage, memristorCurrent } from '../../model/devices/memristor.js';
import { MemloopError } from '../../shared/errors.js';
import { progressOf } from '../../shared/progress.js';
import { type CalibratedBoard, DEFAULT_READ_VOLTAGE, readVoltageOf } from '../converters/calibrated-board.js';
import type { ArrayPassport, Passport } from '../passport/passport.js';
import {
  type FailedCell,
  type FailureReason,
  outOfUse,
  type ProgrammingReport,
  type ProgramOptions,
} from '../types.js';
import { Breather } from './breather.js';
import {
  aimPulse,
  type Belief,
  believeThreshold,
  learn,
  type Prior,
  type Pulse,
  type PulseLimits,
  parametersOf,
  stateOf,
} from './device-estimate.js';
import { LineDoses, learnFromDisturb } from './half-select.js';
import { W_SDC_PRIOR } from './prior.js';
import { PulseSender } from './pulse-sender.js';

/** Pulses in a row that ought to have moved a cell and did not, after which that direction is given up. */
const PATIENCE = 6;
/** Pulses that may try to take a cell beyond the range that was measured. */
const BEYOND = 8;
/** Neighbours that one pulse may be expected to push out of tolerance, by the count of erasing phases so far. */
const DAMAGE = [Infinity, Infinity, 16, 4, 2, 1, 0.5];
/** The last rounds only write: erasing would leave its neighbours moved. */
const LAST_ROUNDS = 8;
/** One way is seen through for its last cells, unless so many times as many wait for the other. */
const FEW = 10;
/** Rounds of one way that may pass without fewer cells waiting for it. */
const IDLE = 10;
/** Rounds without a new best count of finished cells, after which the job ends. */
const STALLED = 20;
/** Share of a read's relative noise believed before it was measured, and the weight of that belief in reads. */
const NOISE_GUESS = 0.01;
const NOISE_WEIGHT = 8;

/** What a job knows of one cell beside its belief. */
interface Cell {
  index: number;
  row: number;
  column: number;
  target: number;
  belief: Belief;
  pulses: number;
  /** Fruitless pulses in a row, towards on and towards off. */
  fruitless: { up: number; down: number };
  moved: boolean;
  /** Pulses sent beyond the range that it was measured to have. */
  beyond: number;
  /** The pulse on its way, and the state before it. */
  sent: { pulse: Pulse; ambitious: boolean } | undefined;
  /** Measured conductance before this round's pulses, S. */
  before: number;
  failure: FailureReason | undefined;
  /** Cycle in which its pulse would have cost too many neighbours. */
  denied: number | undefined;
}

/** Share of the usual cell's highest conductance that targets may ask for. */
const REACH = 0.95;

/** S */
export interface ArrayWindow {
  /** What nearly all cells can be brought to. */
  low: number;
  high: number;
  /** What about half of them can be brought to: enough for the partner of a cell that is stuck high. */
  reach: number;
}

/** The array's usable range, S: measured by `calibrate`, or what the population's spread leaves to nearly all cells. */
export function arrayWindow(passport: ArrayPassport, prior: Prior = W_SDC_PRIOR): ArrayWindow {
  const range = nominalRange(prior);
  const { low, high } = passport.window ?? { low: 1.3 * range.low, high: 0.75 * range.high };
  const highest = passport.tables.windowHigh.filter(Number.isFinite).sort();
  const usual = highest.length > 0 ? highest[Math.floor(highest.length / 2)] : range.high;
  return { low, high, reach: Math.max(high, REACH * usual) };
}

function nominalRange(prior: Prior): { low: number; high: number } {
  const p = prior.parameters;
  return {
    low: memristorCurrent(p, 0, DEFAULT_READ_VOLTAGE) / DEFAULT_READ_VOLTAGE,
    high: memristorCurrent(p, 1, DEFAULT_READ_VOLTAGE) / DEFAULT_READ_VOLTAGE,
  };
}

/** What the passport knows of a cell, the prior for the rest. */
export function beliefOf(passport: ArrayPassport, index: number, prior: Prior): Belief {
  const t = passport.tables;
  const known = (value: number, otherwise: number) => (Number.isFinite(value) ? value : otherwise);
  const range = nominalRange(prior);
  return {
    von: known(t.von[index], prior.parameters.von),
    vonSigma: known(t.vonSigma[index], prior.vonSigma),
    voff: known(t.voff[index], prior.parameters.voff),
    voffSigma: known(t.voffSigma[index], prior.voffSigma),
    logTau: Math.log(known(t.tau[index], prior.parameters.tau)),
    tauSigma: known(t.tauSigma[index], prior.tauSigma),
    low: known(t.windowLow[index], range.low),
    high: known(t.windowHigh[index], range.high),
  };
}

/**
 * A time constant is stated no surer than this, in ln: pulses near the threshold tell it poorly from the threshold, and the
 * belief, which takes both as independent, grows too sure.
 */
const TAU_SIGMA = 0.15;

export function remember(passport: ArrayPassport, index: number, belief: Belief): void {
  const t = passport.tables;
  t.von[index] = belief.von;
  t.vonSigma[index] = belief.vonSigma;
  t.voff[index] = belief.voff;
  t.voffSigma[index] = belief.voffSigma;
  t.tau[index] = Math.exp(belief.logTau);
  t.tauSigma[index] = Math.max(belief.tauSigma, TAU_SIGMA);
}

/**
 * Write-verify over a whole array: reads, aims one pulse at every cell outside tolerance, sends them all, reads
 * again. `targets` are rows x columns, S; NaN leaves a cell alone, and rows without targets are not read. Starts
 * from a measurement, so calling it again finishes an interrupted job. Throws `bad-input` for targets of the
 * wrong length or beyond the array's window and reach, `interrupted` on abort, `board-lost` when the board is gone; the
 * passport is saved in every case.
 */
export async function programArray(
  board: CalibratedBoard,
  passport: Passport,
  array: number,
  targets: Float64Array,
  options: ProgramOptions = {},
): Promise<ProgrammingReport> {
  const job = new ProgrammingJob(board, passport.array(array), array, targets, options);
  return job.run();
}

class ProgrammingJob {
  readonly #prior: Prior;
  readonly #window: ArrayWindow;
  readonly #tolerance: number;
  readonly #cells: Cell[] = [];
  readonly #byIndex: Map<number, Cell>;
  readonly #rows: number[];
  readonly #limits: PulseLimits;
  readonly #readVoltage: number;
  /** Relative noise of one sample of a read. */
  #noise = NOISE_GUESS * 3;
  readonly #conductance: Float64Array;
  /** Highest target, S. */
  readonly #highest: number;
  #writing = false;
  /** Fewest cells that waited for the way under way, and rounds since they last became fewer. */
  #phase = { fewest: Number.POSITIVE_INFINITY, idle: 0 };
  /** How often erasing has begun. */
  #cycle = 0;
  #pulses = 0;
  #energy = 0;
  #roundTripsBefore: number;
  #sender!: PulseSender;
  /** What this round's pulses put on their lines. */
  #doses!: LineDoses;

  readonly #board: CalibratedBoard;
  readonly #passport: ArrayPassport;
  readonly #array: number;
  readonly #targets: Float64Array;
  readonly #options: ProgramOptions;

  constructor(
    board: CalibratedBoard,
    passport: ArrayPassport,
    array: number,
    targets: Float64Array,
    options: ProgramOptions,
  ) {
    this.#board = board;
    this.#passport = passport;
    this.#array = array;
    this.#targets = targets;
    this.#options = options;

    const { rows, columns, limits, seriesResistance } = board.description;
    this.#prior = options.prior ?? W_SDC_PRIOR;
    if (targets.length !== rows * columns) {
      throw new MemloopError(
        'bad-input',
        `the targets have ${targets.length} values, array ${array} has ${rows}x${columns} = ${rows * columns} cells`,
      );
    }
    const window = arrayWindow(passport, this.#prior);
    this.#window = window;
    this.#tolerance = options.tolerance ?? 0.02 * (window.high - window.low);
    this.#readVoltage = readVoltageOf(board.description);
    this.#limits = { ...limits, seriesResistance };
    this.#conductance = new Float64Array(rows * columns).fill(Number.NaN);
    this.#roundTripsBefore = board.board.counters.requests;
    for (let index = 0; index < targets.length; index++) {
      const target = targets[index];
      if (Number.isNaN(target)) continue;
      const row = Math.floor(index / columns);
      const column = index % columns;
      if (target < window.low - this.#tolerance || target > window.reach + this.#tolerance) {
        throw new MemloopError(
          'bad-input',
          `the target of array ${array} row ${row} column ${column} is ${siemens(target)}, outside the array's window of ${siemens(window.low)} to ${siemens(window.high)}`,
        );
      }
      this.#cells.push({
        index,
        row,
        column,
        target,
        belief: beliefOf(passport, index, this.#prior),
        pulses: 0,
        fruitless: { up: 0, down: 0 },
        moved: false,
        beyond: 0,
        sent: undefined,
        before: Number.NaN,
        denied: undefined,
        failure: passport.unhealthy.get(index)?.health,
      });
    }
    this.#highest = this.#cells.reduce((max, cell) => Math.max(max, cell.target), 0);
    this.#byIndex = new Map(this.#cells.map((cell) => [cell.index, cell]));
    this.#rows = [...new Set(this.#cells.map((cell) => cell.row))];
  }

  async run(): Promise<ProgrammingReport> {
    this.#sender = await PulseSender.open(this.#board, this.#passport, this.#array, this.#options);
    try {
      await this.#rounds();
    } finally {
      for (const cell of this.#cells) if (cell.pulses > 0) remember(this.#passport, cell.index, cell.belief);
      if (this.#options.settle ?? true) this.#sender.save();
    }
    return this.#report();
  }

  async #rounds(): Promise<void> {
    const { maxRounds = 100, emit, stage = 'program' } = this.#options;
    const progress = progressOf(emit, stage, 'cells', this.#cells.length);
    await this.#measureNoise();
    let saved = performance.now();
    let best = { outside: Infinity, round: 0 };
    let last = maxRounds;
    for (let round = 0; ; round++) {
      this.#options.signal?.throwIfAborted();
      const outside = this.#cells.filter((cell) => cell.failure === undefined && !this.#near(cell));
      const pending = this.#ofOnePolarity(outside, round >= last - Math.min(LAST_ROUNDS, maxRounds / 2));
      if (outside.length < best.outside) best = { outside: outside.length, round };
      if (this.#cycle >= 2 && round - best.round >= STALLED) last = Math.min(last, round + LAST_ROUNDS);
      progress.set(this.#cells.length - outside.length);
      this.#emitConductance();
      if (pending.length === 0 || round >= last) return;
      const unknown = await this.#pulse(pending);
      await this.#read(this.#rows, this.#samples());
      // After an unknown outcome nothing is learned: only the measurement counts.
      if (unknown) for (const cell of this.#cells) cell.sent = undefined;
      else await this.#learnFromAnswers();
      if (performance.now() - saved > 2000) {
        this.#sender.save();
        saved = performance.now();
      }
    }
  }

  /**
   * A round drives one way only: erasing and writing side by side would undo each other through the half-selected
   * cells. Erasing comes first, because at its low thresholds it disturbs more; the way changes when no cell waits for
   * the one under way, or when those that do no longer become fewer.
   */
  #ofOnePolarity(outside: readonly Cell[], ending: boolean): Cell[] {
    const [up, down] = [true, false].map((way) =>
      outside.filter(
        (cell) => cell.denied !== this.#cycle && cell.target > this.#conductance[cell.index] === way,
      ),
    ) as [Cell[], Cell[]];
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

  /** Why a direction in which nothing moves any more ends the cell; a state of NaN says nothing of being stuck. */
  #failureOf(cell: Cell, up: boolean, state: number): FailureReason {
    if (!cell.moved) {
      if (up && state < 0.15) return 'stuck low';
      if (!up && state > 0.7) return 'stuck high';
    }
    if (up && this.#beyondWindow(cell)) return 'out of reach';
    return up ? 'write fails' : 'erase fails';
  }

  /** Within tolerance by so much that noise will not deny it. */
  #near(cell: Cell): boolean {
    const sigma = this.#sigma(this.#conductance[cell.index], this.#samples());
    const inner = Math.max(0.5 * this.#tolerance, this.#tolerance - 2 * sigma);
    return Math.abs(this.#conductance[cell.index] - cell.target) <= inner;
  }

  /** Standard deviation of a read of conductance g (S). */
  #sigma(g: number, samples: number): number {
    const step = this.#board.description.currentRanges[0].step / this.#readVoltage;
    return Math.hypot(step / Math.sqrt(12), (this.#noise * g) / Math.sqrt(samples));
  }

  /** Enough samples to see a fifth of the tolerance at the highest target, at least the number asked for. */
  #samples(): number {
    const needed = ((4 * this.#noise * this.#highest) / this.#tolerance) ** 2;
    return Math.min(64, Math.max(this.#options.samples ?? 8, Math.ceil(needed)));
  }

  /** The first read is taken in two halves, whose difference is the noise. */
  async #measureNoise(): Promise<void> {
    const samples = Math.max(1, Math.ceil((this.#options.samples ?? 8) / 2));
    const first = await this.#board.conductances(this.#array, {
      voltage: this.#readVoltage,
      samples,
      rows: this.#rows,
    });
    const second = await this.#board.conductances(this.#array, {
      voltage: this.#readVoltage,
      samples,
      rows: this.#rows,
    });
    let squares = NOISE_WEIGHT * 2 * (this.#noise ** 2 / samples);
    let count = NOISE_WEIGHT;
    for (const { index } of this.#cells) {
      const mean = (first[index] + second[index]) / 2;
      if (!(mean > 0)) continue;
      // A cell whose state jumped between the two reads is no noise.
      squares += Math.min(((first[index] - second[index]) / mean) ** 2, 0.04);
      count += 1;
    }
    this.#noise = Math.sqrt((squares / count / 2) * samples);
    this.#accept(first.map((value, i) => (value + second[i]) / 2));
  }

  async #read(rows: readonly number[], samples: number): Promise<void> {
    this.#accept(await this.#board.conductances(this.#array, { voltage: this.#readVoltage, samples, rows }));
  }

  #accept(measured: Float64Array): void {
    const { conductance } = this.#passport.tables;
    for (let i = 0; i < measured.length; i++) {
      if (Number.isNaN(measured[i])) continue;
      this.#conductance[i] = measured[i];
      conductance[i] = measured[i];
    }
    for (const { index, belief } of this.#cells) {
      const g = this.#conductance[index];
      const sigma = this.#sigma(g, this.#samples());
      if (g > belief.high + 2 * sigma) belief.high = g;
      if (g < belief.low - 2 * sigma && g > 0) belief.low = g;
    }
  }

  /** One pulse on every pending cell that is not given up; returns whether the fate of some is unknown. */
  async #pulse(pending: readonly Cell[]): Promise<boolean> {
    const candidates: {
      cell: Cell;
      pulse: Pulse;
      nominal: number;
      energy: number;
      state: number;
      change: number;
    }[] = [];
    const { rows, columns, halfSelect } = this.#board.description;
    for (const cell of this.#cells) cell.before = this.#conductance[cell.index];
    this.#doses = new LineDoses(rows, columns, halfSelect, this.#prior.parameters.vt);
    const step = this.#board.description.rowVoltageStep;
    const breather = new Breather();
    for (const cell of pending) {
      await breather.breathe();
      const up = cell.target > this.#conductance[cell.index];
      const beyond = this.#isBeyond(cell);
      if (beyond && cell.beyond++ >= BEYOND) {
        cell.failure = this.#failureOf(cell, up, Number.NaN);
        continue;
      }
      // Its range was measured with all others at the same end, where the lines' resistance hides most of it.
      const stretched = 0.05 * (cell.belief.high - cell.belief.low);
      const belief = !beyond
        ? cell.belief
        : up
          ? { ...cell.belief, high: Math.max(cell.belief.high, cell.target + stretched) }
          : {
              ...cell.belief,
              low: Math.min(cell.belief.low, Math.max(0.5 * cell.target, cell.target - stretched)),
            };
      const p = parametersOf(this.#prior, belief, this.#readVoltage);
      const state = stateOf(p, this.#conductance[cell.index], this.#readVoltage);
      const target = stateOf(p, cell.target, this.#readVoltage);
      if ((up ? cell.fruitless.up : cell.fruitless.down) >= PATIENCE) {
        cell.failure = this.#failureOf(cell, up, state);
        continue;
      }
      if (cell.pulses >= (this.#options.maxPulses ?? 30)) {
        cell.failure = 'pulse budget';
        continue;
      }
      const aimed = aimPulse(
        this.#prior,
        cell.belief,
        p,
        state,
        target,
        this.#stateTolerance(cell),
        this.#limits,
      );
      const nominal = Math.round(this.#board.nominalVoltage(cell.row, aimed.voltage) / step) * step;
      const voltage = this.#board.trueVoltage(cell.row, nominal);
      const pulse = { voltage, width: Math.max(this.#limits.minWidth, Math.round(aimed.width * 1e7) / 1e7) };
      const noise =
        this.#sigma(this.#conductance[cell.index], this.#samples()) / (cell.belief.high - cell.belief.low);
      cell.sent = { pulse, ambitious: Math.abs(target - state) > 6 * noise };
      const middle = (state + target) / 2;
      const device = dividedVoltage(p, middle, voltage, this.#limits.seriesResistance);
      candidates.push({
        cell,
        pulse,
        nominal,
        energy: device * memristorCurrent(p, middle, device) * pulse.width,
        state,
        change: target - state,
      });
    }
    // Strong pulses disturb their neighbours most, so cells of low thresholds come last; one that the pulses before
    // it would move by a good part of what it needs waits for a later round.
    candidates.sort((a, b) => Math.abs(b.pulse.voltage) - Math.abs(a.pulse.voltage));
    const allowance = DAMAGE[Math.min(this.#cycle, DAMAGE.length - 1)];
    const planned: typeof candidates = [];
    for (const candidate of candidates) {
      await breather.breathe();
      const { cell, pulse, state, change } = candidate;
      const disturb = this.#doses.disturb(cell.belief, state, cell.row, cell.column);
      const waits = Math.abs(disturb) > Math.max(0.2 * Math.abs(change), this.#stateTolerance(cell));
      if (!waits && allowance < Number.POSITIVE_INFINITY && this.#damage(cell, pulse) > allowance)
        cell.denied = this.#cycle;
      if (waits || cell.denied === this.#cycle) {
        cell.sent = undefined;
        continue;
      }
      this.#doses.add(cell.row, cell.column, pulse.voltage, pulse.width);
      planned.push(candidate);
    }

    for (const { cell, energy } of planned) {
      cell.pulses += 1;
      this.#pulses += 1;
      this.#energy += energy;
    }
    const { exhausted, unknown } = await this.#sender.send(
      planned.map(({ cell, pulse, nominal, energy }) => ({
        cell: cell.index,
        nominal,
        width: pulse.width,
        energy,
      })),
    );
    for (const index of exhausted) {
      const cell = this.#byIndex.get(index)!;
      cell.pulses -= 1;
      this.#pulses -= 1;
      cell.sent = undefined;
      cell.failure = 'pulse budget';
    }
    return unknown;
  }

  /** Whether the target lies so near the end of the cell's range that how it gets there says little of its threshold. */
  #isBeyond({ belief, target }: Cell): boolean {
    const margin = 0.02 * (belief.high - belief.low);
    return target > belief.high - margin || target < belief.low;
  }

  /** How many neighbours that are in tolerance a pulse is expected to push out of it. */
  #damage(cell: Cell, pulse: Pulse): number {
    const { rows, columns, halfSelect } = this.#board.description;
    if (halfSelect === 0) return 0;
    const { vt } = this.#prior.parameters;
    const up = pulse.voltage > 0;
    const dose = pulse.width * Math.expm1((Math.abs(pulse.voltage) * halfSelect) / vt);
    let sum = 0;
    const count = (index: number) => {
      const other = this.#byIndex.get(index);
      if (!other || other === cell || other.failure !== undefined || !this.#near(other)) return;
      const { belief } = other;
      const exponent = (dose * Math.exp(-(up ? belief.von : belief.voff) / vt)) / Math.exp(belief.logTau);
      const p = parametersOf(this.#prior, belief, this.#readVoltage);
      const state = stateOf(p, this.#conductance[index], this.#readVoltage);
      const moved = -Math.expm1(-exponent) * (up ? 1 - state : state);
      const error = this.#conductance[index] - other.target;
      const room = this.#tolerance + (up ? -error : error);
      sum += Math.min(1, (moved * (belief.high - belief.low)) / room);
    };
    for (let c = 0; c < columns; c++) count(cell.row * columns + c);
    for (let r = 0; r < rows; r++) count(r * columns + cell.column);
    return sum;
  }

  #stateTolerance(cell: Cell): number {
    return (0.5 * this.#tolerance) / (cell.belief.high - cell.belief.low);
  }

  async #learnFromAnswers(): Promise<void> {
    const breather = new Breather();
    for (const cell of this.#cells) {
      await breather.breathe();
      const { belief, row, column, sent } = cell;
      cell.sent = undefined;
      const p = parametersOf(this.#prior, belief, this.#readVoltage);
      const g = this.#conductance[cell.index];
      const noise = this.#sigma(g, this.#samples()) / (belief.high - belief.low);
      const before = stateOf(p, cell.before, this.#readVoltage);
      const after = stateOf(p, g, this.#readVoltage);
      if (!sent) {
        learnFromDisturb(this.#prior, belief, this.#doses, before, after, noise, row, column);
        continue;
      }
      const { pulse, ambitious } = sent;
      const disturb = this.#doses.disturb(belief, before, row, column, pulse);
      const moved = learn(
        this.#prior,
        belief,
        p,
        pulse,
        before,
        after - disturb,
        Math.hypot(noise, 0.5 * disturb),
        this.#limits.seriesResistance,
      );
      const direction = pulse.voltage > 0 ? 'up' : 'down';
      if (this.#isBeyond(cell)) continue;
      if (moved) {
        cell.moved = true;
        cell.fruitless[direction] = 0;
      } else if (ambitious) {
        cell.fruitless[direction] += 1;
        // Erasing thresholds have a heavy tail, which the normal belief climbs too slowly by itself.
        if (direction === 'down') {
          const climb = 0.3 * cell.fruitless.down * this.#prior.voffSigma;
          believeThreshold(
            this.#prior,
            belief,
            false,
            belief.voff + climb,
            Math.max(belief.voffSigma, climb),
          );
        }
      }
    }
  }

  #beyondWindow({ target }: Cell): boolean {
    return target > this.#window.high + this.#tolerance;
  }

  #reasonOf(cell: Cell): FailureReason {
    if (cell.failure && cell.failure !== 'pulse budget') return cell.failure;
    if (this.#beyondWindow(cell)) return 'out of reach';
    if (cell.failure) return cell.failure;
    const { up, down } = cell.fruitless;
    if (!cell.moved && up + down >= 2) return up > down ? 'stuck low' : 'stuck high';
    const g = this.#conductance[cell.index];
    const sigma = this.#sigma(g, this.#samples());
    if (4 * sigma > this.#tolerance && Math.abs(g - cell.target) < this.#tolerance + 2 * sigma)
      return 'read noise';
    return this.#board.description.halfSelect > 0 ? 'half-select' : 'pulse budget';
  }

  #emitConductance(): void {
    const { rows, columns } = this.#board.description;
    this.#options.emit?.({
      type: 'conductance',
      array: this.#array,
      rows,
      columns,
      conductance: Array.from(this.#passport.tables.conductance, (g) => (Number.isFinite(g) ? g : 0)),
    });
  }

  #report(): ProgrammingReport {
    const failed: FailedCell[] = [];
    let good = 0;
    let squares = 0;
    let healthy = 0;
    for (const cell of this.#cells) {
      const conductance = this.#conductance[cell.index];
      const error = conductance - cell.target;
      const inTolerance = Math.abs(error) <= this.#tolerance;
      if (inTolerance) good += 1;
      else {
        const reason = this.#reasonOf(cell);
        failed.push({
          array: this.#array,
          row: cell.row,
          column: cell.column,
          reason,
          conductance,
          target: cell.target,
        });
        if (outOfUse(reason)) this.#passport.setHealth(cell.index, reason);
      }
      if (cell.failure === undefined) {
        squares += error ** 2;
        healthy += 1;
      }
      if (cell.pulses > 0 || cell.failure !== undefined) {
        this.#options.emit?.({
          type: 'cell',
          array: this.#array,
          row: cell.row,
          column: cell.column,
          conductance,
          target: cell.target,
          pulses: this.#passport.tables.pulses[cell.index],
          energy: this.#passport.tables.energy[cell.index],
          status: inTolerance ? 'in-tolerance' : 'failed',
          ...(inTolerance ? {} : { reason: this.#reasonOf(cell) }),
        });
      }
    }
    if (failed.length > 0 && (this.#options.settle ?? true)) this.#passport.save();
    const cells = this.#cells.length;
    return {
      array: this.#array,
      cells,
      inTolerance: cells === 0 ? 1 : good / cells,
      pulsesPerCell: cells === 0 ? 0 : this.#pulses / cells,
      pulses: this.#pulses,
      failed,
      conductance: this.#conductance,
      targets: this.#targets,
      tolerance: this.#tolerance,
      roundTrips: this.#board.board.counters.requests - this.#roundTripsBefore,
      energy: this.#energy,
      rmsError: healthy === 0 ? 0 : Math.sqrt(squares / healthy),
    };
  }
}

const siemens = (g: number): string => `${(g * 1e6).toPrecision(3)} µS`;
