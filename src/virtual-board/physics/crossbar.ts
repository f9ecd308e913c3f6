/**
 * One passive crossbar of generalised metastable switches (src/model/devices/memristor.ts), with all that keeps it
 * from being ideal. Cells are numbered row by row; rows are driven from the left, columns are at virtual
 * ground below the last row.
 *
 * The rates of the metastable switch do not vanish at 0 V, yet the device is non-volatile: a cell moves
 * only while it is driven. A pulsed cell follows the model's equations as they are. Reads and half-selected
 * cells move by what the voltage adds to the rates at rest, so that a small voltage does little more than none.
 */
import {
  dividedVoltage,
  type MemristorParameters,
  memristorCurrent,
  stateAfterPulse,
} from '../../model/devices/memristor.js';
import type { Random } from '../../model/random.js';
import type { Profile } from '../profile.js';
import { drawCells } from './cells.js';
import { DrivenCell } from './driven-cell.js';
import { lognormal } from './spread.js';

/** A line of cells is left alone when the weakest would move by less than this share of its range. */
const NEGLIGIBLE = 1e-8;
/** A pulse through floating lines is taken in so many pieces. */
const PIECES = 8;
/** A wave that moves a cell by no more than this was a read: relaxation and drift go on as before. */
const READ_AT_MOST = 1e-3;

export class Crossbar {
  readonly rows: number;
  readonly columns: number;
  /** State of each cell in [0, 1]. */
  readonly state: Float64Array;
  /** 0: moves; −1: stuck low; 1: stuck high. */
  readonly stuck: Int8Array;

  readonly #profile: Profile;
  readonly #noise: Random;
  readonly #ron: Float64Array;
  readonly #roff: Float64Array;
  readonly #von: Float64Array;
  readonly #voff: Float64Array;
  readonly #tau: Float64Array;
  /** Conductance of the switches times phi: low + span · state. */
  readonly #low: Float64Array;
  readonly #span: Float64Array;
  /** exp(−von/vt), exp(−voff/vt): the odds of switching at 0 V. */
  readonly #onOdds: Float64Array;
  readonly #offOdds: Float64Array;
  readonly #speed: Float64Array;
  /** Largest odds/tau in each row, then in each column: how fast its weakest cell could move, 1/s. */
  readonly #onFastest: Float64Array;
  readonly #offFastest: Float64Array;
  /** Parameters of the cell being pulsed. */
  readonly #cell: MemristorParameters;
  readonly #switchless: MemristorParameters;
  /** What each cell is still to lose by relaxation. */
  readonly #relaxing: Float64Array;
  readonly #driftExponent: Float64Array;
  readonly #writtenAt: Float64Array;
  #time = 0;
  readonly #squares: Float64Array;
  /** Voltage lost along the lines of each cell, V. */
  readonly #drops: Float64Array;

  /** `chip` draws the cells, `noise` what happens to them; what the profile knows of array `index` is not drawn. */
  constructor(profile: Profile, chip: Random, noise: Random, index = 0) {
    const { device } = profile;
    const count = profile.rows * profile.columns;
    this.#profile = profile;
    this.#noise = noise;
    this.rows = profile.rows;
    this.columns = profile.columns;
    this.#cell = { ...device };
    this.#switchless = { ...device, ron: Number.POSITIVE_INFINITY, roff: Number.POSITIVE_INFINITY };
    const cells = drawCells(profile, chip, index);
    this.#ron = cells.ron;
    this.#roff = cells.roff;
    this.#von = cells.von;
    this.#voff = cells.voff;
    this.#tau = cells.tau;
    this.#driftExponent = cells.driftExponent;
    this.state = cells.state;
    this.stuck = cells.stuck;

    // A stuck cell keeps its conductance whatever its state does: its span is 0.
    const { phi, vt } = device;
    const { ron, roff } = cells;
    this.#low = ron.map((on, i) => phi / (this.stuck[i] === 1 ? on : roff[i]));
    this.#span = ron.map((on, i) => (this.stuck[i] === 0 ? phi * (1 / on - 1 / roff[i]) : 0));
    this.#onOdds = cells.von.map((von) => Math.exp(-von / vt));
    this.#offOdds = cells.voff.map((voff) => Math.exp(-voff / vt));
    this.#speed = cells.tau.map((tau) => 1 / tau);
    this.#onFastest = this.#fastest(this.#onOdds);
    this.#offFastest = this.#fastest(this.#offOdds);

    this.#relaxing = new Float64Array(count);
    this.#writtenAt = new Float64Array(count);
    this.#squares = new Float64Array(this.columns);
    this.#drops = new Float64Array(count);
  }

