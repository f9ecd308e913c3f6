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
} from '../driver/board/limits.js';
import { pulsesEvents, refusal } from '../driver/board/outcomes.js';
import { outcomeText } from '../driver/codes.js';
import { MemloopError } from '../shared/errors.js';
import type { Emit } from '../shared/events.js';

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
  readonly description: BoardDescription;
  /** Round trips so far. */
  readonly requests: number;
  /**
   * Operations in order, one outcome each. Never rejects for a lost instrument: what was not sent is refused with
   * `NOT_SENT`, what may or may not have been applied is `unknown`, and is never sent again. Between two round trips it
   * asks `stopped`, and refuses the rest with `STOPPED`.
   */
  cells(operations: readonly CellOperation[], stopped: () => boolean): Promise<CellOutcome[]>;
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
  #last: Promise<unknown> = Promise.resolve();
  #stops = 0;

  constructor(instrument: Instrument, emit?: Emit) {
    this.#instrument = instrument;
    this.#emit = emit;
    this.neurons = NEVER.pipe(takeUntil(this.#closed));
    if (instrument.trace)
      this.trace = (address, samples, rate) => {
        this.#checkWave(address, samples, rate);
        return this.#inTurn(() => instrument.trace!(address, samples, rate));
      };
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
      stopped() ? operations.map(() => refusal('STOPPED')) : this.#instrument.cells(operations, stopped),
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

  #checkWave({ array, row, column }: CellAddress, samples: Float64Array, rate: number): void {
    const { arrays, rows, columns, limits } = this.description;
    checkIndex('array', array, arrays);
    checkIndex('row', row, rows);
    checkIndex('column', column, columns);
    if (samples.length === 0 || !(rate > 0))
      throw new MemloopError('bad-input', 'a wave needs samples, and their rate in Hz');
    for (const voltage of samples)
      if (!(voltage >= limits.minVoltage && voltage <= limits.maxVoltage))
        throw new MemloopError(
          'limit',
          `the wave reaches ${voltage} V, outside the limits, ${limits.minVoltage} to ${limits.maxVoltage} V`,
        );
  }
}
