/**
 * What one cell does under voltages: I–V loops, endurance, forming, retention. A board with a scope gives a true trace of a
 * wave. Most boards have no ammeter under a pulse: there each step of a wave is a pulse through the series resistor and a
 * read of the conductance that it left; voltage and current at the end of the pulse follow from it and the divider.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BoardDescription, CellAddress, CellOutcome, CellTrace } from '../../driver/board/board.js';
import { largestEnergy, longestPulse, SLACK } from '../../driver/board/limits.js';
import { isUnsettled } from '../../driver/board/outcomes.js';
import {
  dividedVoltage,
  type MemristorParameters,
  memristorCurrent,
  stateOfConductance,
} from '../../model/devices/memristor.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import { type CalibratedBoard, DEFAULT_READ_VOLTAGE, readVoltageOf } from '../converters/calibrated-board.js';
import { beliefOf } from '../devices/beliefs.js';
import { parametersOf } from '../devices/device-estimate.js';
import { W_SDC_PRIOR } from '../devices/prior.js';
import type { GatedOperation } from '../passport/gate.js';
import { type PlannedPulse, planPulse, pulseEnergy } from '../programming/pulse-plan.js';

export interface CellSample {
  /** s of pulses since the beginning */
  time: number;
  /** Across cell and series resistor, V. */
  applied: number;
  /** Across the cell, V. */
  voltage: number;
  /** A */
  current: number;
  /** Read after the pulse, S. */
  conductance: number;
}

export interface Step {
  /** V across cell and series resistor */
  voltage: number;
  /** s */
  width: number;
}

export interface SweepContext {
  /** Pulses that this measurement may apply. Without it nothing is pulsed, and the error says how many it needs. */
  budget?: number | undefined;
  emit?: Emit | undefined;
  signal?: AbortSignal | undefined;
}

/** Pulses in one batch: small, so that Ctrl-C is quick. */
const BATCH = 400;
const SAMPLES = 4;

export interface Waveform {
  waveform?: 'triangle' | 'sine';
  /** Across cell and series resistor, V. */
  amplitude: number;
  /** Hz */
  frequency: number;
  /** A period. */
  points: number;
}

/** One period of a wave as pulses: a pulse longer than the board allows is split. Throws `limit`. */
export function waveSteps(
  limits: { minWidth: number; maxWidth: number; minVoltage: number; maxVoltage: number },
  { waveform = 'triangle', amplitude, frequency, points }: Waveform,
): Step[] {
  if (!(amplitude > 0 && amplitude <= limits.maxVoltage && -amplitude >= limits.minVoltage)) {
    throw new MemloopError(
      'limit',
      `the amplitude ${amplitude} V is outside the board's limits, ${limits.minVoltage} to ${limits.maxVoltage} V`,
    );
  }
  const width = 1 / frequency / points;
  if (!(width >= limits.minWidth)) {
    throw new MemloopError(
      'limit',
      `${frequency} Hz in ${points} steps needs pulses of ${(width * 1e6).toPrecision(3)} µs, the board's shortest is ${(limits.minWidth * 1e6).toPrecision(3)} µs: lower --frequency or --points`,
    );
  }
  const parts = Math.ceil(width / limits.maxWidth);
  const wave = (phase: number) =>
    waveform === 'sine'
      ? Math.sin(2 * Math.PI * phase)
      : phase < 0.25
        ? 4 * phase
        : phase < 0.75
          ? 2 - 4 * phase
          : 4 * phase - 4;
  return Array.from({ length: points * parts }, (_, i) => ({
    voltage: amplitude * wave((Math.floor(i / parts) + 0.5) / points),
    width: width / parts,
  }));
}

/** Throws `usage` where the measurement may not apply so many pulses, `limit` where the board does not allow them. */
export function checkBudget(board: CalibratedBoard, pulses: number, budget: number | undefined): void {
  const { maxPulses } = board.description.limits;
  if (pulses > maxPulses) {
    throw new MemloopError(
      'limit',
      `this needs ${pulses} pulses on the cell, the board allows ${maxPulses} between two starts`,
    );
  }
  if (budget === undefined || pulses > budget) {
    throw new MemloopError(
      'usage',
      `this needs ${pulses} pulses on the cell: allow them with --budget ${pulses}`,
    );
  }
}

