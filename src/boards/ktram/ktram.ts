/** A kT-RAM server as an instrument. A write is sent once; what became of it is known by its answer, or not at all. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BoardDescription, CellAddress, CellOperation, CellOutcome } from '../../driver/board/board.js';
import { SLACK } from '../../driver/board/limits.js';
import { refusal, unknownFate } from '../../driver/board/outcomes.js';
import { MemloopError } from '../../shared/errors.js';
import type { Instrument } from '../foreign-board.js';
import { Lost } from './http.js';
import type { Activation, KtramServer } from './server.js';
import type { ReadPulse } from './url.js';

/**
 * Pulses in one write. All of a lost one are of unknown fate: each is counted as applied and its cell read again, so a
 * write should not be large; a round trip costs some ms, so not small either. This many last 32 ms at most.
 */
export const WRITE_MOST = 64;
/** Numbers in the answer to one read. */
const READ_MOST = 2048;
const READ_TRIES = 5;
/** Writes that never left this machine may be tried again. */
const WRITE_TRIES = 3;
/** s */
const [FIRST_PAUSE, PAUSE_MOST] = [0.02, 1];

type Pulse = Extract<CellOperation, { kind: 'pulse' }>;
type Read = Extract<CellOperation, { kind: 'read' }>;

export interface ArrayPlace {
  module: number;
  unit: number;
  array: number;
}

export interface KtramParts {
  server: KtramServer;
  description: BoardDescription;
  /** By array of the description. */
  places: readonly ArrayPlace[];
  read: ReadPulse;
  /** Lowest resistance that the read pulse is calibrated for, Ω. */
  lowest: number;
  /** Of all that carries a serial number: what is behind the address must not change. */
  identify: () => Promise<string>;
  identity: string;
  /** Time for which a lost server is tried again, s. */
  reconnect: number;
}

export class Ktram implements Instrument {
  description: BoardDescription;
  readonly batches = batchesOf;
  readonly #parts: KtramParts;
  /** The last request was lost. */
  #broken = false;
  #rests = 0;

  constructor(parts: KtramParts) {
    this.#parts = parts;
    this.description = parts.description;
  }

  get requests(): number {
    return this.#parts.server.requests;
  }

  cells(batch: readonly CellOperation[]): Promise<CellOutcome[]> {
    return batch[0].kind === 'pulse'
      ? this.#writeBatch(batch as readonly Pulse[])
      : this.#readBatch(batch as readonly Read[]);
  }

  async readRows(
    array: number,
    firstRow: number,
    rowCount: number,
    voltage: number,
    samples: number,
  ): Promise<Float32Array> {
    const { columns } = this.description;
    const cells = Array.from({ length: rowCount * columns }, (_, k) => ({
      array,
      row: firstRow + Math.floor(k / columns),
      column: k % columns,
    }));
    const currents = new Float32Array(cells.length);
    const most = Math.max(1, Math.floor(READ_MOST / samples));
    for (let first = 0; first < cells.length; first += most) {
      const part = await this.#read(cells.slice(first, first + most), samples);
      for (const [k, { conductance }] of part.entries()) currents[first + k] = conductance * voltage;
    }
    return currents;
  }

  /** A pulse ends by itself; this only takes the cells out of the server's active set. */
  async rest(): Promise<void> {
    this.#rests++;
    try {
      await this.#parts.server.rest();
    } catch (error) {
      throw this.#gone(error);
    }
  }

  async close(): Promise<void> {
    this.#parts.server.close();
  }

