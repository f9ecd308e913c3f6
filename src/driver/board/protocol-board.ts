/** A board that speaks the firmware protocol, behind the face that every board has. */
import type { Observable } from 'rxjs';
import type {
  CellOp,
  Message,
  MessageOf,
  ReplyOf,
  Request,
} from '../../../firmware-protocol/generated/protocol.js';
import {
  BOUNDS,
  MAX_OPS,
  OPEN_PATH,
  type STATUS,
  WINDOW,
} from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { Subject } from '../../shared/subject.js';
import { ProtocolError, RefusedError, TooLargeError } from '../link/errors.js';
import { Link, type LinkCounters } from '../link/link.js';
import type { RequestOptions } from '../link/link-machine.js';
import type { LinkOptions } from '../link/link-options.js';
import { portFinder, type ReconnectOptions } from '../link/reconnect.js';
import type { Recorder } from '../transport/recording.js';
import type { Claim, Transport } from '../transport/transport.js';
import type {
  Board,
  BoardDescription,
  BoardHealth,
  CellAddress,
  CellOperation,
  CellOutcome,
  NeuronFrame,
  NeuronRun,
  Stimulus,
} from './board.js';
import { CellJob, MAX_BOARD_TIME, OPERATION_BYTES } from './cell-job.js';
import { boardEvent, describe } from './describe.js';
import {
  checkCellOperation,
  checkCount,
  checkIndex,
  checkReading,
  checkReadVoltage,
  checkStimulus,
  SLACK,
  tightenLimits,
} from './limits.js';
import { refusal } from './outcomes.js';
import { fillLost, RunAssembly } from './run-assembly.js';
import { Turns } from './turns.js';

export interface ConnectOptions {
  emit?: Emit | undefined;
  /** Pulses are refused before they are sent. */
  readOnly?: boolean | undefined;
  /** Tighter limits than the board's own, as a passport knows them. */
  limits?: Partial<BoardDescription['limits']> | undefined;
  /** Times a run whose samples were lost on the way is repeated; it moves no synapse. Default 1. */
  repeatRuns?: number | undefined;
  /** Time-outs of the link. */
  link?: Partial<LinkOptions> | undefined;
  /** The token with which the board is claimed, where several hosts may come to it. Without one it is not. */
  claim?: Claim | undefined;
  /** A lost port is opened again and the work continues; by default it ends the link, so that a command fails at once. */
  reconnect?: ReconnectOptions | undefined;
  /** File in which the bytes of the link are kept, for a replay. */
  record?: string | undefined;
}

/** Requests prepared ahead, so that the window never runs dry; memory is bounded by it. */
const AHEAD = WINDOW + 4;
const DEAD_MAN_REPEATS = 3;

/** A measurement of many rows, vectors or codes. */
interface Pieces<R extends Request> {
  total: number;
  /** Most in one request. */
  atOnce: number;
  /** Per item: bytes on the line, both ways, and time that the board needs, s. */
  bytes: number;
  time: number;
  request(first: number, count: number): R;
  take(reply: ReplyOf<R['name']>, first: number, count: number): void;
}

/**
 * Shakes hands with the board behind an open transport and asks what it is. Closes the transport if that
 * fails. Errors: `not-a-board`, `protocol-mismatch`, `board-lost`, `limit`,
 * `fenced`.
 */
export async function connectBoard(
  transport: Transport,
  options: ConnectOptions = {},
): Promise<ProtocolBoard> {
  let link: Link | undefined;
  let recorder: Recorder | undefined;
  const { emit, reconnect } = options;
  try {
    if (options.record !== undefined) {
      const recording = await import('../transport/recording.js');
      recorder = new recording.Recorder(options.record, transport.url);
    }
    const record = (port: Transport) => recorder?.wrap(port) ?? port;
    const find = reconnect && (reconnect.reopen ?? portFinder(transport.url));
    link = await Link.open(record(transport), {
      emit,
      options: options.link,
      claim: options.claim,
      reconnect: find && {
        within: reconnect.within ?? 10,
        reopen: async () => record(await find()),
      },
    });
    const board = new ProtocolBoard(link, await describe(link), options, recorder);
    emit?.(boardEvent(transport.url, board.description));
    return board;
  } catch (error) {
    await link?.close();
    await transport.close();
    recorder?.close();
    throw error;
  }
}

export class ProtocolBoard implements Board {
  readonly description: BoardDescription;
  readonly neurons: Observable<NeuronFrame>;
  readonly #link: Link;
  readonly #recorder: Recorder | undefined;
  readonly #frames = new Subject<NeuronFrame>();
  readonly #emit: Emit | undefined;
  readonly #readOnly: boolean;
  readonly #repeatRuns: number;
  /** Pulses that each cell has had, or may have had, since the board was connected. */
  readonly #pulses: Uint32Array;
  /** Whatever requests serve, they go out in the order of the calls, however fast the board answers. */
  readonly #turns = new Turns(AHEAD);
  #run = 0;
  #stops = 0;