/**
 * Pulses a cell and reads it after each. Throws `bad-input`, `limit` and `usage` before the first pulse, `interrupted` on
 * abort and `board-lost` with the passport saved.
 */
export async function driveCell(
  board: CalibratedBoard,
  address: CellAddress,
  steps: readonly Step[],
  { budget, emit, signal }: SweepContext = {},
  stage = 'sweep',
): Promise<CellSample[]> {
  const { array } = address;
  checkAddress(board.description, address);
  board.board.checkCell(address, steps.length);
  checkBudget(board, steps.length, budget);
  for (const step of steps) checkStep(board.description, step);
  const probe = new CellProbe(board, address, stage);
  const progress = progressOf(emit, stage, 'pulses', steps.length);
  const samples: CellSample[] = [];
  try {
    for (let first = 0; first < steps.length; first += BATCH) {
      signal?.throwIfAborted();
      samples.push(...(await probe.drive(steps.slice(first, first + BATCH))));
      progress.set(samples.length);
    }
  } finally {
    board.board.save(array);
  }
  return samples;
}

/**
 * Drives a cell by periods of a wave, straight through, on a board that can trace it; returns the last period, each sample
 * the mean of what the scope saw in its share of the period. Each half of a period is a pulse. Throws as `driveCell`.
 */
export async function traceCell(
  board: CalibratedBoard,
  address: CellAddress,
  { cycles, ...wave }: Waveform & { cycles: number },
  { budget, emit, signal }: SweepContext = {},
): Promise<CellSample[]> {
  const { array, row } = address;
  const { frequency, points } = wave;
  const { limits, seriesResistance } = board.description;
  checkAddress(board.description, address);
  const unbound = { ...limits, minWidth: 0, maxWidth: 1 / frequency };
  const period = waveSteps(unbound, wave).map(({ voltage }) => board.nominalVoltage(row, voltage));
  checkBudget(board, 2 * cycles, budget);
  signal?.throwIfAborted();
  const samples = Float64Array.from({ length: cycles * points }, (_, i) => period[i % points]);
  const progress = progressOf(emit, 'sweep', 'periods', cycles);
  try {
    const trace = await board.board.trace!(address, samples, frequency * points);
    progress.set(cycles);
    return lastPeriod(trace, { cycles, frequency, points, seriesResistance });
  } finally {
    board.board.save(array);
  }
}

function lastPeriod(
  { voltage, current, rate }: CellTrace,
  {
    cycles,
    frequency,
    points,
    seriesResistance,
  }: { cycles: number; frequency: number; points: number; seriesResistance: number },
): CellSample[] {
  const bins = Array.from({ length: points }, () => ({ count: 0, voltage: 0, current: 0 }));
  for (let i = 0; i < voltage.length; i++) {
    const point = Math.floor(((i + 0.5) / rate) * frequency * points) - (cycles - 1) * points;
    if (point < 0 || point >= points) continue;
    const bin = bins[point];
    bin.count++;
    bin.voltage += voltage[i];
    bin.current += current[i];
  }
  if (bins.some(({ count }) => count === 0))
    throw new MemloopError(
      'limit',
      `the board traces ${voltage.length} samples of ${cycles} periods: lower --cycles or --points`,
    );
  return bins.map(({ count, ...sums }, i) => {
    const [v, a] = [sums.voltage / count, sums.current / count];
    return {
      time: (cycles - 1 + (i + 0.5) / points) / frequency,
      applied: v + a * seriesResistance,
      voltage: v,
      current: a,
      conductance: a / v,
    };
  });
}

