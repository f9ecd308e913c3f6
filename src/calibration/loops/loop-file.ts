/** I–V loops in files: two columns, voltage across the memristor (V) and current (µA), one period evenly spaced in time. */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { MemloopError } from '../../shared/errors.js';
import type { MeasuredLoop } from './loop-model.js';

const FEWEST = 50;

/** `47k_0.8V_10Hz_M1`: series resistor, amplitude, frequency, device. */
export function parseLoopName(
  name: string,
): { resistance: number; amplitude: number; frequency: number; device: string } | undefined {
  const match = /^(\d+(?:\.\d+)?)(k?)_(\d+(?:\.\d+)?)V_(\d+(?:\.\d+)?)Hz_(.+)$/.exec(name);
  if (!match) return undefined;
  const [, resistance, kilo, amplitude, frequency, device] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    resistance: Number(resistance) * (kilo ? 1e3 : 1),
    amplitude: Number(amplitude),
    frequency: Number(frequency),
    device,
  };
}

/**
 * A loop from its file. Series resistance (Ω) and frequency (Hz) come from the options or from the folder's name. A file
 * `resistor-plus-memristor.csv` has the voltage across both. Throws `bad-file` with the line at fault, `usage` when
 * resistance or frequency are not known.
 */
export function readLoop(
  path: string,
  options: { resistance?: number; frequency?: number } = {},
): MeasuredLoop & { device: string | undefined } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new MemloopError('bad-file', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  const voltage: number[] = [];
  const current: number[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '') return;
    const fields = line.split(/[,;\t]/).map((field) => field.trim());
    const numbers = fields.map((field) => (field === '' ? Number.NaN : Number(field)));
    if (index === 0 && numbers.every(Number.isNaN)) return;
    if (fields.length !== 2) {
      throw new MemloopError(
        'bad-file',
        `${path} line ${index + 1} has ${fields.length} columns: give two, voltage (V) and current (µA)`,
      );
    }
    if (!numbers.every(Number.isFinite)) {
      throw new MemloopError(
        'bad-file',
        `${path} line ${index + 1} is not two numbers: "${line.slice(0, 40)}"`,
      );
    }
    voltage.push(numbers[0]);
    current.push(numbers[1] * 1e-6);
  });
  if (voltage.length < FEWEST) {
    throw new MemloopError(
      'bad-file',
      `${path} has ${voltage.length} samples: a loop needs one whole period of at least ${FEWEST}`,
    );
  }
  const folder = basename(dirname(path));
  const named = parseLoopName(folder);
  const resistance = options.resistance ?? named?.resistance;
  const frequency = options.frequency ?? named?.frequency;
  if (resistance === undefined || frequency === undefined) {
    const missing = resistance === undefined ? '--series OHMS' : '--frequency HZ';
    throw new MemloopError(
      'usage',
      `${path}: the folder's name does not tell the measurement (such as 47k_0.8V_10Hz_M1): give ${missing}`,
    );
  }
  const across = /resistor-plus/.test(basename(path));
  return {
    name: named ? `${folder}/${basename(path)}` : path,
    device: named?.device,
    voltage: Float64Array.from(voltage, (v, i) => (across ? v - current[i] * resistance : v)),
    current: Float64Array.from(current),
    resistance,
    frequency,
  };
}

/** The same layout, for other tools. */
export const formatLoop = ({ voltage, current }: Pick<MeasuredLoop, 'voltage' | 'current'>): string =>
  `${Array.from(voltage, (v, i) => `${v},${current[i] * 1e6}`).join('\n')}\n`;
