import { describe, expect, it } from 'vitest';
import { Random } from '../../../../src/model/random.js';
import { WireNetwork } from '../../../../src/virtual-board/physics/wires/network.js';
import { type NetworkProblem, solveNetwork } from '../../../../src/virtual-board/physics/wires/reference.js';
import {
  biased,
  CONDUCTANCES,
  type Conductances,
  ngspice,
  nodeVoltages,
  product,
  spicePoint,
} from './circuit.js';

const SIZES = [
  [4, 4],
  [5, 3],
  [1, 7],
  [8, 16],
  [16, 16],
] as const;
const SEGMENTS = [0.1, 1, 10];
const LINEAR = { amplitude: 0, beta: 8 };
const W_SDC = { amplitude: 2.4e-8, beta: 8 };
const BIASES = [
  ['V/2', 1 / 2],
  ['V/3', 1 / 3],
  ['floating', undefined],
] as const;

function made(
  [rows, columns]: readonly [number, number],
  segment: number,
  {
    kind = 'uniform',
    driver = 0,
    sense = 0,
    schottky = LINEAR,
    seed = 1,
  }: {
    kind?: Conductances;
    driver?: number;
    sense?: number;
    schottky?: typeof LINEAR;
    seed?: number;
  } = {},
) {
  const random = new Random(seed).fork(`${rows} ${columns} ${segment}`);
  const count = rows * columns;
  const switches = Float64Array.from({ length: count }, () => CONDUCTANCES[kind](random));
  const network = new WireNetwork(rows, columns, { segment, driver, sense }, schottky);
  const still = new Float64Array(count);
  const set = () => network.setCells(switches, still, still);
  set();
  const cells = { rows, columns, segment, switches, ...schottky };
  const voltages = Float64Array.from({ length: rows }, () => 0.2 * random.uniform());
  const multiply = () => {
    const currents = new Float64Array(columns);
    network.multiply(voltages, currents);
    return currents;
  };
  return { network, cells, random, switches, set, voltages, multiply };
}

const worst = (found: ArrayLike<number>, expected: ArrayLike<number>) =>
  Array.from(found).reduce((most, value, i) => Math.max(most, Math.abs(value / expected[i] - 1)), 0);

/** Largest difference over the largest value. */
const relative = (found: ArrayLike<number>, expected: ArrayLike<number>) => {
  const largest = Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Array.from(found).reduce((most, v, i) => Math.max(most, Math.abs(v - expected[i]) / largest), 0);
};

const across = (network: WireNetwork, { rows, columns }: NetworkProblem) =>
  Float64Array.from({ length: rows * columns }, (_, i) =>
    network.voltage(Math.floor(i / columns), i % columns),
  );

describe('products of linear cells', () => {
  for (const size of SIZES)
    it.each(SEGMENTS)(`${size.join('×')}, %s Ω: as conjugate gradients on all nodes find them`, (segment) => {
      for (const kind of ['uniform', 'trained'] as const)
        for (const [driver, sense] of [
          [0, 0],
          [50, 20],
        ]) {
          const { cells, voltages, multiply } = made(size, segment, { kind, driver, sense });
          const v = nodeVoltages(product(cells, voltages, driver, sense));
          const expected = Float64Array.from({ length: size[1] }, (_, c) => {
            let sum = 0;
            for (let i = c; i < size[0] * size[1]; i += size[1])
              sum += cells.switches[i] * (v[2 * i] - v[2 * i + 1]);
            return sum;
          });
          expect(worst(multiply(), expected)).toBeLessThan(1e-9);
        }
    });

  it('by the transfer matrix, once the cells have been left alone, they are the same', () => {
    const { multiply, network, switches, set, cells, voltages } = made([16, 15], 10);
    const first = multiply();
    const squares = [0, 1].map(() => new Float64Array(15));
    network.squares(squares[0]);
    for (let k = 0; k < 20; k++) multiply();
    expect(worst(multiply(), first)).toBeLessThan(1e-9);
    network.squares(squares[1]);
    expect(worst(squares[1], squares[0])).toBeLessThan(0.1);
    voltages.fill(0.1, 3, 5);
    expect(worst(multiply(), solveNetwork(product(cells, voltages)).columns)).toBeLessThan(1e-9);
    switches[40] *= 1.5;
    set();
    expect(worst(multiply(), solveNetwork(product(cells, voltages)).columns)).toBeLessThan(1e-9);
  });

  it('is still where nothing is driven', () => {
    const { voltages, multiply } = made([4, 4], 1);
    voltages.fill(0);
    expect(multiply()).toEqual(new Float64Array(4));
  });

  it('one cell alone is a divider', () => {
    const { switches, voltages, multiply } = made([1, 1], 3, { driver: 100, sense: 30 });
    expect(multiply()[0]).toBeCloseTo(voltages[0] / (1 / switches[0] + 136), 15);
  });
});

