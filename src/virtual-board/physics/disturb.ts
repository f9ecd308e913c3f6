/**
 * How cells move that are driven but not meant: reads and half-selected cells. They move by what the voltage adds to the rates
 * at rest. With odds o = exp(−threshold/vt) the sigmoid of the model is A·o/(1 + A·o), A = exp(|v|/vt).
 */
import type { Cells } from './cells.js';

/** A line of cells is left alone when the weakest would move by less than this share of its range. */
const NEGLIGIBLE = 1e-8;

/** σ(driven) − σ(rest), in one division. */
const excess = (amplification: number, rest: number): number =>
  ((amplification - 1) * rest) / ((1 + amplification * rest) * (1 + rest));

/** Share of its way that a cell goes in the time that is z at its rate. */
const share = (z: number): number => (z < 1e-3 ? z * (1 - z * (1 / 2 - z / 6)) : 1 - Math.exp(-z));

export class Disturb {
  readonly #rows: number;
  readonly #columns: number;
  readonly #vt: number;
  readonly #state: Float64Array;
  readonly #stuck: Int8Array;
  /** exp(−von/vt), exp(−voff/vt): the odds of switching at 0 V. */
  readonly #onOdds: Float64Array;
  readonly #offOdds: Float64Array;
  readonly #speed: Float64Array;
  /** Largest odds/tau in each row, then in each column: how fast its weakest cell could move, 1/s. */
  readonly #onFastest: Float64Array;
  readonly #offFastest: Float64Array;

  constructor(rows: number, columns: number, { von, voff, tau, state, stuck }: Cells, vt: number) {
    this.#rows = rows;
    this.#columns = columns;
    this.#vt = vt;
    this.#state = state;
    this.#stuck = stuck;
    this.#onOdds = von.map((threshold) => Math.exp(-threshold / vt));
    this.#offOdds = voff.map((threshold) => Math.exp(-threshold / vt));
    this.#speed = tau.map((time) => 1 / time);
    this.#onFastest = this.#fastest(this.#onOdds);
    this.#offFastest = this.#fastest(this.#offOdds);
  }

  /** A row at `voltage` (V) for `time` (s); the cell `except` is left alone. Tells whether any cell moved. */
  row(row: number, except: number, voltage: number, time: number): boolean {
    return this.#line(row * this.#columns, 1, this.#columns, row, except, voltage, time);
  }

  column(column: number, except: number, voltage: number, time: number): boolean {
    return this.#line(column, this.#columns, this.#rows, this.#rows + column, except, voltage, time);
  }

  /** How fast cell `i` moves at `voltage` (V), share of its range a second. */
  speed(i: number, voltage: number): number {
    if (this.#stuck[i] !== 0) return 0;
    return this.#rate(i, voltage) * (voltage > 0 ? 1 - this.#state[i] : this.#state[i]);
  }

  /** Cell `i` at `voltage` (V) for `time` (s). */
  cell(i: number, voltage: number, time: number): void {
    this.#state[i] += share(time * this.#rate(i, voltage)) * ((voltage > 0 ? 1 : 0) - this.#state[i]);
  }

  /** How fast cell `i` goes the way that is left to it, 1/s. */
  #rate(i: number, voltage: number): number {
    const rest = voltage > 0 ? this.#onOdds[i] : this.#offOdds[i];
    return this.#speed[i] * excess(Math.exp(Math.abs(voltage) / this.#vt), rest);
  }

  #fastest(odds: Float64Array): Float64Array {
    const fastest = new Float64Array(this.#rows + this.#columns);
    for (let i = 0; i < odds.length; i++) {
      if (this.#stuck[i] !== 0) continue;
      const rate = odds[i] * this.#speed[i];
      const row = Math.floor(i / this.#columns);
      const column = this.#rows + (i % this.#columns);
      fastest[row] = Math.max(fastest[row], rate);
      fastest[column] = Math.max(fastest[column], rate);
    }
    return fastest;
  }

  #line(
    first: number,
    stride: number,
    count: number,
    line: number,
    except: number,
    voltage: number,
    time: number,
  ): boolean {
    const on = voltage > 0;
    const fastest = on ? this.#onFastest : this.#offFastest;
    const amplification = Math.exp(Math.abs(voltage) / this.#vt);
    if (fastest[line] * (amplification - 1) * time < NEGLIGIBLE) return false;
    const odds = on ? this.#onOdds : this.#offOdds;
    const state = this.#state;
    const speed = this.#speed;
    const target = on ? 1 : 0;
    for (let n = 0, i = first; n < count; n++, i += stride) {
      if (i === except) continue;
      state[i] += share(time * speed[i] * excess(amplification, odds[i])) * (target - state[i]);
    }
    return true;
  }
}
