/** Line plots in braille dots (2 × 4 per character), or in letters where curves must be told apart without colour. */

import type { Range } from '../state.js';
import { type Paint, runs } from './paint.js';

export interface Curve {
  /** Colour and letter. */
  series: number;
  /** Ascending x, both scaled to [0, 1] of the plot; null breaks the line. */
  points: readonly (readonly [x: number, y: number] | null)[];
}

const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** The letter of a curve where there is no colour. */
export const letter = (series: number): string => LETTERS[series] ?? '*';

export interface PlotOptions {
  width: number;
  height: number;
  paint: Paint;
  /** Draw the curves as their letters. */
  letters?: boolean;
}

/** Lines of `width` characters. Later curves lie on top. */
export function plot(curves: readonly Curve[], options: PlotOptions): string[] {
  const { width, height, paint, letters = false } = options;
  if (width < 1 || height < 1) return [];
  const [across, down] = letters ? [1, 1] : [2, 4];
  const columns = width * across;
  const rows = height * down;
  const dots = new Uint8Array(width * height);
  const owner = new Int16Array(width * height).fill(-1);
  for (const { series, points } of curves) {
    const set = (x: number, y: number) => {
      if (x < 0 || x >= columns || y < 0 || y >= rows) return;
      const at = Math.floor(y / down) * width + Math.floor(x / across);
      if (owner[at] !== series) {
        owner[at] = series;
        // A braille character has one colour: where curves cross, the upper one takes it over.
        if (letters) dots[at] = 0;
      }
      dots[at] = (dots[at] as number) | (BRAILLE[y % down]?.[x % across] ?? 1);
    };
    let last: readonly [number, number] | undefined;
    for (const point of points) {
      if (!point) {
        last = undefined;
        continue;
      }
      const here = [Math.round(point[0] * (columns - 1)), Math.round((1 - point[1]) * (rows - 1))] as const;
      line(last ?? here, here, set);
      last = here;
    }
  }
  const cells = Array.from(owner, (series, at) => ({
    series,
    char: series < 0 ? ' ' : letters ? letter(series) : String.fromCharCode(0x2800 + (dots[at] as number)),
  }));
  return Array.from({ length: height }, (_, y) =>
    runs(
      cells.slice(y * width, (y + 1) * width),
      (a, b) => a.series === b.series,
      (run) => {
        const text = run.map(({ char }) => char).join('');
        const { series } = run[0] as { series: number };
        return series < 0 ? text : paint.series(series, text);
      },
    ),
  );
}

const BRAILLE = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
];

function line(
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
  set: (x: number, y: number) => void,
): void {
  const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
  for (let i = 0; i <= steps; i++) {
    set(Math.round(x0 + ((x1 - x0) * i) / steps), Math.round(y0 + ((y1 - y0) * i) / steps));
  }
}

/** Where a value lies in a range, 0 to 1. */
export const within = (value: number, [least, most]: Range): number =>
  most > least ? (value - least) / (most - least) : 0.5;

const BARS = '▁▂▃▄▅▆▇█';

/** The newest values as one line of bars over zero. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = width > 0 ? values.slice(-width) : [];
  const most = Math.max(...shown, Number.MIN_VALUE);
  return shown
    .map((value) => BARS[Math.max(0, Math.min(BARS.length - 1, Math.floor((value / most) * BARS.length)))])
    .join('');
}
