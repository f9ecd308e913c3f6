/** A board that speaks the firmware protocol, behind the face that every board has. */
import { type Observable, Subject } from 'rxjs';
import type { CellOp, DescribeReply, MessageOf } from '../../firmware-protocol/generated/protocol.js';
import { BOUNDS, MAX_OPS, STATUS, WINDOW } from '../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../errors.js';
import type { Emit, EventBody } from '../events.js';
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
import { Link, type LinkSettings } from './link.js';
import { LinkError } from './link-machine.js';
import { RunAssembly } from './run-assembly.js';
import type { Transport } from './transport.js';

export interface ConnectOptions extends Omit<LinkSettings, 'options'> {
  emit?: Emit | undefined;
  /** Pulses are refused before they are sent. */
  readOnly?: boolean | undefined;
  /** Tighter limits than the board's own, as a passport knows them. */
  limits?: Partial<BoardDescription['limits']> | undefined;
  /** Times a run whose samples were lost on the way is repeated; it moves no synapse. Default 1. */
  repeatRuns?: number | undefined;
  /** Time-outs of the link. */
  link?: LinkSettings['options'];
}

/** Longest that one request may keep the board busy, s: what bounds every time-out of the link. */
const MAX_BOARD_TIME = 0.25;
/** Requests prepared ahead, so that the window never runs dry; memory is bounded by it. */
const AHEAD = WINDOW + 4;

/**
 * Shakes hands with the board behind an open transport and asks what it is. Closes the transport if that
 * fails. Errors: `not-a-board`, `protocol-mismatch`, `board-lost`, `limit`.
 */
