/** How values are written for a person. */
import { stripVTControlCharacters } from 'node:util';

const PREFIXES = ['f', 'p', 'n', 'µ', 'm', '', 'k', 'M', 'G', 'T'];

/** Significant digits with an SI prefix: 3.42e-5, 'S' → '34.2 µS'. */
export function si(value: number | null, unit: string, significant = 3): string {
  if (value === null || !Number.isFinite(value)) return '–';
  if (value === 0) return `0 ${unit}`;
  let power = Math.floor(Math.log10(Math.abs(value)) / 3);
  power = Math.max(-5, Math.min(4, power));
  let digits = (value / 1000 ** power).toPrecision(significant);
  if (Math.abs(Number(digits)) >= 1000 && power < 4) {
    power += 1;
    digits = (value / 1000 ** power).toPrecision(significant);
  }
  const plain = digits.includes('e') ? String(Number(digits)) : digits;
  return `${plain.replace('-', '−')} ${PREFIXES[power + 5]}${unit}`;
}

/** 0.9716 → '97.2 %' */
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

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