  /** Parameters of a cell: the truth, for tests and for comparison. */
  parameters(row: number, column: number): MemristorParameters {
    const i = row * this.columns + column;
    return {
      ...this.#profile.device,
      ron: this.#ron[i],
      roff: this.#roff[i],
      von: this.#von[i],
      voff: this.#voff[i],
      tau: this.#tau[i],
    };
  }

  /** Current over voltage (S) of each cell at `voltage` (V) without noise: the truth. */
  conductances(voltage: number): Float64Array {
    const schottky = this.#schottky(voltage);
    return this.state.map((x, i) => this.#low[i] + this.#span[i] * x + schottky);
  }

  /** `voltage` (V) behind a series resistor (Ω; default: the profile's) on one cell for `width` (s). */
  pulse(row: number, column: number, voltage: number, width: number, series?: number): void {
    const { pulse, effects } = this.#profile;
    const i = row * this.columns + column;
    const resistance = (series ?? pulse.seriesResistance) + this.#lineResistance(row, column);
    const disturbs = effects.halfSelectDisturb.enabled && pulse.halfSelect > 0;
    if (disturbs && pulse.linesFloat) {
      this.#floatingPulse(i, voltage, width, resistance);
      return;
    }
    if (this.stuck[i] === 0) {
      const cell = this.#drawn(i, this.#cell);
      this.#written(i, stateAfterPulse(cell, this.state[i], voltage, width, resistance));
    }
    if (disturbs) this.#disturbNeighbours(i, voltage * pulse.halfSelect, width);
  }

  /** The floating lines follow the selected cell as it moves. */
  #floatingPulse(i: number, voltage: number, width: number, resistance: number): void {
    const fixed = this.#fixed(i);
    const cell = fixed ? { ...this.#profile.device, ...fixed } : this.#drawn(i, this.#cell);
    const piece = width / PIECES;
    let state = this.state[i];
    for (let k = 0; k < PIECES; k++) {
      const start = state;
      if (!fixed) state = stateAfterPulse(cell, start, voltage, piece, resistance);
      const across = dividedVoltage(cell, (start + state) / 2, voltage, resistance);
      this.#disturbNeighbours(i, across * this.#profile.pulse.halfSelect, piece);
    }
    if (!fixed) this.#written(i, state);
  }

  #disturbNeighbours(i: number, voltage: number, width: number): void {
    const row = Math.floor(i / this.columns);
    const column = i % this.columns;
    this.#disturbLine(row * this.columns, 1, this.columns, row, i, voltage, width);
    this.#disturbLine(column, this.columns, this.rows, this.rows + column, i, voltage, width);
  }

