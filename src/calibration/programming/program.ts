/** Write-verify over a whole array. */
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import { type CalibratedBoard, readVoltageOf } from '../converters/calibrated-board.js';
import { arrayWindow, defaultTolerance, remember } from '../devices/beliefs.js';
import { believeThreshold, DeviceEstimate, type Prior } from '../devices/device-estimate.js';
import { learnFromDisturb } from '../devices/half-select.js';
import { W_SDC_PRIOR } from '../devices/prior.js';
import type { ArrayPassport } from '../passport/passport.js';
import { Breather } from './breather.js';
import { isBeyond, type JobCell, jobCells } from './job-cell.js';
import { PulsePlanner } from './pulse-planner.js';
import { sendPulses } from './pulse-sender.js';
import { Rationing } from './rationing.js';
import { Readings } from './readings.js';
import { type FailureReason, outOfUse, type ProgrammingReport } from './report.js';

/** The last rounds only write: erasing would leave its neighbours moved. */
const LAST_ROUNDS = 8;
/** Rounds without a new best count of finished cells, after which the job ends. */
const STALLED = 20;
/** How often the passport is written, ms, and the most of the time that this may take. */
const SAVE_PERIOD = 2000;
const SAVE_SHARE = 0.03;

export interface ProgramOptions {
  /** Largest |conductance - target| that counts as done, S; default 2 % of the array's window. */
  tolerance?: number;
  /** Pulses a cell may have in this job; default 30. */
  maxPulses?: number;
  /** Read-and-pulse rounds; default 100. */
  maxRounds?: number;
  /** ADC samples averaged in a read; default 8. */
  samples?: number;
  /** What is assumed of cells that the passport does not know; default W+SDC. */
  prior?: Prior;
  /**
   * Whether the passport is written at the end of the job; default true. Of many small jobs in a row only the last needs
   * to write it: meanwhile the pulse log keeps the totals.
   */
  settle?: boolean;
  emit?: Emit;
  /** Stage of the progress events; default 'program'. */
  stage?: string;
  /** Ends the job after the batch under way, with an 'interrupted' MemloopError. */
  signal?: AbortSignal;
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
  array: number,
  targets: Float64Array,
  options: ProgramOptions = {},
): Promise<ProgrammingReport> {
  return new ProgrammingJob(board, array, targets, options).run();
}

class ProgrammingJob {
  readonly #board: CalibratedBoard;
  readonly #passport: ArrayPassport;
  readonly #array: number;
  readonly #targets: Float64Array;
  readonly #options: ProgramOptions;

  readonly #list: readonly JobCell[];
  readonly #cells: ReadonlyMap<number, JobCell>;
  readonly #estimate: DeviceEstimate;
  readonly #readings: Readings;
  readonly #planner: PulsePlanner;
  readonly #rationing: Rationing;

  /** J */
  #energy = 0;
  readonly #requestsBefore: number;

  constructor(board: CalibratedBoard, array: number, targets: Float64Array, options: ProgramOptions) {
    const passport = board.passport.array(array);
    this.#board = board;
    this.#passport = passport;
    this.#array = array;
    this.#targets = targets;
    this.#options = options;
    this.#requestsBefore = board.board.counters.requests;

    const { rows, columns, limits, seriesResistance, halfSelect } = board.description;
    if (targets.length !== rows * columns) {
      throw new MemloopError(
        'bad-input',
        `the targets have ${targets.length} values, array ${array} has ${rows}x${columns} = ${rows * columns} cells`,
      );
    }
    const { prior = W_SDC_PRIOR, samples, maxPulses } = options;
    const window = arrayWindow(passport, prior);
    const tolerance = options.tolerance ?? defaultTolerance(window);
    const cells = jobCells(passport, array, targets, window, { tolerance, prior });
    this.#list = cells;
    this.#cells = new Map(cells.map((cell) => [cell.index, cell]));
    for (const index of board.board.leaveOut(array)) {
      const cell = this.#cells.get(index);
      if (cell) cell.failure ??= 'pulse budget';
    }
    const pulseLimits = { ...limits, seriesResistance, halfSelect };
    this.#estimate = new DeviceEstimate(prior, pulseLimits, readVoltageOf(board.description));
    this.#readings = new Readings(board, passport, array, cells, { tolerance, samples });
    this.#planner = new PulsePlanner(board, this.#estimate, this.#readings, passport, { maxPulses });
    this.#rationing = new Rationing(board, this.#estimate, this.#readings, this.#cells);
  }

