/** An ArC ONE as an instrument: what it can confirm is made the most of, the rest is told as `unknown`. */
import type { BoardDescription, CellOperation, CellOutcome } from '../../driver/board/board.js';
import { refusal, unknownFate } from '../../driver/board/outcomes.js';
import { MemloopError } from '../../shared/errors.js';
import type { Instrument } from '../foreign-board.js';
import { LineLost } from './line.js';
import { agree, type Protocol } from './protocol.js';
import type { ArcOneSettings } from './url.js';

/** Readings of a cell, until two in a row agree. */
const READINGS = 5;
/** Whole arrays in one reading: a wrong value differs from that of the other. */
const [PASSES_MIN, PASSES_MAX] = [2, 8];
const TRIES = 4;
/** An array is read from its first row on, which costs 4 bytes a cell; so many cells more cost less than 3 lines for each. */
const WHOLE = 4;
/** By how much a cell may grow more conductive within a pulse, for the bound of its current; a negative one lowers it. */
const GROWTH = { positive: 3, negative: 1.2 };

type Pulse = Extract<CellOperation, { kind: 'pulse' }>;

export class ArcOne implements Instrument {
  description: BoardDescription;
  readonly #settings: ArcOneSettings;
  readonly #reopen: (() => Promise<Protocol>) | undefined;
  #protocol: Protocol;
  #requestsBefore = 0;
  /** Conductance last read, S, by cell. */
  readonly #known = new Map<number, number>();
  /** It may be in the middle of a command, or be configured otherwise. */
  #odd = false;

  /** `reopen` finds the instrument again when its port was lost. */
  constructor(
    settings: ArcOneSettings,
    protocol: Protocol,
    description: BoardDescription,
    reopen?: () => Promise<Protocol>,
  ) {
    this.#settings = settings;
    this.#protocol = protocol;
    this.description = description;
    this.#reopen = reopen;
  }

  get requests(): number {
    return this.#requestsBefore + this.#protocol.requests;
  }

