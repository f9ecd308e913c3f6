/** What each cell can do: its range, its thresholds, and whether it answers at all. */
import { longestPulse } from '../../driver/board/limits.js';
import { memristorCurrent } from '../../model/devices/memristor.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import { type CalibratedBoard, readVoltageOf } from '../converters/calibrated-board.js';
import type { ArrayPassport } from '../passport/passport.js';
import { Breather } from '../programming/breather.js';
import { type PlannedPulse, planPulse, pulseEnergy } from '../programming/pulse-plan.js';
import { sendPulses } from '../programming/pulse-sender.js';
import { beliefOf, remember } from './beliefs.js';
import { type Belief, DeviceEstimate, type Prior } from './device-estimate.js';
import { doseOf, LineDoses } from './half-select.js';
import { W_SDC_PRIOR } from './prior.js';

export interface DeviceCalibration {
  array: number;
  cells: number;
  /** Pulses planned: six for each cell that may have them. */
  pulses: number;
  /** Range that nearly all healthy cells reach, S. */
  window: { low: number; high: number };
  /** Cells that do not answer. */
  stuckLow: number;
  stuckHigh: number;
}

export interface CalibrateDevicesOptions {
  prior?: Prior | undefined;
  emit?: Emit | undefined;
  /** Ends the work after the pulses under way, by the signal's reason. */
  signal?: AbortSignal | undefined;
}

const SAMPLES = 16;
/** Pulses between two reports of progress; on slow boards they take seconds. */
const PIECE = 128;
/** Pulses for each cell. */
const PULSES = 6;
/** Share of healthy cells whose range the array's window lies within, at each end. */
const COVERED = 0.98;
/**
 * Strength of a pulse that drives every cell to its end: standard deviations above the population's mean threshold. Erasing
 * thresholds have a heavy tail. What it does to neighbours is no harm: they are driven the same way.
 */
const STRONG = { write: 3, erase: 6 };
/** And of one that moves weak cells only, standard deviations below it. */
const GENTLE = { write: 2, erase: 2 };

/**
 * Largest share of the selected cell's own voltage that half-selected ones may see at the high end of the array's window.
 * Measured: above it fewer cells can be set, much below it the window is too narrow for the steps of voltage and width.
 */
const SPARING = 0.62;

type Strength = 'gentle' | 'half' | 'strong';

/** Where such a pulse is expected to take a cell. */
const PATH: Readonly<Record<Strength, (state: number, up: boolean) => number>> = {
  gentle: (state) => state,
  half: (state, up) => (up ? (1 + state) / 2 : state / 2),
  strong: (_, up) => (up ? 1 : 0),
};

/** A pulse on each cell in turn, and what their lines had of them. */
interface Round {
  pulses: (PlannedPulse & { cell: number; energy: number; state: number; dose: number })[];
  doses: LineDoses;
}

/**
 * Erases all cells, then writes them gently, half way and fully, then erases them gently and half way, and reads after
 * each: six pulses per cell, which give its range, both thresholds, whether it is weak and whether it moves. Destroys what
 * the array held. The passport is saved; its window and the cells' health are set anew. Cells that are quarantined or
 * whose budget is too small for this are left out, and what was known of them is kept.
 */
export async function calibrateDevices(
  board: CalibratedBoard,
  array: number,
  options: CalibrateDevicesOptions = {},
): Promise<DeviceCalibration> {
  const survey = new DeviceSurvey(board, array, options);
  try {
    return await survey.run();
  } finally {
    board.board.save(array);
  }
}

class DeviceSurvey {
  readonly #board: CalibratedBoard;
  readonly #passport: ArrayPassport;
  readonly #array: number;
  readonly #signal: AbortSignal | undefined;
  readonly #estimate: DeviceEstimate;
  /** Of the cells that are pulsed, by index. */
  readonly #beliefs = new Map<number, Belief>();
  readonly #progress: ReturnType<typeof progressOf>;
  readonly #breather = new Breather();