  async run(): Promise<ProgrammingReport> {
    try {
      await this.#rounds();
    } finally {
      for (const { index, pulses, belief } of this.#list)
        if (pulses > 0) remember(this.#passport, index, belief);
      if (this.#options.settle ?? true) this.#board.board.save(this.#array);
    }
    return this.#report();
  }

  async #rounds(): Promise<void> {
    const { maxRounds = 100, emit, stage = 'program', signal } = this.#options;
    const cells = this.#list;
    const progress = progressOf(emit, stage, 'cells', cells.length);
    await this.#readings.measureNoise();
    let nextSave = performance.now() + SAVE_PERIOD;
    let best = { outside: Number.POSITIVE_INFINITY, round: 0 };
    let last = maxRounds;
    for (let round = 0; ; round++) {
      signal?.throwIfAborted();
      const outside = cells.filter((cell) => cell.failure === undefined && !this.#readings.near(cell));
      const ending = round >= last - Math.min(LAST_ROUNDS, maxRounds / 2);
      const pending = this.#rationing.ofOneWay(outside, ending);
      if (outside.length < best.outside) best = { outside: outside.length, round };
      if (this.#rationing.cycle >= 2 && round - best.round >= STALLED)
        last = Math.min(last, round + LAST_ROUNDS);
      progress.set(cells.length - outside.length);
      this.#emitConductance();
      if (pending.length === 0 || round >= last) return;
      this.#rationing.foresee(outside);
      const unknown = await this.#pulse(pending);
      await this.#readings.update();
      // After an unknown outcome nothing is learned: only the measurement counts.
      if (unknown) for (const cell of cells) cell.sent = undefined;
      else await this.#learn();
      const now = performance.now();
      if (now > nextSave) {
        this.#board.board.save(this.#array);
        const took = performance.now() - now;
        nextSave = now + Math.max(SAVE_PERIOD, took / SAVE_SHARE);
      }
    }
  }

  /** One pulse on every pending cell that is not given up and need not wait; returns whether the fate of some is unknown. */
  async #pulse(pending: readonly JobCell[]): Promise<boolean> {
    for (const cell of this.#list) cell.before = this.#readings.conductance[cell.index];
    const breather = new Breather();
    const candidates = [];
    for (const cell of pending) {
      if (breather.due) await breather.breathe();
      const candidate = this.#planner.plan(cell);
      if (candidate) candidates.push(candidate);
    }
    const pulses = await this.#rationing.choose(candidates);
    for (const { cell, energy } of pulses) {
      cell.pulses += 1;
      this.#energy += energy;
    }
    const { exhausted, unknown } = await sendPulses(
      this.#board,
      this.#array,
      pulses.map(({ cell, pulse: { nominal, width }, energy }) => ({
        cell: cell.index,
        nominal,
        width,
        energy,
      })),
      this.#options.signal,
    );
    for (const index of exhausted) {
      const cell = this.#cells.get(index)!;
      cell.pulses -= 1;
      cell.sent = undefined;
      cell.failure = 'pulse budget';
    }
    return unknown;
  }

  /** Learns from what the pulses of this round did: to the cells that they were meant for, and to their neighbours. */
  async #learn(): Promise<void> {
    const breather = new Breather();
    const { doses } = this.#rationing;
    for (const cell of this.#list) {
      if (breather.due) await breather.breathe();
      const { belief, row, column, sent } = cell;
      if (!sent && !doses.reach(row, column)) continue;
      const p = this.#estimate.parametersOf(belief);
      const before = this.#estimate.stateOf(p, cell.before);
      const after = this.#estimate.stateOf(p, this.#readings.conductance[cell.index]);
      const noise = this.#readings.stateNoise(cell);
      cell.sent = undefined;
      if (!sent) {
        learnFromDisturb(this.#estimate.prior, belief, doses.of(row, column), { before, after, noise });
        continue;
      }
      const own = { up: sent.pulse.voltage > 0, dose: sent.dose };
      const disturb = doses.disturb(belief, before, row, column, own);
      const moved = this.#estimate.learn(belief, p, sent.pulse, {
        before,
        after: after - disturb,
        noise: Math.hypot(noise, 0.5 * disturb),
      });
      if (isBeyond(cell)) continue;
      if (moved || sent.ambitious) this.#noteAnswer(cell, sent.pulse.voltage > 0 ? 'up' : 'down', moved);
    }
  }

  #noteAnswer(cell: JobCell, direction: 'up' | 'down', moved: boolean): void {
    if (moved) {
      cell.moved = true;
      cell.fruitless[direction] = 0;
      return;
    }
    cell.fruitless[direction] += 1;
    if (direction === 'up') return;
    // Erasing thresholds have a heavy tail, which the normal belief climbs too slowly by itself.
    const { prior } = this.#estimate;
    const { voff, voffSigma } = cell.belief;
    const climb = 0.3 * cell.fruitless.down * prior.voffSigma;
    believeThreshold(prior, cell.belief, false, voff + climb, Math.max(voffSigma, climb));
  }

  #emitConductance(): void {
    if (!this.#options.emit) return;
    const measured = this.#passport.tables.conductance;
    const conductance: (number | null)[] = new Array(measured.length);
    for (let i = 0; i < measured.length; i++) conductance[i] = Number.isNaN(measured[i]) ? null : measured[i];
    const { rows, columns } = this.#board.description;
    this.#options.emit({ type: 'conductance', array: this.#array, rows, columns, conductance });
  }

  /** Why a cell is not in tolerance at the end of the job. */
  #reasonOf(cell: JobCell): FailureReason {
    if (cell.failure && cell.failure !== 'pulse budget') return cell.failure;
    if (cell.aboveWindow) return 'out of reach';
    if (cell.failure) return cell.failure;
    const { up, down } = cell.fruitless;
    if (!cell.moved && up + down >= 2) return up > down ? 'stuck low' : 'stuck high';
    const { tolerance } = this.#readings;
    const g = this.#readings.conductance[cell.index];
    const sigma = this.#readings.sigma(g);
    if (4 * sigma > tolerance && Math.abs(g - cell.target) < tolerance + 2 * sigma) return 'read noise';
    return this.#board.description.halfSelect > 0 ? 'half-select' : 'pulse budget';
  }

