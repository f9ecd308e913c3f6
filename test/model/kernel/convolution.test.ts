import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { Engine } from '../../../src/model/kernel/engine.js';
import { setKernelThreads } from '../../../src/model/kernel/kernel.js';
import { describedLayers, networkSchema } from '../../../src/model/network/description.js';
import { membraneLoss, Network, networkSpec } from '../../../src/model/network/network.js';
import {
  layerBackward,
  layerOutputs,
  type NetworkLike,
  outputVoltages,
} from '../../../src/model/network/reference.js';
import { Random } from '../../../src/model/random.js';

afterAll(() => setKernelThreads(1));

const CLASSES = 3;

const layersOf = (description: object, features: number) =>
  describedLayers(networkSchema.parse(description), { features, classes: CLASSES });

/** A description of image layers that fit one another, on an image of some channels. */
const networks = fc
  .record({
    channels: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 5, max: 9 }),
    width: fc.integer({ min: 5, max: 9 }),
    first: fc.record({
      maps: fc.integer({ min: 1, max: 9 }),
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 3 }),
      activation: fc.constantFrom('relu', 'linear'),
      border: fc.boolean(),
    }),
    second: fc.constantFrom('none', 'avgpool', 'conv2d', 'mif', 'spiking'),
    pool: fc.record({ kernel: fc.integer({ min: 1, max: 2 }), stride: fc.integer({ min: 1, max: 2 }) }),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ first, second, pool, seed, ...input }) => {
    const { border, ...rest } = first;
    const seconds: Record<string, object[]> = {
      none: [],
      avgpool: [{ kind: 'avgpool', ...pool }],
      conv2d: [{ kind: 'conv2d', maps: 5, kernel: 2, padding: 1 }],
      mif: [{ kind: 'conv2d', maps: 2, kernel: 1, stride: 2, activation: 'mif' }],
      spiking: [
        { kind: 'conv2d', maps: 2, kernel: 1, activation: 'mif' },
        { kind: 'conv2d', maps: 5, kernel: 2, stride: 2, padding: 1, activation: 'mif' },
      ],
    };
    const one = { kind: 'conv2d', ...rest, padding: border ? rest.kernel - 1 : 0 };
    const layers = [one, ...(seconds[second] ?? []), { kind: 'flatten' }, { kind: 'dense' }];
    return { description: { input, layers }, features: input.channels * input.height * input.width, seed };
  })
  // A pool of 2 × 2 may not fit on what the convolution leaves.
  .filter(({ description, features }) => {
    try {
      return layersOf(description, features).length > 0;
    } catch {
      return false;
    }
  });

const lossOf = (network: NetworkLike, input: ArrayLike<number>, label: number) =>
  membraneLoss(outputVoltages(network, input), CLASSES, label).loss;

/** The gradient of one input's loss in float64: differences for the neurons, the plain adjoint for the layers. */
function referenceGradient(network: NetworkLike, input: Float32Array, label: number) {
  const { layers } = network.spec;
  const activations: ArrayLike<number>[] = [input];
  layers.forEach(({ activation }, l) => {
    const y = Array.from(layerOutputs(network, l, activations[l]));
    activations.push(activation === 'relu' ? y.map((value) => Math.max(0, value)) : y);
  });
  const last = layers.length - 1;
  let bars: ArrayLike<number> = Array.from({ length: CLASSES }, (_, n) => {
    const moved = (h: number) => {
      const biases = network.biases.map((b) => Float64Array.from(b));
      biases[last][n] += h;
      return lossOf({ ...network, biases }, input, label);
    };
    return (moved(1e-4) - moved(-1e-4)) / 2e-4;
  });
  const gradients: Pick<ReturnType<typeof layerBackward>, 'weights' | 'biases'>[] = [];
  for (let l = last; l >= 0; l--) {
    const { inputs, ...own } = layerBackward(network, l, activations[l], bars);
    gradients[l] = own;
    const relu = layers[l - 1]?.activation === 'relu';
    bars = inputs.map((bar, i) => (relu && activations[l][i] <= 0 ? 0 : bar));
  }
  return gradients;
}

