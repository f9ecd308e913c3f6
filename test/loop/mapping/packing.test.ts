import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Matrix, pack, type Room, roomOf, weightsIn } from '../../../src/loop/mapping/packing.js';

const matrices: fc.Arbitrary<Matrix[]> = fc.array(
  fc.record({
    inputs: fc.integer({ min: 1, max: 60 }),
    outputs: fc.integer({ min: 1, max: 40 }),
    vectors: fc.integer({ min: 1, max: 20 }),
  }),
  { minLength: 1, maxLength: 4 },
);
const shape = fc.record({
  inputs: fc.integer({ min: 1, max: 30 }),
  outputs: fc.integer({ min: 1, max: 20 }),
});

/** Just as many arrays as the weights take. */
const tight = (list: readonly Matrix[], { inputs, outputs }: Omit<Room, 'arrays'>): Room => ({
  arrays: Math.ceil(weightsIn(list) / (inputs * outputs)),
  inputs,
  outputs,
});

describe('packing matrices on arrays', () => {
  it('places every weight once, without overlap, wherever there are as many cells as weights', () => {
    fc.assert(
      fc.property(matrices, shape, (list, size) => {
        const room = tight(list, size);
        const taken = new Set<string>();
        const weights = new Set<string>();
        for (const part of pack(list, room)!) {
          expect(part.array).toBeLessThan(room.arrays);
          expect(part.input + part.inputCount).toBeLessThanOrEqual(room.inputs);
          expect(part.output + part.outputCount).toBeLessThanOrEqual(room.outputs);
          for (let i = 0; i < part.inputCount; i++)
            for (let j = 0; j < part.outputCount; j++) {
              taken.add(`${part.array} ${part.input + i} ${part.output + j}`);
              weights.add(`${part.matrix} ${part.inputStart + i} ${part.outputStart + j}`);
            }
        }
        const most = pack(list, room)!.reduce((sum, part) => sum + part.inputCount * part.outputCount, 0);
        expect([taken.size, weights.size, most]).toEqual(Array(3).fill(weightsIn(list)));
      }),
      { numRuns: 40 },
    );
  });

  it('sums the products of the rectangles to the whole product', () => {
    fc.assert(
      fc.property(matrices, shape, (list, size) => {
        const weight = (m: number, i: number, j: number) => ((7 * m + 3 * i + 5 * j) % 11) - 5;
        const input = (i: number) => (i % 7) - 3;
        const sums = list.map(({ outputs }) => Array<number>(outputs).fill(0));
        for (const { matrix, ...part } of pack(list, tight(list, size))!)
          for (let i = part.inputStart; i < part.inputStart + part.inputCount; i++)
            for (let j = part.outputStart; j < part.outputStart + part.outputCount; j++)
              sums[matrix][j] += input(i) * weight(matrix, i, j);
        const whole = list.map(({ inputs, outputs }, m) =>
          Array.from({ length: outputs }, (_, j) =>
            Array.from({ length: inputs }, (_, i) => input(i) * weight(m, i, j)).reduce((a, b) => a + b, 0),
          ),
        );
        expect(sums).toEqual(whole);
      }),
      { numRuns: 40 },
    );
  });

  it('cuts where the arrays end and no finer than it must', () => {
    const dense = (inputs: number, outputs: number) => ({ inputs, outputs, vectors: 1 });
    expect(pack([dense(20, 10), dense(10, 5)], { arrays: 1, inputs: 30, outputs: 10 })).toHaveLength(2);
    expect(pack([dense(64, 32), dense(32, 10)], { arrays: 6, inputs: 24, outputs: 20 })!.length).toBeLessThan(
      10,
    );
  });

  it('fills four fifths and more of the smallest board that a network fits on', () => {
    const dense = (...sizes: number[]): Matrix[] =>
      sizes.slice(1).map((outputs, l) => ({ inputs: sizes[l], outputs, vectors: 1 }));
    const odd: [Matrix[], Omit<Room, 'arrays'>][] = [
      [dense(64, 32, 10), { inputs: 24, outputs: 20 }],
      [dense(64, 32, 10), { inputs: 16, outputs: 8 }],
      [dense(64, 29, 10), { inputs: 20, outputs: 14 }],
      [dense(13, 8, 3), { inputs: 8, outputs: 4 }],
      [dense(33, 17, 5), { inputs: 16, outputs: 15 }],
      [dense(30, 11, 2), { inputs: 8, outputs: 4 }],
      [dense(18, 23, 7), { inputs: 11, outputs: 9 }],
      [dense(50, 21, 19, 3), { inputs: 32, outputs: 16 }],
      [dense(100, 37, 10), { inputs: 48, outputs: 13 }],
      [dense(41, 40, 7), { inputs: 17, outputs: 6 }],
    ];
    for (const [list, size] of odd) {
      const room = list[0].inputs === 64 && size.inputs === 24 ? { arrays: 6, ...size } : tight(list, size);
      expect(pack(list, room)).toBeDefined();
      expect(weightsIn(list) / roomOf(room)).toBeGreaterThan(0.8);
    }
  });

  it('finds no place for more weights than cells', () => {
    expect(
      pack([{ inputs: 5, outputs: 5, vectors: 1 }], { arrays: 2, inputs: 3, outputs: 4 }),
    ).toBeUndefined();
  });
});
