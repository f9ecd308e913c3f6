import { afterAll, describe, expect, it } from 'vitest';
import { integratorNames, MIF } from '../../../src/model/devices/mif.js';
import { Engine } from '../../../src/model/kernel/engine.js';
import { setKernelThreads } from '../../../src/model/kernel/kernel.js';
import {
  membraneLoss,
  Network,
  type NetworkSpec,
  networkSpec,
  peakLoss,
} from '../../../src/model/network/network.js';
import { type NetworkLike, outputVoltages } from '../../../src/model/network/reference.js';
import { Random } from '../../../src/model/random.js';

/** Weight of the decision's own loss. */
const DECISION = 0.5;

/** Loss of one input in float64, from the readable reference. */
function referenceLoss(network: NetworkLike, input: ArrayLike<number>, label: number) {
  const voltages = outputVoltages(network, input);
  const neurons = network.spec.layers.at(-1)!.outputs;
  const loss =
    membraneLoss(voltages, neurons, label).loss + DECISION * peakLoss(voltages, neurons, label).loss;
  return { loss, voltages };
}

afterAll(() => setKernelThreads(1));

const specs: [string, Partial<NetworkSpec> & { sizes: number[]; hidden?: 'relu' | 'mif' }][] = [
  ['one hidden ReLU layer', { sizes: [6, 5, 3] }],
  ['hidden MIF layer', { sizes: [6, 5, 3], hidden: 'mif' }],
  ['two hidden MIF layers', { sizes: [5, 4, 6, 3], hidden: 'mif' }],
  ['a signal of 7 times, hidden ReLU layer', { sizes: [6, 5, 3], times: 7 }],
  ['a signal of 4 times, hidden MIF layer', { sizes: [6, 5, 3], times: 4, hidden: 'mif' }],
  [
    'every output neuron its own',
    {
      sizes: [6, 5, 3],
      outputNeurons: [
        MIF,
        { ...MIF, ron: 1.3e3, von: 0.1 },
        { ...MIF, tau: 0.7e-3, e2: 45e-3, capacitance: 1.2e-9 },
      ],
    },
  ],
];

describe.each(specs)('the kernel against the float64 reference: %s', (_name, { sizes, hidden, ...rest }) => {
  it.each(integratorNames)('%s', (integrator) => {
    const spec = networkSpec(sizes, {
      ...rest,
      ...(hidden && { hidden }),
      integrator,
      steps: integrator === 'forward-euler' ? 1000 : 600,
      driveScale: 6e-6,
    });
    const network = Network.initialise(spec, 11);
    const random = new Random(5);
    const count = 5;
    const { features } = network;
    const inputs = Float32Array.from({ length: count * features }, () => random.uniform());
    const labels = Uint8Array.from({ length: count }, () => random.integer(3));
    const engine = new Engine(spec, count, { training: true, decision: DECISION });
    engine.setWeights(network);
    engine.load(inputs, [0, 1, 2, 3, 4], labels);
    const loss = engine.gradient();
    const gradient = engine.readGradient(network.clone());

    const lossOf = (at: NetworkLike) => {
      let sum = 0;
      for (let i = 0; i < count; i++)
        sum += referenceLoss(at, inputs.subarray(i * features, (i + 1) * features), labels[i]).loss;
      return sum / count;
    };
    expect(Math.abs(loss - lossOf(network)) / loss).toBeLessThan(2e-5);
    for (let i = 0; i < count; i++) {
      const { voltages } = referenceLoss(
        network,
        inputs.subarray(i * features, (i + 1) * features),
        labels[i],
      );
      for (let n = 0; n < 3; n++) {
        const peak = Math.max(...Array.from(voltages).filter((_, j) => j % 3 === n));
        expect(Math.abs(engine.peak(i, n) - peak)).toBeLessThan(1e-6);
      }
    }
    // Central differences of the float64 loss in a few weights and biases of every layer.
    const shifted = (list: 'weights' | 'biases', l: number, i: number, h: number) => {
      const copy = {
        spec,
        weights: network.weights.map((w) => Float64Array.from(w)),
        biases: network.biases.map((b) => Float64Array.from(b)),
      };
      copy[list][l][i] += h;
      return lossOf(copy);
    };
    spec.layers.forEach((_, l) => {
      for (const list of ['weights', 'biases'] as const) {
        const scale = Math.max(...gradient[list][l].map(Math.abs));
        expect(scale).toBeGreaterThan(0);
        for (let k = 0; k < 2; k++) {
          const i = random.integer(network[list][l].length);
          const h = 1e-4;
          const numeric = (shifted(list, l, i, h) - shifted(list, l, i, -h)) / (2 * h);
          expect(Math.abs(gradient[list][l][i] - numeric)).toBeLessThan(1e-4 * scale);
        }
      }
    });
    engine.dispose();
  });
});

it('gives the same bits with one thread and with three', () => {
  const spec = networkSpec([8, 6, 3], { steps: 100, driveScale: 10e-6 });
  const network = Network.initialise(spec, 3);
  const random = new Random(9);
  const inputs = Float32Array.from({ length: 50 * 8 }, () => random.uniform());
  const labels = Uint8Array.from({ length: 50 }, () => random.integer(3));
  const indices = Array.from({ length: 50 }, (_, i) => i);
  const train = (threads: number) => {
    setKernelThreads(threads);
    const engine = new Engine(spec, 50, { training: true });
    engine.setWeights(network);
    engine.load(inputs, indices, labels);
    for (let step = 1; step <= 5; step++) {
      engine.gradient();
      engine.adam(step, { rate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01, averaging: 0.1 });
    }
    const end = engine.getWeights(network.clone());
    engine.dispose();
    return [...end.weights, ...end.biases].map((w) => Array.from(w));
  };
  expect(train(3)).toEqual(train(1));
});