function onKernel(network: Network, inputs: Float32Array, labels: Uint8Array) {
  const engine = new Engine(network.spec, labels.length, { training: true });
  engine.setWeights(network);
  engine.load(
    inputs,
    Array.from(labels, (_, i) => i),
    labels,
  );
  const loss = engine.gradient();
  const gradient = engine.readGradient(network.clone());
  engine.dispose();
  return { loss, gradient };
}

/** @param features of each of the times */
function problem(description: object, features: number, seed: number, count: number, times = 1) {
  const spec = networkSpec(layersOf(description, features), { steps: 60, driveScale: 6e-6, times });
  const random = new Random(seed);
  const inputs = Float32Array.from({ length: count * times * features }, () => random.uniform());
  const labels = Uint8Array.from({ length: count }, () => random.integer(CLASSES));
  return { network: Network.initialise(spec, seed), inputs, labels };
}

it('loss and gradient of convolutions of any shape are those of the float64 reference', () => {
  fc.assert(
    fc.property(networks, ({ description, features, seed }) => {
      const count = 5;
      const { network, inputs, labels } = problem(description, features, seed, count);
      const { loss, gradient } = onKernel(network, inputs, labels);
      const samples = Array.from(labels, (label, i) => ({
        label,
        input: inputs.subarray(i * features, (i + 1) * features),
      }));
      const expected = samples.reduce((sum, { input, label }) => sum + lossOf(network, input, label), 0);
      expect(Math.abs(loss - expected / count)).toBeLessThan(3e-5 * loss);
      // Through hidden MIF neurons the next test takes differences.
      if (network.spec.layers.some(({ activation }) => activation === 'mif')) return;
      const references = samples.map(({ input, label }) => referenceGradient(network, input, label));
      network.spec.layers.forEach((_, l) => {
        for (const list of ['weights', 'biases'] as const) {
          const reference = network[list][l].map((_, i) =>
            references.reduce((sum, one) => sum + one[l][list][i] / count, 0),
          );
          const scale = Math.max(1e-6, ...reference.map(Math.abs));
          reference.forEach((value, i) => {
            expect(Math.abs(gradient[list][l][i] - value)).toBeLessThan(2e-4 * scale);
          });
        }
      });
    }),
    { numRuns: 60 },
  );
});

it.each([
  ['ReLU', 'relu', { kind: 'avgpool', kernel: 2 }, 1],
  ['ReLU (3 times)', 'relu', { kind: 'avgpool', kernel: 2 }, 3],
  ['MIF', 'mif', undefined, 1],
  ['MIF (3 times)', 'mif', undefined, 3],
  ['MIF', 'mif', { kind: 'conv2d', maps: 5, kernel: 2, padding: 1, activation: 'mif' }, 1],
])(
  'the gradient of a convolution of %s units is that of differences in float64',
  (_name, activation, pool, times) => {
    const layers = [
      { kind: 'conv2d', maps: 3, kernel: 3, padding: 1 },
      { kind: 'conv2d', maps: 2, kernel: 3, stride: 2, activation },
      ...(pool ? [pool] : []),
      { kind: 'dense' },
    ];
    const { network, inputs, labels } = problem({ layers }, 49, 4, 2, times);
    const { gradient } = onKernel(network, inputs, labels);
    const { features } = network;
    const meanLoss = (at: NetworkLike) =>
      (lossOf(at, inputs.subarray(0, features), labels[0]) +
        lossOf(at, inputs.subarray(features), labels[1])) /
      2;
    const random = new Random(2);
    network.spec.layers.forEach((_, l) => {
      for (const list of ['weights', 'biases'] as const) {
        const scale = Math.max(0, ...gradient[list][l].map(Math.abs));
        for (let k = 0; k < (network[list][l].length && 3); k++) {
          const i = random.integer(network[list][l].length);
          const moved = (h: number) => {
            const copy = {
              spec: network.spec,
              weights: network.weights.map((w) => Float64Array.from(w)),
              biases: network.biases.map((b) => Float64Array.from(b)),
            };
            copy[list][l][i] += h;
            return meanLoss(copy);
          };
          const numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
          expect(Math.abs(gradient[list][l][i] - numeric)).toBeLessThan(2e-4 * scale);
        }
      }
    });
  },
);

