import { describe, expect, test } from 'vitest';
import { CostMeter } from '../../../src/loop/chip/cost.js';
import { MIF, mifConductance, restState } from '../../../src/model/index.js';

const BOARD = {
  rows: 4,
  columns: 4,
  samples: 2,
  productTime: 1e-5,
  runs: 3,
  runTime: 1e-2,
  drives: 30,
  membraneSamples: 500,
};
/** Two rows and two columns in the middle of a 4×4 array. */
const AREA = { array: 0, row: 1, column: 1, rows: 2, columns: 2 };
const conductance = Float64Array.from({ length: 16 }, (_, i) => (i + 1) * 1e-6);
const voltages = Float32Array.of(0.5, 0.25);

describe('the cost of an inference', () => {
  test('cells take what the rows deliver, less what is lost along the lines', () => {
    const meter = new CostMeter();
    meter.product(AREA, voltages, conductance, 4, BOARD.productTime);
    const [a, b, c, d] = [6e-6, 7e-6, 10e-6, 11e-6];
    const delivered = BOARD.productTime * (0.25 * (a + b) + 0.0625 * (c + d));
    expect(meter.cost(1, BOARD).parts.cells).toBeCloseTo(delivered, 18);
    const [row1, row2] = [
      [0.5 * a, 0.5 * b],
      [0.25 * c, 0.25 * d],
    ];
    // Along a row: two segments with all of its current, one with that of its last cell. Down a column: one with the first
    // current, then two with both.
    const along = [row1, row2].reduce((sum, [i, j]) => sum + 2 * (i + j) ** 2 + j ** 2, 0);
    const down = [0, 1].reduce((sum, k) => sum + row1[k] ** 2 + 2 * (row1[k] + row2[k]) ** 2, 0);
    const { parts } = meter.cost(1, BOARD, { segment: 2 });
    expect(parts.wires! / (2 * BOARD.productTime * (along + down))).toBeCloseTo(1, 9);
    expect(parts.cells + parts.wires!).toBeCloseTo(delivered, 18);
  });

  test('converters by their figures, latency by products and runs; of two inferences the mean', () => {
    const meter = new CostMeter();
    for (let i = 0; i < 32; i++) meter.product(AREA, voltages, conductance, 4, BOARD.productTime);
    const { parts, latency, energy, products } = meter.cost(2, BOARD, { rowDac: 1e-9, membraneAdc: 1e-10 });
    expect(products).toBe(16);
    expect(latency).toBeCloseTo(16e-5 + 3e-2, 12);
    expect(parts.converters).toBeCloseTo(16 * 4 * 1e-9 + 500 * 1e-10, 15);
    expect(energy).toBeCloseTo(parts.cells + parts.neurons + parts.converters!, 18);
    expect(parts.wires).toBeUndefined();
  });

  test('a neuron at rest takes what its two memristors draw', () => {
    const meter = new CostMeter();
    const { v, x1, x2 } = restState(MIF);
    meter.neurons([MIF, MIF], new Float32Array(200).fill(v), 1e-5);
    meter.image();
    const power = mifConductance(MIF, x1) * (v - MIF.e1) ** 2 + mifConductance(MIF, x2) * (v - MIF.e2) ** 2;
    expect(meter.cost(1, BOARD).parts.neurons / (2 * power * 1e-3)).toBeCloseTo(1, 4);
  });
});
