/**
 * Products with the wires to first order: with the drops that the currents would cause if there were none. A row carries at
 * segment c the currents of the cells from c on, the column below row r those of the cells down to r. The arithmetic is
 * `assembly/first-order.ts`, the readable reference `firstOrderReference`.
 */
import { wiresInstance } from './module.js';

interface Functions {
  readonly memory: WebAssembly.Memory;
  firstOrder(rows: number, columns: number, segment: number): void;
  cells(): number;
  cellsStride(): number;
  levels(): number;
  beside(): number;
  columnSums(): number;
  columnSquareSums(): number;
  takeRow(row: number): void;
  firstOrderProduct(): void;
}

export class FirstOrderLines {
  readonly #rows: number;
  readonly #columns: number;
  readonly #do: Functions;
  readonly #stride: number;
  readonly #cells: Float64Array;
  readonly #levels: Float64Array;
  readonly #beside: Float64Array;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;

  /** @param segment of wire between two neighbouring cells, Ω; 0: none. */
  constructor(rows: number, columns: number, segment: number) {
    this.#do = wiresInstance<Functions>();
    this.#rows = rows;
    this.#columns = columns;
    this.#do.firstOrder(rows, columns, segment);
    this.#stride = this.#do.cellsStride();
    const view = (address: number, count: number) => new Float64Array(this.#do.memory.buffer, address, count);
    this.#cells = view(this.#do.cells(), rows * this.#stride);
    this.#levels = view(this.#do.levels(), rows);
    this.#beside = view(this.#do.beside(), rows);
    this.#sums = view(this.#do.columnSums(), columns);
    this.#squares = view(this.#do.columnSquareSums(), columns);
  }

  /** The switches of a row's cells conduct low[i] + span[i] · state[i], S. */
  setRow(row: number, low: Float64Array, span: Float64Array, state: Float64Array): void {
    const cells = this.#cells;
    const first = row * this.#columns;
    const at = row * this.#stride;
    for (let c = 0; c < this.#columns; c++) {
      const i = first + c;
      cells[at + c] = low[i] + span[i] * state[i];
    }
    this.#do.takeRow(row);
  }

  /**
   * Column currents, A, and the sums of the squares of their cells', A², with the rows at `voltages` (V) and the columns at 0 V.
   *
   * @param beside what the current beside the switches adds to any cell at a voltage, S
   */
  multiply(
    voltages: Float64Array,
    beside: (voltage: number) => number,
    currents: Float64Array,
    squares: Float64Array,
  ): void {
    this.#levels.set(voltages);
    for (let r = 0; r < this.#rows; r++) this.#beside[r] = beside(voltages[r]);
    this.#do.firstOrderProduct();
    currents.set(this.#sums);
    squares.set(this.#squares);
  }
}