function checkAddress({ rows, columns }: BoardDescription, { row, column }: CellAddress): void {
  if (row >= 0 && row < rows && column >= 0 && column < columns) return;
  throw new MemloopError(
    'bad-input',
    `there is no cell at row ${row} column ${column}: the array has ${rows}x${columns}, counted from 0`,
  );
}

function checkStep({ limits, seriesResistance }: BoardDescription, { voltage, width }: Step): void {
  const energy = largestEnergy(voltage, width, seriesResistance);
  if (voltage > limits.maxVoltage || voltage < limits.minVoltage || energy > limits.maxEnergy * SLACK) {
    throw new MemloopError(
      'limit',
      `a pulse of ${voltage.toPrecision(3)} V for ${(width * 1e6).toPrecision(3)} µs is over the board's limits of voltage or energy`,
    );
  }
}

/** One cell that is pulsed and read in turn. */
class CellProbe {
  readonly #board: CalibratedBoard;
  readonly #address: CellAddress;
  readonly #stage: string;
  /** What the passport tells of the device. */
  readonly #device: MemristorParameters;
  /** Nominal, V. */
  readonly #readVoltage: number;
  /** Of the pulses so far, s. */
  #time = 0;

  constructor(board: CalibratedBoard, address: CellAddress, stage: string) {
    const { columns, rowVoltageStep } = board.description;
    const { array, row, column } = address;
    this.#board = board;
    this.#address = address;
    this.#stage = stage;
    const belief = beliefOf(board.passport.array(array), row * columns + column, W_SDC_PRIOR);
    this.#device = parametersOf(W_SDC_PRIOR, belief, DEFAULT_READ_VOLTAGE);
    const wanted = board.nominalVoltage(row, readVoltageOf(board.description));
    this.#readVoltage = Math.round(wanted / rowVoltageStep) * rowVoltageStep;
  }

