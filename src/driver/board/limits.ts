/** What is refused before it is sent: addresses, numbers and limits, checked against the board's description. */
import { BOUNDS, MAX_SAMPLES } from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import type { BoardDescription, CellOperation, Stimulus } from './board.js';

type Limits = BoardDescription['limits'];

/** A value at its limit must not fail for the rounding of a 32-bit float. */
export const SLACK = 1 + 1e-6;

/** Limits that are tighter than the board's own. Throws `limit` if one is looser. */
export function tightenLimits(own: Limits, given: Partial<Limits>): Limits {
  const limits = { ...own };
  for (const [name, value] of Object.entries(given) as [keyof Limits, number | undefined][]) {
    if (value === undefined) continue;
    const looser = name.startsWith('min') ? value < own[name] : value > own[name];
    if (!Number.isFinite(value) || looser) {
      throw new MemloopError('limit', `limit ${name} = ${value} is looser than the board's own ${own[name]}`);
    }
    limits[name] = value;
  }
  return limits;
}

/** Throws `bad-input` or `limit` for an operation that must not be sent. */
export function checkCellOperation(description: BoardDescription, operation: CellOperation): void {
  const { arrays, rows, columns, limits, seriesResistance } = description;
  checkIndex('array', operation.array, arrays);
  checkIndex('row', operation.row, rows);
  checkIndex('column', operation.column, columns);
  if (operation.kind === 'read') {
    checkReading(description, operation.voltage, operation.samples);
    return;
  }
  const { voltage, width } = operation;
  checkRange('pulse voltage', voltage, limits.minVoltage, limits.maxVoltage, 'V');
  checkRange('pulse width', width, limits.minWidth, limits.maxWidth, 's');
  checkRange('pulse energy', largestEnergy(voltage, width, seriesResistance), 0, limits.maxEnergy, 'J');
}

/** Largest energy that a pulse can put into any cell behind the resistance, J. */
export const largestEnergy = (voltage: number, width: number, resistance: number): number =>
  (voltage * voltage * width) / (4 * resistance);

/** Longest pulse that puts no more than an energy (J) into any cell behind the resistance, s. */
export const longestPulse = (energy: number, voltage: number, resistance: number): number =>
  (4 * resistance * energy) / voltage ** 2;

export function checkReading(description: BoardDescription, voltage: number, samples: number): void {
  checkReadVoltage(description, voltage);
  checkCount('samples', samples, 1, MAX_SAMPLES);
}

export function checkReadVoltage({ limits }: BoardDescription, voltage: number): void {
  checkRange('read voltage', voltage, -limits.maxReadVoltage, limits.maxReadVoltage, 'V');
}

/** Most input pulses of one run of a board with so many neurons: what a request holds. */
export const mostInputPulses = (neurons: number): number =>
  Math.min(BOUNDS.Run.pulseSteps, Math.floor(BOUNDS.Run.drives / neurons));

export function checkStimulus(description: BoardDescription, stimulus: Stimulus, index: number): void {
  const { maxSteps, neurons, driveMax } = description;
  const { steps, decimation, pulseSteps, drives } = stimulus;
  const at = `stimulus ${index}: `;
  checkCount(`${at}steps`, steps, 1, maxSteps);
  checkCount(`${at}decimation`, decimation, 1, steps);
  checkCount(`${at}input pulses`, pulseSteps.length, 0, BOUNDS.Run.pulseSteps);
  if (drives.length !== pulseSteps.length * neurons) {
    throw new MemloopError(
      'bad-input',
      `${at}${drives.length} drives; ${pulseSteps.length} input pulses on ${neurons} neurons need ${pulseSteps.length * neurons}`,
    );
  }
  checkCount(`${at}drives`, drives.length, 0, BOUNDS.Run.drives);
  for (let i = 0; i < pulseSteps.length; i++) {
    checkCount(`${at}step of an input pulse`, pulseSteps[i], i === 0 ? 0 : pulseSteps[i - 1] + 1, steps - 1);
  }
  for (const drive of drives) checkRange(`${at}drive`, drive, -driveMax, driveMax, 'A');
}

export function checkIndex(what: string, value: number, count: number): void {
  if (Number.isInteger(value) && value >= 0 && value < count) return;
  throw new MemloopError('bad-input', `there is no ${what} ${value}: the board has ${count}, counted from 0`);
}

export function checkCount(what: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new MemloopError('bad-input', `${what}: ${value} is not a whole number from ${low} to ${high}`);
}

function checkRange(what: string, value: number, low: number, high: number, unit: string): void {
  const slack = Math.max(-low, high) * (SLACK - 1);
  if (value >= low - slack && value <= high + slack) return;
  const format = (x: number) => Number(x.toPrecision(4));
  throw new MemloopError(
    'limit',
    `${what} ${format(value)} ${unit} is outside the limits, ${format(low)} to ${format(high)} ${unit}`,
  );
}
