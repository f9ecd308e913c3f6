import { expect, test } from 'vitest';
import { decimal, index, quantity, wholeNumber } from '../../src/cli/numbers.js';

test.each<[number, string, string]>([
  [2.5e-6, 's', '2.5 µs'],
  [1e-3, 's', '1 ms'],
  [5e-4, 's', '500 µs'],
  [-0.75, 'V', '-750 mV'],
  [1000, 'Ω', '1 kΩ'],
  [0, 'A', '0 A'],
  [0.5, '', '0.5'],
  [3e-15, 'J', '0.003 pJ'],
])('%d %s is shown as %s', (value, unit, text) => {
  expect(quantity(value, unit)).toBe(text);
});

test('what is no number in range is refused', () => {
  expect(decimal('-5e-4')).toBe(-5e-4);
  for (const text of ['', ' ', 'x', '1V', 'NaN', 'Infinity']) expect(() => decimal(text)).toThrow(/SI units/);
  expect(wholeNumber(1, 255)('255')).toBe(255);
  for (const text of ['0', '256', '1.5', '', 'a'])
    expect(() => wholeNumber(1, 255)(text)).toThrow(/1 to 255/);
  expect(index('0')).toBe(0);
  expect(() => index('-1')).toThrow();
});
