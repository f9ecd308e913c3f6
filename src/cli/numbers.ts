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