  /** Both resistances of a stuck cell, which conducts the same whatever its state; undefined for one that moves. */
  #fixed(i: number): { ron: number; roff: number } | undefined {
    if (this.stuck[i] === 0) return undefined;
    const resistance = this.stuck[i] === 1 ? this.#ron[i] : this.#roff[i];
    return { ron: resistance, roff: resistance };
  }

  /** Hands one cell to a circuit that drives it by a wave; give it back to `release` when the wave has ended. */
  driven(row: number, column: number): DrivenCell {
    const i = row * this.columns + column;
    const cell = { ...this.#profile.device };
    const fixed = this.#fixed(i);
    const draw = () => (fixed === undefined ? this.#drawn(i, cell) : { ...cell, ...fixed });
    return new DrivenCell(draw, this.state[i], fixed === undefined);
  }

  release(row: number, column: number, { state }: DrivenCell): void {
    const i = row * this.columns + column;
    if (Math.abs(state - this.state[i]) > READ_AT_MOST) this.#written(i, state);
    else this.state[i] = state;
  }

  /**
   * Currents of the cells of one row, A, with the row at `voltage` (V) for `time` (s), the other rows at 0 V
   * and all columns at virtual ground. Noise is that of the mean of `samples` samples.
   */
  readRow(row: number, voltage: number, time: number, samples: number, currents: Float64Array): void {
    const { columns } = this;
    const first = row * columns;
    const schottky = this.#schottky(voltage);
    for (let c = 0; c < columns; c++) {
      currents[c] =
        voltage * (this.#low[first + c] + this.#span[first + c] * this.state[first + c] + schottky);
    }
    const segment = this.#segment();
    if (segment > 0) {
      const toGround = segment * (this.rows - row);
      let onward = currents.reduce((sum, current) => sum + current, 0);
      let drop = 0;
      for (let c = 0; c < columns; c++) {
        drop += segment * onward;
        onward -= currents[c];
        currents[c] *= Math.max(0, 1 - (drop + toGround * currents[c]) / voltage) || 0;
      }
    }
    const noise = this.#relativeNoise(samples);
    if (noise > 0) for (let c = 0; c < columns; c++) currents[c] *= 1 + noise * this.#noise.normal();
    this.#disturbRead(row, voltage, time);
  }

  /**
   * Column currents, A, with every row at its voltage (V) for `time` (s) and all columns at virtual ground.
   * The noise of the cells of a column is drawn as one number of their summed variance.
   */
  multiply(voltages: Float64Array, time: number, samples: number, currents: Float64Array): void {
    const { rows, columns, state } = this;
    const low = this.#low;
    const span = this.#span;
    const squares = this.#squares.fill(0);
    currents.fill(0);
    const segment = this.#segment();
    const drops = this.#drops;
    if (segment > 0) this.#findDrops(voltages, segment);
    for (let r = 0, i = 0; r < rows; r++) {
      const voltage = voltages[r];
      const schottky = this.#schottky(voltage);
      for (let c = 0; c < columns; c++, i++) {
        const current = (voltage - drops[i]) * (low[i] + span[i] * state[i] + schottky);
        currents[c] += current;
        squares[c] += current * current;
      }
    }
    const noise = this.#relativeNoise(samples);
    if (noise > 0) {
      for (let c = 0; c < columns; c++) currents[c] += noise * Math.sqrt(squares[c]) * this.#noise.normal();
    }
    for (let r = 0; r < rows; r++) this.#disturbRead(r, voltages[r], time);
  }

  /** Lets the cells relax and drift until board time `time` (s). Steps too short to matter are left for a later call. */
  advance(time: number): void {
    const { relaxation, drift } = this.#profile.effects;
    const passed = time - this.#time;
    const shortest = Math.min(
      relaxation.enabled ? relaxation.time : Number.POSITIVE_INFINITY,
      drift.enabled ? drift.time : Number.POSITIVE_INFINITY,
    );
    if (passed < shortest / 100) return;
    const lost = relaxation.enabled ? -Math.expm1(-passed / relaxation.time) : 0;
    for (let i = 0; i < this.state.length; i++) {
      const loss = this.#relaxing[i] * lost;
      this.#relaxing[i] -= loss;
      let state = this.state[i] - loss;
      if (drift.enabled) {
        const age = this.#time - this.#writtenAt[i] + drift.time;
        state *= ((age + passed) / age) ** -this.#driftExponent[i];
      }
      this.state[i] = Math.min(1, Math.max(0, state));
    }
    this.#time = time;
  }

  /** Cell `i` as it answers the next pulse. */
  #drawn(i: number, cell: MemristorParameters): MemristorParameters {
    cell.ron = this.#ron[i];
    cell.roff = this.#roff[i];
    cell.von = this.#von[i];
    cell.voff = this.#voff[i];
    cell.tau = this.#tau[i];
    const { pulseSpread } = this.#profile.effects;
    if (pulseSpread.enabled) {
      cell.tau *= lognormal(this.#noise, pulseSpread.tau);
      cell.von += pulseSpread.threshold * this.#noise.normal();
      cell.voff += pulseSpread.threshold * this.#noise.normal();
    }
    return cell;
  }

  /** A pulse has brought cell `i` to this state. */
  #written(i: number, state: number): void {
    const { relaxation, drift } = this.#profile.effects;
    if (relaxation.enabled) this.#relaxing[i] += relaxation.share * (state - this.state[i]);
    this.state[i] = state;
    if (drift.enabled) this.#writtenAt[i] = this.#time;
  }

  #fastest(odds: Float64Array): Float64Array {
    const fastest = new Float64Array(this.rows + this.columns);
    for (let i = 0; i < odds.length; i++) {
      if (this.stuck[i] !== 0) continue;
      const rate = odds[i] * this.#speed[i];
      const row = Math.floor(i / this.columns);
      const column = this.rows + (i % this.columns);
      fastest[row] = Math.max(fastest[row], rate);
      fastest[column] = Math.max(fastest[column], rate);
    }
    return fastest;
  }

  /** What the current beside the switches adds to the conductance of any cell, S. */
  #schottky(voltage: number): number {
    return voltage === 0 ? 0 : memristorCurrent(this.#switchless, 0, voltage) / voltage;
  }

  #segment(): number {
    const { lineResistance } = this.#profile.effects;
    return lineResistance.enabled ? lineResistance.segment : 0;
  }

  /** Resistance of the lines between driver, cell and virtual ground, Ω. */
  #lineResistance(row: number, column: number): number {
    return this.#segment() * (column + 1 + this.rows - row);
  }

  #relativeNoise(samples: number): number {
    const { readNoise } = this.#profile.effects;
    return readNoise.enabled ? readNoise.relative / Math.sqrt(samples) : 0;
  }

  #disturbRead(row: number, voltage: number, time: number): void {
    if (!this.#profile.effects.readDisturb.enabled) return;
    this.#disturbLine(row * this.columns, 1, this.columns, row, -1, voltage, time);
  }

  /**
   * Moves the cells first, first + stride, … of a line except one, by what `voltage` adds to the rates at
   * rest. With odds o = exp(−threshold/vt) the sigmoid of the model is A·o/(1 + A·o), A = exp(|v|/vt).
   */
  #disturbLine(
    first: number,
    stride: number,
    count: number,
    line: number,
    except: number,
    voltage: number,
    time: number,
  ): void {
    const on = voltage > 0;
    const fastest = on ? this.#onFastest : this.#offFastest;
    const amplification = Math.exp(Math.abs(voltage) / this.#profile.device.vt);
    if (fastest[line] * (amplification - 1) * time < NEGLIGIBLE) return;
    const odds = on ? this.#onOdds : this.#offOdds;
    const { state } = this;
    const speed = this.#speed;
    const target = on ? 1 : 0;
    for (let n = 0, i = first; n < count; n++, i += stride) {
      if (i === except) continue;
      const rest = odds[i];
      // σ(driven) − σ(rest), in one division.
      const excess = ((amplification - 1) * rest) / ((1 + amplification * rest) * (1 + rest));
      const z = time * speed[i] * excess;
      const moved = z < 1e-3 ? z * (1 - z * (1 / 2 - z / 6)) : 1 - Math.exp(-z);
      state[i] += moved * (target - state[i]);
    }
  }

  /**
   * First order: the drops that the currents would cause if there were none. The row carries at segment c
   * the currents of the cells from c on, the column below row r those of the cells down to r.
   */
  #findDrops(voltages: Float64Array, segment: number): void {
    const { rows, columns, state } = this;
    const low = this.#low;
    const span = this.#span;
    const drops = this.#drops;
    const carried = new Float64Array(columns);
    const towardsGround = new Float64Array(columns);
    for (let r = 0; r < rows; r++) {
      const first = r * columns;
      const schottky = this.#schottky(voltages[r]);
      let onward = 0;
      for (let c = 0, i = first; c < columns; c++, i++) {
        const current = voltages[r] * (low[i] + span[i] * state[i] + schottky);
        drops[i] = current;
        onward += current;
      }
      let along = 0;
      for (let c = 0, i = first; c < columns; c++, i++) {
        const current = drops[i];
        along += onward;
        onward -= current;
        drops[i] = segment * (along - towardsGround[c]);
        carried[c] += current;
        towardsGround[c] += carried[c];
      }
    }
    for (let r = 0, i = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++, i++) drops[i] += segment * towardsGround[c];
    }
  }
}