  async drive(steps: readonly Step[]): Promise<CellSample[]> {
    const { seriesResistance } = this.#board.description;
    const pulses = steps.map((step) => planPulse(this.#board, this.#address.row, step));
    const outcomes = await this.#board.board.cells(
      pulses.flatMap(({ nominal, width }, i): GatedOperation[] => [
        {
          kind: 'pulse',
          ...this.#address,
          voltage: nominal,
          width,
          energy: pulseEnergy(this.#device, 0.5, steps[i], seriesResistance),
        },
        { kind: 'read', ...this.#address, voltage: this.#readVoltage, samples: SAMPLES },
      ]),
    );
    if (outcomes.some(isUnsettled)) {
      throw new MemloopError(
        'board-lost',
        `the board was lost during ${this.#stage}; the passport counts what it had applied`,
      );
    }
    return steps.map(({ width }, i) => {
      this.#time += width;
      return this.#sample(pulses[i], outcomes[2 * i], outcomes[2 * i + 1]);
    });
  }

  #sample(pulse: PlannedPulse, outcome: CellOutcome, read: CellOutcome): CellSample {
    if (outcome.status !== 'applied') {
      throw new MemloopError(
        'board-refused',
        `the board refused a pulse of ${this.#stage}: ${outcome.reason}`,
      );
    }
    const { description, calibration } = this.#board;
    const { row, column } = this.#address;
    const adc = calibration.columns[0][column];
    const current = read.status === 'applied' ? (read.current ?? 0) : Number.NaN;
    const applied = this.#board.trueVoltage(row, this.#readVoltage);
    const conductance = (current - adc.offset) / adc.gain / applied;
    const state = stateOfConductance(this.#device, conductance, readVoltageOf(description));
    const voltage = dividedVoltage(this.#device, state, pulse.voltage, description.seriesResistance);
    return {
      time: this.#time,
      applied: pulse.voltage,
      voltage,
      current: memristorCurrent(this.#device, state, voltage),
      conductance,
    };
  }
}

export interface EnduranceResult {
  /** S after each write and each erase. */
  high: number[];
  low: number[];
  /** Cycles after which the window had fallen below half of its first value; undefined if it never did. */
  failedAfter: number | undefined;
}

/** The longest that endurance is measured with, s. */
const ENDURANCE_WIDTH = 3e-4;

/** A writing and an erasing pulse of this amplitude, V, as far as the board's limits allow it. */
export function endurancePulses(
  limits: BoardDescription['limits'],
  amplitude: number,
): { write: Step; erase: Step } {
  const width = Math.min(ENDURANCE_WIDTH, limits.maxWidth);
  return {
    write: { voltage: Math.min(amplitude, limits.maxVoltage), width },
    erase: { voltage: Math.max(-amplitude, limits.minVoltage), width },
  };
}

/** Write and erase in turn. */
export async function measureEndurance(
  board: CalibratedBoard,
  address: CellAddress,
  cycles: number,
  { write, erase, ...context }: SweepContext & { write: Step; erase: Step },
): Promise<EnduranceResult> {
  const steps = Array.from({ length: cycles }, () => [write, erase]).flat();
  const samples = await driveCell(board, address, steps, context, 'endurance');
  const high = samples.filter((_, i) => i % 2 === 0).map(({ conductance }) => conductance);
  const low = samples.filter((_, i) => i % 2 === 1).map(({ conductance }) => conductance);
  const first = high[0] - low[0];
  const failed = high.findIndex((value, i) => value - low[i] < first / 2);
  return { high, low, failedAfter: failed < 0 ? undefined : failed };
}

/** Highest and lowest voltage of forming, V (the vendor's). */
export const FORMING = Object.freeze({ high: 0.5, low: -1.25, step: 0.05, width: 5e-4 });

/**
 * Wakes a fresh cell: alternating pulses that grow towards the forming voltages (never beyond them or the board's limits)
 * until writing and erasing differ by a factor of two. Returns whether they do.
 */
export async function formCell(
  board: CalibratedBoard,
  address: CellAddress,
  context: SweepContext = {},
): Promise<{ formed: boolean; samples: CellSample[] }> {
  const { limits, seriesResistance } = board.description;
  const steps: Step[] = [];
  const bounded = (voltage: number): Step => ({
    voltage,
    width: Math.min(
      FORMING.width,
      limits.maxWidth,
      longestPulse(limits.maxEnergy, voltage, seriesResistance),
    ),
  });
  for (let share = 0.4; share <= 1.001; share += 0.1) {
    steps.push(
      bounded(Math.min(limits.maxVoltage, FORMING.high * share)),
      bounded(Math.max(limits.minVoltage, FORMING.low * share)),
    );
  }
  checkAddress(board.description, address);
  board.board.checkCell(address, steps.length);
  checkBudget(board, steps.length, context.budget);
  const samples: CellSample[] = [];
  for (let i = 0; i < steps.length; i += 2) {
    const pair = await driveCell(board, address, steps.slice(i, i + 2), context, 'forming');
    samples.push(...pair);
    if (pair[0].conductance > 2 * pair[1].conductance) return { formed: true, samples };
  }
  return { formed: false, samples };
}

/** When to read until this time, s: at once, then ten times in steps of the cube root of ten. */
export const retentionTimes = (last: number): number[] => [
  0,
  ...Array.from({ length: 10 }, (_, i) => last * 10 ** ((i - 9) / 3)),
];

/** Conductances of a whole array at times, s, from the first read on. Reads only. */
export async function measureRetention(
  board: CalibratedBoard,
  array: number,
  times: readonly number[],
  { emit, signal, wait }: SweepContext & { wait?: (seconds: number) => Promise<void> } = {},
): Promise<{ time: number; conductance: Float64Array }[]> {
  const pause = wait ?? ((seconds: number) => sleep(seconds * 1e3, undefined, { signal }).catch(() => {}));
  const progress = progressOf(emit, 'retention', 'reads', times.length);
  const result: { time: number; conductance: Float64Array }[] = [];
  let now = 0;
  for (const time of times) {
    await pause(Math.max(0, time - now));
    signal?.throwIfAborted();
    now = time;
    result.push({ time, conductance: await board.conductances(array, { samples: 16 }) });
    progress.step();
  }
  return result;
}
