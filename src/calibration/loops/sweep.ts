/**
 * What one cell does under voltages: I–V loops, endurance, forming, retention. A board has no ammeter under a pulse, so
 * each step of a wave is a pulse through the series resistor and a read of the conductance that it left; voltage and
 * current at the end of the pulse follow from that conductance and the divider.
 */
import type { CellOperation } from '../../driver/board/board.js';
import { dividedVoltage, memristorCurrent, stateOfConductance } from '../../model/devices/memristor.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import { type CalibratedBoard, DEFAULT_READ_VOLTAGE, readVoltageOf } from '../converters/calibrated-board.js';
import type { ArrayPassport } from '../passport/passport.js';
import { PulseLog } from '../passport/pulse-log.js';
import { parametersOf } from '../programming/device-estimate.js';
import { W_SDC_PRIOR } from '../programming/prior.js';
import { beliefOf } from '../programming/program.js';

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

interface Context {
  /** Most pulses that this measurement may apply. Asked for first: without it only the need is named. */
  budget?: number | undefined;
  emit?: Emit | undefined;
  signal?: AbortSignal | undefined;
}

/** Pulses in one batch: small, so that Ctrl-C is quick. */
const BATCH = 400;
const SAMPLES = 4;

/** One period of a wave as pulses: a pulse longer than the board allows is split. Throws `limit`. */
export function waveSteps(
  limits: { minWidth: number; maxWidth: number; minVoltage: number; maxVoltage: number },
  {
    waveform = 'triangle',
    amplitude,
    frequency,
    points,
  }: { waveform?: 'triangle' | 'sine'; amplitude: number; frequency: number; points: number },
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

/** Throws `usage` where the pulses are not allowed for, `limit` where the cell may not have so many. */
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
 * Pulses a cell and reads it after each. Throws `limit` and `usage` before the first pulse, `interrupted` on abort with
 * the passport saved.
 */
export async function driveCell(
  board: CalibratedBoard,
  passport: ArrayPassport,
  address: { array: number; row: number; column: number },
  steps: readonly Step[],
  { budget, emit, signal }: Context = {},
  stage = 'sweep',
): Promise<CellSample[]> {
  const { rows, columns, limits, seriesResistance, rowVoltageStep } = board.description;
  const { row, column } = address;
  if (!(row >= 0 && row < rows && column >= 0 && column < columns)) {
    throw new MemloopError(
      'bad-input',
      `there is no cell at row ${row} column ${column}: the array has ${rows}x${columns}, counted from 0`,
    );
  }
  checkBudget(board, steps.length, budget);
  for (const { voltage, width } of steps) {
    const energy = (voltage ** 2 * width) / (4 * seriesResistance);
    if (
      voltage > limits.maxVoltage ||
      voltage < limits.minVoltage ||
      energy > limits.maxEnergy * (1 + 1e-6)
    ) {
      throw new MemloopError(
        'limit',
        `a pulse of ${voltage.toPrecision(3)} V for ${(width * 1e6).toPrecision(3)} µs is over the board's limits of voltage or energy`,
      );
    }
  }
  const cell = row * columns + column;
  const p = parametersOf(W_SDC_PRIOR, beliefOf(passport, cell, W_SDC_PRIOR), DEFAULT_READ_VOLTAGE);
  const readVoltage = readVoltageOf(board.description);
  const nominalRead = Math.round(board.nominalVoltage(row, readVoltage) / rowVoltageStep) * rowVoltageStep;
  const appliedRead = board.trueVoltage(row, nominalRead);
  const adc = board.calibration.columns[0][column];
  const { log } = await PulseLog.open(board.board, passport);
  const progress = progressOf(emit, stage, 'pulses', steps.length);
  const samples: CellSample[] = [];
  let time = 0;
  try {
    for (let first = 0; first < steps.length; first += BATCH) {
      signal?.throwIfAborted();
      const batch = steps.slice(first, first + BATCH);
      const pulses = batch.map(({ voltage, width }) => {
        const nominal = Math.round(board.nominalVoltage(row, voltage) / rowVoltageStep) * rowVoltageStep;
        const device = dividedVoltage(p, 0.5, voltage, seriesResistance);
        return {
          cell,
          nominal,
          width: Math.max(limits.minWidth, Math.round(width * 1e7) / 1e7),
          energy: device * memristorCurrent(p, 0.5, device) * width,
        };
      });
      log.begin(pulses);
      const outcomes = await board.board.cells(
        pulses.flatMap(({ nominal, width }): CellOperation[] => [
          { kind: 'pulse', ...address, voltage: nominal, width },
          { kind: 'read', ...address, voltage: nominalRead, samples: SAMPLES },
        ]),
      );
      if (outcomes.some(({ status }) => status === 'unknown')) {
        await log.recover();
        throw new MemloopError(
          'board-lost',
          `the board was lost during ${stage}; the passport counts what it had applied`,
        );
      }
      log.end(
        pulses,
        batch.map((_, i) => (outcomes[2 * i].status === 'applied' ? 1 : 0)),
      );
      batch.forEach(({ width }, i) => {
        const pulse = outcomes[2 * i];
        const read = outcomes[2 * i + 1];
        if (pulse.status !== 'applied') {
          throw new MemloopError(
            'board-refused',
            `the board refused a pulse of ${stage}: ${'reason' in pulse ? pulse.reason : ''}`,
          );
        }
        const shown = read.status === 'applied' ? (read.current ?? 0) : Number.NaN;
        const conductance = (shown - adc.offset) / adc.gain / appliedRead;
        const applied = board.trueVoltage(row, pulses[i].nominal);
        const state = stateOfConductance(p, conductance, readVoltage);
        const voltage = dividedVoltage(p, state, applied, seriesResistance);
        time += width;
        samples.push({ time, applied, voltage, current: memristorCurrent(p, state, voltage), conductance });
      });
      progress.set(samples.length);
    }
  } finally {
    log.save();
  }
  return samples;
}

export interface EnduranceResult {
  /** S after each write and each erase. */
  high: number[];
  low: number[];
  /** Cycles after which the window had fallen below half of its first value; undefined if it never did. */
  failedAfter: number | undefined;
}

/** Write and erase in turn. */
export async function measureEndurance(
  board: CalibratedBoard,
  passport: ArrayPassport,
  address: { array: number; row: number; column: number },
  cycles: number,
  { write, erase, ...context }: Context & { write: Step; erase: Step },
): Promise<EnduranceResult> {
  const steps = Array.from({ length: cycles }, () => [write, erase]).flat();
  const samples = await driveCell(board, passport, address, steps, context, 'endurance');
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
  passport: ArrayPassport,
  address: { array: number; row: number; column: number },
  context: Context = {},
): Promise<{ formed: boolean; samples: CellSample[] }> {
  const { limits, seriesResistance } = board.description;
  const steps: Step[] = [];
  const bounded = (voltage: number): Step => ({
    voltage,
    width: Math.min(FORMING.width, limits.maxWidth, (4 * seriesResistance * limits.maxEnergy) / voltage ** 2),
  });
  for (let share = 0.4; share <= 1.001; share += 0.1) {
    steps.push(
      bounded(Math.min(limits.maxVoltage, FORMING.high * share)),
      bounded(Math.max(limits.minVoltage, FORMING.low * share)),
    );
  }
  checkBudget(board, steps.length, context.budget);
  const samples: CellSample[] = [];
  for (let i = 0; i < steps.length; i += 2) {
    const pair = await driveCell(board, passport, address, steps.slice(i, i + 2), context, 'forming');
    samples.push(...pair);
    if (pair[0].conductance > 2 * pair[1].conductance) return { formed: true, samples };
  }
  return { formed: false, samples };
}

/** Conductances of a whole array at times, s, from the first read on. Reads only. */
export async function measureRetention(
  board: CalibratedBoard,
  array: number,
  times: readonly number[],
  { emit, signal, wait }: Context & { wait?: (seconds: number) => Promise<void> } = {},
): Promise<{ time: number; conductance: Float64Array }[]> {
  const pause =
    wait ??
    ((seconds: number) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, seconds * 1e3);
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      }));
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
