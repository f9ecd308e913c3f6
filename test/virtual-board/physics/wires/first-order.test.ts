import { describe, expect, it } from 'vitest';
import { Random } from '../../../../src/model/random.js';
import { FirstOrderLines } from '../../../../src/virtual-board/physics/wires/first-order.js';
import { firstOrderReference } from '../../../../src/virtual-board/physics/wires/reference.js';

describe('lines to first order', () => {
  for (const [rows, columns, segment] of [
    [5, 7, 300],
    [8, 8, 20],
    [3, 1, 1000],
    [6, 10, 0],
  ])
    it(`${rows}×${columns}, ${segment} Ω: currents and squares as the reference has them, also after a row has moved`, () => {
      const random = new Random(7);
      const draw = (scale: number) =>
        Float64Array.from({ length: rows * columns }, () => scale * random.uniform());
      const [low, span, state] = [draw(2e-6), draw(7e-5), draw(1)];
      const voltages = Float64Array.from({ length: rows }, () => 0.1 * random.uniform());
      const beside = (v: number) => 1e-7 * (1 + v * v);
      const lines = new FirstOrderLines(rows, columns, segment);
      for (let r = 0; r < rows; r++) lines.setRow(r, low, span, state);
      const agrees = () => {
        const currents = new Float64Array(columns);
        const squares = new Float64Array(columns);
        lines.multiply(voltages, beside, currents, squares);
        const cells = state.map((x, i) => low[i] + span[i] * x);
        const wanted = firstOrderReference(rows, columns, segment, cells, voltages, beside);
        for (let c = 0; c < columns; c++) {
          expect(currents[c] / wanted.currents[c]).toBeCloseTo(1, 12);
          expect(squares[c] / wanted.squares[c]).toBeCloseTo(1, 12);
        }
      };
      agrees();
      state.fill(0.9, (rows - 1) * columns);
      lines.setRow(rows - 1, low, span, state);
      agrees();
    });
});
