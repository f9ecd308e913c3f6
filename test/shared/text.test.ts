import { describe, expect, test } from 'vitest';
import { amount, clean, duration, percent, quantity, si } from '../../src/shared/text.js';

describe('a value with its SI prefix', () => {
  test.each<[number | null, number | undefined, string]>([
    [3.42e-5, undefined, '34.2 µX'],
    [1e-12, undefined, '1.00 pX'],
    [1e-6, undefined, '1.00 µX'],
    [999.96, undefined, '1.00 kX'],
    [0, undefined, '0 X'],
    [-0.0205, undefined, '−20.5 mX'],
    [2.5e6, undefined, '2.50 MX'],
    [1234e-6, 2, '1.2 mX'],
    [3e-18, 2, '0.0030 fX'],
    [5e15, 2, '5000 TX'],
    [null, undefined, '–'],
    [Number.NaN, undefined, '–'],
  ])('has a fixed number of digits on a display: %s', (value, digits, text) => {
    expect(si(value, 'X', digits)).toBe(text);
  });

  test.each<[number, string, string]>([
    [2.5e-6, 's', '2.5 µs'],
    [1e-3, 's', '1 ms'],
    [5e-4, 's', '500 µs'],
    [-0.75, 'V', '-750 mV'],
    [1000, 'Ω', '1 kΩ'],
    [0, 'A', '0 A'],
    [0.5, '', '0.5'],
    [1 / 3, '', '0.3333'],
    [3e-15, 'J', '3 fJ'],
  ])('has no zeros at the end in a sentence: %s %s', (value, unit, text) => {
    expect(quantity(value, unit)).toBe(text);
  });
});

test('shares, times and amounts are written for people', () => {
  expect([percent(0.9716), percent(0.9716, 1), percent(1)]).toEqual(['97.16 %', '97.2 %', '100.00 %']);
  expect([0, 59.6, 3725, Number.POSITIVE_INFINITY].map(duration)).toEqual(['0:00', '1:00', '1:02:05', '–']);
  expect([12345, 0.25, 1234.5].map(amount)).toEqual(['12,345', '0.3', '1,235']);
});

test('text from outside becomes one line without control characters', () => {
  expect(clean('a\u001b[31mred\u001b[0m\nline\u0007\ue001')).toBe('ared line');
});
