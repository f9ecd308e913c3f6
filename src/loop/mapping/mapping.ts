/**
 * Layers on crossbar arrays. Weight w(j, i) becomes the difference of two conductances of an array, of neighbours in a row
 * (plus, then minus); in arrays of one column, in that column. A layer is cut into tiles, rectangles of an array each,
 * whose partial sums the host adds. Tiles may share an array: only the rows of one are driven at a time, and rows at 0 V
 * carry no current. Biases stay in the host: they are added after the converters.
 */
import { arrayWindow, type Passport } from '../../calibration/index.js';
import type { BoardDescription } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import { percent } from '../../shared/text.js';
import { type Matrix, type Placed, pack, type Room, roomOf, weightsIn } from './packing.js';

/** V at a full-scale input: so small, and never negative, that a thousand reads do not program the weakest cells. */
export const READ_VOLTAGE = 0.05;

/** Conductances that cells are programmed to, S. */
export interface ConductanceWindow {
  min: number;
  max: number;
  /** What most cells can be programmed to beyond the window, for the partners of stuck cells. Default: `max`. */
  reach?: number;
}

/** A rectangle of cells of one array. */
export interface Area {
  array: number;
  /** Of its first cell. */
  row: number;
  column: number;
  rows: number;
  columns: number;
}

/** Part of a layer on such a rectangle, two cells a weight. */
export interface Tile extends Area {
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
  /** That it is multiplied by for one sample; 1 unless given. */
  vectors?: number;
  weightMax: number;
  /** 0 unless given: only membrane waveforms have a sign. */
  inputMin?: number | undefined;
  inputMax: number;
}

/** Whether the two cells of a weight are in two rows: where there is one column. A column without a partner stays unused. */
export const pairsInRows = ({ columns }: Pick<NetworkMap, 'columns'>): boolean => columns === 1;

/**
 * Places layers one after the other, one tile for each array. Where the board has too few arrays for that, they share
 * arrays, cut to the arrays' shape: then whatever has no more weights than the board has pairs of cells finds its place.
 * Where two classes still find none, the two outputs of the last layer share a pair of columns. Throws `bad-input` if the
 * network has more weights than that.
 */
export function mapLayers(
  layers: readonly LayerShape[],
  board: Pick<BoardDescription, 'arrays' | 'rows' | 'columns'>,
  window: ConductanceWindow,
  readVoltage: number,
): NetworkMap {
  const { arrays, rows, columns } = board;
  const inRows = pairsInRows(board);
  const room: Room = inRows
    ? { arrays, inputs: Math.floor(rows / 2), outputs: columns }
    : { arrays, inputs: rows, outputs: Math.floor(columns / 2) };
  if (room.inputs === 0)
    throw new MemloopError(
      'bad-input',
      'a weight takes two cells of an array, the arrays of this board have one; use a board with larger arrays',
    );
  const place = (opposed: boolean) => {
    const matrices = layers.map(({ inputs, outputs, vectors = 1 }, l) => ({
      inputs,
      outputs: opposed && l === layers.length - 1 ? 1 : outputs,
      vectors,
    }));
    const apart = oneEach(matrices, room);
    return { opposed, matrices, placed: apart.length <= arrays ? apart : pack(matrices, room) };
  };
  const own = place(false);
  const { opposed, placed } = own.placed || layers.at(-1)?.outputs !== 2 ? own : place(true);
  if (!placed) throw tooSmall(own.matrices, room, board);
  const [inputCells, outputCells] = inRows ? [2, 1] : [1, 2];
  const maps = layers.map(
    ({ vectors: _, ...shape }, l): LayerMap => ({
      ...shape,
      inputMin: shape.inputMin ?? 0,
      opposed: opposed && l === layers.length - 1,
      tiles: placed
        .filter(({ matrix }) => matrix === l)
        .map(({ matrix: _, input, output, ...part }) => ({
          ...part,
          row: inputCells * input,
          column: outputCells * output,
          rows: inputCells * part.inputCount,
          columns: outputCells * part.outputCount,
        })),
    }),
  );
  return { rows, columns, window, readVoltage, layers: maps };
}

