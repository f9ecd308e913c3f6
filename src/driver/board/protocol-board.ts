/** A board that speaks the firmware protocol, behind the face that every board has. */
import pLimit from 'p-limit';
import type { Observable } from 'rxjs';
import type {
  CellOp,
  DescribeReply,
  Message,
  MessageOf,
  ReplyOf,
  Request,
} from '../../../firmware-protocol/generated/protocol.js';
import { BOUNDS, MAX_OPS, type STATUS, WINDOW } from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit, EventBody } from '../../shared/events.js';
import { Subject } from '../../shared/subject.js';
import { Link, RefusedError } from '../link/link.js';
import { LinkError, type LinkOptions, type RequestOptions } from '../link/link-machine.js';
import { portFinder, type ReconnectOptions } from '../link/reconnect.js';
import type { Recorder } from '../transport/recording.js';
import type { Transport } from '../transport/transport.js';
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
import { type OutcomeCode, outcomeText } from './outcome.js';
import { RunAssembly } from './run-assembly.js';

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
  /** A lost port is opened again and the work goes on; by default it ends the link, so that a command fails at once. */
  reconnect?: ReconnectOptions | undefined;
  /** File in which the bytes of the link are kept, for a replay. */
  record?: string | undefined;
}

/** Longest that one request may keep the board busy, s: what bounds every time-out of the link. */
const MAX_BOARD_TIME = 0.25;
/** Requests prepared ahead, so that the window never runs dry; memory is bounded by it. */
const AHEAD = WINDOW + 4;
const DEAD_MAN_REPEATS = 3;

/**
 * Shakes hands with the board behind an open transport and asks what it is. Closes the transport if that
 * fails. Errors: `not-a-board`, `protocol-mismatch`, `board-lost`, `limit`.
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
      reconnect: find && {
        within: reconnect.within ?? 10,
        reopen: async () => record(await find()),
      },
    });
    const board = new ProtocolBoard(link, await describe(link), options, recorder);
    const { boardSerial, firmwareVersion, arrays, rows, columns, neurons } = board.description;
    emit?.({
      type: 'board',
      port: transport.url,
      boardSerial,
      firmwareVersion,
      arrays,
      rows,
      columns,
      neurons,
    });
    return board;
  } catch (error) {
    await link?.close();
    await transport.close();
    recorder?.close();
    throw error;
  }
}

/** The wire has 32-bit floats: 5e-4 comes as 4.99999987e-4. */
const tidy = (value: number): number => Number(value.toPrecision(7));

