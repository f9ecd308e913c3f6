/**
 * Charts as SVG. Colours come from classes, so that a chart is light or dark with the page or the reader's setting;
 * a chart is drawn about 400 units wide, to be read on a telephone, and grows with the place it is given.
 */

import type { Interval } from '../shared/statistics.js';
import { colourMap, type Shade } from './png.js';

/** Okabe and Ito's colours, told apart by everyone, lightened where the ground is dark. */
export const CHART_STYLE = `
.chart { font: 11px system-ui, "DejaVu Sans", sans-serif; --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b0568a; }
.chart text { fill: #222; } .chart .soft { fill: #666; } .chart .small { font-size: 9px; }
.chart .axis { stroke: #555; fill: none; } .chart .grid { stroke: #e2e2e2; fill: none; } .chart .ground { fill: #fff; }
.chart .whisker { stroke: #222; fill: none; } .chart .empty { fill: #888; fill-opacity: 0.3; }
.chart .line { fill: none; stroke-width: 1.6; } .chart .level { fill: none; stroke-width: 1.2; stroke-dasharray: 4 3; }
.chart .s0 { stroke: #0072b2; } .chart .s1 { stroke: #d55e00; } .chart .s2 { stroke: #009e73; } .chart .s3 { stroke: #b0568a; }
.chart .f0, .chart text.f0 { fill: #0072b2; } .chart .f1, .chart text.f1 { fill: #c05000; }
.chart .f2, .chart text.f2 { fill: #008a64; } .chart .f3, .chart text.f3 { fill: #a04a7c; }
@media (prefers-color-scheme: dark) {
.chart text { fill: #ddd; } .chart .soft { fill: #999; }
.chart .axis { stroke: #999; } .chart .grid { stroke: #333; } .chart .ground { fill: #16181c; } .chart .whisker { stroke: #eee; }
.chart .s0 { stroke: #56b4e9; } .chart .s1 { stroke: #f08b3c; } .chart .s2 { stroke: #2fc79a; } .chart .s3 { stroke: #dd90bd; }
.chart .f0, .chart text.f0 { fill: #56b4e9; } .chart .f1, .chart text.f1 { fill: #f08b3c; }
.chart .f2, .chart text.f2 { fill: #2fc79a; } .chart .f3, .chart text.f3 { fill: #dd90bd; }
}
`.trim();

export const escapeMarkup = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const WIDTH = 400;

/** `label` says for those who do not see it what the chart shows. */
function svg(width: number, height: number, label: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="${escapeMarkup(label)}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    ...parts,
    '</svg>',
  ].join('\n');
}

/** A chart as a file of its own. */
export const standalone = (chart: string): string =>
  `${chart.replace(/^(<svg[^>]*>)/, `$1\n<style>\n${CHART_STYLE}\n</style>\n<rect class="ground" width="100%" height="100%"/>`)}\n`;

/** Round values across a range, about `many`. */
export function ticks(low: number, high: number, many = 5): number[] {
  const raw = (high - low) / many;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999) ?? raw;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

/** 1234567 as 1.23M: short enough for a tick. */
export function short(value: number): string {
  const size = Math.abs(value);
  const [divisor, unit] = size >= 1e6 ? [1e6, 'M'] : size >= 1e4 ? [1e3, 'k'] : [1, ''];
  return `${Number((value / divisor).toPrecision(3))}${unit}`.replace('-', '−');
}

const number = (value: number): string => String(Math.round(value * 10) / 10);

interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
  x: (value: number) => number;
  y: (value: number) => number;
}

function frame(
  x: readonly [number, number],
  y: readonly [number, number],
  place: Pick<Frame, 'left' | 'right' | 'top' | 'bottom'>,
): Frame {
  const scale =
    ([low, high]: readonly [number, number], from: number, to: number) =>
    (value: number) =>
      from + ((value - low) / (high - low || 1)) * (to - from);
  return { ...place, x: scale(x, place.left, place.right), y: scale(y, place.bottom, place.top) };
}

export interface LinePlot {
  /** For those who do not see it. */
  label: string;
  /** With units. */
  xLabel: string;
  yLabel: string;
  lines: readonly { name: string; x: readonly number[]; y: readonly number[] }[];
  /** Horizontal lines to compare with. */
  levels?: readonly { name: string; y: number }[];
}

