/** Numbers on the command line, read and shown. Commander puts the option's name before these messages. */
import { InvalidArgumentError } from 'commander';

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new InvalidArgumentError('Give a number in SI units, such as 500e-6.');
  }
  return value;
}

export function positive(text: string): number {
  const value = decimal(text);
  if (value <= 0) throw new InvalidArgumentError('Give a number above 0.');
  return value;
}

export const wholeNumber =
  (low: number, high: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`Give a whole number from ${low} to ${high}.`);
    }
    return value;
  };

/** A time to wait, s. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 86400)) {
    throw new InvalidArgumentError('Give seconds, from 0 to 86400.');
  }
  return value;
}

/** A row, column or array, counted from 0. */
export const index = wholeNumber(0, 65535);

/** With four digits and the unit's prefix: 2.5e-6 s is `2.5 µs`. */
export function quantity(value: number, unit: string): string {
  if (value === 0) return `0 ${unit}`;
  const prefixes = ['p', 'n', 'µ', 'm', '', 'k', 'M'];
  const power = unit === '' ? 0 : Math.floor(Math.log10(Math.abs(value) * (1 + 1e-9)) / 3);
  const place = Math.max(0, Math.min(prefixes.length - 1, power + 4));
  const scaled = Number((value / 1000 ** (place - 4)).toPrecision(4));
  return `${scaled} ${prefixes[place]}${unit}`.trim();
}
