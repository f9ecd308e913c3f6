/** The pulse driver and its sense circuit over the modules' arrays. */
import type { Random } from '../../../model/random.js';
import type { Profile } from '../../profile.js';
import { BareChip, type BareChipOptions } from '../bare-chip.js';

const UNITS = 2;
/** The active set is open: what is measured then, Ω. */
const OPEN = 5e6;
/** Of the sense voltage, V. */
const SENSE_STEP = 1e-3;
const SENSE_MOST = 5;
/** In which a read is computed: its cell moves, if at all, a little. */
const READ_STEPS = 4;
/** The other cells of a row of selected ones are gated by 8:1 switches. */
const SET = 8;

export interface Cell {
  module: number;
  unit: number;
  array: number;
  column: number;
  row: number;
}

export interface Calibration {
  readVoltage: number;
  /** µs */
  readPulseWidth: number;
  gain: number;
  seriesResistor: number;
  /** V, Ω */
  calibrationData: [number[], number[]];
  /** R(v) = a0·(a1/v^a3 + a2) */
  curveFitParameters: [number, number, number, number];
}

const RESISTORS = [6.8e3, 10e3, 13.4e3, 20e3, 27e3, 39e3, 51e3, 75e3, 100e3, 180e3, 280e3, 500e3];

/** As a calibration module with these resistors would give it. */
function calibration(
  [readVoltage, readPulseWidth, seriesResistor, gain]: readonly [number, number, number, number],
  curve: Calibration['curveFitParameters'],
): Calibration {
  const voltages = RESISTORS.map((ohms) => Number(senseVoltage(curve, ohms).toPrecision(6)));
  return {
    readVoltage,
    readPulseWidth,
    gain,
    seriesResistor,
    calibrationData: [voltages, RESISTORS],
    curveFitParameters: curve,
  };
}

/** V, at which R(v) is `ohms`. */
function senseVoltage([a0, a1, a2, a3]: Calibration['curveFitParameters'], ohms: number): number {
  return (a1 / Math.max(ohms / a0 - a2, 1e-9)) ** (1 / a3);
}

/** A read that hardly moves a cell of a low threshold. */
export const GENTLE = calibration([0.1, 100, 40e3, 45], [190, 1330, 3.7e-4, 1.75]);

/** The first two are those of KNOWM's own documentation. */
export const CALIBRATIONS: readonly Calibration[] = [
  calibration([0.15, 500, 40e3, 30], [190, 1330, 3.7e-4, 1.75]),
  calibration([0.15, 500, 20e3, 10], [120, 820, 3e-4, 1.7]),
  GENTLE,
];

/** What the server answers with code 500. */
export class ServerError extends Error {}

export class KtramDriver {
  readonly chip: BareChip;
  readonly profile: Profile;
  readonly #modules: readonly number[];
  /** Arrays a unit. */
  readonly #arrays: number;
  readonly #noise: Random;

  /** The profile is that of one unit. */
  constructor(unit: Profile, modules: readonly number[], options: BareChipOptions) {
    this.#modules = modules;
    this.#arrays = unit.arrays;
    const arrays = Math.max(1, modules.length) * UNITS * unit.arrays;
    this.profile = { ...structuredClone(unit), arrays };
    this.chip = new BareChip(this.profile, { ...options, biasing: { halfSelect: 0.5, linesFloat: true } });
    this.#noise = this.chip.noise.fork('sense');
  }

  get variant(): string {
    const { rows, columns } = this.profile;
    return `${rows}x${columns}x${this.#arrays} W+SDC`;
  }

  hasModule(slot: number): boolean {
    return this.#modules.includes(slot);
  }

  /** Throws `ServerError` for what the driver cannot do, before anything is driven. */
  checkPulse(voltage: number, micros: number, series: number): void {
    const { minVoltage, maxVoltage } = this.profile.pulse;
    if (![voltage, micros, series].every(Number.isFinite))
      throw new ServerError('Malformed pulse properties');
    if (micros < 2.5 || micros > 500)
      throw new ServerError(`Pulse width ${micros} is out of range: 2.5 to 500`);
    if (series < 20e3 || series > 50e3)
      throw new ServerError(`Series resistance ${series} violates the usage limits of the array`);
    if (voltage > maxVoltage * (1 + 1e-9) || voltage < minVoltage * (1 + 1e-9))
      throw new ServerError(`Amplitude ${voltage} violates the usage limits of the array`);
  }

