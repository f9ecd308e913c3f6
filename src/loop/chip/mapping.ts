/**
 * A dense layer on crossbar arrays. Weight w(j, i) becomes the difference of two conductances in row i of a tile,
 * columns 2k (plus) and 2k + 1 (minus); in arrays of one column, rows 2i (plus) and 2i + 1 (minus). A layer larger than an array is cut into tiles whose partial sums the host
 * adds. Biases stay in the host: they are added after the converters.
 */
import { arrayWindow, type Passport } from '../../calibration/index.js';
import type { BoardDescription } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';

/** V at a full-scale input: so small, and never negative, that a thousand reads do not program the weakest cells. */
export const READ_VOLTAGE = 0.05;

/** Conductances that cells are programmed to, S. */
export interface ConductanceWindow {
  min: number;
  max: number;
  /** What most cells can be programmed to beyond the window, for the partners of stuck cells. Default: `max`. */
  reach?: number;
}

/** Part of a layer on one array: rows 0 … inputCount − 1, columns 0 … 2·outputCount − 1; or rows 0 … 2·inputCount − 1. */
export interface Tile {
  array: number;
  inputStart: number;
  inputCount: number;
  outputStart: number;
  outputCount: number;
}

export interface LayerMap {
  inputs: number;
  outputs: number;
  /** |weight| that takes the whole window; larger weights are clipped. */
  weightMax: number;
  /** Inputs between which the read voltage goes from 0 to full; those beyond are clipped. */
  inputMin: number;
  inputMax: number;
  /** Two outputs share one pair of columns: the second gets the opposite of the first. */
  opposed: boolean;
  tiles: Tile[];
}

export interface NetworkMap {
  rows: number;
  columns: number;
  window: ConductanceWindow;
  /** V, at input value inputMax. */
  readVoltage: number;
  layers: LayerMap[];
}

export interface LayerShape {
  inputs: number;
  outputs: number;
  weightMax: number;
  /** 0 unless given: only membrane waveforms have a sign. */
  inputMin?: number | undefined;
  inputMax: number;
}

/** Whether the two cells of a weight are in two rows: where there is one column. A column without a partner stays unused. */
export const pairsInRows = ({ columns }: Pick<NetworkMap, 'columns'>): boolean => columns === 1;

/**
 * Places layers one after the other, one tile per array. Where there is one pair of columns too few for two classes, the two
 * outputs of the last layer share a pair. Throws `bad-input` if the board has too few arrays or cells.
 */
export function mapLayers(
  layers: readonly LayerShape[],
  board: Pick<BoardDescription, 'arrays' | 'rows' | 'columns'>,
  window: ConductanceWindow,
  readVoltage: number,
): NetworkMap {
  const { rows, columns } = board;
  const inRows = pairsInRows(board);
  const inputs = inRows ? Math.floor(rows / 2) : rows;
  if (inputs === 0)
    throw new MemloopError(
      'bad-input',
      'a weight takes two cells of an array, the arrays of this board have one; use a board with larger arrays',
    );
  const outputs = inRows ? columns : Math.floor(columns / 2);
  const place = (share: boolean) => {
    let array = 0;
    const maps = layers.map((shape, l): LayerMap => {
      const opposed = share && l === layers.length - 1;
      const tiles: Tile[] = [];
      for (const [inputStart, inputCount] of cut(shape.inputs, inputs))
        for (const [outputStart, outputCount] of cut(opposed ? 1 : shape.outputs, outputs))
          tiles.push({ array: array++, inputStart, inputCount, outputStart, outputCount });
      return { ...shape, inputMin: shape.inputMin ?? 0, opposed, tiles };
    });
    return { arrays: array, maps };
  };
  const whole = place(false);
  const shared = layers.at(-1)?.outputs === 2 ? place(true) : whole;
  const { maps } = [whole, shared].find(({ arrays }) => arrays <= board.arrays) ?? {};
  if (maps) return { rows, columns, window, readVoltage, layers: maps };
  const shapes = layers.map((l) => `${l.inputs}×${l.outputs}`).join(', ');
  throw new MemloopError(
    'bad-input',
    `the network (${shapes}) needs ${shared.arrays} arrays of ${rows}×${columns}, the board has ${board.arrays}; use a smaller network or a larger board`,
  );
}

