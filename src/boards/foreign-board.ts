/**
 * The face `Board` over an instrument: one request at a time, in order, checked before it is sent; what an adapter has to
 * give is an `Instrument`.
 */
import { NEVER, type Observable, Subject, takeUntil } from 'rxjs';
import type {
  Board,
  BoardCounters,
  BoardDescription,
  BoardHealth,
  CellAddress,
  CellOperation,
  CellOutcome,
  CellTrace,
  NeuronFrame,
  NeuronRun,
} from '../driver/board/board.js';
import {
  checkCellOperation,
  checkCount,
  checkIndex,
  checkReading,
  checkReadVoltage,
  tightenLimits,
} from '../driver/board/limits.js';
import { isUnsettled, pulsesEvents, refusal } from '../driver/board/outcomes.js';
import { stretchesOfWave } from '../driver/board/waves.js';
import { type OutcomeCode, outcomeText } from '../driver/codes.js';
import { MemloopError } from '../shared/errors.js';
import type { Emit } from '../shared/events.js';
import type { ForeignOptions } from './kind.js';

/** What is the same for all instruments: they have no neurons, no references, no counters and no dead-man. */
export const BARE = Object.freeze({
  neurons: 0,
  driveStep: 0,
  driveMax: 0,
  membraneStep: 0,
  membraneMax: 0,
  stepTime: 0,
  maxSteps: 0,
  references: [],
  deadManTime: Number.POSITIVE_INFINITY,
});

/** Requests are checked against the description before they come here, and come one at a time. */
export interface Instrument {
  /** What it can do; `ForeignBoard` tightens the limits to those of the caller. */
  description: BoardDescription;
  /** Round trips so far. */
  readonly requests: number;
  /** Indices of operations that go together, batches in order; absent: one operation after another. */
  batches?(operations: readonly CellOperation[]): Iterable<number[]>;
  /**
   * A batch, one outcome each. Never rejects for a lost instrument: what was not sent is refused with `NOT_SENT`, what may
   * or may not have been applied is `unknown`, and is never sent again. After either no more of the same call is asked for.
   */
  cells(batch: readonly CellOperation[]): Promise<CellOutcome[]>;
  /** After the last batch of a call. */
  rested?(): Promise<void>;
  /** Currents, A, rowCount × columns. Throws `board-lost`. */
  readRows(
    array: number,
    firstRow: number,
    rowCount: number,
    voltage: number,
    samples: number,
  ): Promise<Float32Array>;
  /** Column currents, A, vectors × columns; absent where `description.products` is `none`. */
  multiply?(array: number, voltages: Float32Array, samples: number): Promise<Float32Array>;
  trace?(address: CellAddress, samples: Float64Array, rate: number): Promise<CellTrace>;
  /** Lines to 0 V, switches open, as far as the hardware can; also while a request is under way. */
  rest(): Promise<void>;
  close(): Promise<void>;
}

export class ForeignBoard implements Board {
  readonly neurons: Observable<NeuronFrame>;
  readonly trace: Board['trace'];
  readonly #instrument: Instrument;
  readonly #emit: Emit | undefined;
  readonly #closed = new Subject<void>();
  readonly #opened = performance.now();
  /** Pulses that each cell has had, or may have had, since the board was opened. */
  readonly #pulses: Uint32Array;
  #last: Promise<unknown> = Promise.resolve();
  #stops = 0;