/** Lines over a common axis; their names stand above, in their colours. */
export function lineChart({ label, xLabel, yLabel, lines, levels = [] }: LinePlot): string {
  const finite = (values: readonly number[]) => values.filter(Number.isFinite);
  const xs = lines.flatMap(({ x }) => finite(x));
  const ys = [...lines.flatMap(({ y }) => finite(y)), ...finite(levels.map(({ y }) => y))];
  const span = (values: readonly number[], pad: number): [number, number] => {
    const low = values.reduce((a, b) => Math.min(a, b), Infinity);
    const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!(high > low)) return Number.isFinite(low) ? [low - 0.5, low + 0.5] : [0, 1];
    return [low - pad * (high - low), high + pad * (high - low)];
  };
  const names = [
    ...lines.map(({ name }, i) => ({ name, i })),
    ...levels.map(({ name }, i) => ({ name, i: lines.length + i })),
  ];
  const rows = Math.ceil(names.length / 2);
  const top = 12 + 15 * rows;
  const height = top + 190;
  const [x, y] = [span(xs, 0), span(ys, 0.06)];
  const f = frame(x, y, { left: 46, right: WIDTH - 12, top, bottom: height - 36 });
  const parts: string[] = [];
  names.forEach(({ name, i }, k) => {
    const left = f.left + (k % 2) * 175;
    const baseline = 14 + 15 * Math.floor(k / 2);
    parts.push(
      `<path class="${i < lines.length ? 'line' : 'level'} s${i % 4}" d="M${left} ${baseline - 4}h18"/><text x="${left + 23}" y="${baseline}">${escapeMarkup(name)}</text>`,
    );
  });
  for (const tick of ticks(...y))
    parts.push(
      `<path class="grid" d="M${f.left} ${number(f.y(tick))}H${f.right}"/><text class="soft" x="${f.left - 5}" y="${number(f.y(tick) + 4)}" text-anchor="end">${short(tick)}</text>`,
    );
  for (const tick of ticks(...x))
    parts.push(
      `<text class="soft" x="${number(f.x(tick))}" y="${f.bottom + 15}" text-anchor="middle">${short(tick)}</text>`,
    );
  parts.push(`<path class="axis" d="M${f.left} ${f.top}V${f.bottom}H${f.right}"/>`);
  lines.forEach((line, i) => {
    const points = line.x
      .map((value, k) => [value, line.y[k]])
      .filter((point) => point.every(Number.isFinite))
      .map(([a, b]) => [number(f.x(a)), number(f.y(b))]);
    parts.push(`<polyline class="line s${i % 4}" points="${points.map((p) => p.join()).join(' ')}"/>`);
    if (points.length <= 40)
      parts.push(...points.map(([a, b]) => `<circle class="f${i % 4}" cx="${a}" cy="${b}" r="2.2"/>`));
  });
  levels.forEach((level, i) => {
    if (Number.isFinite(level.y))
      parts.push(
        `<path class="level s${(lines.length + i) % 4}" d="M${f.left} ${number(f.y(level.y))}H${f.right}"/>`,
      );
  });
  parts.push(
    `<text x="${(f.left + f.right) / 2}" y="${height - 5}" text-anchor="middle">${escapeMarkup(xLabel)}</text>`,
    `<text transform="rotate(-90 11 ${(f.top + f.bottom) / 2})" x="11" y="${(f.top + f.bottom) / 2}" text-anchor="middle">${escapeMarkup(yLabel)}</text>`,
  );
  return svg(WIDTH, height, label, parts);
}

export interface BarGroup {
  name: string;
  /** One a series; undefined: not measured. */
  bars: readonly (Interval | undefined)[];
}

/** Horizontal bars from 0 with their intervals, groups one below the other. Values are drawn times `scale`. */
export function barChart(
  label: string,
  xLabel: string,
  series: readonly string[],
  groups: readonly BarGroup[],
  scale = 1,
): string {
  const ends = groups.flatMap(({ bars }) =>
    bars.flatMap((bar) => (bar ? [bar.low * scale, bar.high * scale] : [])),
  );
  const low = Math.min(0, ...ends);
  const high = Math.max(0, ...ends);
  const room = Math.max(high - low, 1e-9);
  const heightOf = ({ bars }: BarGroup) => 13 * bars.filter(Boolean).length + 9;
  const names = series.filter(Boolean);
  const top = 10 + 15 * names.length;
  const bottom = top + groups.reduce((sum, group) => sum + heightOf(group), 0) + 4;
  const height = bottom + 38;
  const x = [low - 0.02 * room, high + 0.04 * room] as const;
  const f = frame(x, [0, 1], { left: 118, right: WIDTH - 14, top, bottom });
  const parts = names.map(
    (name, i) =>
      `<rect class="f${i}" x="${f.left}" y="${6 + 15 * i}" width="10" height="9"/><text x="${f.left + 16}" y="${14 + 15 * i}">${escapeMarkup(name)}</text>`,
  );
  for (const tick of ticks(x[0], x[1]))
    parts.push(
      `<path class="grid" d="M${number(f.x(tick))} ${top}V${bottom}"/><text class="soft" x="${number(f.x(tick))}" y="${bottom + 15}" text-anchor="middle">${short(tick)}</text>`,
    );
  let y = top + 6;
  for (const group of groups) {
    const present = group.bars.filter(Boolean).length;
    parts.push(
      `<text x="${f.left - 8}" y="${number(y + 6.5 * present + 3.5)}" text-anchor="end">${escapeMarkup(group.name)}</text>`,
    );
    group.bars.forEach((bar, i) => {
      if (!bar) return;
      const [from, to] = [0, bar.value * scale].map(f.x).sort((a, b) => a - b);
      const [a, b] = [f.x(bar.low * scale), f.x(bar.high * scale)].map(number);
      const middle = number(y + 6);
      parts.push(
        `<rect class="f${i % 4}" fill-opacity="0.75" x="${number(from)}" y="${number(y + 1)}" width="${number(Math.max(0.8, to - from))}" height="10"/>`,
        `<path class="whisker" d="M${a} ${middle}H${b}M${a} ${number(y + 3)}v6M${b} ${number(y + 3)}v6"/>`,
      );
      y += 13;
    });
    y += 9;
  }
  parts.push(
    `<path class="axis" d="M${number(f.x(0))} ${top}V${bottom}"/>`,
    `<text x="${(f.left + f.right) / 2}" y="${height - 6}" text-anchor="middle">${escapeMarkup(xLabel)}</text>`,
  );
  return svg(WIDTH, height, label, parts);
}

