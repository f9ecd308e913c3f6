/**
 * The board's analog side: models of its chips on one bus, wired to a simulated crossbar as
 * firmware-protocol/firmware/front-ends/crossbar-a.json says.
 *
 *     pins, SPI ─► DACs ─► switches ─► rows ─► crossbar ─► columns ─► switches ─► meters ─► ADC ─► SPI
 *
 * Time is told from outside. What the cells go through is worked out whenever something moves, from the state before:
 * a pulse is what lies between its edges, to 0.1 µs; the bias before and after it is counted as 16 µs, and a read
 * by its samples. So a few nanoseconds more or less on the bus do not change the digits of a simulation.
 */
import { createHash } from 'node:crypto';
import {
  COLUMNS,
  type Device,
  NUMBERS,
  type Pin,
  ROWS,
  SELECT,
  SWITCHES,
} from '../../../firmware-protocol/generated/wiring.js';
import { Random } from '../../model/random.js';
import { Ad5676 } from '../chips/ad5676.js';
import { Adg1414Chain } from '../chips/adg1414.js';
import { Ads8688 } from '../chips/ads8688.js';
import type { SpiChip } from '../chips/chip.js';
import { type ChipConverters, Dac, drawConverters, NO_ERRORS } from '../physics/converters.js';
import { Crossbar } from '../physics/crossbar.js';
import type { TracedPulse } from '../physics/front-end.js';
import type { Profile } from '../profile.js';
import type { SimulatedParts } from '../types.js';
import { across, group, type Lines, linesOf, selected } from './lines.js';

/** Of a DAC's output and its line, s. Recalled (8 µs to 16 bits) and not confirmed. */
const DAC_TAU = 0.7e-6;
/** Of the filter before the ADC, two poles at 15 kHz, s. Recalled and not confirmed. */
const FILTER_TAU = Math.SQRT2 / (2 * Math.PI * 15e3);
/** Longer after a step nothing of it is left to see. */
const SETTLED = 14;
const PULSE_STEP = 1e-7;
/** Bias before or after a pulse: shorter than this it is counted as what the emulated Pico takes in the mean, s. */
const SHORT_BIAS = 40e-6;
const BIAS_TIME = 16e-6;
/** What one sample of one column takes, for what a read does to the cells, s. */
const SAMPLE_TIME = 4e-6;
const SWITCH_RESISTANCE = 9.5;
/** A meter that must hold a column against a DAC sees this through two switches. */
const FIGHT = 2 * SWITCH_RESISTANCE;
/** Of the comparator, A. */
const TRIP = 5e-3;
/** V */
const REFERENCE = 2.5;
const ADC_STEP = 5.12 / 65536;

/** Pins that a resistor on the board pulls up. */
export const PULLED_UP: readonly Pin[] = [
  'SELECT_ROW_DAC',
  'SELECT_COLUMN_DAC',
  'LOAD_DACS',
  'SELECT_ADC',
  'SELECT_SWITCHES',
];

/** What can be wrong with the board; change it at any time. */
export interface CircuitFaults {
  /** Chips that neither hear nor answer. */
  silent: Set<Device>;
  /** Switches that stay closed, and that stay open: one byte a group, bit n for switch n. */
  stuckClosed: Uint8Array;
  stuckOpen: Uint8Array;
  /** Error of the voltage reference of DACs and virtual ground, relative. */
  reference: number;
  /** The comparator says so, whatever flows. */
  overCurrent: boolean;
}

/** A frame that a chip got, as its select line went high. */
export interface TracedFrame {
  /** s */
  time: number;
  device: Device;
  bytes: readonly number[];
}

export interface CircuitOptions {
  seed: number;
  /** Of the machine, s. */
  now: () => number;
}

export class Circuit implements SimulatedParts {
  readonly profile: Profile;
  readonly identity: string;
  readonly crossbars: readonly Crossbar[];
  readonly pulseListeners: ((pulse: TracedPulse) => void)[] = [];
  /** Told of each frame, and of each pin of the firmware that moves. */
  readonly frameListeners: ((frame: TracedFrame) => void)[] = [];
  readonly pinListeners: ((time: number, pin: Pin, high: boolean) => void)[] = [];
  adcsSaturated = false;
  readonly faults: CircuitFaults = {
    silent: new Set(),
    stuckClosed: new Uint8Array(SWITCHES.length),
    stuckOpen: new Uint8Array(SWITCHES.length),
    reference: 0,
    overCurrent: false,
  };

