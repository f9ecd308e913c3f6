/**
 * An array of cells as characters. With 256 colours or more a character holds two cells, one above the other
 * (`▀`); with fewer a shade stands for the conductance. Small arrays are magnified, large ones shrunk to the
 * room there is: then one dot is the mean of a block of cells.
 */

import type { ArrayState, Cell, Range } from '../state.js';
import { type Colour, heat, type Paint, runs } from './paint.js';
import { within } from './plot.js';

export interface HeatmapOptions {
  width: number;
  height: number;
  range: Range;
  cursor: { row: number; column: number };
  paint: Paint;
}

export interface Heatmap {
  lines: string[];
  /** Characters of each line. */
  width: number;
  /** Cells per dot, across and down; 1 unless the array was shrunk. */
  block: { columns: number; rows: number };
  /** Character at the middle of the cursor's cell. */
  cursor: { x: number; y: number };
}

const UNKNOWN: Colour = { rgb: [58, 58, 62], extended: 237 };
const FAILED: Colour = { rgb: [235, 64, 64], extended: 203 };
const BLACK: Colour = { rgb: [0, 0, 0], extended: 16 };
const WHITE: Colour = { rgb: [255, 255, 255], extended: 231 };
const SHADES = [' ', '░', '▒', '▓', '█'];
/** No dot is larger, so that an 8×8 array is not a wall. */
const MAX_SCALE = 8;

export function heatmap(array: ArrayState, options: HeatmapOptions): Heatmap {
  return options.paint.depth >= 8 ? blocks(array, options) : shades(array, options);
}

/** How a number of cells is laid over a number of dots: magnified or shrunk, by whole numbers. */
interface Scale {
  dots: number;
  block: number;
  scale: number;
}

const lay = (cells: number, room: number, scale: number): Scale => {
  const block = Math.max(1, Math.ceil(cells / room));
  const magnified = block > 1 ? 1 : scale;
  return { block, scale: magnified, dots: Math.ceil(cells / block) * magnified };
};

/** Dots that the array would fill in a room, for choosing between places. */
export function dotsIn(array: ArrayState, width: number, height: number, paint: Paint): number {
  if (width < 1 || height < 1) return 0;
  const { across, down } =
    paint.depth >= 8 ? blockScales(array, width, height) : shadeScales(array, width, height);
  return across.dots * down.dots;
}

/** 1 or an even number, so that cells end where characters end. */
const evenScale = (scale: number): number => (scale < 2 ? 1 : Math.floor(scale / 2) * 2);

function blockScales({ rows, columns }: ArrayState, width: number, height: number) {
  const scale = evenScale(Math.min(width / columns, (height * 2) / rows, MAX_SCALE));
  return { across: lay(columns, width, scale), down: lay(rows, height * 2, scale) };
}

/** Where there is room a shade is two characters wide: about square. */
function shadeScales({ rows, columns }: ArrayState, width: number, height: number) {
  const pair = columns * 2 <= width ? 2 : 1;
  const scale = Math.max(1, Math.floor(Math.min(width / 2 / columns, height / rows, MAX_SCALE / 2)));
  return { pair, across: lay(columns, Math.floor(width / pair), scale), down: lay(rows, height, scale) };
}

