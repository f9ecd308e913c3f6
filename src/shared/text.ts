/** How values are written for a person. */
import { stripVTControlCharacters } from 'node:util';

const PREFIXES = ['f', 'p', 'n', 'µ', 'm', '', 'k', 'M', 'G', 'T'];
const NO_PREFIX = PREFIXES.indexOf('');

/** Significant digits and the SI prefix that leaves one to three of them before the point. */
function scaled(value: number, significant: number): { digits: string; prefix: string } {
  const highest = PREFIXES.length - 1 - NO_PREFIX;
  const digitsAt = (power: number) => (value / 1000 ** power).toPrecision(significant);
  // So that 1e-6, whose logarithm may come out a little low, is 1 µ and not 1000 n.
  const rough = Math.floor(Math.log10(Math.abs(value) * (1 + 1e-9)) / 3);
  let power = Math.max(-NO_PREFIX, Math.min(highest, rough));
  if (Math.abs(Number(digitsAt(power))) >= 1000 && power < highest) power += 1;
  const digits = digitsAt(power);
  return {
    digits: digits.includes('e') ? String(Number(digits)) : digits,
    prefix: PREFIXES[power + NO_PREFIX],
  };
}

/** With a fixed number of significant digits, for a display that keeps still: 3.42e-5, 'S' → '34.2 µS'. */
export function si(value: number | null, unit: string, significant = 3): string {
  if (value === null || !Number.isFinite(value)) return '–';
  if (value === 0) return `0 ${unit}`;
  const { digits, prefix } = scaled(value, significant);
  return `${digits.replace('-', '−')} ${prefix}${unit}`;
}

/**
 * With up to so many significant digits and no zeros at the end, for a sentence: 2.5e-6, 's' → '2.5 µs'. The minus is
 * one that can be typed again.
 */
export function quantity(value: number, unit: string, significant = 4): string {
  if (value === 0) return `0 ${unit}`.trim();
  if (unit === '') return String(Number(value.toPrecision(significant)));
  const { digits, prefix } = scaled(value, significant);
  return `${Number(digits)} ${prefix}${unit}`;
}

/** 0.9716 → '97.16 %' */
export const percent = (share: number, decimals = 2): string => `${(share * 100).toFixed(decimals)} %`;

/** Seconds as m:ss or h:mm:ss. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const TENTHS = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

/** 12345 → '12,345'; a fraction keeps one digit. */
export function amount(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return (Number.isInteger(value) || Math.abs(value) >= 100 ? WHOLE : TENTHS).format(value);
}

/** Text from outside on one line, without control and private-use characters. */
export const clean = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/\s+/g, ' ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must go
    .replace(/[\u0000-\u001f\u007f-\u009f\ue000-\uf8ff]/g, '');