/** Matrices cut evenly into pieces no larger than an array, each at the first cell of an array of its own. */
function oneEach(matrices: readonly Matrix[], room: Room): Placed[] {
  let array = 0;
  return matrices.flatMap(({ inputs, outputs }, matrix) =>
    cut(inputs, room.inputs).flatMap(([inputStart, inputCount]) =>
      cut(outputs, room.outputs).map(([outputStart, outputCount]) => ({
        matrix,
        array: array++,
        input: 0,
        output: 0,
        inputStart,
        inputCount,
        outputStart,
        outputCount,
      })),
    ),
  );
}

/** Says what is missing, and the nearest that would fit. */
function tooSmall(
  matrices: readonly Matrix[],
  room: Room,
  { arrays, rows, columns }: Pick<BoardDescription, 'arrays' | 'rows' | 'columns'>,
): MemloopError {
  const filled = matrices.filter(({ inputs }) => inputs > 0);
  const shapes = filled.map((l) => `${l.inputs}×${l.outputs}`).join(', ');
  const needed = Math.ceil(weightsIn(filled) / (room.inputs * room.outputs));
  const hidden = (list: readonly Matrix[]) =>
    list
      .slice(0, -1)
      .map(({ outputs }) => outputs)
      .join(', ');
  const narrower = narrowed(filled, roomOf(room));
  const smaller = narrower
    ? `${hidden(narrower)} instead of ${hidden(filled)} hidden outputs`
    : 'fewer inputs';
  return new MemloopError(
    'bad-input',
    `the network (${shapes}) needs ${needed} arrays of ${rows}×${columns}, the board has ${arrays}; use a larger board or a smaller network, of ${smaller}`,
  );
}

/** The same network with hidden layers narrowed alike until its weights fit; undefined if they never do. */
function narrowed(matrices: readonly Matrix[], weights: number): Matrix[] | undefined {
  const widest = Math.max(0, ...matrices.slice(0, -1).map(({ outputs }) => outputs));
  for (let width = widest - 1; width > 0; width--) {
    const outputs = matrices.map((matrix, l) =>
      l === matrices.length - 1 ? matrix.outputs : Math.max(1, Math.floor((matrix.outputs * width) / widest)),
    );
    const fewer = matrices.map((matrix, l) => {
      // Each output of the layer before is so many inputs: one, or the places of a map.
      const each = l === 0 ? 1 : matrix.inputs / matrices[l - 1].outputs;
      return { ...matrix, inputs: l === 0 ? matrix.inputs : each * outputs[l - 1], outputs: outputs[l] };
    });
    if (weightsIn(fewer) <= weights) return fewer;
  }
  return undefined;
}

/** How much of a board a network takes. */
export interface Placement {
  /** Cells that carry weights, of so many. */
  cells: number;
  boardCells: number;
  /** Arrays that carry the network. */
  arrays: number;
  tiles: number;
}

export function placementOf(map: NetworkMap, { arrays }: Pick<BoardDescription, 'arrays'>): Placement {
  const tiles = map.layers.flatMap((layer) => layer.tiles);
  return {
    cells: tiles.reduce((sum, tile) => sum + tile.rows * tile.columns, 0),
    boardCells: arrays * map.rows * map.columns,
    arrays: new Set(tiles.map(({ array }) => array)).size,
    tiles: tiles.length,
  };
}

/** The same in one line. */
export const placementText = ({ cells, boardCells, arrays, tiles }: Placement): string =>
  `${cells} of the board's ${boardCells} cells (${percent(cells / boardCells, 1)}), ${tiles} tiles on ${arrays} arrays`;

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
        const plus = tile.row * map.columns + tile.column + (inRows ? 2 * i : i * map.columns + 2 * j);
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