function blocks(array: ArrayState, { width, height, range, cursor, paint }: HeatmapOptions): Heatmap {
  const { across, down } = blockScales(array, width, height);
  const marked = across.block === 1 && down.block === 1;
  const colour = (x: number, y: number): Colour | undefined => {
    if (y >= down.dots) return undefined;
    const row = Math.floor(y / down.scale) * down.block;
    const column = Math.floor(x / across.scale) * across.block;
    const here = contains(cursor.row, row, down.block) && contains(cursor.column, column, across.block);
    if (here && across.scale === 1) return WHITE;
    if (marked && array.cells[row]?.[column]?.status === 'failed') return FAILED;
    const mean = meanOf(array, row, column, down.block, across.block);
    return mean === null ? UNKNOWN : heat(within(mean, range));
  };
  const lines = Array.from({ length: Math.ceil(down.dots / 2) }, (_, y) => {
    const dots = Array.from({ length: across.dots }, (_, x) => ({
      upper: colour(x, 2 * y),
      lower: colour(x, 2 * y + 1),
      mark:
        across.scale > 1 &&
        contains(x, cursor.column * across.scale, across.scale) &&
        contains(2 * y, cursor.row * down.scale, down.scale),
    }));
    return runs(
      dots,
      (a, b) => a.upper === b.upper && a.lower === b.lower && a.mark === b.mark,
      (run) => {
        const { upper, lower, mark } = run[0] as (typeof dots)[number];
        if (mark) return paint.on(contrast(upper), upper, frame(run.length));
        if (upper === lower) return paint.on(undefined, upper, ' '.repeat(run.length));
        return paint.on(upper, lower, '▀'.repeat(run.length));
      },
    );
  });
  return {
    lines,
    width: across.dots,
    block: { columns: across.block, rows: down.block },
    cursor: {
      x: Math.floor((Math.floor(cursor.column / across.block) + 0.5) * across.scale),
      y: Math.floor(((Math.floor(cursor.row / down.block) + 0.5) * down.scale) / 2),
    },
  };
}

function shades(array: ArrayState, { width, height, range, cursor, paint }: HeatmapOptions): Heatmap {
  const { pair, across, down } = shadeScales(array, width, height);
  const marked = across.block === 1 && down.block === 1;
  const wide = across.scale * pair;
  const glyph = (row: number, column: number): string => {
    const cell = array.cells[row]?.[column] as Cell;
    if (contains(cursor.row, row, down.block) && contains(cursor.column, column, across.block))
      return frame(wide);
    if (marked && cell.status === 'failed') return paint('bad', '×'.repeat(wide));
    const mean = meanOf(array, row, column, down.block, across.block);
    if (mean === null) return '·'.repeat(wide);
    const level = Math.min(SHADES.length - 1, Math.floor(within(mean, range) * SHADES.length));
    return (SHADES[Math.max(0, level)] as string).repeat(wide);
  };
  const lines = Array.from({ length: down.dots }, (_, y) => {
    const row = Math.floor(y / down.scale) * down.block;
    const dots = across.dots / across.scale;
    return Array.from({ length: dots }, (_, x) => glyph(row, x * across.block)).join('');
  });
  return {
    lines,
    width: across.dots * pair,
    block: { columns: across.block, rows: down.block },
    cursor: {
      x: Math.floor((Math.floor(cursor.column / across.block) + 0.5) * wide),
      y: Math.floor((Math.floor(cursor.row / down.block) + 0.5) * down.scale),
    },
  };
}

const contrast = (ground: Colour | undefined): Colour => {
  const [red, green, blue] = ground?.rgb ?? [0, 0, 0];
  return red * 0.3 + green * 0.6 + blue * 0.1 > 128 ? BLACK : WHITE;
};

/** The cursor where a cell is several characters wide. */
const frame = (width: number): string => (width === 1 ? '◆' : `[${' '.repeat(width - 2)}]`);

const contains = (value: number, start: number, length: number): boolean =>
  value >= start && value < start + length;

function meanOf(
  array: ArrayState,
  row: number,
  column: number,
  rows: number,
  columns: number,
): number | null {
  let sum = 0;
  let known = 0;
  for (const line of array.cells.slice(row, row + rows)) {
    for (const { conductance } of line.slice(column, column + columns)) {
      if (conductance === null) continue;
      sum += conductance;
      known += 1;
    }
  }
  return known > 0 ? sum / known : null;
}

/** The scale from the lowest to the highest value. */
export function scaleBar(paint: Paint, width: number): { text: string; width: number } {
  if (paint.depth < 8) return { text: SHADES.slice(1).join(''), width: SHADES.length - 1 };
  const dots = Array.from({ length: width }, (_, i) => paint.on(heat(i / (width - 1)), undefined, '█'));
  return { text: dots.join(''), width };
}
