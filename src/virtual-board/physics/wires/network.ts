/**
 * The wires and cells of one crossbar as one network, solved exactly: rows are driven from the left, columns are held below the
 * last row. The arithmetic is `assembly/wires.ts`; `reference.ts` says in plain words what it must find.
 */
import { wiresInstance } from './module.js';

/** Ω. */
export interface Wires {
  /** Between two neighbouring cells, and between the ends of a line and its first or last cell; over 0. */
  segment: number;
  /** Of the driver at the start of each row. */
  driver: number;
  /** Of what holds the end of each column. */
  sense: number;
}

/** What a cell carries beside its switches: amplitude · sinh(beta · v). */
export interface Schottky {
  /** A */
  amplitude: number;
  /** 1/V */
  beta: number;
}

/** How a pulse is driven. The selected row is at its voltage behind the series resistor, the selected column at 0 V. */
export interface Bias {
  row: number;
  column: number;
  /** V */
  voltage: number;
  /** Ω */
  series: number;
  /** The other rows are at this share of the voltage, the other columns at the rest of it; undefined: they float. */
  share: number | undefined;
}

/** What a cell sees of everything around it. */
export interface Surroundings {
  /** Voltage of the source that it stands for, V, and resistance in series, Ω. */
  voltage: number;
  resistance: number;
  /** Voltage across the cell, V, and current through it, A, as it is now. */
  across: number;
  current: number;
}

interface Functions {
  readonly memory: WebAssembly.Memory;
  layOut(rows: number, columns: number, wire: number, amplitude: number, beta: number): void;
  stride(): number;
  switches(): number;
  slopes(): number;
  voltages(): number;
  responses(): number;
  rowEnds(): number;
  rowSources(): number;
  columnEnds(): number;
  columnSources(): number;
  output(): number;
  setRange(range: number): void;
  linearise(atVoltages: number): void;
  rest(): void;
  solve(tolerance: number, voltages: number, most: number): number;
  columnCurrents(): void;
  columnSquares(): void;
  transferSquares(): void;
  respond(row: number, column: number, tolerance: number, most: number): number;
  keep(row: number): void;
  transfer(): void;
}

/** Error of the voltages, weighted by the power of the cells. That of a column's current is smaller. */
const TOLERANCE = 1e-10;
const MOST_STEPS = 2000;

export class WireNetwork {
  readonly #rows: number;
  readonly #columns: number;
  readonly #wires: Wires;
  readonly #schottky: Schottky;
  readonly #do: Functions;
  /** Doubles a row in the arrays of the kernel. */
  readonly #stride: number;
  readonly #switches: Float64Array;
  readonly #slopes: Float64Array;
  readonly #voltages: Float64Array;
  readonly #responses: Float64Array;
  readonly #rowEnds: Float64Array;
  readonly #rowSources: Float64Array;
  readonly #columnEnds: Float64Array;
  readonly #columnSources: Float64Array;
  readonly #output: Float64Array;
  /** Linearised at 0 V with all lines driven, as products and reads find it. */
  #prepared = false;
  /** Products since a cell changed; from the number of rows on they go through the transfer matrix. */
  #products = 0;
  #hasTransfer = false;
  #selected: 'anew' | 'solved' = 'anew';

