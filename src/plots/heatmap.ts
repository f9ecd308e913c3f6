/** Maps of values in rows and columns, and confusions. */
import { si } from '../shared/text.js';
import { colourMap, type Shade } from './png.js';
import { at, svg, textAt } from './svg.js';

const BLUE: Shade = [24, 132, 204];
const ORANGE: Shade = [222, 106, 16];

export interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** rows × columns values, row by row; those that are not finite are drawn as unknown, in grey. */
export interface Grid {
  rows: number;
  columns: number;
  values: ArrayLike<number>;
  /** Value of the full colour; with `signed`, of either colour: below 0 blue, above orange. */
  max: number;
  signed?: boolean;
}

/** One pixel per value; nothing is transparent, so that it reads on a light and on a dark ground. */
export function mapAt({ x, y, width, height }: Place, { rows, columns, values, max, signed }: Grid): string {
  const png = colourMap(columns, rows, values, max, BLUE, signed ? ORANGE : BLUE).toString('base64');
  return `<image x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" preserveAspectRatio="none" image-rendering="optimizeSpeed" style="image-rendering: pixelated" href="data:image/png;base64,${png}"/>`;
}

/** The colours of a map between the texts of their ends. */
export function legendAt(
  place: Place,
  { max, signed = false }: Pick<Grid, 'max' | 'signed'>,
  ends: readonly [low: string, high: string],
): string[] {
  const { x, y, width, height } = place;
  const steps = 64;
  const values = Array.from({ length: steps }, (_, i) => {
    const share = i / (steps - 1);
    return (signed ? 2 * share - 1 : share) * max;
  });
  return [
    mapAt(place, { rows: 1, columns: steps, values, max, signed }),
    textAt(x - 5, y + height - 1, ends[0], { style: 'soft', anchor: 'end' }),
    textAt(x + width + 5, y + height - 1, ends[1], { style: 'soft' }),
  ];
}

export interface HeatChart extends Grid {
  /** What the chart shows, for those who do not see it. */
  label: string;
  title: string;
  /** SI, without prefix. */
  unit: string;
}

/** A map with its title and the legend of its colours. */
export function heatChart({ label, title, unit, ...grid }: HeatChart): string {
  const { rows, columns, max, signed } = grid;
  const width = 260;
  const left = 8;
  const side = width - 2 * left;
  const top = 22;
  const tall = Math.min(2 * side, Math.max(30, (side * rows) / columns));
  const y = top + tall + 8;
  const end = (value: number) => si(value, unit);
  return svg(width, Math.round(top + tall + 34), label, [
    textAt(left, 14, title),
    mapAt({ x: left, y: top, width: side, height: tall }, grid),
    `<rect class="axis" x="${left}" y="${top}" width="${side}" height="${at(tall)}"/>`,
    ...legendAt(
      { x: left + 62, y, width: side - 124, height: 10 },
      grid,
      signed ? [end(-max), `+${end(max)}`] : [end(0), end(max)],
    ),
  ]);
}

/** Counts by class (rows) and decision (columns): what is right in one colour, what is wrong in another. */
export function confusionChart(label: string, counts: readonly (readonly number[])[]): string {
  const width = 400;
  const classes = counts.length;
  const cell = (width - 60) / classes;
  const left = 46;
  const top = 18;
  const side = cell * classes;
  const wrong = Math.max(1, ...counts.flatMap((row, i) => row.filter((_, j) => j !== i)));
  const style = cell < 20 ? 'small' : 'count';
  const cells = counts.flatMap((row, i) => {
    const total = row.reduce((sum, n) => sum + n, 0);
    return row.map((n, j) => {
      const strength = i === j ? 0.65 * (n / (total || 1)) : n === 0 ? 0 : 0.12 + 0.6 * (n / wrong);
      const [x, y] = [left + j * cell, top + i * cell];
      const number = textAt(x + cell / 2, y + cell / 2 + 4, String(n), { style, anchor: 'middle' });
      return `<rect class="f${i === j ? 0 : 1}" fill-opacity="${strength.toFixed(3)}" x="${at(x)}" y="${at(y)}" width="${at(cell)}" height="${at(cell)}"/>${n > 0 ? number : ''}`;
    });
  });
  const names = counts.flatMap((_, i) => [
    textAt(left - 6, top + (i + 0.5) * cell + 4, String(i), { style: 'soft', anchor: 'end' }),
    textAt(left + (i + 0.5) * cell, top + side + 14, String(i), { style: 'soft', anchor: 'middle' }),
  ]);
  return svg(width, top + side + 36, label, [
    ...names,
    ...cells,
    `<rect class="axis" x="${left}" y="${top}" width="${at(side)}" height="${at(side)}"/>`,
    textAt(left + side / 2, top + side + 31, 'decision', { anchor: 'middle' }),
    textAt(13, top + side / 2, 'class', { anchor: 'middle', upright: true }),
  ]);
}
