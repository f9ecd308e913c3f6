/** What a programming job left. */
import { si } from '../shared/text.js';
import { legendAt, mapAt } from './heatmap.js';
import { axisRange, scaleOf } from './scale.js';
import { at, axes, type Frame, standalone, svg, textAt, xAxis, yAxis } from './svg.js';

/** A cell at the end of a programming job. */
export interface ProgrammedCell {
  array: number;
  row: number;
  column: number;
  /** S; null: not read. */
  conductance: number | null;
  /** S */
  target: number;
  failed: boolean;
}

export interface ProgramPlot {
  rows: number;
  columns: number;
  /** S */
  tolerance: number;
}

const WIDTH = 720;
const BINS = 40;
/** Errors that the histogram shows, in tolerances. */
const SPAN = 2;
const MAX_ARRAYS = 4;

/**
 * The distribution of the errors, in tolerances, and a map of them for each array, failed cells crossed, as an SVG file.
 * The first four arrays are drawn.
 */
export function programPlot(title: string, cells: readonly ProgrammedCell[], shape: ProgramPlot): string {
  const error = ({ conductance, target }: ProgrammedCell) =>
    ((conductance ?? Number.NaN) - target) / shape.tolerance;
  const arrays = [...new Set(cells.map(({ array }) => array))].sort((a, b) => a - b).slice(0, MAX_ARRAYS);
  const room = (WIDTH - 40) / Math.max(1, arrays.length);
  const size = Math.min((room - 20) / shape.columns, 250 / shape.rows);
  const top = 262;
  const maps = arrays.flatMap((array, n) => {
    const inside = cells.filter((cell) => cell.array === array);
    return arrayMap(`array ${array}`, inside, error, shape, { x: 20 + n * room, y: top, size });
  });
  const below = top + size * shape.rows + 12;
  return standalone(
    svg(WIDTH, below + 20, 'errors of the programmed cells', [
      textAt(WIDTH / 2, 16, title, { style: 'title', anchor: 'middle' }),
      ...histogram(
        cells.map(error).filter((value) => !Number.isNaN(value)),
        `error in tolerances of ${si(shape.tolerance, 'S')}; larger ones are in the outermost bars`,
      ),
      ...maps,
      ...legendAt({ x: 110, y: below, width: 120, height: 10 }, { max: 1, signed: true }, [
        '−1 tolerance',
        '+1 tolerance; crossed: failed',
      ]),
    ]),
  );
}

/** Bars within the tolerance in one colour, beyond in another. */
function histogram(errors: readonly number[], xLabel: string): string[] {
  const counts = new Array<number>(BINS).fill(0);
  for (const error of errors) {
    const bin = Math.floor(((error + SPAN) / (2 * SPAN)) * BINS);
    counts[Math.min(BINS - 1, Math.max(0, bin))] += 1;
  }
  const place = { left: 52, right: WIDTH - 14, top: 30, bottom: 190 };
  const frame: Frame = {
    ...place,
    x: scaleOf([-SPAN, SPAN], [place.left, place.right]),
    y: scaleOf(axisRange([0, ...counts, 1]), [place.bottom, place.top]),
  };
  const width = (place.right - place.left) / BINS - 1;
  const bars = counts.map((count, bin) => {
    const start = -SPAN + (2 * SPAN * bin) / BINS;
    const inside = start >= -1 && start < 1;
    const y = frame.y(count);
    return `<rect class="f${inside ? 0 : 1}" x="${at(frame.x(start))}" y="${at(y)}" width="${at(width)}" height="${at(place.bottom - y)}"/>`;
  });
  return [...yAxis(frame, 'cells'), ...xAxis(frame, xLabel), ...bars, axes(frame)];
}

function arrayMap(
  name: string,
  cells: readonly ProgrammedCell[],
  error: (cell: ProgrammedCell) => number,
  { rows, columns }: ProgramPlot,
  { x, y, size }: { x: number; y: number; size: number },
): string[] {
  const values = new Float64Array(rows * columns).fill(Number.NaN);
  for (const cell of cells) values[cell.row * columns + cell.column] = error(cell);
  const place = { x, y, width: size * columns, height: size * rows };
  const crosses = cells.flatMap((cell) => {
    if (!cell.failed) return [];
    const [left, top] = [at(x + cell.column * size), at(y + cell.row * size)];
    const step = at(size);
    return [`M${left} ${top}l${step} ${step}m-${step} 0l${step} -${step}`];
  });
  return [
    textAt(x, y - 6, name),
    mapAt(place, { rows, columns, values, max: 1, signed: true }),
    `<rect class="axis" x="${at(x)}" y="${at(y)}" width="${at(place.width)}" height="${at(place.height)}"/>`,
    ...(crosses.length > 0 ? [`<path class="whisker" d="${crosses.join('')}"/>`] : []),
  ];
}
