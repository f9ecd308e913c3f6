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
  stateDerivative,
} from '../../model/devices/memristor.js';
import type { Random } from '../../model/random.js';
import type { Profile } from '../profile.js';
import { drawCells } from './cells.js';
import { Disturb } from './disturb.js';
import { DrivenCell } from './driven-cell.js';
import { lognormal } from './spread.js';
import { FirstOrderLines } from './wires/first-order.js';
import { type Bias, type Surroundings, WireNetwork } from './wires/network.js';

/** A pulse through floating lines is taken in so many pieces. */
const PIECES = 8;
/** Exact lines are solved anew at the latest when the pulsed cell, or another one, has moved by this share of its range. */
const SHARE = 0.05;
const OTHERS_SHARE = 0.005;
/** A wave that moves a cell by no more than this was a read: relaxation and drift go on as before. */
const READ_AT_MOST = 1e-3;

export class Crossbar {
  readonly rows: number;
  readonly columns: number;
  /** 0: moves; −1: stuck low; 1: stuck high. */
  readonly stuck: Int8Array;

  readonly #profile: Profile;
  readonly #state: Float64Array;
  /** Lines and cells as one network, where the profile wants them exact. */
  #network: WireNetwork | undefined;
  /** The network has the cells as they are. */
  #networkKnows = false;
  /** The same to first order, otherwise; 1: it has the cells of the row as they are. */
  #firstOrder: FirstOrderLines | undefined;
  readonly #rowKnown: Uint8Array;
  readonly #noise: Random;
  readonly #ron: Float64Array;
  readonly #roff: Float64Array;
  readonly #von: Float64Array;
  readonly #voff: Float64Array;
  readonly #tau: Float64Array;
  /** Conductance of the switches times phi: low + span · state. */
  readonly #low: Float64Array;
  readonly #span: Float64Array;
  readonly #disturb: Disturb;
  /** Parameters of the cell being pulsed. */
  readonly #cell: MemristorParameters;
  readonly #switchless: MemristorParameters;
  /** What each cell is still to lose by relaxation. */
  readonly #relaxing: Float64Array;
  readonly #driftExponent: Float64Array;
  readonly #writtenAt: Float64Array;
  #time = 0;
  readonly #squares: Float64Array;
  readonly #rowVoltages: Float64Array;

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
    this.#state = cells.state;
    this.stuck = cells.stuck;

    // A stuck cell keeps its conductance whatever its state does: its span is 0.
    const { phi, vt } = device;
    const { ron, roff } = cells;
    this.#low = ron.map((on, i) => phi / (this.stuck[i] === 1 ? on : roff[i]));
    this.#span = ron.map((on, i) => (this.stuck[i] === 0 ? phi * (1 / on - 1 / roff[i]) : 0));
    this.#disturb = new Disturb(this.rows, this.columns, cells, vt);