  readonly #now: () => number;
  readonly #rowDac = new Ad5676(() => this.#pass());
  readonly #columnDac = new Ad5676(() => this.#pass());
  readonly #switches = new Adg1414Chain(SWITCHES.length, () => this.#pass());
  readonly #adc = new Ads8688((channel) => this.#sample(channel));
  readonly #chips: Readonly<Record<Device, SpiChip>> = {
    ROW_DAC: this.#rowDac,
    COLUMN_DAC: this.#columnDac,
    ADC: this.#adc,
    SWITCHES: this.#switches,
  };
  readonly #bytes: Partial<Record<Device, number[]>> = {};
  readonly #high = new Set<Pin>(PULLED_UP);
  readonly #converters: ChipConverters;
  readonly #columnErrors: Dac;
  readonly #noise: Random;
  readonly #currents = new Float64Array(COLUMNS);
  readonly #squares = new Float64Array(COLUMNS);
  #summed = false;
  #samples = 0;
  #tripped = false;
  /** When something moved last, and the time that passed elsewhere, s. */
  #since = 0;
  #elapsed = 0;

  constructor(profile: Profile, { seed, now }: CircuitOptions) {
    this.profile = profile;
    this.#now = now;
    this.identity = createHash('sha256')
      .update(JSON.stringify([profile, seed]))
      .digest('hex')
      .slice(0, 16)
      .toUpperCase();
    const chip = new Random(seed).fork('chip');
    const noise = new Random(seed).fork('noise');
    this.#converters = drawConverters(profile, chip);
    const { converterErrors: errors } = profile.effects;
    const { bits, fullScale } = profile.converters.rowDac;
    this.#columnErrors = new Dac(
      COLUMNS,
      bits,
      fullScale,
      errors.enabled
        ? { offset: errors.rowOffset, gain: errors.rowGain, nonlinearity: errors.rowNonlinearity }
        : NO_ERRORS,
      chip.fork('column DAC'),
    );
    this.crossbars = [new Crossbar(profile, chip.fork('array 0'), noise.fork('array 0'), 0)];
    this.#noise = noise.fork('columns');
  }

  /** Board time, s. */
  get time(): number {
    return this.#now() + this.#elapsed;
  }

  elapse(time: number): void {
    this.#elapsed += time;
    this.#crossbar.advance(this.time);
  }

  get lines(): Lines {
    const { closed } = this;
    const step = NUMBERS.ROW_VOLTS_PER_COUNT * (1 + this.faults.reference);
    const volts = (dac: Ad5676, errors: Dac) => (n: number) =>
      errors.output(n, dac.codes[n] - 0x8000) +
      (step - NUMBERS.ROW_VOLTS_PER_COUNT) * (dac.codes[n] - 0x8000);
    return linesOf(
      closed,
      volts(this.#rowDac, this.#converters.rowDac),
      volts(this.#columnDac, this.#columnErrors),
    );
  }

  /** Switches as they are, stuck ones included. */
  get closed(): Uint8Array {
    const { stuckClosed, stuckOpen } = this.faults;
    return this.#switches.closed.map((byte, i) => (byte | stuckClosed[i]) & ~stuckOpen[i]);
  }

  /** A pin of the firmware, or what pulls it where the firmware does not. */
  pin(pin: Pin, high: boolean): void {
    if (high === this.#high.has(pin)) return;
    if (high) this.#high.add(pin);
    else this.#high.delete(pin);
    for (const told of this.pinListeners) told(this.#now(), pin, high);
    if (pin === 'LINES_ALIVE' && !high) this.reset();
    if (pin === 'LOAD_DACS' && !high && this.#high.has('LINES_ALIVE')) this.#load();
    for (const device of Object.keys(this.#chips) as Device[])
      if (SELECT[device] === pin) this.#select(device, !high);
  }

  pinIsHigh(pin: Pin): boolean {
    return pin === 'OVER_CURRENT' ? !(this.faults.overCurrent || this.#tripped) : this.#high.has(pin);
  }

  /** A byte on the bus, through whatever is selected. */
  exchange(byte: number): number {
    let out = 0;
    for (const device of Object.keys(this.#bytes) as Device[]) {
      this.#bytes[device]?.push(byte);
      if (!this.faults.silent.has(device)) out |= this.#chips[device].exchange(byte);
    }
    return out;
  }

  /** The reset line of switches and DACs, which loss of power does too. */
  reset(): void {
    this.#switches.reset();
    this.#rowDac.reset();
    this.#columnDac.reset();
  }

  /** The supply falls and comes back: chips forget, and the comparator too. */
  powerCycle(): void {
    this.reset();
    this.#adc.reset();
    this.#tripped = false;
  }

  get #crossbar(): Crossbar {
    return this.crossbars[0];
  }

  #load(): void {
    if (!this.faults.silent.has('ROW_DAC')) this.#rowDac.load();
    if (!this.faults.silent.has('COLUMN_DAC')) this.#columnDac.load();
  }

  #select(device: Device, low: boolean): void {
    const chip = this.#chips[device];
    const deaf = this.faults.silent.has(device) || (device !== 'ADC' && !this.#high.has('LINES_ALIVE'));
    if (low) {
      this.#bytes[device] = [];
      if (!deaf) chip.select();
      return;
    }
    const bytes = this.#bytes[device];
    if (!bytes) return;
    delete this.#bytes[device];
    for (const told of this.frameListeners) told({ time: this.#now(), device, bytes });
    if (deaf) return;
    chip.deselect();
    if (device === 'SWITCHES') this.#compare();
  }

  /** The comparator at the virtual ground: a DAC on a metered column. */
  #compare(): void {
    const both = group(this.closed, 'COLUMN_TO_BIAS') & group(this.closed, 'COLUMN_TO_METER');
    const { columns } = this.lines;
    const current = columns.reduce((sum, v, c) => ((both >> c) & 1 ? sum + Math.abs(v) / FIGHT : sum), 0);
    if (current < TRIP && !this.faults.overCurrent) return;
    this.#tripped = true;
    this.reset();
  }

  /** Something is about to move: the cells go through what was until now. */
  #pass(): void {
    const now = this.#now();
    const time = now - this.#since;
    const samples = this.#samples;
    this.#since = now;
    this.#samples = 0;
    this.#summed = false;
    const lines = this.lines;
    const voltages = across(lines);
    if (time <= 0 || voltages.every((v) => v === 0)) return;
    this.#crossbar.advance(this.time);
    const cell = selected(lines, voltages);
    if (cell) this.#pulse(cell, voltages[cell.row * COLUMNS + cell.column], time);
    else if (samples > 0)
      this.#crossbar.hold(voltages, NUMBERS.READ_SETTLE_US * 1e-6 + samples * SAMPLE_TIME, true);
    else this.#crossbar.hold(voltages, time < SHORT_BIAS ? BIAS_TIME : time, lines.metered !== 0);
  }

  #pulse({ row, column }: { row: number; column: number }, across: number, time: number): void {
    const width = Math.round(time / PULSE_STEP) * PULSE_STEP;
    if (width === 0) return;
    const rows = this.#rowDac.codes;
    const low = this.#columnDac.codes[column];
    const share = (rows[(row + 1) % ROWS] - low) / (rows[row] - low);
    this.#crossbar.pulse(row, column, across, width, NUMBERS.SERIES_RESISTANCE, share);
    const voltage = (rows[row] - low) * NUMBERS.ROW_VOLTS_PER_COUNT;
    for (const told of this.pulseListeners) told({ time: this.time, array: 0, row, column, voltage, width });
  }

  /** The code that the ADC shows for a channel: 2.5 V less what the meter makes of its current. */
  #sample(channel: number): number {
    this.#samples++;
    const range = (group(this.closed, 'METER_RANGE') >> channel) & 1;
    const after = (this.#now() - this.#since) / FILTER_TAU;
    const settled =
      after > SETTLED
        ? 1
        : 1 -
          Math.exp(-after) * (Math.cos(after) + Math.sin(after)) -
          Math.exp((-after * FILTER_TAU) / DAC_TAU);
    const current = this.#current(channel) * Math.max(0, settled);
    const count = this.#converters.columnAdcs[range].count(channel, current, 1, this.#noise);
    const shift = Math.round((REFERENCE * this.faults.reference) / ADC_STEP);
    const code = this.adcsSaturated ? 0 : NUMBERS.CURRENT_MAX_COUNT - count + shift;
    return Math.max(0, Math.min(65535, code));
  }

  /** A, into the meter of a column. */
  #current(channel: number): number {
    const closed = this.closed;
    const here = 1 << channel;
    const lines = this.lines;
    let current = 0;
    if (lines.metered & here) current += this.#arrayCurrent(lines, channel);
    if (group(closed, 'COLUMN_TO_BIAS') & group(closed, 'COLUMN_TO_METER') & here)
      current += lines.columns[channel] / FIGHT;
    const sources = group(closed, 'ROW_TO_REFERENCE');
    if (sources !== 0 && group(closed, 'REFERENCE_TO_METER') & here)
      for (let r = 0; r < ROWS; r++)
        if ((sources >> r) & 1) current += this.#rowVoltage(r) / NUMBERS.REFERENCE_RESISTANCE;
    return current;
  }

  #rowVoltage(row: number): number {
    const code = this.#rowDac.codes[row] - 0x8000;
    return this.#converters.rowDac.output(row, code) * (1 + this.faults.reference);
  }

  /** Rows that float are at the virtual ground of the columns. */
  #arrayCurrent({ rows }: Lines, channel: number): number {
    const voltages = rows.map((v) => v || 0);
    if (voltages.every((v) => v === 0)) return 0;
    if (!this.#summed) this.#crossbar.sums(voltages, this.#currents, this.#squares);
    this.#summed = true;
    const noise = this.#crossbar.relativeNoise;
    return (
      this.#currents[channel] +
      (noise > 0 ? noise * Math.sqrt(this.#squares[channel]) * this.#noise.normal() : 0)
    );
  }
}
