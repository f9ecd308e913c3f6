/** A passport for people (table and heatmaps in text) and for scripts (its totals). */
import { MIF, type MifParameters } from '../../model/devices/mif.js';
import type { NeuronCalibration } from '../neurons/types.js';
import type { ArrayPassport, CellTable, Passport } from './passport.js';

export interface ArraySummary {
  array: number;
  arraySerial: string;
  rows: number;
  columns: number;
  window: { low: number; high: number } | null;
  /** Pulses of all cells over the chip's life. */
  pulses: number;
  /** J */
  energy: number;
  /** Largest number of pulses that a cell has had. */
  mostPulses: number;
  /** Pulses that each cell may have in its life; null: no such limit. */
  budget: number | null;
  unhealthy: { row: number; column: number; health: string; since: string }[];
}

export interface PassportSummary {
  boardSerial: string;
  folder: string;
  /** When the converters were calibrated; null if never. */
  calibrated: string | null;
  /** The neurons' calibration; null if there was none. */
  neurons: NeuronCalibration | null;
  arrays: ArraySummary[];
}

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

export function passportSummary(passport: Passport, arrays: readonly number[]): PassportSummary {
  return {
    boardSerial: passport.boardSerial,
    folder: passport.folder,
    calibrated: passport.converters?.measured ?? null,
    neurons: passport.neurons ?? null,
    arrays: arrays.map((array) => {
      const chip = passport.array(array);
      return {
        array,
        arraySerial: chip.arraySerial,
        rows: chip.rows,
        columns: chip.columns,
        window: chip.window ?? null,
        pulses: sum(chip.tables.pulses),
        energy: sum(chip.tables.energy),
        mostPulses: chip.tables.pulses.reduce((most, n) => Math.max(most, n), 0),
        budget: chip.budget ?? null,
        unhealthy: chip.toJSON().unhealthy,
      };
    }),
  };
}

const SHADES = ' ░▒▓█';

/** A table of cells as shades between its least and its largest value; `·` is unknown, `x` a cell out of use. */
export function heatmap(chip: ArrayPassport, name: CellTable, scale: number, unit: string): string[] {
  const values = chip.tables[name];
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return [`${name}: not known`];
  const low = known.reduce((a, b) => Math.min(a, b));
  const high = known.reduce((a, b) => Math.max(a, b));
  const format = (value: number) => Number((value * scale).toPrecision(3));
  const lines = [`${name}: '${SHADES[0]}' ${format(low)} to '${SHADES.at(-1)}' ${format(high)} ${unit}`];
  for (let row = 0; row < chip.rows; row++) {
    let line = '';
    for (let column = 0; column < chip.columns; column++) {
      const cell = row * chip.columns + column;
      const value = values[cell];
      if (chip.unhealthy.has(cell)) line += 'x';
      else if (!Number.isFinite(value)) line += '·';
      else line += SHADES[Math.min(4, Math.floor((5 * (value - low)) / (high - low || 1)))];
    }
    lines.push(`  |${line}|`);
  }
  return lines;
}

/** Each neuron's effective parameters, as how far they are from nominal. */
function neuronText({ measured, neurons }: NeuronCalibration): string[] {
  const relative = ['capacitance', 'k', 'von', 'voff', 'ron', 'roff', 'tau', 'tauAlpha'] as const;
  const percent = (name: keyof MifParameters, value: number) => (100 * value) / MIF[name];
  const worst = (name: keyof MifParameters) =>
    Math.max(...neurons.map(({ sigma }) => percent(name, sigma[name])));
  const signed = (value: number, digits: number) => `${value < 0 ? '' : '+'}${value.toFixed(digits)}`;
  return [
    `  neurons calibrated ${measured}; from nominal, % (± at most ${relative.map((name) => `${name} ${worst(name).toPrecision(1)}`).join(', ')}):`,
    ...neurons.map(
      ({ parameters: p, driveOffset, residual }, n) =>
        `  neuron ${n}: ${relative.map((name) => `${name} ${signed(percent(name, p[name] - MIF[name]), 1)}`).join(', ')}; E1 ${(1e3 * p.e1).toFixed(2)} mV, E2 ${(1e3 * p.e2).toFixed(2)} mV, drive offset ${(1e6 * driveOffset).toFixed(2)} µA; residual ${(1e3 * residual).toFixed(2)} mV`,
    ),
  ];
}

export function passportText(passport: Passport, arrays: readonly number[], maps: boolean): string {
  const summary = passportSummary(passport, arrays);
  const lines = [
    `board ${summary.boardSerial}, converters ${summary.calibrated ? `calibrated ${summary.calibrated}` : 'not calibrated'}`,
  ];
  const { converters } = passport;
  if (converters) {
    const worst = (values: number[]) => Math.max(...values.map(Math.abs));
    lines.push(
      `  row DACs: gain error up to ${(100 * worst(converters.rows.map((l) => l.gain - 1))).toFixed(2)} %, offset up to ${(1e3 * worst(converters.rows.map((l) => l.offset))).toFixed(2)} mV`,
      ...converters.columns.map(
        (range, i) =>
          `  column ADCs, range ${i}: gain error up to ${(100 * worst(range.map((l) => l.gain - 1))).toFixed(2)} %, offset up to ${(1e9 * worst(range.map((l) => l.offset))).toFixed(1)} nA, residual ${(1e9 * converters.residuals[i]).toFixed(2)} nA`,
      ),
    );
  }
  if (summary.neurons) lines.push(...neuronText(summary.neurons));
  for (const array of summary.arrays) {
    const { window } = array;
    lines.push(
      `array ${array.array} (${array.arraySerial}), ${array.rows} x ${array.columns}: ${
        window
          ? `window ${(window.low * 1e6).toFixed(2)} to ${(window.high * 1e6).toFixed(2)} µS`
          : 'window not measured'
      }, ${array.pulses} pulses (at most ${array.mostPulses} on a cell${
        array.budget === null ? '' : `; budget ${array.budget} per cell`
      }), ${(array.energy * 1e9).toPrecision(3)} nJ`,
    );
    for (const cell of array.unhealthy.slice(0, 20)) {
      lines.push(`  row ${cell.row} column ${cell.column}: ${cell.health} since ${cell.since}`);
    }
    if (array.unhealthy.length > 20) lines.push(`  and ${array.unhealthy.length - 20} more`);
    if (!maps) continue;
    const chip = passport.array(array.array);
    for (const map of [
      heatmap(chip, 'conductance', 1e6, 'µS'),
      heatmap(chip, 'pulses', 1, 'pulses'),
      heatmap(chip, 'von', 1e3, 'mV'),
      heatmap(chip, 'voff', 1e3, 'mV'),
    ]) {
      lines.push(...map.map((line) => `  ${line}`));
    }
  }
  lines.push(`kept in ${summary.folder}`);
  return lines.join('\n');
}