  /** @internal `connectBoard` makes it. */
  constructor(link: Link, description: BoardDescription, options: ConnectOptions, recorder?: Recorder) {
    this.#link = link;
    this.#recorder = recorder;
    this.description = { ...description, limits: tightenLimits(description.limits, options.limits ?? {}) };
    this.neurons = this.#frames.asObservable();
    this.#emit = options.emit;
    this.#readOnly = options.readOnly ?? false;
    this.#repeatRuns = options.repeatRuns ?? 1;
    this.#pulses = new Uint32Array(description.arrays * description.rows * description.columns);
  }

  get counters(): LinkCounters {
    return this.#link.counters;
  }

  async cells(operations: readonly CellOperation[]): Promise<CellOutcome[]> {
    const stops = this.#stops;
    const job = new CellJob(operations, {
      cost: (operation) => this.#cost(operation),
      wire: (operation) => this.#cellOp(operation),
      outcome: (operation, result) => this.#outcome(operation, result),
      atOnce: () => this.#atOnce(MAX_OPS, OPERATION_BYTES),
      request: (cells, options) => this.#request(stops, cells, options),
      pulsed: (operation) => {
        this.#pulses[this.#cell(operation)]++;
      },
      tell: (event) => this.#emit?.(event),
    });
    job.tell(this.#plan(operations, job));
    await this.#turns.run(() => job.next());
    return job.finish();
  }

  /** Accepts what may be sent and gives the indices of what is refused. Throws for what must not be asked at all. */
  #plan(operations: readonly CellOperation[], job: CellJob): number[] {
    const planned = new Map<number, number>();
    const refused: number[] = [];
    for (const [i, operation] of operations.entries()) {
      checkCellOperation(this.description, operation);
      if (operation.kind === 'pulse') {
        if (this.#readOnly) {
          throw new MemloopError('usage', 'this board was opened read-only: it can be read but not pulsed');
        }
        const cell = this.#cell(operation);
        const pulses = (planned.get(cell) ?? this.#pulses[cell]) + 1;
        if (pulses > this.description.limits.maxPulses) {
          job.refuse(i, 'LIMIT_PULSES');
          refused.push(i);
          continue;
        }
        planned.set(cell, pulses);
      }
      job.accept(i);
    }
    return refused;
  }

  async readRows(
    array: number,
    firstRow: number,
    rowCount: number,
    voltage: number,
    samples: number,
  ): Promise<Float32Array> {
    const { rows, columns, readTime, currentRanges } = this.description;
    checkIndex('array', array, this.description.arrays);
    checkIndex('first row', firstRow, rows);
    checkCount('row count', rowCount, 1, rows - firstRow);
    checkReading(this.description, voltage, samples);
    const code = this.#readCode(voltage);
    const [rowTime, step] = [samples * readTime, currentRanges[0].step];
    const atOnce = Math.max(
      1,
      Math.min(Math.floor(BOUNDS.ReadRowsReply.counts / columns), Math.floor(MAX_BOARD_TIME / rowTime)),
    );
    const currents = new Float32Array(rowCount * columns);
    await this.#inPieces({
      total: rowCount,
      atOnce,
      bytes: 2 * columns,
      time: rowTime,
      request: (first, count) => ({
        name: 'ReadRows',
        array,
        firstRow: firstRow + first,
        rowCount: count,
        code,
        samples,
      }),
      take: ({ counts }, first, count) =>
        copyScaled(counts, count * columns, step, currents, first * columns),
    });
    return currents;
  }

  async multiply(
    array: number,
    voltages: Float32Array,
    options: { range?: number; samples?: number } = {},
  ): Promise<Float32Array> {
    const { rows, columns, readTime, currentRanges } = this.description;
    const { range = currentRanges.length - 1, samples = 1 } = options;
    checkIndex('array', array, this.description.arrays);
    checkIndex('current range', range, currentRanges.length);
    if (voltages.length === 0 || voltages.length % rows !== 0) {
      throw new MemloopError(
        'bad-input',
        `there are ${voltages.length} row voltages; give whole vectors of one voltage for each of the ${rows} rows`,
      );
    }
    checkReading(this.description, 0, samples);
    const codes = new Int16Array(voltages.length);
    for (let i = 0; i < voltages.length; i++) {
      checkReadVoltage(this.description, voltages[i]);
      codes[i] = this.#readCode(voltages[i]);
    }
    const vectors = voltages.length / rows;
    const [vectorTime, step] = [samples * readTime, currentRanges[range].step];
    const atOnce = Math.max(
      1,
      Math.min(
        Math.floor(BOUNDS.Multiply.codes / rows),
        Math.floor(BOUNDS.MultiplyReply.counts / columns),
        Math.floor(MAX_BOARD_TIME / vectorTime),
      ),
    );
    const currents = new Float32Array(vectors * columns);
    await this.#inPieces({
      total: vectors,
      atOnce,
      bytes: 2 * (rows + columns),
      time: vectorTime,
      request: (first, count) => ({
        name: 'Multiply',
        array,
        range,
        samples,
        codes: codes.subarray(first * rows, (first + count) * rows),
      }),
      take: ({ counts }, first, count) =>
        copyScaled(counts, count * columns, step, currents, first * columns),
    });
    return currents;
  }

  async reference(
    row: number,
    column: number,
    reference: number | undefined,
    voltages: Float32Array,
    options: { range?: number; samples?: number } = {},
  ): Promise<Float32Array> {
    const { rows, columns, readTime, currentRanges, references } = this.description;
    const { range = 0, samples = 1 } = options;
    checkIndex('row', row, rows);
    checkIndex('column', column, columns);
    checkIndex('current range', range, currentRanges.length);
    if (reference !== undefined) checkIndex('reference', reference, references.length);
    checkReading(this.description, 0, samples);
    const codes = Int16Array.from(voltages, (voltage) => {
      checkReadVoltage(this.description, voltage);
      return this.#readCode(voltage);
    });
    const time = samples * readTime;
    const atOnce = Math.max(1, Math.min(BOUNDS.Reference.codes, Math.floor(MAX_BOARD_TIME / time)));
    const currents = new Float32Array(voltages.length);
    await this.#inPieces({
      total: voltages.length,
      atOnce,
      bytes: 4,
      time,
      request: (first, count) => ({
        name: 'Reference',
        row,
        column,
        reference: reference ?? OPEN_PATH,
        range,
        samples,
        codes: codes.subarray(first, first + count),
      }),
      take: ({ counts }, first, count) =>
        copyScaled(counts, count, currentRanges[range].step, currents, first),
    });
    return currents;
  }

  async run(stimuli: readonly Stimulus[]): Promise<NeuronRun[]> {
    for (const [i, stimulus] of stimuli.entries()) checkStimulus(this.description, stimulus, i);
    const stops = this.#stops;
    const runs: NeuronRun[] = new Array(stimuli.length);
    let begun = 0;
    const one = async (i: number): Promise<void> => {
      runs[i] = await this.#runOnce(stimuli[i], stops);
      for (let repeats = this.#repeatRuns; runs[i].lost > 0 && repeats > 0; repeats--)
        runs[i] = fillLost(await this.#runOnce(stimuli[i], stops), runs[i]);
    };
    await this.#turns.run(() => (begun < stimuli.length ? one(begun++) : undefined));
    return runs;
  }

  async health(): Promise<BoardHealth> {
    const { uptime, framesReceived, crcErrors, duplicates, pulsesApplied } = await this.#link.request({
      name: 'Ping',
    });
    return { uptime, framesReceived, crcErrors, duplicates, pulsesApplied };
  }

  async stop(): Promise<void> {
    this.#stops++;
    await this.#link.request({ name: 'Stop' }, { urgent: true });
  }

  async close(): Promise<void> {
    // A board that is lost has put its lines to 0 V by its dead-man; there is nobody to tell.
    await this.stop().catch(() => {});
    await this.#link.close();
    this.#recorder?.close();
    this.#frames.complete();
  }

  /** Refused if the board was stopped since the call that it serves; `stops` is the count of stops at that call. */
  async #request<R extends Request>(
    stops: number,
    request: R,
    options: RequestOptions,
    onSamples?: (samples: MessageOf<'Samples'>) => void,
  ): Promise<ReplyOf<R['name']>> {
    if (stops !== this.#stops) throw new RefusedError(request.name, 'STOPPED');
    return this.#link.request(request, options, onSamples);
  }

  /**
   * A request that changes nothing. Cut short by the dead-man, because this process was busy, it is made again;
   * cut short by `stop`, it fails.
   */
  async #measure<R extends Request>(
    stops: number,
    request: R,
    options: RequestOptions,
    onSamples?: (samples: MessageOf<'Samples'>) => void,
  ): Promise<ReplyOf<R['name']>> {
    for (let repeats = DEAD_MAN_REPEATS; ; repeats--) {
      try {
        const reply = await this.#request(stops, request, options, onSamples);
        const run: Message = reply;
        if (run.name === 'RunReply' && run.status !== 'OK') throw new RefusedError('Run', run.status);
        return reply;
      } catch (error) {
        const again = error instanceof RefusedError && error.code === 'STOPPED';
        if (!again || stops !== this.#stops || repeats === 0) throw error;
      }
    }
  }

  async #runOnce({ steps, decimation, pulseSteps, drives }: Stimulus, stops: number): Promise<NeuronRun> {
    const { driveStep, membraneStep, neurons, stepTime } = this.description;
    this.#run = (this.#run + 1) & 0xffff;
    const run = this.#run;
    const assembly = new RunAssembly(run, Math.floor(steps / decimation), decimation, neurons, membraneStep);
    const codes = Int16Array.from(drives, (drive) => Math.round(drive / driveStep));
    await this.#measure(
      stops,
      {
        name: 'Run',
        run,
        steps,
        decimation,
        frameSamples: this.#frameSamples(),
        pulseSteps: Uint16Array.from(pulseSteps),
        drives: codes,
      },
      { boardTime: steps * stepTime },
      (samples) => {
        const frame = assembly.add(samples);
        if (frame) this.#frames.next(frame);
      },
    );
    const result = assembly.finish();
    this.#link.lostSamples += result.lost;
    return result;
  }

  /** How many should go in one request on this line, out of `most`, with `bytes` each for request and answer. */
  #atOnce(most: number, bytes: number): number {
    return Math.max(1, Math.min(most, Math.floor(this.#link.budget / bytes)));
  }

  /** Samples of each neuron in a frame; 0: as many as fit. Lost ones are not sent again, so frames are kept shorter. */
  #frameSamples(): number {
    const most = Math.floor(this.#link.budget / (4 * this.description.neurons));
    return most * this.description.neurons < BOUNDS.Samples.counts ? Math.max(1, most) : 0;
  }

  /** A measurement in as few requests as the line allows, in order; after a failure none is begun. */
  #inPieces<R extends Request>({ total, atOnce, bytes, time, request, take }: Pieces<R>): Promise<void> {
    const stops = this.#stops;
    const ask = async (first: number, count: number): Promise<void> => {
      const divisible = count > 1 ? count * bytes : undefined;
      const options = { boardTime: count * time, divisible };
      try {
        take(await this.#measure(stops, request(first, count), options), first, count);
      } catch (error) {
        if (!(error instanceof TooLargeError)) throw error;
        const half = count >> 1;
        await Promise.all([ask(first, half), ask(first + half, count - half)]);
      }
    };
    let begun = 0;
    return this.#turns.run(() => {
      const first = begun;
      const count = Math.min(total - first, this.#atOnce(atOnce, bytes));
      begun += count;
      return count > 0 ? ask(first, count) : undefined;
    });
  }

  #cell({ array, row, column }: CellAddress): number {
    return (array * this.description.rows + row) * this.description.columns + column;
  }

  #cost(operation: CellOperation): number {
    return operation.kind === 'pulse' ? operation.width : operation.samples * this.description.readTime;
  }

  #cellOp(operation: CellOperation): CellOp {
    const { array, row, column, voltage } = operation;
    if (operation.kind === 'read') {
      const code = this.#readCode(voltage);
      return { kind: 'READ', array, row, column, code, width: 0, samples: operation.samples };
    }
    const { maxVoltage, minVoltage } = this.description.limits;
    const code = this.#rowCode(voltage, voltage > 0 ? maxVoltage : minVoltage);
    return { kind: 'PULSE', array, row, column, code, width: operation.width, samples: 1 };
  }

  #outcome(operation: CellOperation, result: { status: keyof typeof STATUS; count: number }): CellOutcome {
    if (result.status !== 'OK') return refusal(result.status);
    if (operation.kind === 'pulse') return { status: 'applied' };
    const { step, max } = this.description.currentRanges[0];
    const current = result.count * step;
    return { status: 'applied', current, saturated: Math.abs(current) * SLACK >= max };
  }

  /** The nearest DAC code, but never one that rounding has put outside the limit. */
  #rowCode(voltage: number, limit: number): number {
    const { rowVoltageStep } = this.description;
    const code = Math.round(voltage / rowVoltageStep);
    const outside = Math.abs(code * rowVoltageStep) > Math.abs(limit) * SLACK;
    return outside ? Math.trunc(voltage / rowVoltageStep) : code;
  }

  #readCode(voltage: number): number {
    return this.#rowCode(voltage, this.description.limits.maxReadVoltage);
  }
}

function copyScaled(counts: Int16Array, expected: number, step: number, out: Float32Array, at: number): void {
  if (counts.length !== expected) {
    throw new ProtocolError(`the board answered ${counts.length} values instead of ${expected}`);
  }
  for (let i = 0; i < expected; i++) out[at + i] = counts[i] * step;
}