it('masks what layers give, forward and backward, as if the weights after them were masked', () => {
  const layers = [
    { kind: 'conv2d', maps: 5, kernel: 3 },
    { kind: 'conv2d', maps: 3, kernel: 2, padding: 1 },
    { kind: 'dense' },
  ];
  const { network, inputs, labels } = problem({ layers }, 49, 6, 1);
  const random = new Random(3);
  // One sample, in the first lane. The first mask is the same all over a map, so that the next filters can have it.
  const maps = Array.from({ length: 5 }, () => 2 * random.integer(2));
  maps[0] = 2;
  const values = Array.from({ length: 3 * 36 }, () => 2 * random.integer(2));
  const engine = new Engine(network.spec, 1, { training: true, masks: true });
  engine.masks[0].values.set(maps.flatMap((mask) => Array<number>(4 * 25).fill(mask)));
  engine.masks[1].values.set(values.flatMap((mask) => Array<number>(4).fill(mask)));
  engine.setWeights(network);
  engine.load(inputs, [0], labels);
  const loss = engine.gradient();
  const gradient = engine.readGradient(network.clone());
  engine.dispose();

  const masked = network.clone();
  masked.weights[1].forEach((w, i) => {
    masked.weights[1][i] = w * maps[Math.floor(i / 4) % 5];
  });
  masked.weights[2].forEach((w, i) => {
    masked.weights[2][i] = w * values[i % values.length];
  });
  const expected = onKernel(masked, inputs, labels);
  expect(loss).toBeCloseTo(expected.loss, 5);
  const same = (list: Float32Array, other: Float32Array) => {
    const scale = Math.max(...other.map(Math.abs));
    expect(scale).toBeGreaterThan(0);
    list.forEach((value, i) => {
      expect(Math.abs(value - other[i])).toBeLessThan(1e-4 * scale);
    });
  };
  same(gradient.weights[0], expected.gradient.weights[0]);
  same(
    gradient.weights[1],
    expected.gradient.weights[1].map((g, i) => g * maps[Math.floor(i / 4) % 5]),
  );
  same(gradient.biases[1], expected.gradient.biases[1]);
});

it('gives the same bits with one thread and with three, masks and Adam included', () => {
  const layers = [
    { kind: 'conv2d', maps: 5, kernel: 3, stride: 2, padding: 1 },
    { kind: 'avgpool', kernel: 2, stride: 1 },
    { kind: 'dense' },
  ];
  const { network, inputs, labels } = problem({ layers }, 64, 1, 50);
  const run = (threads: number) => {
    setKernelThreads(threads);
    const engine = new Engine(network.spec, 50, { training: true, masks: true });
    engine.setWeights(network);
    const random = new Random(7);
    for (const { values } of engine.masks) values.set(values.map(() => 2 * random.integer(2)));
    engine.load(
      inputs,
      Array.from(labels, (_, i) => i),
      labels,
    );
    for (let step = 1; step <= 5; step++) {
      engine.gradient();
      engine.adam(step, { rate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01, averaging: 0.1 });
    }
    const end = engine.getWeights(network.clone());
    engine.dispose();
    return [...end.weights, ...end.biases].map((w) => Array.from(w));
  };
  const one = run(1);
  expect(run(3)).toEqual(one);
  expect(one[0].every(Number.isFinite)).toBe(true);
});
