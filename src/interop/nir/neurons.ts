/** MIF neurons and ReLU as the NIR nodes that come nearest, and other tools' neurons as these. */
import { type MifParameters, mifConductance, restState, runMif } from '../../model/devices/mif.js';
import type { NetworkSpec } from '../../model/network/network.js';
import type { NodeOf } from './nodes.js';
import type { NirArray } from './tree.js';

export type NeuronNode = NodeOf<'I' | 'LI' | 'CubaLI' | 'IF' | 'LIF' | 'CubaLIF'>;

/** What a leaky integrate-and-fire neuron has of a MIF neuron: at rest, and where its first memristor turns on. */
export function leakyEquivalent(p: MifParameters): {
  /** Ω */
  resistance: number;
  /** V */
  rest: number;
  threshold: number;
  reset: number;
} {
  const { v, x1, x2 } = restState(p);
  const lower = Math.min(p.e1, p.e2);
  return {
    resistance: 1 / (mifConductance(p, x1) + mifConductance(p, x2)),
    rest: v,
    threshold: lower + p.von,
    reset: lower,
  };
}

/**
 * Jump of a (A) at each of a network's input pulses that brings its neuron's membrane just to where the first memristor
 * turns on.
 */
export function firingDrive({ neuron, integrator, duration, steps, pulseSteps }: NetworkSpec): number {
  const { threshold } = leakyEquivalent(neuron);
  const fires = (drive: number): boolean =>
    runMif(
      neuron,
      integrator,
      duration / steps,
      steps,
      new Map(pulseSteps.map((step) => [step, drive])),
    ).states.some(({ v }) => v >= threshold);
  let high = 1e-9;
  while (!fires(high)) high *= 2;
  let low = high / 2;
  while (high - low > 1e-4 * high) {
    const middle = (low + high) / 2;
    if (fires(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** @param neurons as many as the shape has, or one for all of them */
export function mifNode(
  { driveScale }: Pick<NetworkSpec, 'driveScale'>,
  neurons: readonly MifParameters[],
  shape: number[],
): NodeOf<'CubaLIF'> {
  const count = shape.reduce((all, n) => all * n, 1);
  const each = (value: (p: MifParameters) => number): NirArray => {
    const values = neurons.map(value);
    return { shape, data: Float64Array.from({ length: count }, (_, n) => values[n] ?? values[0]) };
  };
  const leaky = new Map(neurons.map((p) => [p, leakyEquivalent(p)]));
  return {
    type: 'CubaLIF',
    tau_syn: each((p) => p.tauAlpha),
    tau_mem: each((p) => p.capacitance * leaky.get(p)!.resistance),
    r: each((p) => leaky.get(p)!.resistance),
    v_leak: each((p) => leaky.get(p)!.rest),
    v_threshold: each((p) => leaky.get(p)!.threshold),
    v_reset: each((p) => leaky.get(p)!.reset),
    w_in: each(() => driveScale),
  };
}

/** Its rate of spikes follows ReLU. */
export function reluNode(shape: number[]): NodeOf<'IF'> {
  const count = shape.reduce((all, n) => all * n, 1);
  const all = (value: number): NirArray => ({ shape, data: new Float64Array(count).fill(value) });
  return { type: 'IF', r: all(1), v_threshold: all(1), v_reset: all(0) };
}

export const sameNode = (a: NeuronNode, b: NeuronNode): boolean => text(a) === text(b);
const text = (node: NeuronNode): string =>
  JSON.stringify(
    Object.entries(node)
      .map(([key, value]) =>
        typeof value === 'string' ? [key, value] : [key, value.shape, Array.from(value.data, Number)],
      )
      .sort(([a], [b]) => String(a).localeCompare(String(b))),
  );

/**
 * What a unit of each neuron's input current is worth: of its threshold, or volts for a neuron that has none.
 * @returns one factor a neuron; not finite or not above 0 where there is none
 */
export function neuronGains(node: NeuronNode): Float64Array {
  const of = (array: NirArray | undefined, otherwise: number) => {
    const data = array?.data;
    return (n: number): number => (data ? Number(data.length === 1 ? data[0] : data[n]) : otherwise);
  };
  const r = of(node.r, 1);
  const weight = 'w_in' in node ? of(node.w_in, 1) : () => 1;
  const gain = (n: number): number => {
    if (node.type === 'I' || node.type === 'LI' || node.type === 'CubaLI') return weight(n) * r(n);
    const base = node.type === 'IF' ? of(node.v_reset, 0) : of(node.v_leak, 0);
    return (weight(n) * r(n)) / (of(node.v_threshold, 1)(n) - base(n));
  };
  return Float64Array.from({ length: node.r.data.length }, (_, n) => gain(n));
}