    this.#relaxing = new Float64Array(count);
    this.#writtenAt = new Float64Array(count);
    this.#squares = new Float64Array(this.columns);
    this.#rowKnown = new Uint8Array(this.rows);
    this.#rowVoltages = new Float64Array(this.rows);
  }

  /** State of each cell in [0, 1]; whoever asks may change it. */
  get state(): Float64Array {
    this.#moved();
    return this.#state;
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
    return this.#state.map((x, i) => this.#low[i] + this.#span[i] * x + schottky);
  }

  /**
   * `voltage` (V) behind a series resistor (Ω; default: the profile's) on one cell for `width` (s); half-selected cells see
   * `halfSelect` of it (default: the profile's).
   */
  pulse(
    row: number,
    column: number,
    voltage: number,
    width: number,
    series?: number,
    halfSelect = this.#profile.pulse.halfSelect,
  ): void {
    const { pulse, effects } = this.#profile;
    const i = row * this.columns + column;
    const network = this.#exactLines();
    if (network && halfSelect > 0) {
      const share = pulse.linesFloat ? undefined : halfSelect;
      const bias = { row, column, voltage, series: series ?? pulse.seriesResistance, share };
      this.#exactPulse(network, bias, width);
      return;
    }
    const resistance = (series ?? pulse.seriesResistance) + this.#lineResistance(row, column);
    const disturbs = effects.halfSelectDisturb.enabled && halfSelect > 0;
    if (disturbs && pulse.linesFloat) {
      this.#floatingPulse(i, voltage, width, resistance);
      return;
    }
    if (this.stuck[i] === 0) {
      const cell = this.#drawn(i, this.#cell);
      this.#written(i, stateAfterPulse(cell, this.#state[i], voltage, width, resistance));
    }
    if (disturbs) this.#disturbNeighbours(i, voltage * halfSelect, width);
  }

  /** The network of lines and cells, where the profile wants it exact; its cells are as they are now. */
  #exactLines(): WireNetwork | undefined {
    const { device, effects } = this.#profile;
    const { enabled, segment, exact } = effects.lineResistance;
    if (!enabled || !exact) return undefined;
    this.#network ??= new WireNetwork(
      this.rows,
      this.columns,
      { segment, ...exact },
      { amplitude: (1 - device.phi) * 2 * device.alpha, beta: device.beta },
    );
    if (!this.#networkKnows) this.#network.setCells(this.#low, this.#span, this.#state);
    this.#networkKnows = true;
    return this.#network;
  }

  /**
   * A pulse through exact lines. All that the selected cell sees of them is a source and a resistance, found anew
   * whenever a cell has moved so far that they may have changed.
   */
  #exactPulse(network: WireNetwork, bias: Bias, width: number): void {
    const { effects } = this.#profile;
    const { row, column } = bias;
    const i = row * this.columns + column;
    const fixed = this.#fixed(i);
    const cell = fixed ? { ...this.#profile.device, ...fixed } : this.#drawn(i, this.#cell);
    const state = this.#state;
    const start = state[i];
    network.select(bias);
    for (let left = width; left > 0; ) {
      network.setCells(this.#low, this.#span, state);
      const around = network.around(row, column);
      const speed = fixed ? 0 : Math.abs(stateDerivative(cell, state[i], around.across));
      const piece = Math.min(left, this.#steadyTime(network, i, around, speed));
      const next = fixed
        ? state[i]
        : stateAfterPulse(cell, state[i], around.voltage, piece, around.resistance);
      if (effects.halfSelectDisturb.enabled) {
        const across = dividedVoltage(cell, next, around.voltage, around.resistance);
        const more = (memristorCurrent(cell, next, across) - around.current) / 2;
        this.#eachOther(i, (k, r, c) =>
          this.#disturb.cell(k, network.voltage(r, c) + more * network.response(r, c), piece),
        );
      }
      state[i] = next;
      left -= piece;
    }
    const end = state[i];
    state[i] = start;
    if (!fixed) this.#written(i, end);
    this.#moved();
  }

  /** For how long, s, what the cells around the pulsed one see stays as it is, and they as they are. */
  #steadyTime(network: WireNetwork, i: number, { across }: Surroundings, speed: number): number {
    const { device, effects } = this.#profile;
    if (!effects.halfSelectDisturb.enabled) return SHARE / speed;
    let fastest = 0;
    let nearest = 0;
    this.#eachOther(i, (k, r, c) => {
      fastest = Math.max(fastest, this.#disturb.speed(k, network.voltage(r, c)));
      nearest = Math.max(nearest, Math.abs(network.response(r, c)));
    });
    const change = nearest * Math.abs(this.#span[i] * across) * speed;
    return Math.min(SHARE / speed, OTHERS_SHARE / fastest, device.vt / 2 / change);
  }

  /** The other cells that a pulse on cell `i` moves. */
  #eachOther(i: number, work: (cell: number, row: number, column: number) => void): void {
    const { rows, columns } = this;
    const row = Math.floor(i / columns);
    const column = i % columns;
    const all = this.#profile.effects.halfSelectDisturb.unselected === true;
    for (let r = 0; r < rows; r++) {
      const whole = all || r === row;
      for (let c = whole ? 0 : column; c < (whole ? columns : column + 1); c++) {
        const k = r * columns + c;
        if (k !== i) work(k, r, c);
      }
    }
  }

  /** The floating lines follow the selected cell as it moves. */
  #floatingPulse(i: number, voltage: number, width: number, resistance: number): void {
    const fixed = this.#fixed(i);
    const cell = fixed ? { ...this.#profile.device, ...fixed } : this.#drawn(i, this.#cell);
    const piece = width / PIECES;
    let state = this.#state[i];
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
    if (this.#disturb.row(row, i, voltage, width)) this.#moved(row);
    if (this.#disturb.column(column, i, voltage, width)) this.#moved();
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
    return new DrivenCell(draw, this.#state[i], fixed === undefined);
  }

  release(row: number, column: number, { state }: DrivenCell): void {
    const i = row * this.columns + column;
    this.#moved(row);
    if (Math.abs(state - this.#state[i]) > READ_AT_MOST) this.#written(i, state);
    else this.#state[i] = state;
  }

  /**
   * Currents of the cells of one row, A, with the row at `voltage` (V) for `time` (s), the other rows at 0 V
   * and all columns at virtual ground. Noise is that of the mean of `samples` samples.
   */
  readRow(row: number, voltage: number, time: number, samples: number, currents: Float64Array): void {
    const { columns } = this;
    const network = this.#exactLines();
    if (network) {
      this.#rowVoltages.fill(0);
      this.#rowVoltages[row] = voltage;
      network.multiply(this.#rowVoltages, currents);
    } else this.#rowCurrents(row, voltage, currents);
    const noise = this.#relativeNoise(samples);
    if (noise > 0) for (let c = 0; c < columns; c++) currents[c] *= 1 + noise * this.#noise.normal();
    this.#disturbRead(row, voltage, time);
  }

  /** With lines to first order. */
  #rowCurrents(row: number, voltage: number, currents: Float64Array): void {
    const { columns } = this;
    const first = row * columns;
    const schottky = this.#schottky(voltage);
    for (let c = 0; c < columns; c++) {
      currents[c] =
        voltage * (this.#low[first + c] + this.#span[first + c] * this.#state[first + c] + schottky);
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
  }

  /**
   * Column currents, A, with every row at its voltage (V) for `time` (s) and all columns at virtual ground.
   * The noise of the cells of a column is drawn as one number of their summed variance.
   */
  multiply(voltages: Float64Array, time: number, samples: number, currents: Float64Array): void {
    const { rows, columns } = this;
    const squares = this.#squares;
    const noise = this.#relativeNoise(samples);
    const network = this.#exactLines();
    if (network) {
      network.multiply(voltages, currents);
      if (noise > 0) network.squares(squares);
    } else this.#products(voltages, currents);
    if (noise > 0) {
      for (let c = 0; c < columns; c++) currents[c] += noise * Math.sqrt(squares[c]) * this.#noise.normal();
    }
    for (let r = 0; r < rows; r++) this.#disturbRead(r, voltages[r], time);
  }

  /**
   * Column currents, A, without noise and with nothing moved, and the sums of the squares of their cells' currents, A², for a
   * board that samples them one by one. Rows at `voltages` (V), columns at virtual ground.
   */
  sums(voltages: Float64Array, currents: Float64Array, squares: Float64Array): void {
    const network = this.#exactLines();
    if (network) {
      network.multiply(voltages, currents);
      network.squares(squares);
    } else {
      this.#products(voltages, currents);
      squares.set(this.#squares);
    }
  }

  /** Standard deviation of the noise of a cell in one sample, relative. */
  get relativeNoise(): number {
    return this.#relativeNoise(1);
  }

  /** Every cell at its voltage (V) for `time` (s), none of them selected: by a read, or by the bias of a pulse. */
  hold(across: Float64Array, time: number, read: boolean): void {
    const { readDisturb, halfSelectDisturb } = this.#profile.effects;
    if (!(read ? readDisturb : halfSelectDisturb).enabled) return;
    for (let i = 0; i < across.length; i++)
      if (across[i] !== 0 && this.stuck[i] === 0) this.#disturb.cell(i, across[i], time);
    this.#moved();
  }

  /** With lines to first order: column currents, and the sums of the squares of their cells'. */
  #products(voltages: Float64Array, currents: Float64Array): void {
    this.#firstOrder ??= new FirstOrderLines(this.rows, this.columns, this.#segment());
    const known = this.#rowKnown;
    for (let r = 0; r < this.rows; r++) {
      if (known[r] === 1) continue;
      this.#firstOrder.setRow(r, this.#low, this.#span, this.#state);
      known[r] = 1;
    }
    this.#firstOrder.multiply(voltages, this.#schottkyAt, currents, this.#squares);
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
    if (relaxation.enabled || drift.enabled) this.#moved();
    for (let i = 0; i < this.#state.length; i++) {
      const loss = this.#relaxing[i] * lost;
      this.#relaxing[i] -= loss;
      let state = this.#state[i] - loss;
      if (drift.enabled) {
        const age = this.#time - this.#writtenAt[i] + drift.time;
        state *= ((age + passed) / age) ** -this.#driftExponent[i];
      }
      this.#state[i] = Math.min(1, Math.max(0, state));
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
    if (relaxation.enabled) this.#relaxing[i] += relaxation.share * (state - this.#state[i]);
    this.#state[i] = state;
    this.#moved(Math.floor(i / this.columns));
    if (drift.enabled) this.#writtenAt[i] = this.#time;
  }

  readonly #schottkyAt = (voltage: number): number => this.#schottky(voltage);

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
    const { enabled, exact } = this.#profile.effects.lineResistance;
    const ends = enabled && exact ? exact.driver + exact.sense : 0;
    return this.#segment() * (column + 1 + this.rows - row) + ends;
  }

  #relativeNoise(samples: number): number {
    const { readNoise } = this.#profile.effects;
    return readNoise.enabled ? readNoise.relative / Math.sqrt(samples) : 0;
  }

  #disturbRead(row: number, voltage: number, time: number): void {
    if (!this.#profile.effects.readDisturb.enabled) return;
    if (this.#disturb.row(row, -1, voltage, time)) this.#moved(row);
  }

  /** Cells of a row, or of any, are no longer as they were. */
  #moved(row?: number): void {
    this.#networkKnows = false;
    if (row === undefined) this.#rowKnown.fill(0);
    else this.#rowKnown[row] = 0;
  }
}