  constructor(rows: number, columns: number, wires: Wires, schottky: Schottky) {
    this.#do = wiresInstance<Functions>();
    this.#rows = rows;
    this.#columns = columns;
    this.#wires = wires;
    this.#schottky = schottky;
    this.#do.layOut(rows, columns, 1 / wires.segment, schottky.amplitude, schottky.beta);
    this.#stride = this.#do.stride();
    const view = (address: number, count: number) => new Float64Array(this.#do.memory.buffer, address, count);
    const cells = rows * this.#stride;
    this.#switches = view(this.#do.switches(), cells);
    this.#slopes = view(this.#do.slopes(), cells);
    this.#voltages = view(this.#do.voltages(), cells);
    this.#responses = view(this.#do.responses(), cells);
    this.#rowEnds = view(this.#do.rowEnds(), rows);
    this.#rowSources = view(this.#do.rowSources(), rows);
    this.#columnEnds = view(this.#do.columnEnds(), columns);
    this.#columnSources = view(this.#do.columnSources(), columns);
    this.#output = view(this.#do.output(), columns);
  }

  /** The switches of cell i, row by row, conduct low[i] + span[i] · state[i], S. */
  setCells(low: Float64Array, span: Float64Array, state: Float64Array): void {
    const columns = this.#columns;
    const stride = this.#stride;
    const switches = this.#switches;
    for (let i = 0, row = 0; i < low.length; row += stride)
      for (let at = row; at < row + columns; at++, i++) switches[at] = low[i] + span[i] * state[i];
    this.#prepared = false;
    this.#products = 0;
    this.#hasTransfer = false;
  }

  /** Column currents, A, with the rows at `voltages` (V) and the columns at 0 V. */
  multiply(voltages: Float64Array, currents: Float64Array): void {
    this.#prepare();
    this.#rowSources.set(voltages);
    this.#products++;
    if (this.#schottky.amplitude === 0 && this.#products > this.#rows) this.#transfer(voltages);
    else {
      this.#do.setRange(voltages.reduce((largest, v) => Math.max(largest, Math.abs(v)), 0));
      this.#product();
    }
    currents.set(this.#output);
  }

  /** After `multiply`: the sum of the squares of the cells' currents in each column, A². */
  squares(sums: Float64Array): void {
    if (this.#hasTransfer) this.#do.transferSquares();
    else this.#do.columnSquares();
    sums.set(this.#output);
  }

  /** Drives the lines for a pulse, until the next product. */
  select({ row, column, voltage, series, share }: Bias): void {
    const { segment, driver, sense } = this.#wires;
    const floats = share === undefined;
    this.#rowEnds.fill(floats ? 0 : 1 / (segment + driver));
    this.#columnEnds.fill(floats ? 0 : 1 / (segment + sense));
    this.#rowSources.fill(voltage * (share ?? 0));
    this.#columnSources.fill(voltage * (1 - (share ?? 0)));
    this.#rowEnds[row] = 1 / (segment + driver + series);
    this.#columnEnds[column] = 1 / (segment + sense);
    this.#rowSources[row] = voltage;
    this.#columnSources[column] = 0;
    this.#do.setRange(Math.abs(voltage));
    this.#do.rest();
    this.#prepared = false;
    this.#selected = 'anew';
  }

  /** After `select`, or as cells have moved since: solves the network, and finds what one cell sees. */
  around(row: number, column: number): Surroundings {
    this.#do.linearise(Number(this.#selected === 'solved'));
    if (this.#do.solve(TOLERANCE, 1, MOST_STEPS) < 0) throw unsettled();
    this.#selected = 'solved';
    if (this.#schottky.amplitude > 0) this.#do.linearise(1);
    if (this.#do.respond(row, column, TOLERANCE, MOST_STEPS) >= MOST_STEPS) throw unsettled();
    const at = row * this.#stride + column;
    const { amplitude, beta } = this.#schottky;
    const across = this.#voltages[at];
    const current = this.#switches[at] * across + amplitude * Math.sinh(beta * across);
    // The response is that of a network that has the cell itself in it.
    const without = 1 / (1 + this.#slopes[at] * this.#responses[at]);
    const resistance = -this.#responses[at] * without;
    for (let i = 0; i < this.#responses.length; i++) this.#responses[i] *= without;
    return { voltage: across + resistance * current, resistance, across, current };
  }

  /** After `around`: voltage across any cell, V, and by how much it changes for each ampere more in that one, V/A. */
  voltage(row: number, column: number): number {
    return this.#voltages[row * this.#stride + column];
  }

  response(row: number, column: number): number {
    return this.#responses[row * this.#stride + column];
  }

  #prepare(): void {
    if (this.#prepared) return;
    const { segment, driver, sense } = this.#wires;
    this.#rowEnds.fill(1 / (segment + driver));
    this.#columnEnds.fill(1 / (segment + sense));
    this.#columnSources.fill(0);
    this.#do.linearise(0);
    this.#prepared = true;
  }

  #transfer(voltages: Float64Array): void {
    if (!this.#hasTransfer) {
      for (let r = 0; r < this.#rows; r++) {
        this.#rowSources.fill(0);
        this.#rowSources[r] = 1;
        this.#product();
        this.#do.keep(r);
      }
      this.#hasTransfer = true;
      this.#rowSources.set(voltages);
    }
    this.#do.transfer();
  }

  #product(): void {
    this.#do.rest();
    if (this.#do.solve(TOLERANCE, 0, MOST_STEPS) < 0) throw unsettled();
    this.#do.columnCurrents();
  }
}

const unsettled = () => new Error('the network of the wires did not settle');
