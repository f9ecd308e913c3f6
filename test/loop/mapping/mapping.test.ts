import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  forEachPair,
  mapLayers,
  placementOf,
  targetConductances,
  weightScale,
  weightsOf,
} from '../../../src/loop/mapping/mapping.js';

const window = { min: 4e-6, max: 50e-6 };
const shapes = fc
  .tuple(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 2, max: 20 }),
    fc.integer({ min: 1, max: 20 }),
    fc.boolean(),
  )
  .map(([inputs, outputs, rows, columns, shared]) => {
    const pairs = columns === 1 ? Math.floor(rows / 2) : rows * Math.floor(columns / 2);
    return { inputs, outputs, rows, columns, arrays: shared ? Math.ceil((inputs * outputs) / pairs) : 1e4 };
  });

describe('mapping a layer onto tiles', () => {
  it('gives every weight two cells of its own, inside an array', () => {
    fc.assert(
      fc.property(shapes, ({ inputs, outputs, rows, columns, arrays }) => {
        const map = mapLayers(
          [{ inputs, outputs, weightMax: 1, inputMax: 1 }],
          { arrays, rows, columns },
          window,
          0.1,
        );
        const weights = new Set<number>();
        const cells = new Set<string>();
        forEachPair(map, map.layers[0], (weight, array, plus, minus) => {
          weights.add(weight);
          for (const cell of [plus, minus]) if (cell < rows * columns) cells.add(`${array}/${cell}`);
          const rowsApart = Math.floor(minus / columns) - Math.floor(plus / columns);
          if (rowsApart !== (columns === 1 ? 1 : 0)) weights.delete(weight);
        });
        expect(weights.size).toBe(inputs * outputs);
        expect(cells.size).toBe(2 * inputs * outputs);
      }),
    );
  });

  it('reads back the weights it has written, clipped at weightMax', () => {
    fc.assert(
      fc.property(
        shapes,
        fc.infiniteStream(fc.float({ min: -2, max: 2, noNaN: true })),
        ({ inputs, outputs, rows, columns, arrays }, values) => {
          const map = mapLayers(
            [{ inputs, outputs, weightMax: 1.5, inputMax: 1 }],
            { arrays, rows, columns },
            window,
            0.1,
          );
          const weights = Float32Array.from({ length: inputs * outputs }, () => values.next().value);
          const [back] = weightsOf(map, targetConductances(map, [weights]));
          const error = weights.map((w, i) => Math.abs(back[i] - Math.min(1.5, Math.max(-1.5, w))));
          expect(Math.max(...error)).toBeLessThan(1e-5);
        },
      ),
    );
  });

  it('lets the partner of a stuck cell take over what the window allows', () => {
    const map = mapLayers(
      [{ inputs: 1, outputs: 1, weightMax: 1, inputMax: 1 }],
      { arrays: 1, rows: 2, columns: 2 },
      window,
      0.1,
    );
    const scale = weightScale(map, map.layers[0]);
    const frozen = new Map([[0, Float64Array.of(20e-6, Number.NaN, Number.NaN, Number.NaN)]]);
    const g = targetConductances(map, [Float32Array.of(-0.2)], frozen).get(0)!;
    expect(g[0]).toBeNaN();
    expect((20e-6 - g[1]) / scale).toBeCloseTo(-0.2, 6);
    const beyond = targetConductances(map, [Float32Array.of(0.9)], frozen).get(0)!;
    expect(beyond[1]).toBe(window.min);
    const high = 1.3 * window.max;
    frozen.get(0)![0] = high;
    const within = targetConductances(map, [Float32Array.of(0)], frozen).get(0)!;
    expect(within[1]).toBe(window.max);
    const wider = { ...map, window: { ...window, reach: 1.4 * window.max } };
    expect(targetConductances(wider, [Float32Array.of(0)], frozen).get(0)![1]).toBeCloseTo(high, 12);
  });

  it('needs two cells in an array for a weight', () => {
    const shape = { inputs: 2, outputs: 2, weightMax: 1, inputMax: 1 };
    expect(() => mapLayers([shape], { arrays: 16, rows: 1, columns: 1 }, window, 0.1)).toThrow(
      /takes two cells of an array/,
    );
    expect(
      mapLayers([shape], { arrays: 16, rows: 1, columns: 16 }, window, 0.1).layers[0].tiles,
    ).toHaveLength(2);
  });

  it('lets two outputs share a pair of columns where there is no other: what sets them apart stays', () => {
    const shape = { inputs: 8, outputs: 2, weightMax: 1, inputMax: 1 };
    const board = { arrays: 1, rows: 8, columns: 2 };
    const map = mapLayers([shape], board, window, 0.1);
    const weights = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(weights, (list) => {
        const g = targetConductances(map, [Float32Array.from(list)]);
        const [back] = weightsOf(map, g);
        for (let i = 0; i < 8; i++) {
          expect(back[i] - back[8 + i]).toBeCloseTo(list[i] - list[8 + i], 5);
          expect(back[i] + back[8 + i]).toBe(0);
        }
      }),
    );
    expect(mapLayers([shape], { ...board, arrays: 2 }, window, 0.1).layers[0].tiles).toHaveLength(2);
    expect(() => mapLayers([{ ...shape, outputs: 3 }], board, window, 0.1)).toThrow(/needs 3 arrays/);
  });

  it('says how many arrays are missing, and how narrow a network would fit', () => {
    const shape = (inputs: number, outputs: number) => ({ inputs, outputs, weightMax: 1, inputMax: 1 });
    const board = { arrays: 3, rows: 32, columns: 32 };
    expect(() => mapLayers([shape(64, 32)], board, window, 0.1)).toThrow(
      /needs 4 arrays of 32×32, the board has 3; use a larger board or a smaller network, of fewer inputs/,
    );
    const two = () => mapLayers([shape(64, 32), shape(32, 10)], { ...board, arrays: 4 }, window, 0.1);
    expect(two).toThrow(/needs 5 arrays of 32×32, the board has 4; .* of 27 instead of 32 hidden outputs/);
    const maps = () => mapLayers([shape(25, 8), shape(200, 24), shape(384, 10)], board, window, 0.1);
    expect(maps).toThrow(/of \d, \d instead of 8, 24 hidden outputs/);
  });

  it('gives each tile an array of its own where there are enough, at its first cell', () => {
    const shape = (inputs: number, outputs: number) => ({ inputs, outputs, weightMax: 1, inputMax: 1 });
    const board = { arrays: 5, rows: 32, columns: 32 };
    const map = mapLayers([shape(64, 32), shape(32, 10)], board, window, 0.1);
    const tiles = map.layers.flatMap((layer) => layer.tiles);
    expect(tiles.map(({ array, row, column }) => [array, row, column])).toEqual(
      [0, 1, 2, 3, 4].map((array) => [array, 0, 0]),
    );
    expect(placementOf(map, board)).toEqual({ cells: 4736, boardCells: 5120, arrays: 5, tiles: 5 });
  });
});
