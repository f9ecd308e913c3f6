/** A plot in characters. */
import { axisRange, extent, scaleOf } from './scale.js';

export interface TextPlot {
  columns: number;
  rows: number;
  /** How the ends of the axes are written. */
  xText: (value: number) => string;
  yText: (value: number) => string;
}

/**
 * A line through the points in `rows` lines of `columns` characters, with the axes through 0 where they are in range,
 * the range of y at the left and that of x in a line below.
 */
export function textPlot(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  { columns, rows, xText, yText }: TextPlot,
): string {
  const [xs, ys] = [Array.from(x), Array.from(y)];
  const [xRange, yRange] = [extent(xs), extent(ys)];
  const column = scaleOf(axisRange(xs), [0, columns - 1]);
  const row = scaleOf(axisRange(ys), [rows - 1, 0]);
  const grid = Array.from({ length: rows }, () => new Array<string>(columns).fill(' '));
  const holds = ([low, high]: readonly [number, number]) => low <= 0 && high >= 0;
  if (holds(yRange)) grid[Math.round(row(0))].fill('─');
  if (holds(xRange)) {
    const zero = Math.round(column(0));
    for (const line of grid) line[zero] = line[zero] === '─' ? '┼' : '│';
  }
  drawLine(
    grid,
    xs.map((value) => Math.round(column(value))),
    ys.map((value) => Math.round(row(value))),
  );
  const [bottom, top] = yRange.map(yText);
  const margin = Math.max(bottom.length, top.length);
  const label = (r: number) => (r === 0 ? top : r === rows - 1 ? bottom : '').padStart(margin);
  const [start, end] = xRange.map(xText);
  return [
    ...grid.map((line, r) => `${label(r)} ${line.join('').trimEnd()}`),
    `${' '.repeat(margin + 1)}${start.padEnd(columns - end.length)}${end}`,
  ].join('\n');
}

/** Points, and those between neighbours that do not touch. */
function drawLine(grid: string[][], columns: readonly number[], rows: readonly number[]): void {
  columns.forEach((column, i) => {
    const before = i === 0 ? column : columns[i - 1];
    const above = i === 0 ? rows[i] : rows[i - 1];
    const steps = Math.max(1, Math.abs(column - before), Math.abs(rows[i] - above));
    for (let k = 1; k <= steps; k++) {
      const share = k / steps;
      grid[Math.round(above + share * (rows[i] - above))][Math.round(before + share * (column - before))] =
        '•';
    }
  });
}