/** Counts by class (rows) and decision (columns): what is right in one colour, what is wrong in another. */
export function confusionChart(label: string, counts: readonly (readonly number[])[]): string {
  const classes = counts.length;
  const cell = (WIDTH - 60) / classes;
  const left = 46;
  const top = 18;
  const height = top + cell * classes + 36;
  const parts: string[] = [];
  const wrong = Math.max(1, ...counts.flatMap((row, i) => row.filter((_, j) => j !== i)));
  const few = cell < 20 ? ' small' : '';
  counts.forEach((row, i) => {
    const total = row.reduce((sum, n) => sum + n, 0);
    const y = top + i * cell;
    parts.push(
      `<text class="soft" x="${left - 6}" y="${number(y + cell / 2 + 4)}" text-anchor="end">${i}</text>`,
      `<text class="soft" x="${number(left + (i + 0.5) * cell)}" y="${number(top + classes * cell + 14)}" text-anchor="middle">${i}</text>`,
    );
    row.forEach((n, j) => {
      const strength =
        i === j ? 0.65 * (total === 0 ? 0 : n / total) : n === 0 ? 0 : 0.12 + 0.6 * (n / wrong);
      const x = left + j * cell;
      parts.push(
        `<rect class="f${i === j ? 0 : 1}" fill-opacity="${strength.toFixed(3)}" x="${number(x)}" y="${number(y)}" width="${number(cell)}" height="${number(cell)}"/>`,
      );
      if (n > 0)
        parts.push(
          `<text class="count${few}" x="${number(x + cell / 2)}" y="${number(y + cell / 2 + 4)}" text-anchor="middle">${n}</text>`,
        );
    });
  });
  parts.push(
    `<rect class="axis" x="${left}" y="${top}" width="${number(cell * classes)}" height="${number(cell * classes)}"/>`,
    `<text x="${number(left + (classes * cell) / 2)}" y="${number(height - 5)}" text-anchor="middle">decision</text>`,
    `<text transform="rotate(-90 13 ${number(top + (classes * cell) / 2)})" x="13" y="${number(top + (classes * cell) / 2)}" text-anchor="middle">class</text>`,
  );
  return svg(WIDTH, height, label, parts);
}

export interface HeatMap {
  label: string;
  title: string;
  rows: number;
  columns: number;
  /** Row by row; what is not finite is drawn as unknown. */
  values: ArrayLike<number>;
  /** Value of the full colour; with `signed`, of either colour. */
  most: number;
  signed?: boolean;
  unit: string;
}

const BLUE: Shade = [24, 132, 204];
const ORANGE: Shade = [222, 106, 16];

/** One point a cell; nothing is transparent, so that it reads on a light and on a dark ground. */
export function heatChart({
  label,
  title,
  rows,
  columns,
  values,
  most,
  signed = false,
  unit,
}: HeatMap): string {
  const width = 260;
  const left = 8;
  const side = width - 2 * left;
  const top = 22;
  const tall = Math.min(2 * side, Math.max(30, (side * rows) / columns));
  const height = top + tall + 34;
  const colours = signed ? [BLUE, ORANGE] : [BLUE, BLUE];
  const image = (w: number, h: number, data: ArrayLike<number>, at: string) =>
    `<image ${at} preserveAspectRatio="none" image-rendering="optimizeSpeed" style="image-rendering: pixelated" href="data:image/png;base64,${colourMap(w, h, data, most, colours[0], colours[1]).toString('base64')}"/>`;
  const legend = Array.from({ length: 64 }, (_, i) => (signed ? (2 * i) / 63 - 1 : i / 63) * most);
  const y = top + tall + 8;
  const from = left + 60;
  const wide = side - 120;
  const end = (value: number) => `${short(value)} ${unit}`;
  return svg(width, Math.round(height), label, [
    `<text x="${left}" y="14">${escapeMarkup(title)}</text>`,
    image(columns, rows, values, `x="${left}" y="${top}" width="${side}" height="${number(tall)}"`),
    `<rect class="axis" x="${left}" y="${top}" width="${side}" height="${number(tall)}"/>`,
    image(64, 1, legend, `x="${from}" y="${number(y)}" width="${wide}" height="10"`),
    `<text class="soft" x="${from - 5}" y="${number(y + 9)}" text-anchor="end">${end(signed ? -most : 0)}</text>`,
    `<text class="soft" x="${from + wide + 5}" y="${number(y + 9)}">${signed ? '+' : ''}${end(most)}</text>`,
  ]);
}