async function describe(link: Link): Promise<BoardDescription> {
  const reply: DescribeReply = await link.request({ name: 'Describe' });
  const arraySerials: string[] = [];
  for (let array = 0; array < reply.arrays; array++) {
    arraySerials.push((await link.request({ name: 'ArrayInfo', array })).serial);
  }
  const { boardSerial, firmwareVersion, protocolVersion } = link.hello;
  const step = tidy(reply.rowVoltsPerCount);
  return {
    boardSerial,
    firmwareVersion,
    protocolVersion,
    arraySerials,
    arrays: reply.arrays,
    rows: reply.rows,
    columns: reply.columns,
    neurons: reply.neurons,
    rowVoltageStep: step,
    rowVoltageMax: tidy(step * reply.rowMaxCount),
    currentRanges: Array.from(reply.ampsPerCount, (amps) => ({
      step: tidy(amps),
      max: tidy(amps * reply.currentMaxCount),
    })),
    driveStep: tidy(reply.driveAmpsPerCount),
    driveMax: tidy(reply.driveAmpsPerCount * reply.driveMaxCount),
    membraneStep: tidy(reply.membraneVoltsPerCount),
    membraneMax: tidy(reply.membraneVoltsPerCount * reply.membraneMaxCount),
    stepTime: tidy(reply.stepTime),
    maxSteps: reply.maxSteps,
    seriesResistance: tidy(reply.seriesResistance),
    halfSelect: tidy(reply.halfSelect),
    limits: {
      maxVoltage: tidy(reply.maxVoltage),
      minVoltage: tidy(reply.minVoltage),
      maxReadVoltage: tidy(reply.maxReadVoltage),
      minWidth: tidy(reply.minWidth),
      maxWidth: tidy(reply.maxWidth),
      maxEnergy: tidy(reply.maxEnergy),
      maxPulses: reply.maxPulses,
    },
    readTime: tidy(reply.readTime),
    deadManTime: tidy(reply.deadManTime),
    references: Array.from(reply.references, tidy),
  };
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
  readonly #ahead = pLimit(AHEAD);
  #run = 0;
  #stops = 0;

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

  /** Counters of the link since it was opened. */
  get counters(): Link['counters'] {
    return this.#link.counters;
  }

  async cells(operations: readonly CellOperation[]): Promise<CellOutcome[]> {
    const outcomes: CellOutcome[] = new Array(operations.length);
    const batches: number[][] = [];
    let batch: number[] = [];
    let time = 0;
    const planned = new Map<number, number>();
    const refused: number[] = [];
    for (const [i, operation] of operations.entries()) {
      checkCellOperation(this.description, operation);
      const cost = this.#cost(operation);
      if (operation.kind === 'pulse') {
        if (this.#readOnly) {
          throw new MemloopError('usage', 'this board was opened read-only: it can be read but not pulsed');
        }
        const cell = this.#cell(operation);
        const pulses = (planned.get(cell) ?? this.#pulses[cell]) + 1;
        if (pulses > this.description.limits.maxPulses) {
          outcomes[i] = refusal('LIMIT_PULSES');
          refused.push(i);
          continue;
        }
        planned.set(cell, pulses);
      }
      if (batch.length === MAX_OPS || (batch.length > 0 && time + cost > MAX_BOARD_TIME)) {
        batches.push(batch);
        batch = [];
        time = 0;
      }
      batch.push(i);
      time += cost;
    }
    if (batch.length > 0) batches.push(batch);
    this.#tell(operations, outcomes, refused);
    // Pulses planned after one whose fate is unknown must wait until its cell was read again.
    let broken: string | undefined;
    const unsent: number[] = [];
    await this.#inOrder(batches.length, async (b, stops) => {
      const indices = batches[b];
      const effect = indices.some((i) => operations[i].kind === 'pulse');
      try {
        if (broken !== undefined && effect)
          throw new LinkError('board-lost', `not sent: ${broken}`, 'not-sent');
        const { results } = await this.#request(
          stops,
          { name: 'Cells', ops: indices.map((i) => this.#cellOp(operations[i])) },
          { effect, boardTime: indices.reduce((sum, i) => sum + this.#cost(operations[i]), 0) },
        );
        if (results.length !== indices.length) {
          throw new MemloopError(
            'board-refused',
            `the board answered ${results.length} of ${indices.length} cell operations`,
          );
        }
        for (const [k, i] of indices.entries()) outcomes[i] = this.#outcome(operations[i], results[k]);
      } catch (error) {
        if (!(error instanceof MemloopError)) throw error;
        const unknown = error instanceof LinkError ? error.fate === 'unknown' : error.reason === 'board-lost';
        if (effect && error instanceof LinkError) broken = error.message;
        const failed = {
          status: unknown ? ('unknown' as const) : ('refused' as const),
          code: codeOf(error),
          reason: error.message,
        };
        for (const i of indices) outcomes[i] = failed;
      }
      for (const i of indices) {
        const operation = operations[i];
        if (operation.kind === 'pulse' && outcomes[i].status !== 'refused')
          this.#pulses[this.#cell(operation)]++;
      }
      if (outcomes[indices[0]].status === 'refused' && broken !== undefined) unsent.push(...indices);
      else this.#tell(operations, outcomes, indices);
    });
    this.#tell(operations, outcomes, unsent);
    return outcomes;
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
    await this.#inOrder(Math.ceil(rowCount / atOnce), async (i, stops) => {
      const first = i * atOnce;
      const count = Math.min(atOnce, rowCount - first);
      const { counts } = await this.#measure(
        stops,
        { name: 'ReadRows', array, firstRow: firstRow + first, rowCount: count, code, samples },
        { boardTime: count * rowTime },
      );
      copyScaled(counts, count * columns, step, currents, first * columns);
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
      throw new MemloopError('bad-input', `${voltages.length} row voltages are no vectors of ${rows} rows`);
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
    await this.#inOrder(Math.ceil(vectors / atOnce), async (i, stops) => {
      const first = i * atOnce;
      const count = Math.min(atOnce, vectors - first);
      const { counts } = await this.#measure(
        stops,
        {
          name: 'Multiply',
          array,
          range,
          samples,
          codes: codes.subarray(first * rows, (first + count) * rows),
        },
        { boardTime: count * vectorTime },
      );
      copyScaled(counts, count * columns, step, currents, first * columns);
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
    await this.#inOrder(Math.ceil(voltages.length / atOnce), async (i, stops) => {
      const first = i * atOnce;
      const part = codes.subarray(first, first + atOnce);
      const { counts } = await this.#measure(
        stops,
        { name: 'Reference', row, column, reference: reference ?? 255, range, samples, codes: part },
        { boardTime: part.length * time },
      );
      copyScaled(counts, part.length, currentRanges[range].step, currents, first);
    });
    return currents;
  }

  async run(stimuli: readonly Stimulus[]): Promise<NeuronRun[]> {
    for (const [i, stimulus] of stimuli.entries()) checkStimulus(this.description, stimulus, i);
    return this.#inOrder(stimuli.length, async (i, stops) => {
      for (let repeats = this.#repeatRuns; ; repeats--) {
        const run = await this.#runOnce(stimuli[i], stops);
        if (run.lost === 0 || repeats <= 0) return run;
      }
    });
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

  /** Refused when the board was stopped after the call that it serves, of which `stops` is the number of stops. */
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
        const again = error instanceof RefusedError && error.status === 'STOPPED';
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
      { name: 'Run', run, steps, decimation, pulseSteps: Uint16Array.from(pulseSteps), drives: codes },
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

  /**
   * work(0), work(1) … begun in order behind all that was asked for before; results in order. After a failure none is
   * begun. Each is given the number of stops so far.
   */
  #inOrder<T>(count: number, work: (index: number, stops: number) => Promise<T>): Promise<T[]> {
    const stops = this.#stops;
    let failure: { error: unknown } | undefined;
    const one = async (index: number): Promise<T> => {
      if (failure) throw failure.error;
      try {
        return await work(index, stops);
      } catch (error) {
        failure = { error };
        throw error;
      }
    };
    return Promise.all(Array.from({ length: count }, (_, index) => this.#ahead(one, index)));
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

  #tell(operations: readonly CellOperation[], outcomes: CellOutcome[], indices: number[]): void {
    if (!this.#emit) return;
    for (const status of ['applied', 'refused', 'unknown'] as const) {
      const pulses: Extract<EventBody, { type: 'pulses' }>['pulses'] = [];
      for (const i of indices) {
        const [operation, outcome] = [operations[i], outcomes[i]];
        if (operation.kind !== 'pulse' || outcome.status !== status) continue;
        const { array, row, column, voltage, width } = operation;
        const reason = outcome.status === 'applied' ? {} : { reason: outcome.reason };
        pulses.push({ array, row, column, voltage, width, ...reason });
      }
      if (pulses.length > 0) this.#emit({ type: 'pulses', status, pulses });
    }
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

const refusal = (code: OutcomeCode): CellOutcome => ({ status: 'refused', code, reason: outcomeText(code) });

function codeOf(error: MemloopError): OutcomeCode {
  if (error instanceof RefusedError && error.status !== 'OK') return error.status;
  return error instanceof LinkError && error.fate === 'not-sent' ? 'NOT_SENT' : 'BOARD_LOST';
}

function copyScaled(counts: Int16Array, expected: number, step: number, out: Float32Array, at: number): void {
  if (counts.length !== expected) {
    throw new MemloopError(
      'board-refused',
      `the board answered ${counts.length} values in place of ${expected}`,
    );
  }
  for (let i = 0; i < expected; i++) out[at + i] = counts[i] * step;
}