describe('cells with the Schottky part', () => {
  it.each(SEGMENTS)('products at %s Ω: as Newton on all nodes finds them', (segment) => {
    for (const size of SIZES) {
      const { cells, voltages, multiply } = made(size, segment, { schottky: W_SDC, driver: 10 });
      const expected = solveNetwork(product(cells, voltages, 10));
      expect(worst(multiply(), expected.columns)).toBeLessThan(1e-8);
    }
  });

  it.each(BIASES)('a pulse with %s: voltage of every cell, and what the pulsed one sees', (_, share) => {
    for (const size of [
      [1, 1],
      [4, 4],
      [8, 16],
    ] as const)
      for (const segment of SEGMENTS)
        for (const voltage of [0.75, -1]) {
          const { cells, random, switches } = made(size, segment, { schottky: W_SDC });
          const [row, column] = [random.integer(size[0]), random.integer(size[1])];
          const problem = biased(cells, { row, column, voltage, series: 5e3, share }, 10, 5);
          const other = new WireNetwork(size[0], size[1], { segment, driver: 10, sense: 5 }, W_SDC);
          other.setCells(switches, new Float64Array(switches.length), new Float64Array(switches.length));
          other.select({ row, column, voltage, series: 5e3, share });
          const seen = other.around(row, column);
          const before = across(other, problem);
          expect(relative(before, solveNetwork(problem).voltages)).toBeLessThan(1e-9);
          // A little more conductance there: the others move as the response says.
          const i = row * size[1] + column;
          switches[i] *= 1.001;
          const after = solveNetwork(problem).voltages;
          const current = switches[i] * after[i] + W_SDC.amplitude * Math.sinh(W_SDC.beta * after[i]);
          const moved = seen.voltage - seen.resistance * current;
          expect(Math.abs(moved - after[i])).toBeLessThan(1e-4 * Math.abs(seen.across - after[i]) + 1e-12);
          const predicted = before.map(
            (v, k) => v + (current - seen.current) * other.response(Math.floor(k / size[1]), k % size[1]),
          );
          expect(relative(predicted, after)).toBeLessThan(1e-7);
        }
  });
});

describe.skipIf(!ngspice)('against ngspice (skipped where it is not installed)', () => {
  it.each([
    [4, 4, 0.1, 'uniform'],
    [8, 5, 10, 'trained'],
    [16, 16, 1, 'uniform'],
  ] as const)('%s×%s, %s Ω, %s: column currents', (rows, columns, segment, kind) => {
    const { cells, voltages, multiply } = made([rows, columns], segment, { kind, schottky: W_SDC });
    const spice = spicePoint(product(cells, voltages));
    expect(worst(multiply(), spice.columns)).toBeLessThan(1e-6);
  });

  it.each(BIASES)('a pulse with %s: voltages of all cells', (_, share) => {
    const { network, cells } = made([16, 16], 5, { schottky: W_SDC });
    const bias = { row: 4, column: 9, voltage: 0.7, series: 5e3, share };
    network.select(bias);
    network.around(4, 9);
    const problem = biased(cells, bias);
    expect(relative(across(network, problem), spicePoint(problem).voltages)).toBeLessThan(1e-6);
  });
});
