/**
 * KNOWM's Memristor Discovery board V2 as a circuit in time: W1 → series resistor → node with its capacitance and the scope's
 * input → closed switches → memristors → ground. Mode 1: one node with all 16 switches, scope 1 at the node, scope 2 at W1.
 * Mode 2: two branches, memristors 1 to 8 with scope 1 and 9 to 16 with scope 2, and W1 is not measured.
 *
 * memloop's voltages are those of W1 upside down: the circuit is computed with memloop's sign.
 */
import type { Random } from '../../../model/random.js';
import type { DrivenCell } from '../../physics/driven-cell.js';
import type { BareChip } from '../bare-chip.js';

/** Of one input of the scope, Ω. */
const INPUT_RESISTANCE = 1e6;
/** Of a node with its scope input, F. */
const CAPACITANCE = 180e-12;
/** Of a closed switch with its traces, Ω. */
const SWITCH_RESISTANCE = 75;
/** The state may move by this share of its range in one step. */
const MOVE_MOST = 0.05;
/** Below this a cell is at rest once W1 is at 0, V. */
const REST = 0.02;
/** Closer than this to where it goes, a node is there as far as the cells' speed is concerned, V. */
const SETTLED = 1e-4;
/** Fewest steps in which a run is computed. */
const STEPS = 2048;

export interface BoardOptions {
  /** Where the slide switch stands. */
  mode: 1 | 2;
  /** Of the whole in mode 1, of a branch in mode 2, Ω. */
  series: number;
}

/** What W1 does, in true volts of W1. */
export interface Run {
  /** One entry a step of the wave, V. */
  wave: Float64Array;
  /** Of the wave, s. */
  period: number;
  /** How long it runs, s. */
  time: number;
  /** Before and after, V. */
  idle: number;
}

/** Scope samples: the first one `start` s after the run's beginning. */
export interface Recording {
  start: number;
  rate: number;
  count: number;
}

interface Node {
  /** memloop's sign, V. */
  voltage: number;
  cells: DrivenCell[];
}

export class DiscoveryBoard {
  readonly chip: BareChip;
  readonly #noise: Random;
  mode: 1 | 2;
  series: number;
  /** S from the node to ground beside everything else: a switch that does not open. */
  leak = 0;

  constructor(chip: BareChip, { mode, series }: BoardOptions) {
    this.chip = chip;
    this.#noise = chip.noise.fork('discovery board');
    this.mode = mode;
    this.series = series;
  }

