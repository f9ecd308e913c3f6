/** Plots for people: SVG files and loops in text. */
import type { Fit, MeasuredLoop } from '../calibration/loops/fit.js';
import { extent } from './svg.js';

const WIDTH = 720;
const HEIGHT = 520;

interface Series {
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  colour: string;
  label: string;
  /** Points instead of a line. */
  points?: boolean;
  closed?: boolean;
}

const escapeXml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** Round numbers that divide [low, high] into about five. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((s) => s * power >= rough)! * power;
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) =>
    Number((first + i * step).toPrecision(12)),
  );
}

function chart(
  series: readonly Series[],
  xLabel: string,
  yLabel: string,
  top: number,
  height: number,
): string {
  const xs = series.flatMap(({ x }) => Array.from(x));
  const ys = series.flatMap(({ y }) => Array.from(y));
  const span = (values: number[]) => {
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const pad = (high - low || 1) * 0.05;
    return [low - pad, high + pad] as const;
  };
  const [x0, x1] = span(xs);
  const [y0, y1] = span(ys);
  const left = 70;
  const right = WIDTH - 20;
  const px = (x: number) => (left + ((x - x0) / (x1 - x0)) * (right - left)).toFixed(1);
  const py = (y: number) => (top + height - ((y - y0) / (y1 - y0)) * height).toFixed(1);
  const parts = [
    `<rect x="${left}" y="${top}" width="${right - left}" height="${height}" fill="none" stroke="#888"/>`,
  ];
  for (const t of ticks(x0, x1)) {
    parts.push(
      `<line x1="${px(t)}" x2="${px(t)}" y1="${top}" y2="${top + height}" stroke="#eee"/><text x="${px(t)}" y="${top + height + 14}" text-anchor="middle">${t}</text>`,
    );
  }
  for (const t of ticks(y0, y1)) {
    parts.push(
      `<line x1="${left}" x2="${right}" y1="${py(t)}" y2="${py(t)}" stroke="#eee"/><text x="${left - 6}" y="${py(t)}" text-anchor="end" dominant-baseline="middle">${t}</text>`,
    );
  }
  for (const { x, y, colour, points, closed } of series) {
    if (points) {
      for (let i = 0; i < x.length; i++)
        parts.push(`<circle cx="${px(x[i])}" cy="${py(y[i])}" r="2" fill="${colour}"/>`);
    } else {
      const path = Array.from(x, (value, i) => `${px(value)},${py(y[i])}`).join(' ');
      parts.push(
        `<poly${closed ? 'gon' : 'line'} points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
      );
    }
  }
  series.forEach(({ label, colour }, i) => {
    parts.push(`<text x="${left + 10}" y="${top + 16 + 14 * i}" fill="${colour}">${escapeXml(label)}</text>`);
  });
  parts.push(
    `<text x="${(left + right) / 2}" y="${top + height + 30}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
  );
  parts.push(
    `<text transform="rotate(-90 16 ${top + height / 2})" x="16" y="${top + height / 2}" text-anchor="middle">${escapeXml(yLabel)}</text>`,
  );
  return parts.join('\n');
}

const document = (title: string, charts: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="${WIDTH / 2}" y="18" text-anchor="middle" font-size="13">${escapeXml(title)}</text>
${charts}
</svg>
`;

/** Measured and fitted loop above, residual over the range below. */
export function fitPlot(loop: MeasuredLoop, fit: Fit): string {
  const micro = (values: Float64Array) => values.map((value) => value * 1e6);
  const [low, high] = extent(loop.current);
  const range = high - low;
  const fitted = fit.response.current.map((current) => current - fit.offsets.current);
  const residual = loop.current.map((current, i) => (100 * (fitted[i] - current)) / range);
  const phase = loop.current.map((_, i) => i / loop.current.length);
  return document(
    `${loop.name}: NRMSE ${(100 * fit.nrmse[0]).toFixed(2)} %, ${fit.class}`,
    [
      chart(
        [
          { x: loop.voltage, y: micro(loop.current), colour: '#333', label: 'measured', points: true },
          { x: loop.voltage, y: micro(fitted), colour: '#c33', label: 'fitted', closed: true },
        ],
        'voltage across the memristor, V',
        'current, µA',
        30,
        300,
      ),
      chart(
        [{ x: phase, y: residual, colour: '#36c', label: 'fitted − measured' }],
        'period',
        '% of range',
        375,
        105,
      ),
    ].join('\n'),
  );
}

/** A pinched loop. */
export const loopPlot = (title: string, voltage: Float64Array, current: Float64Array): string =>
  document(
    title,
    chart(
      [{ x: voltage, y: current.map((i) => i * 1e6), colour: '#c33', label: 'measured' }],
      'voltage across the memristor, V',
      'current, µA',
      30,
      440,
    ),
  );

/** A loop in characters, columns x rows, with its extremes named. */
export function loopText(
  voltage: ArrayLike<number>,
  current: ArrayLike<number>,
  columns = 64,
  rows = 20,
): string {
  const extreme = (values: ArrayLike<number>, pick: (a: number, b: number) => number) =>
    Array.from(values).reduce((a, b) => pick(a, b));
  const [v0, v1] = [extreme(voltage, Math.min), extreme(voltage, Math.max)];
  const [i0, i1] = [extreme(current, Math.min), extreme(current, Math.max)];
  const grid = Array.from({ length: rows }, () => new Array<string>(columns).fill(' '));
  const column = (v: number) => Math.round(((v - v0) / (v1 - v0 || 1)) * (columns - 1));
  const row = (i: number) => rows - 1 - Math.round(((i - i0) / (i1 - i0 || 1)) * (rows - 1));
  if (i0 <= 0 && i1 >= 0) grid[row(0)].fill('─');
  if (v0 <= 0 && v1 >= 0) for (const line of grid) line[column(0)] = line[column(0)] === '─' ? '┼' : '│';
  for (let k = 0; k < voltage.length; k++) grid[row(current[k])][column(voltage[k])] = '•';
  const micro = (i: number) => `${(i * 1e6).toPrecision(3)} µA`.padStart(10);
  return grid
    .map((line, r) => `${r === 0 ? micro(i1) : r === rows - 1 ? micro(i0) : ' '.repeat(10)} ${line.join('')}`)
    .concat(`${' '.repeat(11)}${`${v0.toPrecision(3)} V`.padEnd(columns - 8)}${v1.toPrecision(3)} V`)
    .join('\n');
}

/** A cell at the end of a programming job. */
export interface ProgrammedCell {
  array: number;
  row: number;
  column: number;
  /** S */
  conductance: number;
  target: number;
  failed: boolean;
}

/**
 * What a programming job left: the distribution of errors in tolerances, and a map of them for each array. Failed cells are
 * crossed. At most four arrays are drawn.
 */
export function programPlot(
  title: string,
  cells: readonly ProgrammedCell[],
  { rows, columns, tolerance }: { rows: number; columns: number; tolerance: number },
): string {
  const error = (cell: ProgrammedCell) => (cell.conductance - cell.target) / tolerance;
  const BINS = 40;
  const counts = new Array<number>(BINS).fill(0);
  for (const cell of cells) {
    const bin = Math.floor(((error(cell) + 2) / 4) * BINS);
    counts[Math.min(BINS - 1, Math.max(0, bin))] += 1;
  }
  const left = 70;
  const most = Math.max(1, ...counts);
  const width = (WIDTH - left - 20) / BINS;
  const bars = counts.map((count, bin) => {
    const inside = bin >= BINS / 4 && bin < (3 * BINS) / 4;
    const height = (150 * count) / most;
    return `<rect x="${(left + bin * width).toFixed(1)}" y="${(190 - height).toFixed(1)}" width="${(width - 1).toFixed(1)}" height="${height.toFixed(1)}" fill="${inside ? '#36c' : '#c33'}"/>`;
  });
  const marks = [-2, -1, 0, 1, 2].map(
    (t) =>
      `<text x="${(left + ((t + 2) / 4) * BINS * width).toFixed(1)}" y="204" text-anchor="middle">${t}</text>`,
  );
  const arrays = [...new Set(cells.map(({ array }) => array))].sort((a, b) => a - b).slice(0, 4);
  const room = (WIDTH - 40) / Math.max(1, arrays.length);
  const size = Math.min((room - 20) / columns, 250 / rows);
  const maps = arrays.map((array, n) => {
    const x0 = 20 + n * room;
    const squares = cells
      .filter((cell) => cell.array === array)
      .map((cell) => {
        const share = Math.min(1, Math.abs(error(cell)));
        const shade = Math.round(255 - 200 * share);
        const colour = error(cell) > 0 ? `rgb(255,${shade},${shade})` : `rgb(${shade},${shade},255)`;
        const x = x0 + cell.column * size;
        const y = 250 + cell.row * size;
        const cross = cell.failed
          ? `<path d="M${x.toFixed(1)} ${y.toFixed(1)}l${size.toFixed(1)} ${size.toFixed(1)}m${(-size).toFixed(1)} 0l${size.toFixed(1)} ${(-size).toFixed(1)}" stroke="#000"/>`
          : '';
        return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${size.toFixed(1)}" height="${size.toFixed(1)}" fill="${colour}"/>${cross}`;
      });
    return `<text x="${x0.toFixed(1)}" y="244">array ${array}: red too high, blue too low, crossed failed</text>${squares.join('')}`;
  });
  return document(
    title,
    [
      ...bars,
      ...marks,
      `<text x="${left - 6}" y="44" text-anchor="end">${most}</text>`,
      `<text x="${WIDTH / 2}" y="220" text-anchor="middle">error in tolerances of ${(tolerance * 1e6).toPrecision(3)} µS; beyond ±2 in the last bars</text>`,
      ...maps,
    ].join('\n'),
  );
}
