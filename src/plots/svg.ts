/** Line plots as self-contained SVG. */

export interface Line {
  name: string;
  x: readonly number[];
  y: readonly number[];
}

export interface Panel {
  /** With its unit, as in "v (V)". */
  label: string;
  lines: readonly Line[];
}

const WIDTH = 720;
const HEIGHT = 220;
const LEFT = 70;
const RIGHT = 110;
const TOP = 16;
const BOTTOM = 34;
/** Okabe and Ito's colours, told apart by everyone. */
const COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#F0E442'];

const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** Round values across a range, about five. */
function ticks(low: number, high: number): number[] {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const first = Math.ceil(low / step) * step;
  const result: number[] = [];
  for (let i = 0; first + i * step <= high + step * 1e-9; i++)
    result.push(Number((first + i * step).toPrecision(12)));
  return result;
}

/** Panels one below the other over a common x axis. */
export function linePlot(title: string, xLabel: string, panels: readonly Panel[]): string {
  const height = panels.length * HEIGHT + 30;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="18" font-size="14">${escapeXml(title)}</text>`,
  ];
  panels.forEach((panel, k) => {
    const points = panel.lines
      .flatMap(({ x, y }) => x.map((value, i) => [value, y[i]]))
      .filter(([, y]) => Number.isFinite(y));
    const range = (i: 0 | 1) => {
      let [low, high] = extent(points.map((p) => p[i]));
      if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
      return [low, high] as const;
    };
    const [x0, x1] = range(0);
    const [y0, y1] = range(1);
    const top = 30 + k * HEIGHT + TOP;
    const bottom = 30 + (k + 1) * HEIGHT - BOTTOM;
    const px = (x: number) => (LEFT + ((x - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
    const py = (y: number) => (bottom - ((y - y0) / (y1 - y0)) * (bottom - top)).toFixed(1);
    for (const tick of ticks(y0, y1))
      parts.push(
        `<path d="M${LEFT} ${py(tick)}H${WIDTH - RIGHT}" stroke="#ddd"/><text x="${LEFT - 6}" y="${py(tick)}" dy="4" text-anchor="end">${tick}</text>`,
      );
    for (const tick of ticks(x0, x1))
      parts.push(`<text x="${px(tick)}" y="${bottom + 16}" text-anchor="middle">${tick}</text>`);
    parts.push(
      `<path d="M${LEFT} ${top}V${bottom}H${WIDTH - RIGHT}" fill="none" stroke="black"/>`,
      `<text x="14" y="${(top + bottom) / 2}" transform="rotate(-90 14 ${(top + bottom) / 2})" text-anchor="middle">${escapeXml(panel.label)}</text>`,
    );
    if (k === panels.length - 1)
      parts.push(
        `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${bottom + 30}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
      );
    panel.lines.forEach((line, i) => {
      const colour = COLOURS[i % COLOURS.length];
      const path = line.x
        .map((x, j) => (Number.isFinite(line.y[j]) ? `${px(x)},${py(line.y[j])}` : ''))
        .filter(Boolean)
        .join(' ');
      parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`);
      if (panel.lines.length > 1 || line.name)
        parts.push(
          `<text x="${WIDTH - RIGHT + 8}" y="${top + 12 + i * 15}" fill="${colour}">${escapeXml(line.name)}</text>`,
        );
    });
  });
  parts.push('</svg>', '');
  return parts.join('\n');
}

/** Smallest and largest of values, of which there may be more than a call takes arguments. */
export function extent(values: Iterable<number>): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** A line in block characters: `rows` lines of `columns` characters, with the range at the left. */
export function textPlot(
  y: readonly number[],
  columns: number,
  rows: number,
  format: (value: number) => string,
): string {
  const width = Math.max(10, Math.min(columns, y.length));
  const [low, high] = extent(y);
  const grid = Array.from({ length: rows }, () => Array<string>(width).fill(' '));
  const row = (value: number) => rows - 1 - Math.round(((value - low) / (high - low || 1)) * (rows - 1));
  for (let c = 0; c < width; c++) {
    const from = Math.floor((c * y.length) / width);
    const to = Math.max(from + 1, Math.floor(((c + 1) * y.length) / width));
    const part = y.slice(from, to);
    const [least, largest] = extent(part);
    const top = row(largest);
    const bottom = row(least);
    for (let r = top; r <= bottom; r++) grid[r][c] = '█';
  }
  const labels = [format(high), format(low)];
  const margin = Math.max(...labels.map((label) => label.length));
  return grid
    .map(
      (line, r) =>
        `${(r === 0 ? labels[0] : r === rows - 1 ? labels[1] : '').padStart(margin)} │${line.join('').trimEnd()}`,
    )
    .join('\n');
}