  /** Runs W1 with these switches closed (bit k: memristor k + 1); returns what both scope inputs see, V. */
  run(switches: number, run: Run, { start, rate, count }: Recording): [Float64Array, Float64Array] {
    const crossbar = this.chip.at(0);
    const cells = Array.from({ length: 16 }, (_, k) => k)
      .filter((k) => (switches >> k) & 1)
      .map((k) => ({ k, row: k % 8, column: k >> 3, cell: crossbar.driven(k % 8, k >> 3) }));
    const nodes: Node[] = (
      this.mode === 1 ? [cells] : [0, 1].map((c) => cells.filter(({ column }) => column === c))
    ).map((some) => ({ voltage: -run.idle, cells: some.map(({ cell }) => cell) }));
    const seen: [Float64Array, Float64Array] = [new Float64Array(count), new Float64Array(count)];
    for (const node of nodes) settle(node, -run.idle, this.series, this.#load(0));
    const before = Math.min(count, Math.max(0, Math.round(-start * rate)));
    for (const [channel, volts] of seen.entries())
      volts.fill(
        nodes.length === 1 && channel === 1 ? run.idle : -nodes[channel % nodes.length].voltage,
        0,
        before,
      );
    const end = Math.max(run.time, start + count / rate);
    const most = Math.max(run.time, 1e-9) / STEPS;
    const flicker = new Flicker(this.#noise, this.chip.profile);
    let polarity = 0;
    let time = 0;
    for (let j = before; time < end - 1e-12; j++) {
      const target = j < count ? start + (j + 1) / rate : end;
      const steps = Math.max(1, Math.ceil((target - time) / most - 1e-9));
      const step = (target - time) / steps;
      for (let s = 0; s < steps; s++) {
        const source = -sourceAt(run, time + step / 2);
        const driven = time < run.time && source !== -run.idle;
        if (driven && polarity * source < 0) for (const { cell } of cells) cell.turn();
        if (driven) polarity = Math.sign(source);
        const load = this.#load(flicker.next(step));
        const means = nodes.map((node) => advance(node, source, step, this.series, load, driven));
        time += step;
        if (j >= count) continue;
        // The scope averages what its converter sees between two samples.
        seen[0][j] -= means[0] / steps;
        seen[1][j] -= (means[1] ?? source) / steps;
      }
      time = target;
    }
    for (const { row, column, cell } of cells) crossbar.release(row, column, cell);
    this.chip.elapse(end);
    return seen;
  }

  #load(noise: number): Load {
    return { conductance: 1 / INPUT_RESISTANCE + this.leak, noise };
  }
}

interface Load {
  /** To ground beside the cells, S. */
  conductance: number;
  /** Of the cells, relative. */
  noise: number;
}

const sourceAt = ({ wave, period, time: length, idle }: Run, time: number): number => {
  if (time < 0 || time >= length || wave.length === 0) return idle;
  const phase = (time / period) % 1;
  return wave[Math.min(wave.length - 1, Math.floor(phase * wave.length + 1e-9))];
};

/** The node equation, linear around the node's voltage: C dv/dt = (source − v)/R − load·v − ΣI(v). */
function around(
  node: Node,
  source: number,
  series: number,
  load: Load,
): { rest: number; conductance: number } {
  let conductance = 1 / series + load.conductance;
  let current = source / series;
  for (const cell of node.cells) {
    const slope = (1 + load.noise) * cell.slope(node.voltage);
    const behind = slope / (1 + SWITCH_RESISTANCE * slope);
    const at = node.voltage / (1 + SWITCH_RESISTANCE * slope);
    const flows = (1 + load.noise) * cell.current(at);
    conductance += behind;
    current -= flows - behind * node.voltage;
  }
  return { rest: current / conductance, conductance };
}

function settle(node: Node, source: number, series: number, load: Load): void {
  for (let i = 0; i < 4; i++) node.voltage = around(node, source, series, load).rest;
}

/**
 * `time` (s) with the source at `source` (V): exact for the linear circuit, in steps that the cells' motion allows. Returns
 * the mean of the node's voltage.
 */
function advance(
  node: Node,
  source: number,
  time: number,
  series: number,
  load: Load,
  driven: boolean,
): number {
  let left = time;
  let area = 0;
  while (left > 0) {
    const { rest, conductance } = around(node, source, series, load);
    const tau = CAPACITANCE / conductance;
    const moves = driven || Math.abs(node.voltage) > REST || Math.abs(rest) > REST;
    const ends = !moves ? [] : Math.abs(rest - node.voltage) < SETTLED ? [rest] : [node.voltage, rest];
    let speed = 0;
    for (const end of ends) for (const cell of node.cells) speed = Math.max(speed, cell.speed(end));
    const step = Math.min(left, MOVE_MOST / Math.max(speed, 1e-3));
    const decay = Math.exp(-step / tau);
    const mean = rest + ((node.voltage - rest) * tau * (1 - decay)) / step;
    if (driven || Math.abs(mean) > REST)
      for (const cell of node.cells) cell.move(mean / (1 + SWITCH_RESISTANCE * cell.slope(mean)), step);
    node.voltage = rest + (node.voltage - rest) * decay;
    area += mean * step;
    left -= step;
    if (left < 1e-15) break;
  }
  return area / time;
}

/** Noise of the cells: that of one sample of the profile, held for a sample's time. */
class Flicker {
  readonly #random: Random;
  readonly #relative: number;
  readonly #held: number;
  #value = 0;
  #left = 0;

  constructor(random: Random, { read, effects: { readNoise } }: BareChip['profile']) {
    this.#random = random;
    this.#relative = readNoise.enabled ? readNoise.relative : 0;
    this.#held = read.readTime;
  }

  next(step: number): number {
    if (this.#relative === 0) return 0;
    this.#left -= step;
    if (this.#left > 0) return this.#value;
    this.#left = Math.max(step, this.#held);
    const samples = this.#left / this.#held;
    this.#value = (this.#relative / Math.sqrt(samples)) * this.#random.normal();
    return this.#value;
  }
}