  constructor(
    board: CalibratedBoard,
    array: number,
    { prior = W_SDC_PRIOR, emit, signal }: CalibrateDevicesOptions,
  ) {
    const { rows, columns, limits, seriesResistance, halfSelect } = board.description;
    this.#board = board;
    this.#passport = board.passport.array(array);
    this.#array = array;
    this.#signal = signal;
    this.#estimate = new DeviceEstimate(
      prior,
      { ...limits, seriesResistance, halfSelect },
      readVoltageOf(board.description),
    );
    const leftOut = board.board.leaveOut(array, PULSES);
    for (let cell = 0; cell < rows * columns; cell++)
      if (!leftOut.has(cell)) this.#beliefs.set(cell, beliefOf(this.#passport, cell, prior));
    this.#progress = progressOf(emit, 'calibrate devices', 'pulses', PULSES * this.#beliefs.size);
  }

  async run(): Promise<DeviceCalibration> {
    await this.#pulseAll(false, 'strong', await this.#read());
    const low = await this.#read();
    for (const [cell, belief] of this.#beliefs)
      if (low[cell] < 0.5 * belief.high) belief.low = Math.max(low[cell], 1e-8);
    const above = await this.#probe(true, 'gentle', low);
    const half = await this.#probe(true, 'half', above);
    await this.#pulseAll(true, 'strong', half);
    const high = await this.#read();
    for (const [cell, belief] of this.#beliefs) if (high[cell] > 2 * belief.low) belief.high = high[cell];
    const below = await this.#probe(false, 'gentle', high);
    const last = await this.#probe(false, 'half', below);
    return this.#conclude(low, high, last);
  }

  #read(): Promise<Float64Array> {
    const voltage = readVoltageOf(this.#board.description);
    return this.#board.conductances(this.#array, { voltage, samples: SAMPLES });
  }

  /** One pulse on every cell, from which its thresholds are learned; returns what was read after it. */
  async #probe(up: boolean, strength: Strength, from: Float64Array): Promise<Float64Array> {
    const round = await this.#pulseAll(up, strength, from);
    const after = await this.#read();
    await this.#learn(round, after);
    return after;
  }

  async #pulseAll(up: boolean, strength: Strength, from: Float64Array): Promise<Round> {
    const { description } = this.#board;
    const { columns, seriesResistance } = description;
    const doses = new LineDoses(description, this.#estimate.prior.parameters.vt);
    const pulses: Round['pulses'] = [];
    for (const [cell, belief] of this.#beliefs) {
      if (this.#breather.due) await this.#breather.breathe();
      const row = Math.floor(cell / columns);
      const p = this.#estimate.parametersOf(belief);
      const state = this.#estimate.stateOf(p, from[cell]);
      // Never longer than wanted: strong pulses are at the board's limit of energy.
      const pulse = planPulse(this.#board, row, this.#wanted(belief, state, up, strength), Math.floor);
      const to = PATH[strength](state, up);
      const dose = doseOf(pulse, description, { p, from: state, to });
      doses.add(row, cell % columns, up, dose);
      const energy = pulseEnergy(p, up ? 0.7 : 0.3, pulse, seriesResistance);
      pulses.push({ ...pulse, cell, energy, state, dose });
    }
    // As in programming: what disturbs most goes first.
    const ordered = pulses.toSorted((a, b) => Math.abs(b.voltage) - Math.abs(a.voltage));
    for (let first = 0; first < ordered.length; first += PIECE) {
      const piece = ordered.slice(first, first + PIECE);
      await sendPulses(this.#board, this.#array, piece, this.#signal);
      this.#progress.step(piece.length);
    }
    return { pulses, doses };
  }

  /** The same strength for all cells, or half way to the end with what is believed of the cell. */
  #wanted(
    belief: Belief,
    state: number,
    up: boolean,
    strength: Strength,
  ): { voltage: number; width: number } {
    const p = this.#estimate.parametersOf(belief);
    if (strength === 'half')
      return this.#estimate.aim(belief, p, {
        from: state,
        to: PATH.half(state, up),
        tolerance: 0.05,
      });
    const { limits, seriesResistance } = this.#board.description;
    const { parameters, vonSigma, voffSigma } = this.#estimate.prior;
    const { write, erase } = strength === 'strong' ? STRONG : { write: -GENTLE.write, erase: -GENTLE.erase };
    const device = up ? parameters.von + write * vonSigma : -parameters.voff - erase * voffSigma;
    // The divider: a strong pulse must be strong to the end, a gentle one is so from the start.
    const against = strength === 'strong' ? 1 : state;
    const voltage = Math.max(
      limits.minVoltage,
      Math.min(limits.maxVoltage, device + seriesResistance * memristorCurrent(p, against, device)),
    );
    const longest = longestPulse(limits.maxEnergy, voltage, seriesResistance);
    return { voltage, width: Math.min(limits.maxWidth, longest, 8 * p.tau) };
  }

  async #learn({ pulses, doses }: Round, after: Float64Array): Promise<void> {
    const { columns } = this.#board.description;
    for (const pulse of pulses) {
      if (this.#breather.due) await this.#breather.breathe();
      const belief = this.#beliefs.get(pulse.cell)!;
      const p = this.#estimate.parametersOf(belief);
      const row = Math.floor(pulse.cell / columns);
      const own = { up: pulse.voltage > 0, dose: pulse.dose };
      const disturb = doses.disturb(belief, pulse.state, row, pulse.cell % columns, own);
      const noise = (0.01 * after[pulse.cell]) / (belief.high - belief.low);
      this.#estimate.learn(belief, p, pulse, {
        before: pulse.state,
        after: this.#estimate.stateOf(p, after[pulse.cell]) - disturb,
        noise: Math.hypot(noise, 0.5 * disturb),
      });
    }
  }

  /**
   * The conductance (S) up to which cells can be written without driving their half-selected neighbours hard. The divider asks
   * (1 + R·g) times the cell's own voltage of the pulse, and neighbours see their share of all of it.
   */
  #highestSparing(): number {
    const { halfSelect, linesFloat, seriesResistance } = this.#board.description;
    if (!this.#estimate.isWary || linesFloat) return Number.POSITIVE_INFINITY;
    return Math.max(0, SPARING / halfSelect - 1) / seriesResistance;
  }

  /** Writes ranges, thresholds, health and window into the passport. */
  #conclude(low: Float64Array, high: Float64Array, last: Float64Array): DeviceCalibration {
    const passport = this.#passport;
    const { tables } = passport;
    tables.conductance.set(last);
    const cells = [...this.#beliefs.keys()];
    const medianOf = (values: Float64Array) =>
      cells.map((cell) => values[cell]).toSorted((a, b) => a - b)[Math.floor(cells.length / 2)];
    const middle = (medianOf(high) + medianOf(low)) / 2;
    const healthy: number[] = [];
    let [stuckLow, stuckHigh] = [0, 0];
    for (const [cell, belief] of this.#beliefs) {
      remember(passport, cell, belief);
      // Half of its own low range is far more than noise and disturb can do.
      if (high[cell] > 1.5 * low[cell]) {
        passport.setHealth(cell, undefined);
        tables.windowLow[cell] = low[cell];
        tables.windowHigh[cell] = high[cell];
        healthy.push(cell);
      } else if (high[cell] > middle) {
        passport.setHealth(cell, 'stuck high');
        stuckHigh += 1;
      } else {
        passport.setHealth(cell, 'stuck low');
        stuckLow += 1;
      }
    }
    const covered = Math.min(healthy.length - 1, Math.floor(COVERED * healthy.length));
    const window = {
      low: healthy.map((cell) => low[cell]).toSorted((a, b) => a - b)[covered] ?? 0,
      high: healthy.map((cell) => high[cell]).toSorted((a, b) => b - a)[covered] ?? 0,
    };
    window.high = Math.min(window.high, this.#highestSparing());
    if (window.high > 2 * window.low) passport.window = window;
    return {
      array: this.#array,
      cells: passport.rows * passport.columns,
      pulses: PULSES * cells.length,
      window,
      stuckLow,
      stuckHigh,
    };
  }
}