export async function connectBoard(
  transport: Transport,
  options: ConnectOptions = {},
): Promise<ProtocolBoard> {
  let link: Link | undefined;
  try {
    link = await Link.open(transport, { ...options, options: options.link });
    const board = new ProtocolBoard(link, await describe(link), options);
    const { boardSerial, firmwareVersion, arrays, rows, columns, neurons } = board.description;
    options.emit?.({
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

type Limits = BoardDescription['limits'];

function tighten(own: Limits, given: Partial<Limits>): Limits {
  const limits = { ...own };
  for (const [name, value] of Object.entries(given) as [keyof Limits, number | undefined][]) {
    if (value === undefined) continue;
    const looser = name.startsWith('min') ? value < own[name] : value > own[name];
    if (!Number.isFinite(value) || looser) {
      throw new MemloopError('limit', `limit ${name} = ${value} is looser than the board's own ${own[name]}`);
    }
    limits[name] = value;
  }
  return limits;
}

/** A value at its limit must not fail for the rounding of a float. */
const SLACK = 1 + 1e-6;
const MAX_SAMPLES = 255;

export class ProtocolBoard implements Board {
  readonly description: BoardDescription;
  readonly neurons: Observable<NeuronFrame>;
  readonly #link: Link;
  readonly #frames = new Subject<NeuronFrame>();
  readonly #emit: Emit | undefined;
  readonly #readOnly: boolean;
  readonly #repeatRuns: number;
  /** Pulses that each cell has had, or may have had, since the board was connected. */
  readonly #pulses: Uint32Array;
  #run = 0;

  constructor(link: Link, description: BoardDescription, options: ConnectOptions) {
    this.#link = link;
    this.description = { ...description, limits: tighten(description.limits, options.limits ?? {}) };
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
    for (const [i, operation] of operations.entries()) {
      const cost = this.#check(operation);
      if (operation.kind === 'pulse') {
        const cell = this.#cell(operation);
        const pulses = (planned.get(cell) ?? this.#pulses[cell]) + 1;
        if (pulses > this.description.limits.maxPulses) {
          outcomes[i] = { status: 'refused', reason: STATUS.LIMIT_PULSES.doc };
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
    // Pulses planned after one whose fate is unknown must wait until its cell was read again.
    let broken: string | undefined;
    await pipeline(batches.length, async (b) => {
      const indices = batches[b];
      const effect = indices.some((i) => operations[i].kind === 'pulse');
      try {
        if (broken !== undefined && effect)
          throw new LinkError('board-lost', `not sent: ${broken}`, 'not-sent');
        const { results } = await this.#link.request(
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
        const status = unknown ? 'unknown' : 'refused';
        for (const i of indices) outcomes[i] = { status, reason: error.message };
      }
      for (const i of indices) {
        const operation = operations[i];
        if (operation.kind === 'pulse' && outcomes[i].status !== 'refused')
          this.#pulses[this.#cell(operation)]++;
      }
      if (this.#emit && effect) this.#tell(operations, outcomes, indices);
    });
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
    this.#checkIndex('array', array, this.description.arrays);
    this.#checkIndex('first row', firstRow, rows);
    this.#checkCount('row count', rowCount, 1, rows - firstRow);
    this.#checkReading(voltage, samples);
    const code = this.#readCode(voltage);
    const [rowTime, step] = [samples * readTime, currentRanges[0].step];
    const atOnce = Math.max(
      1,
      Math.min(Math.floor(BOUNDS.ReadRowsReply.counts / columns), Math.floor(MAX_BOARD_TIME / rowTime)),
    );
    const currents = new Float32Array(rowCount * columns);
    await pipeline(Math.ceil(rowCount / atOnce), async (i) => {
      const first = i * atOnce;
      const count = Math.min(atOnce, rowCount - first);
      const { counts } = await this.#link.request(
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
    this.#checkIndex('array', array, this.description.arrays);
    this.#checkIndex('current range', range, currentRanges.length);
    if (voltages.length === 0 || voltages.length % rows !== 0) {
      throw new MemloopError('bad-input', `${voltages.length} row voltages are no vectors of ${rows} rows`);
    }
    this.#checkReading(0, samples);
    const codes = new Int16Array(voltages.length);
    for (let i = 0; i < voltages.length; i++) {
      this.#checkReadVoltage(voltages[i]);
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
    await pipeline(Math.ceil(vectors / atOnce), async (i) => {
      const first = i * atOnce;
      const count = Math.min(atOnce, vectors - first);
      const { counts } = await this.#link.request(
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
    this.#checkIndex('row', row, rows);
    this.#checkIndex('column', column, columns);
    this.#checkIndex('current range', range, currentRanges.length);
    if (reference !== undefined) this.#checkIndex('reference', reference, references.length);
    this.#checkReading(0, samples);
    const codes = Int16Array.from(voltages, (voltage) => {
      this.#checkReadVoltage(voltage);
      return this.#readCode(voltage);
    });
    const time = samples * readTime;
    const atOnce = Math.max(1, Math.min(BOUNDS.Reference.codes, Math.floor(MAX_BOARD_TIME / time)));
    const currents = new Float32Array(voltages.length);
    await pipeline(Math.ceil(voltages.length / atOnce), async (i) => {
      const first = i * atOnce;
      const part = codes.subarray(first, first + atOnce);
      const { counts } = await this.#link.request(
        { name: 'Reference', row, column, reference: reference ?? 255, range, samples, codes: part },
        { boardTime: part.length * time },
      );
      copyScaled(counts, part.length, currentRanges[range].step, currents, first);
    });
    return currents;
  }

  async run(stimuli: readonly Stimulus[]): Promise<NeuronRun[]> {
    for (const [i, stimulus] of stimuli.entries()) this.#checkStimulus(stimulus, i);
    return pipeline(stimuli.length, async (i) => {
      for (let repeats = this.#repeatRuns; ; repeats--) {
        const run = await this.#runOnce(stimuli[i]);
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
    await this.#link.request({ name: 'Stop' }, { urgent: true });
  }

  async close(): Promise<void> {
    // A board that is lost has put its lines to 0 V by its dead-man; there is nobody to tell.
    await this.stop().catch(() => {});
    await this.#link.close();
    this.#frames.complete();
  }

  async #runOnce({ steps, decimation, pulseSteps, drives }: Stimulus): Promise<NeuronRun> {
    const { driveStep, membraneStep, neurons, stepTime } = this.description;
    this.#run = (this.#run + 1) & 0xffff;
    const run = this.#run;
    const assembly = new RunAssembly(run, Math.floor(steps / decimation), decimation, neurons, membraneStep);
    const codes = Int16Array.from(drives, (drive) => Math.round(drive / driveStep));
    const reply = await this.#link.request(
      { name: 'Run', run, steps, decimation, pulseSteps: Uint16Array.from(pulseSteps), drives: codes },
      { boardTime: steps * stepTime },
      (samples: MessageOf<'Samples'>) => {
        const frame = assembly.add(samples);
        if (frame) this.#frames.next(frame);
      },
    );
    if (reply.status !== 'OK') {
      throw new MemloopError('board-refused', `run ${run} ended early: ${STATUS[reply.status].doc}`);
    }
    const result = assembly.finish();
    this.#link.lostSamples += result.lost;
    return result;
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
    if (result.status !== 'OK') return { status: 'refused', reason: STATUS[result.status].doc };
    if (operation.kind === 'pulse') return { status: 'applied' };
    const { step, max } = this.description.currentRanges[0];
    const current = result.count * step;
    return { status: 'applied', current, saturated: Math.abs(current) * SLACK >= max };
  }

  #tell(operations: readonly CellOperation[], outcomes: CellOutcome[], indices: number[]): void {
    for (const status of ['applied', 'refused', 'unknown'] as const) {
      const pulses: Extract<EventBody, { type: 'pulses' }>['pulses'] = [];
      for (const i of indices) {
        const [operation, outcome] = [operations[i], outcomes[i]];
        if (operation.kind !== 'pulse' || outcome.status !== status) continue;
        const { array, row, column, voltage, width } = operation;
        const reason = outcome.status === 'applied' ? {} : { reason: outcome.reason };
        pulses.push({ array, row, column, voltage, width, ...reason });
      }
      if (pulses.length > 0) this.#emit?.({ type: 'pulses', status, pulses });
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

  /** Refuses what is outside the limits; gives the time the board needs, s. */
  #check(operation: CellOperation): number {
    const { arrays, rows, columns, limits, seriesResistance } = this.description;
    this.#checkIndex('array', operation.array, arrays);
    this.#checkIndex('row', operation.row, rows);
    this.#checkIndex('column', operation.column, columns);
    if (operation.kind === 'read') {
      this.#checkReading(operation.voltage, operation.samples);
      return this.#cost(operation);
    }
    if (this.#readOnly) {
      throw new MemloopError('usage', 'this board was opened read-only: it can be read but not pulsed');
    }
    const { voltage, width } = operation;
    this.#checkRange('pulse voltage', voltage, limits.minVoltage, limits.maxVoltage, 'V');
    this.#checkRange('pulse width', width, limits.minWidth, limits.maxWidth, 's');
    const energy = (voltage * voltage * width) / (4 * seriesResistance);
    this.#checkRange('pulse energy', energy, 0, limits.maxEnergy, 'J');
    return width;
  }

  #checkReading(voltage: number, samples: number): void {
    this.#checkReadVoltage(voltage);
    this.#checkCount('samples', samples, 1, MAX_SAMPLES);
  }

  #checkReadVoltage(voltage: number): void {
    const max = this.description.limits.maxReadVoltage;
    if (!(voltage <= max * SLACK && voltage >= -max * SLACK))
      this.#outside('read voltage', voltage, -max, max, 'V');
  }

  #checkStimulus({ steps, decimation, pulseSteps, drives }: Stimulus, index: number): void {
    const { maxSteps, neurons, driveMax } = this.description;
    this.#checkCount('steps', steps, 1, maxSteps);
    this.#checkCount('decimation', decimation, 1, steps);
    this.#checkCount('input pulses', pulseSteps.length, 0, BOUNDS.Run.pulseSteps);
    if (drives.length !== pulseSteps.length * neurons) {
      throw new MemloopError(
        'bad-input',
        `stimulus ${index} has ${drives.length} drives; ${pulseSteps.length} pulses on ${neurons} neurons need ${pulseSteps.length * neurons}`,
      );
    }
    this.#checkCount('drives', drives.length, 0, BOUNDS.Run.drives);
    for (let i = 0; i < pulseSteps.length; i++) {
      this.#checkCount('pulse step', pulseSteps[i], i === 0 ? 0 : pulseSteps[i - 1] + 1, steps - 1);
    }
    for (const drive of drives) {
      if (!(Math.abs(drive) <= driveMax * SLACK)) this.#outside('drive', drive, -driveMax, driveMax, 'A');
    }
  }

  #checkIndex(what: string, value: number, count: number): void {
    if (Number.isInteger(value) && value >= 0 && value < count) return;
    throw new MemloopError('bad-input', `${what} ${value} does not exist; the board has 0 to ${count - 1}`);
  }

  #checkCount(what: string, value: number, low: number, high: number): void {
    if (Number.isInteger(value) && value >= low && value <= high) return;
    throw new MemloopError('bad-input', `${what}: ${value} is not a whole number from ${low} to ${high}`);
  }

  #checkRange(what: string, value: number, low: number, high: number, unit: string): void {
    const slack = Math.max(Math.abs(low), Math.abs(high)) * (SLACK - 1);
    if (!(value >= low - slack && value <= high + slack)) this.#outside(what, value, low, high, unit);
  }

  #outside(what: string, value: number, low: number, high: number, unit: string): never {
    const format = (x: number) => Number(x.toPrecision(4));
    throw new MemloopError(
      'limit',
      `${what} ${format(value)} ${unit} is outside the limits ${format(low)} to ${format(high)} ${unit}`,
    );
  }
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

/** work(0), work(1) … begun in order, AHEAD of them under way; results in order. After a failure none is begun. */
async function pipeline<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      try {
        results[index] = await work(index);
      } catch (error) {
        next = count;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AHEAD, count) }, worker));
  return results;
}