  /** Throws `limit` for limits that are looser than the instrument's own. */
  constructor(instrument: Instrument, { emit, limits = {} }: ForeignOptions = {}) {
    this.#instrument = instrument;
    this.#emit = emit;
    const { description } = instrument;
    const { arrays, rows, columns } = description;
    instrument.description = { ...description, limits: tightenLimits(description.limits, limits) };
    this.#pulses = new Uint32Array(arrays * rows * columns);
    this.neurons = NEVER.pipe(takeUntil(this.#closed));
    if (instrument.trace) this.trace = (address, samples, rate) => this.#trace(address, samples, rate);
  }

  get description(): BoardDescription {
    return this.#instrument.description;
  }

  get counters(): BoardCounters {
    return { requests: this.#instrument.requests, lostSamples: 0 };
  }

  async cells(operations: readonly CellOperation[]): Promise<CellOutcome[]> {
    for (const operation of operations) checkCellOperation(this.description, operation);
    const stops = this.#stops;
    const stopped = () => stops !== this.#stops;
    const outcomes = await this.#queue(async () =>
      stopped() ? operations.map(() => refusal('STOPPED')) : this.#send(operations, stopped),
    );
    for (const event of pulsesEvents(operations, outcomes)) this.#emit?.(event);
    return outcomes;
  }

  async readRows(
    array: number,
    firstRow: number,
    rowCount: number,
    voltage: number,
    samples: number,
  ): Promise<Float32Array> {
    const { arrays, rows } = this.description;
    checkIndex('array', array, arrays);
    checkIndex('first row', firstRow, rows);
    checkCount('row count', rowCount, 1, rows - firstRow);
    checkReading(this.description, voltage, samples);
    return this.#inTurn(() => this.#instrument.readRows(array, firstRow, rowCount, voltage, samples));
  }

  async multiply(
    array: number,
    voltages: Float32Array,
    { range, samples = 1 }: { range?: number; samples?: number } = {},
  ): Promise<Float32Array> {
    const { arrays, rows, currentRanges, kind } = this.description;
    const { multiply } = this.#instrument;
    if (!multiply) throw new MemloopError('board-refused', `a ${kind} has no analog products`);
    checkIndex('array', array, arrays);
    if (range !== undefined) checkIndex('current range', range, currentRanges.length);
    checkReading(this.description, 0, samples);
    if (voltages.length === 0 || voltages.length % rows !== 0)
      throw new MemloopError(
        'bad-input',
        `there are ${voltages.length} row voltages; give whole vectors of one voltage for each of the ${rows} rows`,
      );
    for (const voltage of voltages) checkReadVoltage(this.description, voltage);
    return this.#inTurn(() => multiply.call(this.#instrument, array, voltages, samples));
  }

  async run(): Promise<NeuronRun[]> {
    throw new MemloopError('board-refused', `a ${this.description.kind} has no neurons`);
  }

  async reference(): Promise<Float32Array> {
    throw new MemloopError('board-refused', `a ${this.description.kind} has no reference resistors`);
  }

  async health(): Promise<BoardHealth> {
    return { uptime: (performance.now() - this.#opened) / 1000 };
  }

  async stop(): Promise<void> {
    this.#stops++;
    await this.#instrument.rest();
  }

  async close(): Promise<void> {
    this.#stops++;
    await this.#last;
    try {
      await this.#instrument.rest();
    } catch (error) {
      // What is gone cannot be brought to rest.
      if (!(error instanceof MemloopError && error.reason === 'board-lost')) throw error;
    } finally {
      this.#closed.next();
      await this.#instrument.close();
    }
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const stops = this.#stops;
    return this.#queue(() => {
      if (stops !== this.#stops) throw new MemloopError('board-refused', outcomeText('STOPPED'));
      return work();
    });
  }

  /** What is over the pulses of its cell is refused; the rest goes in batches, until one is not settled. */
  async #send(operations: readonly CellOperation[], stopped: () => boolean): Promise<CellOutcome[]> {
    const outcomes: CellOutcome[] = operations.map(() => refusal('LIMIT_PULSES'));
    const allowed = this.#withinPulses(operations);
    const sent = allowed.map((i) => operations[i]);
    let held: OutcomeCode | undefined;
    for (const batch of this.#instrument.batches?.(sent) ?? oneByOne(sent)) {
      if (stopped()) held ??= 'STOPPED';
      const code = held;
      const some = batch.map((k) => sent[k]);
      const answers = code ? some.map(() => refusal(code)) : await this.#instrument.cells(some);
      for (const [n, k] of batch.entries()) {
        outcomes[allowed[k]] = answers[n];
        if (some[n].kind === 'pulse' && answers[n].status !== 'refused') this.#pulses[this.#cell(some[n])]++;
      }
      // Cells may be in other states than what follows was planned on.
      if (answers.some(isUnsettled)) held ??= 'NOT_SENT';
    }
    await this.#instrument.rested?.();
    return outcomes;
  }

  /** Indices of what may be sent without giving a cell more pulses than the limit. */
  #withinPulses(operations: readonly CellOperation[]): number[] {
    const planned = new Map<number, number>();
    return [...operations.keys()].filter((i) => {
      const operation = operations[i];
      if (operation.kind !== 'pulse') return true;
      const cell = this.#cell(operation);
      const pulses = (planned.get(cell) ?? this.#pulses[cell]) + 1;
      if (pulses > this.description.limits.maxPulses) return false;
      planned.set(cell, pulses);
      return true;
    });
  }

  #cell({ array, row, column }: CellAddress): number {
    const { rows, columns } = this.description;
    return (array * rows + row) * columns + column;
  }

  async #trace(address: CellAddress, samples: Float64Array, rate: number): Promise<CellTrace> {
    if (samples.length === 0 || !(rate > 0))
      throw new MemloopError('bad-input', 'a wave needs samples, and their rate in Hz');
    const stretches = stretchesOfWave(samples, rate);
    for (const { voltage, width } of stretches)
      checkCellOperation(this.description, { ...address, kind: 'pulse', voltage, width });
    return this.#inTurn(() => {
      const cell = this.#cell(address);
      if (this.#pulses[cell] + stretches.length > this.description.limits.maxPulses)
        throw new MemloopError('limit', outcomeText('LIMIT_PULSES'));
      this.#pulses[cell] += stretches.length;
      return this.#instrument.trace!(address, samples, rate);
    });
  }
}

function* oneByOne(operations: readonly CellOperation[]): Generator<number[]> {
  for (const i of operations.keys()) yield [i];
}

/**
 * Throws `limit` where a caller allows reads of less than an instrument reads by, whatever is asked for: called before the
 * first.
 */
export function checkLeastRead(limits: ForeignOptions['limits'], voltage: number): void {
  const { maxReadVoltage = voltage } = limits ?? {};
  if (maxReadVoltage < voltage)
    throw new MemloopError(
      'limit',
      `limit maxReadVoltage = ${maxReadVoltage} V cannot be kept: this board is read by ${voltage} V`,
    );
}
