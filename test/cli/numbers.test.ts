import { expect, test } from 'vitest';
import { decimal, index, wholeNumber } from '../../src/cli/numbers.js';

test('what is no number in range is refused', () => {
  expect(decimal('-5e-4')).toBe(-5e-4);
  for (const text of ['', ' ', 'x', '1V', 'NaN', 'Infinity']) expect(() => decimal(text)).toThrow(/SI units/);
  expect(wholeNumber(1, 255)('255')).toBe(255);
  for (const text of ['0', '256', '1.5', '', 'a'])
    expect(() => wholeNumber(1, 255)(text)).toThrow(/1 to 255/);
  expect(index('0')).toBe(0);
  expect(() => index('-1')).toThrow();
});
