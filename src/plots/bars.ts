/** Horizontal bars with intervals. */
import { scaleOf } from './scale.js';
import { at, styleOf, svg, textAt, xAxis } from './svg.js';

/** A value with the interval that it lies in. */
export interface Bar {
  value: number;
  low: number;
  high: number;
}

export interface BarGroup {
  name: string;
  /** One per series; undefined: not measured. */
  bars: readonly (Bar | undefined)[];
}

export interface BarChart {
  /** What the chart shows, for those who do not see it. */
  label: string;
  /** With its unit. */
  xLabel: string;
  /** Names of the series. */
  series: readonly string[];
  groups: readonly BarGroup[];
  /** Values are drawn times this. */
  factor?: number;
}

const WIDTH = 400;
const LEFT = 118;
const RIGHT = WIDTH - 14;
const BAR = 13;
const GAP = 9;

const present = ({ bars }: BarGroup): number => bars.filter(Boolean).length;

/** Bars from 0 with their intervals, groups one below the other. */
export function barChart({ label, xLabel, series, groups, factor = 1 }: BarChart): string {
  const ends = groups.flatMap(({ bars }) =>
    bars.flatMap((bar) => (bar ? [bar.low * factor, bar.high * factor] : [])),
  );
  const low = Math.min(0, ...ends);
  const high = Math.max(0, ...ends);
  const room = Math.max(high - low, 1e-9);
  const top = 10 + 15 * series.length;
  const bottom = top + groups.reduce((sum, group) => sum + BAR * present(group) + GAP, 0) + 4;
  const x = scaleOf([low - 0.02 * room, high + 0.04 * room], [LEFT, RIGHT]);
  const parts = series.map(
    (name, i) =>
      `<rect class="f${styleOf(i)}" x="${LEFT}" y="${6 + 15 * i}" width="10" height="9"/>${textAt(LEFT + 16, 14 + 15 * i, name)}`,
  );
  parts.push(
    ...xAxis({ left: LEFT, right: RIGHT, top, bottom, x, y: scaleOf([0, 1], [bottom, top]) }, xLabel),
  );
  let y = top + 6;
  for (const group of groups) {
    parts.push(textAt(LEFT - 8, y + (BAR * present(group)) / 2 + 3.5, group.name, { anchor: 'end' }));
    group.bars.forEach((bar, i) => {
      if (!bar) return;
      const places = [0, bar.value * factor, bar.low * factor, bar.high * factor].map(x);
      parts.push(barAt(places as [number, number, number, number], y, styleOf(i)));
      y += BAR;
    });
    y += GAP;
  }
  parts.push(`<path class="axis" d="M${at(x(0))} ${at(top)}V${at(bottom)}"/>`);
  return svg(WIDTH, bottom + 38, label, parts);
}

function barAt(
  [zero, value, low, high]: [zero: number, value: number, low: number, high: number],
  y: number,
  style: number,
): string {
  const width = Math.max(0.8, Math.abs(value - zero));
  return (
    `<rect class="f${style}" fill-opacity="0.75" x="${at(Math.min(zero, value))}" y="${at(y + 1)}" width="${at(width)}" height="10"/>` +
    `<path class="whisker" d="M${at(low)} ${at(y + 6)}H${at(high)}M${at(low)} ${at(y + 3)}v6M${at(high)} ${at(y + 3)}v6"/>`
  );
}