/** The range that all arrays of the network share, S. */
export function commonWindow(passport: Passport, map: NetworkMap): NetworkMap['window'] {
  const windows = map.layers.flatMap((layer) =>
    layer.tiles.map((tile) => arrayWindow(passport.array(tile.array))),
  );
  return {
    min: Math.max(...windows.map((w) => w.low)),
    max: Math.min(...windows.map((w) => w.high)),
    reach: Math.min(...windows.map((w) => w.reach)),
  };
}

/** Evenly sized pieces no longer than `max`: [start, count]. */
function cut(length: number, max: number): [number, number][] {
  const pieces = Math.ceil(length / max);
  return Array.from({ length: pieces }, (_, i) => {
    const start = Math.floor((i * length) / pieces);
    return [start, Math.floor(((i + 1) * length) / pieces) - start];
  });
}

/** S per unit of weight. */
export const weightScale = (map: NetworkMap, layer: LayerMap): number =>
  (map.window.max - map.window.min) / layer.weightMax;

/**
 * Calls back with every weight's index and the indices of its two cells in the array of its tile. Outputs that share a pair
 * have the same two cells, the other way round.
 */
export function forEachPair(
  map: NetworkMap,
  layer: LayerMap,
  visit: (weight: number, array: number, plus: number, minus: number) => void,
): void {
  const inRows = pairsInRows(map);
  for (const tile of layer.tiles)
    for (let i = 0; i < tile.inputCount; i++)
      for (let j = 0; j < tile.outputCount; j++) {
        const weight = (tile.outputStart + j) * layer.inputs + tile.inputStart + i;
        const plus = inRows ? 2 * i : i * map.columns + 2 * j;
        visit(weight, tile.array, plus, plus + 1);
        if (layer.opposed) visit(weight + layer.inputs, tile.array, plus + 1, plus);
      }
}

/** A weight as the cells have it: of two outputs that share a pair, half of what sets them apart. */
export function mappedWeight({ opposed, inputs }: LayerMap, weights: Float32Array, weight: number): number {
  return opposed ? (weights[weight] - weights[(weight + inputs) % weights.length]) / 2 : weights[weight];
}

/** Conductances by array index, S, rows × columns; NaN where nothing is mapped or known. */
export type ArrayConductances = Map<number, Float64Array>;

/** NaN for every array that the network is mapped to. */
export const emptyConductances = (map: NetworkMap): ArrayConductances =>
  new Map(
    map.layers.flatMap((layer) =>
      layer.tiles.map((tile) => [tile.array, new Float64Array(map.rows * map.columns).fill(Number.NaN)]),
    ),
  );

/**
 * Target conductances of all weights, S.
 *
 * @param weights one list per layer, outputs × inputs.
 * @param frozen conductances of the cells that no longer move, S, NaN for healthy ones: their partners make up for them
 * as far as they can.
 */
export function targetConductances(
  map: NetworkMap,
  weights: readonly Float32Array[],
  frozen?: ArrayConductances,
): ArrayConductances {
  const targets = emptyConductances(map);
  const { min, max, reach = max } = map.window;
  map.layers.forEach((layer, l) => {
    const scale = weightScale(map, layer);
    forEachPair(map, layer, (weight, array, plus, minus) => {
      const g = targets.get(array)!;
      const stuck = frozen?.get(array);
      const difference = clamp(mappedWeight(layer, weights[l], weight) * scale, min - max, max - min);
      const stuckPlus = stuck?.[plus] ?? Number.NaN;
      const stuckMinus = stuck?.[minus] ?? Number.NaN;
      if (!Number.isNaN(stuckPlus) && !Number.isNaN(stuckMinus)) return;
      if (!Number.isNaN(stuckPlus)) g[minus] = clamp(stuckPlus - difference, min, reach);
      else if (!Number.isNaN(stuckMinus)) g[plus] = clamp(stuckMinus + difference, min, reach);
      else {
        g[plus] = min + Math.max(difference, 0);
        g[minus] = min + Math.max(-difference, 0);
      }
    });
  });
  return targets;
}

/** The weights that the measured conductances (S) stand for: one list per layer, outputs × inputs. */
export function weightsOf(map: NetworkMap, measured: ArrayConductances): Float32Array[] {
  return map.layers.map((layer) => {
    const weights = new Float32Array(layer.inputs * layer.outputs);
    const scale = weightScale(map, layer);
    forEachPair(map, layer, (weight, array, plus, minus) => {
      const g = measured.get(array)!;
      weights[weight] = (g[plus] - g[minus]) / scale;
    });
    return weights;
  });
}

export const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value));