  /** Throws `ServerError`. */
  checkCells(cells: readonly Cell[], together: boolean): void {
    for (const cell of cells) this.#arrayOf(cell);
    if (!together) return;
    const rows = new Map<string, number>();
    for (const { module, unit, array, row } of cells) {
      const set = `${module} ${unit} ${array} ${Math.floor(row / SET)}`;
      if ((rows.get(set) ?? row) !== row)
        throw new ServerError(
          'Only one active row is allowed from each set: [0-7], [8-15], [16-23], [24-32]',
        );
      rows.set(set, row);
    }
  }

  write(cell: Cell, voltage: number, micros: number, series: number): void {
    const { row, column } = cell;
    this.chip.pulse({ array: this.#arrayOf(cell), row, column }, { voltage, width: micros / 1e6 }, series);
  }

  calibrationOf(voltage: number, micros: number, series: number, gain: number): Calibration {
    const found = CALIBRATIONS.find(
      (one) =>
        one.readVoltage === voltage &&
        one.readPulseWidth === micros &&
        one.seriesResistor === series &&
        one.gain === gain,
    );
    if (!found) throw new ServerError(`No calibration profile for ${voltage}/${micros}/${series}/${gain}`);
    return found;
  }

  /** Of cells in parallel: sense voltage, V, and resistance, Ω. */
  read(cells: readonly Cell[], how: Calibration): { sense: number; ohms: number } {
    const conductance = cells.reduce((sum, cell) => sum + this.#readOne(cell, how), 0);
    const { relative, enabled } = this.profile.effects.readNoise;
    const noisy = conductance * (1 + (enabled ? relative * this.#noise.normal() : 0));
    const curve = how.curveFitParameters;
    const exact = senseVoltage(curve, noisy > 0 ? Math.min(OPEN, 1 / noisy) : OPEN);
    const sense = Math.min(SENSE_MOST, Math.round(exact / SENSE_STEP) * SENSE_STEP);
    const [a0, a1, a2, a3] = curve;
    this.chip.elapse(how.readPulseWidth / 1e6);
    return { sense, ohms: a0 * (a1 / sense ** a3 + a2) };
  }

  /** Conductance, S, at the voltage that the series resistor leaves to the cell; the read moves it a little. */
  #readOne(cell: Cell, { readVoltage, readPulseWidth, seriesResistor }: Calibration): number {
    const crossbar = this.chip.crossbars[this.#arrayOf(cell)];
    crossbar.advance(this.chip.time);
    const index = cell.row * crossbar.columns + cell.column;
    const at = (volts: number) => crossbar.conductances(volts)[index];
    const first = at(readVoltage);
    const across = readVoltage / (1 + first * seriesResistor);
    const conductance = at(across);
    if (crossbar.stuck[index] !== 0 || !this.profile.effects.readDisturb.enabled) return conductance;
    const { von, vt, tau } = crossbar.parameters(cell.row, cell.column);
    const odds = (volts: number) => 1 / (1 + Math.exp((von - volts) / vt));
    const step = readPulseWidth / 1e6 / READ_STEPS;
    for (let i = 0; i < READ_STEPS; i++) {
      const volts = readVoltage / (1 + at(across) * seriesResistor);
      const moved = -Math.expm1((-step / tau) * (odds(volts) - odds(0)));
      crossbar.state[index] += moved * (1 - crossbar.state[index]);
    }
    return conductance;
  }

  /** Index among all arrays. */
  #arrayOf({ module, unit, array, column, row }: Cell): number {
    const { rows, columns } = this.profile;
    const slot = this.#modules.indexOf(module);
    if (slot < 0) throw new ServerError(`No array module at port ${module}`);
    const inside = (value: number, count: number) => Number.isInteger(value) && value >= 0 && value < count;
    const there =
      inside(unit, UNITS) && inside(array, this.#arrays) && inside(row, rows) && inside(column, columns);
    if (!there) throw new ServerError(`No device at ${[module, unit, array, column, row]}`);
    return (slot * UNITS + unit) * this.#arrays + array;
  }
}
