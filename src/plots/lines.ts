/** Line charts: lines, points and levels over a common axis, in panels one below the other. */
import { line as pathOf } from 'd3-shape';
import { axisRange, scaleOf } from './scale.js';
import { at, axes, type Frame, styleOf, svg, textAt, xAxis, yAxis } from './svg.js';

export interface Line {
  /** Stands above, in the line's colour. */
  name: string;
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  /** Points alone, without a line. */
  points?: boolean;
}

export interface Panel {
  /** With its unit. */
  yLabel: string;
  /** With its unit; only below the last panel where all share it. */
  xLabel?: string;
  /** Values that are not finite are left out. */
  lines: readonly Line[];
  /** Horizontal lines to compare with. */
  levels?: readonly { name: string; y: number }[];
  /** Of the values' place; default 154. */
  height?: number;
}

const LEFT = 52;
const RIGHT = 14;
const NAME_WIDTH = 165;
const NAME_HEIGHT = 15;
/** Lines of no more points than this have them marked. */
const MARKED = 40;

/**
 * @param label what the chart shows, for those who do not see it.
 * @param title above the chart, if any.
 */
export function lineChart(
  label: string,
  panels: readonly Panel[],
  { title, width = 400 }: { title?: string; width?: number } = {},
): string {
  const parts =
    title === undefined ? [] : [textAt(width / 2, 16, title, { style: 'title', anchor: 'middle' })];
  let top = title === undefined ? 0 : 20;
  for (const panel of panels) {
    const drawn = panelAt(panel, width, top);
    parts.push(...drawn.parts);
    top = drawn.bottom;
  }
  return svg(width, top, label, parts);
}

function panelAt(panel: Panel, width: number, above: number): { parts: string[]; bottom: number } {
  const { xLabel, yLabel, lines, levels = [], height = 154 } = panel;
  const names = namesOf(panel);
  const perRow = Math.max(1, Math.floor((width - LEFT - RIGHT) / NAME_WIDTH));
  const top = above + 12 + NAME_HEIGHT * Math.ceil(names.length / perRow);
  const bottom = top + height;
  const right = width - RIGHT;
  const xs = lines.flatMap(({ x }) => Array.from(x));
  const ys = [...lines.flatMap(({ y }) => Array.from(y)), ...levels.map(({ y }) => y)];
  const frame: Frame = {
    ...{ left: LEFT, right, top, bottom },
    x: scaleOf(axisRange(xs), [LEFT, right]),
    y: scaleOf(axisRange(ys, 0.06), [bottom, top]),
  };
  const parts = [
    ...names.map(({ name, style, mark }, k) =>
      nameAt(
        LEFT + (k % perRow) * NAME_WIDTH,
        above + 14 + NAME_HEIGHT * Math.floor(k / perRow),
        name,
        style,
        mark,
      ),
    ),
    ...yAxis(frame, yLabel),
    ...xAxis(frame, xLabel),
    axes(frame),
    ...lines.flatMap((line, i) => lineAt(frame, line, styleOf(i))),
    ...levels.flatMap(({ y }, i) =>
      Number.isFinite(y)
        ? [`<path class="level s${styleOf(lines.length + i)}" d="M${LEFT} ${at(frame.y(y))}H${at(right)}"/>`]
        : [],
    ),
  ];
  return { parts, bottom: bottom + (xLabel === undefined ? 22 : 36) };
}

type Mark = 'line' | 'level' | 'point';

/** What stands above: nothing for a single line without a name. */
function namesOf({ lines, levels = [] }: Panel): { name: string; style: number; mark: Mark }[] {
  return [
    ...lines.map(({ name, points }, i) => ({
      name,
      style: styleOf(i),
      mark: points ? ('point' as const) : ('line' as const),
    })),
    ...levels.map(({ name }, i) => ({ name, style: styleOf(lines.length + i), mark: 'level' as const })),
  ].filter(({ name }) => name !== '');
}

function nameAt(x: number, y: number, name: string, style: number, mark: Mark): string {
  const sample =
    mark === 'point'
      ? `<circle class="f${style}" cx="${x + 9}" cy="${y - 4}" r="2.2"/>`
      : `<path class="${mark} s${style}" d="M${x} ${y - 4}h18"/>`;
  return sample + textAt(x + 23, y, name);
}

function lineAt({ x, y }: Frame, line: Line, style: number): string[] {
  const known = Array.from(line.x, (value, k) => [value, line.y[k]] as [number, number]).filter((point) =>
    point.every(Number.isFinite),
  );
  const path = pathOf()
    .x(([value]) => x(value))
    .y(([, value]) => y(value))
    .digits(1)(known);
  const points =
    line.points || known.length <= MARKED
      ? known.map(([a, b]) => `<circle class="f${style}" cx="${at(x(a))}" cy="${at(y(b))}" r="2.2"/>`)
      : [];
  return line.points ? points : [`<path class="line s${style}" d="${path ?? ''}"/>`, ...points];
}
