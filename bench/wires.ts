/**
 * Exact lines beside scipy's sparse LU and ngspice, and what the first order is off by (docs/results/wires.md).
 *
 *     npm run bench:wires -- [--sizes 4,16,32,64,128] [--segments 0.1,0.5,1,2,10] [--spice 16] [--python python3]
 *
 * `--spice N`: ngspice solves the sizes up to N. Needs scipy and ngspice; times are those of the processor.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Random } from '../src/model/random.js';
import { Crossbar } from '../src/virtual-board/physics/crossbar.js';
import { type Bias, WireNetwork } from '../src/virtual-board/physics/wires/network.js';
import type { LineEnd, NetworkProblem } from '../src/virtual-board/physics/wires/reference.js';
import { loadProfile, withEffects } from '../src/virtual-board/profile.js';
import {
  biased,
  CONDUCTANCES,
  type Conductances,
  product,
  spicePoint,
} from '../test/virtual-board/physics/wires/circuit.js';

const { values: args } = parseArgs({
  options: {
    sizes: { type: 'string', default: '4,16,32,64,128' },
    segments: { type: 'string', default: '0.1,0.5,1,2,10' },
    spice: { type: 'string', default: '16' },
    python: { type: 'string', default: 'python3' },
  },
});
const numbers = (list: string) => list.split(',').map(Number);
const KINDS: Conductances[] = ['uniform', 'trained'];
const W_SDC = { amplitude: 2.4e-8, beta: 8 };
const LINEAR = { amplitude: 0, beta: 8 };
const SHARES = [1 / 2, 1 / 3, undefined];

interface Solved {
  currents: number[];
  voltages: number[];
  factor: number;
  solve: number;
}

/** scipy in a process of its own. */
function peer() {
  const script = new URL('../../bench/wires-peer.py', import.meta.url).pathname;
  const child = spawn(args.python, [script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  });
  const lines = createInterface({ input: child.stdout });
  const end = ({ voltage, resistance }: LineEnd) => [
    voltage,
    Number.isFinite(resistance) ? resistance : null,
  ];
  return {
    async solve(problem: NetworkProblem, wanted: boolean): Promise<Solved> {
      const { rowEnds, columnEnds, switches, ...rest } = problem;
      const text = JSON.stringify({
        ...rest,
        wanted,
        switches: Array.from(switches),
        rowEnds: rowEnds.map(end),
        columnEnds: columnEnds.map(end),
      });
      child.stdin.write(`${text}\n`);
      const [line] = await once(lines, 'line');
      return JSON.parse(line);
    },
    close: () => child.stdin.end(),
  };
}

const largest = (list: ArrayLike<number>) =>
  Array.from(list).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const worst = (found: ArrayLike<number>, expected: ArrayLike<number>) =>
  largest(Array.from(found, (value, i) => value / expected[i] - 1));
/** Largest difference over the largest value. */
const relative = (found: ArrayLike<number>, expected: ArrayLike<number>) =>
  largest(Array.from(found, (value, i) => value - expected[i])) / largest(expected);
const show = (value: number) => (value === 0 ? '0' : value.toExponential(0));

function setup(size: number, segment: number, kind: Conductances, schottky: typeof W_SDC) {
  const random = new Random(1).fork(`${size} ${segment} ${kind}`);
  const switches = Float64Array.from({ length: size * size }, () => CONDUCTANCES[kind](random));
  const voltages = Float64Array.from({ length: size }, () => 0.2 * random.uniform());
  const network = new WireNetwork(size, size, { segment, driver: 0, sense: 0 }, schottky);
  const still = new Float64Array(size * size);
  const change = () => network.setCells(switches, still, still);
  change();
  const cells = { rows: size, columns: size, segment, switches, ...schottky };
  const currents = new Float64Array(size);
  const multiply = () => {
    network.multiply(voltages, currents);
    return currents;
  };
  const pulse = (share: number | undefined): { found: Float64Array; problem: NetworkProblem } => {
    const bias: Bias = { row: size >> 1, column: size - 1, voltage: 0.7, series: 5e3, share };
    network.select(bias);
    network.around(bias.row, bias.column);
    const found = switches.map((_, i) => network.voltage(Math.floor(i / size), i % size));
    return { found, problem: biased(cells, bias) };
  };
  return { cells, voltages, change, multiply, pulse };
}

