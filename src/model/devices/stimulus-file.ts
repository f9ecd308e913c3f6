/** Input pulses from a file. */
import { readFileSync } from 'node:fs';
import { MemloopError } from '../../shared/errors.js';
import { type Pulse, readStimulus } from './simulate.js';

/** The pulses of each neuron from a CSV file, as `readStimulus` takes it. Errors: `bad-file`. */
export function loadStimulus(path: string): Pulse[][] {
  let csv: string;
  try {
    csv = readFileSync(path, 'utf8');
  } catch (error) {
    throw new MemloopError('bad-file', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  return readStimulus(csv, path);
}
