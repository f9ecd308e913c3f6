/**
 * SVG: the document, text, axes and colours that all charts are made of. Colours come from classes, so that a chart is
 * light or dark with the page or the reader's setting.
 */
import { type Scale, ticksOf } from './scale.js';

/** Okabe and Ito's colours and four more, told apart by everyone: on a light ground, and lightened for a dark one. */
const SERIES = [
  ['#0072b2', '#56b4e9'],
  ['#c05000', '#f08b3c'],
  ['#008a64', '#2fc79a'],
  ['#a04a7c', '#dd90bd'],
  ['#8a6d00', '#e6b800'],
  ['#2b8cbe', '#9ad3f5'],
  ['#666666', '#bbbbbb'],
  ['#6a4bb5', '#b29df0'],
] as const;

const seriesStyle = (ground: 0 | 1): string =>
  SERIES.map(
    (colours, i) =>
      `.chart .s${i} { stroke: ${colours[ground]}; } .chart .f${i} { fill: ${colours[ground]}; }`,
  ).join('\n');

export const CHART_STYLE = `
.chart { font: 11px system-ui, "DejaVu Sans", sans-serif; }
.chart text { fill: #222; } .chart .soft { fill: #666; } .chart .small { font-size: 9px; } .chart .title { font-size: 13px; }
.chart .axis { stroke: #555; fill: none; } .chart .grid { stroke: #e2e2e2; fill: none; } .chart .ground { fill: #fff; }
.chart .whisker { stroke: #222; fill: none; }
.chart .line { fill: none; stroke-width: 1.6; } .chart .level { fill: none; stroke-width: 1.2; stroke-dasharray: 4 3; }
${seriesStyle(0)}
@media (prefers-color-scheme: dark) {
.chart text { fill: #ddd; } .chart .soft { fill: #999; }
.chart .axis { stroke: #999; } .chart .grid { stroke: #333; } .chart .ground { fill: #16181c; } .chart .whisker { stroke: #eee; }
${seriesStyle(1)}
}
`.trim();

/** Number of the style of series i: `s0` for strokes, `f0` for fills. */
export const styleOf = (i: number): number => i % SERIES.length;

export const escapeMarkup = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A coordinate, to a tenth of a unit. */
export const at = (value: number): string => String(Math.round(value * 10) / 10);

/** A chart to be put in a page with CHART_STYLE; `label` says what it shows to those who do not see it. */
export function svg(width: number, height: number, label: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label="${escapeMarkup(label)}" viewBox="0 0 ${at(width)} ${at(height)}" width="${at(width)}" height="${at(height)}">`,
    ...parts,
    '</svg>',
  ].join('\n');
}

/** A chart as a file of its own. */
export const standalone = (chart: string): string =>
  `${chart.replace(/^(<svg[^>]*>)/, `$1\n<style>\n${CHART_STYLE}\n</style>\n<rect class="ground" width="100%" height="100%"/>`)}\n`;

export interface TextStyle {
  /** Classes: `soft`, `small`, `title`. */
  style?: string;
  anchor?: 'start' | 'middle' | 'end';
  /** Read from below. */
  upright?: boolean;
}

/** Text whose baseline is at y; escaped. */
export function textAt(
  x: number,
  y: number,
  text: string,
  { style, anchor = 'start', upright = false }: TextStyle = {},
): string {
  const attributes = [
    style === undefined ? '' : ` class="${style}"`,
    anchor === 'start' ? '' : ` text-anchor="${anchor}"`,
    upright ? ` transform="rotate(-90 ${at(x)} ${at(y)})"` : '',
  ];
  return `<text x="${at(x)}" y="${at(y)}"${attributes.join('')}>${escapeMarkup(text)}</text>`;
}

/** Where a chart's values are drawn, and its scales. */
export interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
  x: Scale;
  y: Scale;
}

/** Ticks along the lower edge, with lines across; and what the axis shows, below. */
export function xAxis({ left, right, top, bottom, x }: Frame, label?: string): string[] {
  return [
    ...ticksOf(x).flatMap(({ place, text }) => [
      `<path class="grid" d="M${at(place)} ${at(top)}V${at(bottom)}"/>`,
      textAt(place, bottom + 15, text, { style: 'soft', anchor: 'middle' }),
    ]),
    ...(label === undefined ? [] : [textAt((left + right) / 2, bottom + 31, label, { anchor: 'middle' })]),
  ];
}

/** Ticks along the left edge, with lines across; and what the axis shows, beside. */
export function yAxis({ left, right, top, bottom, y }: Frame, label: string): string[] {
  return [
    ...ticksOf(y).flatMap(({ place, text }) => [
      `<path class="grid" d="M${at(left)} ${at(place)}H${at(right)}"/>`,
      textAt(left - 5, place + 4, text, { style: 'soft', anchor: 'end' }),
    ]),
    textAt(11, (top + bottom) / 2, label, { anchor: 'middle', upright: true }),
  ];
}

/** The lines of both axes, over what is drawn. */
export const axes = ({ left, right, top, bottom }: Frame): string =>
  `<path class="axis" d="M${at(left)} ${at(top)}V${at(bottom)}H${at(right)}"/>`;