  async cells([operation]: readonly CellOperation[]): Promise<CellOutcome[]> {
    return [await this.#cell(operation)];
  }

  async readRows(
    _array: number,
    firstRow: number,
    rowCount: number,
    voltage: number,
    samples: number,
  ): Promise<Float32Array> {
    if (voltage === 0) throw new MemloopError('board-refused', 'an ArC ONE cannot read at 0 V');
    return this.#orLost(async () => {
      await this.#ready();
      await this.#protocol.setVoltage(this.#polar(voltage));
      const { columns } = this.description;
      const first = firstRow * columns;
      const last = first + rowCount * columns;
      const means =
        this.#protocol.spelling === 'guarded' && firstRow + rowCount <= WHOLE * rowCount
          ? await this.#readWhole(firstRow + rowCount, samples)
          : new Float64Array(last).fill(Number.NaN);
      const currents = new Float32Array(rowCount * columns);
      for (let cell = first; cell < last; cell++) {
        const mean = means[cell];
        const conductance = Number.isNaN(mean) ? await this.#agreed(cell) : mean;
        this.#known.set(cell, conductance);
        currents[cell - first] = conductance * voltage;
      }
      return currents;
    });
  }

  /** It holds no voltage between two commands, as far as is known: there is nothing to be brought to rest. */
  async rest(): Promise<void> {}

  close(): Promise<void> {
    return this.#protocol.close();
  }

  async #cell(operation: CellOperation): Promise<CellOutcome> {
    const fate = { sent: false };
    try {
      await this.#ready();
      if (operation.kind === 'pulse') return await this.#pulse(operation, fate);
      const { row, column, voltage } = operation;
      if (voltage === 0) return refusal('UNSUPPORTED');
      await this.#protocol.setVoltage(this.#polar(voltage));
      const cell = row * this.description.columns + column;
      const conductance = await this.#agreed(cell);
      this.#known.set(cell, conductance);
      return { status: 'applied', current: conductance * voltage };
    } catch (error) {
      if (!isLoss(error)) throw error;
      this.#forget();
      return fate.sent || operation.kind === 'read' ? unknownFate('BOARD_LOST') : refusal('NOT_SENT');
    }
  }

  async #pulse({ row, column, voltage, width }: Pulse, fate: { sent: boolean }): Promise<CellOutcome> {
    const cell = row * this.description.columns + column;
    const before = this.#known.get(cell) ?? (await this.#agreed(cell));
    if (before === 0) return refusal('NO_CURRENT');
    if (this.#currentOf(voltage, before) > this.#settings.current) return refusal('LIMIT_CURRENT');
    this.#known.delete(cell);
    const pulse = { voltage: this.#polar(voltage), width };
    const answer = await this.#protocol.pulse({ row, column }, pulse, () => {
      fate.sent = true;
    });
    if ('lost' in answer) {
      this.#forget();
      return unknownFate(answer.lost === 'late' ? 'BOARD_LOST' : 'PROTOCOL_BREACH');
    }
    // Of another cell, or not of a pulse at all, it would differ from what the cell reads.
    for (let i = 0; i < 2; i++) {
      const after = await this.#protocol.read(row, column);
      if (after === undefined || !agree(after, answer.answered)) continue;
      this.#known.set(cell, after);
      return { status: 'applied' };
    }
    this.#forget();
    return unknownFate('PROTOCOL_BREACH');
  }

  /** The most that is expected through a cell and its resistor in a pulse, A. */
  #currentOf(voltage: number, conductance: number): number {
    const { positive, negative } = GROWTH;
    const grown = conductance * (voltage > 0 ? positive : negative);
    return Math.abs(voltage) / (this.#settings.series + 1 / grown);
  }

  /** Means of whole arrays, S; NaN where they do not agree. */
  async #readWhole(rows: number, samples: number): Promise<Float64Array> {
    const wanted = Math.ceil(samples / this.#settings.cycles);
    const passes = Math.min(PASSES_MAX, Math.max(PASSES_MIN, wanted));
    const read: Float64Array[] = [];
    for (let tries = passes + TRIES; read.length < passes && tries > 0; tries--) {
      const one = await this.#protocol.readRows(rows);
      if (one) read.push(one);
    }
    if (read.length < passes) throw this.#garbled();
    return read[0].map((first, cell) => {
      const values = read.map((pass) => pass[cell]);
      return values.every((value) => agree(value, first))
        ? values.reduce((sum, value) => sum + value, 0) / passes
        : Number.NaN;
    });
  }

  /**
   * Conductance of a cell, S, by two readings in a row that agree; of one too noisy for it the median; 0 of one through which
   * no current flows. Throws `board-lost` where most answers are lost.
   */
  async #agreed(cell: number): Promise<number> {
    const { columns } = this.description;
    const values: number[] = [];
    let answers = 0;
    for (let i = 0; i < READINGS; i++) {
      const value = await this.#protocol.read(Math.floor(cell / columns), cell % columns);
      if (value === undefined) continue;
      answers++;
      if (Number.isNaN(value)) continue;
      const last = values.at(-1);
      if (last !== undefined && agree(last, value)) return (last + value) / 2;
      values.push(value);
    }
    if (answers < READINGS / 2) throw this.#garbled();
    if (values.length < answers / 2) return 0;
    return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  }

  #polar(voltage: number): number {
    return this.#settings.polarity === 'reversed' ? -voltage : voltage;
  }

  /** Nothing that was read before counts any more, and the next command begins with a reset. */
  #forget(): void {
    this.#known.clear();
    this.#odd = true;
  }

  async #ready(): Promise<void> {
    if (this.#protocol.lost !== undefined) {
      if (!this.#reopen) throw this.#gone(this.#protocol.lost);
      const found = await this.#reopen();
      this.#requestsBefore += this.#protocol.requests;
      this.#protocol = found;
      this.#forget();
      this.#odd = false;
    }
    if (!this.#odd) return;
    await this.#protocol.restart();
    this.#odd = false;
  }

  async #orLost<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isLoss(error)) throw error;
      this.#forget();
      // That it could not be found again is no fault of what was asked for.
      const lost = error instanceof MemloopError && error.reason === 'board-lost';
      throw lost ? error : this.#gone((error as Error).message);
    }
  }

  #gone(reason: string): MemloopError {
    return new MemloopError(
      'board-lost',
      `the ArC ONE on ${this.#settings.path} is gone: ${reason}; plug it in and run the command again`,
    );
  }

  #garbled(): MemloopError {
    return new MemloopError(
      'board-lost',
      `the ArC ONE on ${this.#settings.path} answers torn or not at all: check its cable, and what else uses it`,
    );
  }
}

const isLoss = (error: unknown): boolean =>
  error instanceof LineLost ||
  (error instanceof MemloopError &&
    ['board-lost', 'port-not-found', 'port-in-use', 'not-a-board'].includes(error.reason));