/** Relative differences of one array: of products, and of the voltages of all cells under each biasing. */
async function differences(
  size: number,
  segment: number,
  kind: Conductances,
  schottky: typeof W_SDC,
  solve: (problem: NetworkProblem, wanted: boolean) => Promise<{ currents: number[]; voltages: number[] }>,
) {
  const { cells, voltages, multiply, pulse } = setup(size, segment, kind, schottky);
  const expected = await solve(product(cells, voltages), false);
  const results = [worst(multiply(), expected.currents)];
  for (const share of SHARES) {
    const { found, problem } = pulse(share);
    results.push(relative(found, (await solve(problem, true)).voltages));
  }
  return results;
}

/** What products are off by, relative to the exact ones, with lines to first order and with none; profile's devices. */
function firstOrder(size: number, segment: number, kind: Conductances) {
  const base = structuredClone(withEffects(loadProfile('w-sdc-128x128x15'), []));
  Object.assign(base, { rows: size, columns: size, arrays: 1 });
  const random = new Random(2).fork(`${size} ${segment} ${kind}`);
  const states = Array.from({ length: size * size }, () => (CONDUCTANCES[kind](random) - 2e-6) / 7e-5);
  const voltages = Float64Array.from({ length: size }, () => 0.1 * random.uniform());
  const products = [
    { exact: { driver: 0, sense: 0 }, enabled: true },
    { enabled: true },
    { enabled: false },
  ].map((lines) => {
    const profile = structuredClone(base);
    Object.assign(profile.effects.lineResistance, { segment, ...lines });
    const array = new Crossbar(profile, new Random(1), new Random(1));
    array.state.set(states);
    const currents = new Float64Array(size);
    array.multiply(voltages, 1e-6, 1, currents);
    return currents;
  });
  const rms = (list: Float64Array) =>
    Math.sqrt(list.reduce((sum, value, c) => sum + (value / products[0][c] - 1) ** 2, 0) / size);
  return { first: rms(products[1]), most: worst(products[1], products[0]), none: rms(products[2]) };
}

/** Processor time of one call, ms: the least of forty stretches, as other processes share the caches. */
function cost(work: () => void, stretch: number): number {
  work();
  const times = Array.from({ length: 40 }, () => {
    const start = process.cpuUsage();
    for (let k = 0; k < stretch; k++) work();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e3 / stretch;
  });
  return Math.min(...times);
}

async function speeds(size: number, segment: number, scipy: ReturnType<typeof peer>) {
  const linear = setup(size, segment, 'uniform', LINEAR);
  const curved = setup(size, segment, 'uniform', W_SDC);
  const changing = ({ change, multiply }: typeof linear) =>
    cost(() => {
      change();
      multiply();
    }, 10);
  const moving = [changing(linear), changing(curved)];
  // One has been done since the last change; the next one after these makes the matrix.
  for (let k = 1; k < size; k++) linear.multiply();
  const start = process.cpuUsage();
  linear.multiply();
  const { user, system } = process.cpuUsage(start);
  const { factor, solve } = await scipy.solve(product(linear.cells, linear.voltages), false);
  const ms = (value: number) => `${value.toPrecision(3)} ms`;
  console.log(`\n${size}×${size}, ${segment} Ω, uniform, processor time\n
| | |
|---|---|
| transfer matrix, once | ${ms((user + system) / 1e3)} |
| product by it (linear cells at rest) | ${(1e3 * cost(linear.multiply, 2000)).toPrecision(3)} µs |
| product while cells change, linear cells | ${ms(moving[0])} |
| product while cells change, cells with the Schottky part | ${ms(moving[1])} |
| product of cells at rest with the Schottky part | ${ms(cost(curved.multiply, 10))} |
| scipy: factors of a state | ${ms(1e3 * factor)} |
| scipy: product by them | ${ms(1e3 * solve)} |`);
}

const sizes = numbers(args.sizes);
const segments = numbers(args.segments);
const scipy = peer();
const spice = async (problem: NetworkProblem) => {
  const { columns, voltages } = spicePoint(problem);
  return { currents: columns, voltages };
};
console.log(`| array | Ω a segment | conductances | to scipy: products | V/2 | V/3 | floating | to ngspice: products | V/2 | V/3 | floating | first order: r.m.s. | largest | no lines: r.m.s. |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|`);
for (const size of sizes)
  for (const segment of segments)
    for (const kind of KINDS) {
      const linear = await differences(size, segment, kind, LINEAR, scipy.solve);
      const curved =
        size <= Number(args.spice) ? await differences(size, segment, kind, W_SDC, spice) : undefined;
      const { first, most, none } = firstOrder(size, segment, kind);
      const cells = [
        `${size}×${size}`,
        segment,
        kind,
        ...linear.map(show),
        ...(curved ? curved.map(show) : ['', '', '', '']),
        ...[first, most, none].map((share) => `${(100 * share).toPrecision(2)} %`),
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
await speeds(sizes.at(-1)!, 1, scipy);
scipy.close();
