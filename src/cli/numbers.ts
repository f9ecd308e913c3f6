/** Numbers on the command line. Commander puts the option's name before these messages. */
import { InvalidArgumentError } from 'commander';

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new InvalidArgumentError('Give a number in SI units, such as 500e-6.');
  }
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

/** A row, column or array, counted from 0. */
export const index = wholeNumber(0, 65535);