  async #readBatch(operations: readonly Read[]): Promise<CellOutcome[]> {
    try {
      const readings = await this.#read(operations, operations[0].samples);
      return readings.map(({ conductance, saturated }, i) => ({
        status: 'applied',
        current: conductance * operations[i].voltage,
        saturated,
      }));
    } catch (error) {
      if (!(error instanceof MemloopError)) throw error;
      return operations.map(() => unknownFate('BOARD_LOST', error.message));
    }
  }

  /** Mean conductances, S; one a cell. Throws `board-lost`. */
  async #read(
    cells: readonly CellAddress[],
    samples: number,
  ): Promise<{ conductance: number; saturated: boolean }[]> {
    const { server, read, lowest } = this.#parts;
    const rows = await this.#repeated(() => server.read(read, samples, cells.map(this.#activation)));
    return rows.map((ohms) => ({
      conductance: ohms.reduce((sum, one) => sum + 1 / one, 0) / samples,
      saturated: ohms.some((one) => one < lowest),
    }));
  }

  async #writeBatch(operations: readonly Pulse[]): Promise<CellOutcome[]> {
    const { server } = this.#parts;
    const pulse = { ...gridded(this.description, operations[0]), series: this.description.seriesResistance };
    const activations = operations.map(this.#activation);
    const all = (outcome: CellOutcome) => operations.map(() => outcome);
    for (let tries = 1; ; tries++) {
      try {
        await this.#ready();
      } catch (error) {
        if (!(error instanceof MemloopError)) throw error;
        return all(refusal('NOT_SENT', error.message));
      }
      try {
        const answer = await server.write(pulse, activations);
        if (answer.applied) return all({ status: 'applied' });
        this.#broken = true;
        return all(
          answer.applied === false
            ? refusal('NOT_SENT', answer.reason)
            : unknownFate('PROTOCOL_BREACH', answer.reason),
        );
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        this.#broken = true;
        if (error.sent) return all(unknownFate('BOARD_LOST', error.message));
        if (tries === WRITE_TRIES) return all(refusal('NOT_SENT', error.message));
      }
    }
  }

  /** What moves nothing may be asked again. */
  async #repeated<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      await this.#ready();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Lost)) throw this.#gone(error);
        this.#broken = true;
        if (tries === READ_TRIES) throw this.#gone(error);
      }
    }
  }

  /** After something was lost: waits until the server is there, and is the one that it was. Throws `board-lost`. */
  async #ready(): Promise<void> {
    if (!this.#broken) return;
    const { server, identity, identify, reconnect } = this.#parts;
    const rests = this.#rests;
    const end = performance.now() + reconnect * 1000;
    let pause = FIRST_PAUSE;
    for (let tries = 1; ; tries++) {
      try {
        const found = await identify();
        if (found !== identity)
          throw new MemloopError(
            'board-lost',
            `behind ${server.name} are other modules than before: run the command again`,
          );
        await server.clear();
        this.#broken = false;
        return;
      } catch (error) {
        const late = performance.now() > end && tries >= READ_TRIES;
        if (!(error instanceof Lost) || late || rests !== this.#rests) throw this.#gone(error);
        await sleep(pause * 1000);
        pause = Math.min(2 * pause, PAUSE_MOST);
      }
    }
  }

  readonly #activation = ({ array, row, column }: CellAddress): Activation => ({
    ...this.#parts.places[array],
    column,
    row,
  });

  #gone(error: unknown): unknown {
    const { name } = this.#parts.server;
    if (error instanceof Lost)
      return new MemloopError(
        'board-lost',
        `the kT-RAM server ${name} is lost: ${error.message}; see that it runs and can be reached, and run the command again`,
        { cause: error },
      );
    if (error instanceof MemloopError && error.reason === 'service')
      return new MemloopError('board-lost', error.message, { cause: error });
    return error;
  }
}

/** The nearest pulse that the driver is asked for, within the limits. */
function gridded(
  { rowVoltageStep, widthStep, limits }: BoardDescription,
  { voltage, width }: Pulse,
): { voltage: number; width: number } {
  const highest = voltage > 0 ? limits.maxVoltage : -limits.minVoltage;
  const volts = Math.sign(voltage) * onGrid(Math.abs(voltage), rowVoltageStep, 0, highest);
  const seconds = onGrid(width, widthStep, limits.minWidth, limits.maxWidth);
  return { voltage: Number(volts.toFixed(6)), width: Number(seconds.toFixed(9)) };
}

/** The multiple of `step` from `low` to `high` that is nearest to a value; where there is none, the next below. */
function onGrid(value: number, step: number, low: number, high: number): number {
  const steps = Math.max(Math.round(value / step), Math.ceil(low / step / SLACK));
  return Math.min(steps, Math.floor((high / step) * SLACK)) * step;
}

/**
 * Indices of operations that share a request. Reads stay where they are among the pulses; pulses between them share one
 * where voltage and width are equal, and those of one cell stay in order.
 */
function* batchesOf(operations: readonly CellOperation[]): Generator<number[]> {
  for (let first = 0; first < operations.length; ) {
    const { kind } = operations[first];
    const last = operations.findIndex((one, i) => i > first && one.kind !== kind);
    const end = last < 0 ? operations.length : last;
    const stretch = Array.from({ length: end - first }, (_, k) => first + k);
    yield* kind === 'pulse' ? writes(operations, stretch) : reads(operations, stretch);
    first = end;
  }
}

function* writes(operations: readonly CellOperation[], indices: number[]): Generator<number[]> {
  for (let waiting = indices; waiting.length > 0; ) {
    const batch: number[] = [];
    const later: number[] = [];
    const cells = new Set<string>();
    const head = operations[waiting[0]] as Pulse;
    for (const i of waiting) {
      const { array, row, column, voltage, width } = operations[i] as Pulse;
      const cell = `${array} ${row} ${column}`;
      const fits = voltage === head.voltage && width === head.width && batch.length < WRITE_MOST;
      (fits && !cells.has(cell) ? batch : later).push(i);
      cells.add(cell);
    }
    yield batch;
    waiting = later;
  }
}

function* reads(operations: readonly CellOperation[], indices: number[]): Generator<number[]> {
  let batch: number[] = [];
  for (const i of indices) {
    const { samples } = operations[i] as Read;
    const full = (batch.length + 1) * samples > READ_MOST;
    if (batch.length > 0 && (full || samples !== (operations[batch[0]] as Read).samples)) {
      yield batch;
      batch = [];
    }
    batch.push(i);
  }
  yield batch;
}