  #report(): ProgrammingReport {
    const { tolerance, conductance } = this.#readings;
    const cells = this.#list;
    const failures = new Map<JobCell, FailureReason>();
    for (const cell of cells) {
      if (Math.abs(conductance[cell.index] - cell.target) <= tolerance) continue;
      const reason = this.#reasonOf(cell);
      failures.set(cell, reason);
      if (outOfUse(reason)) this.#passport.setHealth(cell.index, reason);
    }
    for (const cell of cells)
      if (cell.pulses > 0 || cell.failure !== undefined) this.#emitCell(cell, failures.get(cell));
    if (failures.size > 0 && (this.#options.settle ?? true)) this.#passport.save();
    const healthy = cells.filter(({ failure }) => failure === undefined);
    const squares = healthy.reduce((sum, { index, target }) => sum + (conductance[index] - target) ** 2, 0);
    const pulses = cells.reduce((sum, cell) => sum + cell.pulses, 0);
    return {
      array: this.#array,
      cells: cells.length,
      inTolerance: cells.length === 0 ? 1 : (cells.length - failures.size) / cells.length,
      pulsesPerCell: cells.length === 0 ? 0 : pulses / cells.length,
      pulses,
      failed: Array.from(failures, ([{ index, row, column, target }, reason]) => ({
        array: this.#array,
        row,
        column,
        reason,
        conductance: conductance[index],
        target,
      })),
      conductance,
      targets: this.#targets,
      tolerance,
      roundTrips: this.#board.board.counters.requests - this.#requestsBefore,
      energy: this.#energy,
      rmsError: healthy.length === 0 ? 0 : Math.sqrt(squares / healthy.length),
    };
  }

  #emitCell({ index, row, column, target }: JobCell, reason: FailureReason | undefined): void {
    const { pulses, energy } = this.#passport.tables;
    this.#options.emit?.({
      type: 'cell',
      array: this.#array,
      row,
      column,
      conductance: this.#readings.conductance[index],
      target,
      pulses: pulses[index],
      energy: energy[index],
      status: reason === undefined ? 'in-tolerance' : 'failed',
      ...(reason !== undefined && { reason }),
    });
  }
}
