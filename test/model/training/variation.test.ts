import { describe, expect, it } from 'vitest';
import { loadDigits, split } from '../../../src/model/data/datasets.js';
import { MIF, type MifParameters } from '../../../src/model/devices/mif.js';
import { Engine } from '../../../src/model/kernel/engine.js';
import { Network, networkSpec } from '../../../src/model/network/network.js';
import { Random } from '../../../src/model/random.js';
import { evaluate } from '../../../src/model/training/evaluate.js';
import { type TrainOptions, train } from '../../../src/model/training/train.js';
import { type ChipTwin, Variation, variedSpec } from '../../../src/model/training/variation.js';

const [dataset, test] = split(loadDigits(), 1, [0.8, 0.2]);
const spec = networkSpec([64, 16, 10], { steps: 50, driveScale: 3e-6 });
const quick: TrainOptions = { spec, dataset, epochs: 12, batch: 50, rate: 1e-2, decision: 10, seed: 3 };
const NONE = Object.fromEntries(Object.keys(MIF).map((name) => [name, 0])) as unknown as MifParameters;

/** A chip whose neurons differ by a tenth and some of whose weights are held. */
function chip(): ChipTwin {
  const random = new Random(5);
  const around = (nominal: number) => nominal * (1 + 0.15 * random.normal());
  const limits = spec.layers.map(({ inputs, outputs }) => ({
    low: new Float32Array(inputs * outputs).fill(-1),
    high: new Float32Array(inputs * outputs).fill(1),
  }));
  limits[0].high.fill(0, 0, 64);
  limits[1].low.fill(0.5, 3, 5);
  limits[1].high.fill(0.5, 3, 5);
  return {
    name: 'a chip',
    neurons: Array.from({ length: 10 }, () => ({
      parameters: {
        ...MIF,
        ron: around(MIF.ron),
        capacitance: around(MIF.capacitance),
        von: around(MIF.von),
      },
      sigma: NONE,
    })),
    limits,
  };
}

describe('a batch as a chip would run it', () => {
  it('has weights and biases of the stated spread, and leaves the clean ones untouched', () => {
    const engine = new Engine(variedSpec(spec), 8, { training: true });
    const network = Network.initialise(spec, 1);
    engine.setWeights(network);
    const clean = engine.parameters.slice();
    const variation = new Variation(engine, { weightNoise: 0.1, sumNoise: 0.2, neuronSpread: 0 }, undefined);
    variation.apply(new Random(1));
    const varied = engine.getWeights(network.clone());
    const largest = Math.max(...network.weights[0].map(Math.abs));
    const spread = (a: Float32Array, b: Float32Array) =>
      Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0) / a.length) / largest;
    expect(spread(varied.weights[0], network.weights[0])).toBeCloseTo(0.1, 2);
    expect(spread(varied.biases[0], network.biases[0])).toBeGreaterThan(0.1);
    expect(spread(varied.biases[0], network.biases[0])).toBeLessThan(0.3);
    variation.restore();
    expect(engine.parameters).toEqual(clean);
    engine.dispose();
  });

  it('has neurons that answer differently', () => {
    const engine = new Engine(variedSpec(spec), 8, { training: true });
    engine.setWeights(Network.initialise(spec, 1));
    engine.load(test.inputs, [0, 1, 2, 3], test.labels);
    const peaks = () => {
      engine.forward();
      return Array.from({ length: 10 }, (_, n) => engine.peak(0, n));
    };
    const nominal = peaks();
    const variation = new Variation(engine, { weightNoise: 0, sumNoise: 0, neuronSpread: 0.1 }, undefined);
    variation.apply(new Random(2));
    const varied = peaks();
    nominal.forEach((v, n) => {
      expect(varied[n]).not.toBe(v);
      expect(Math.abs(varied[n] - v)).toBeLessThan(30e-3);
    });
    engine.dispose();
  });
});

describe('training on a twin', () => {
  it('keeps every weight to what its cells can be, and decides better on that chip than plain training', async () => {
    const twin = chip();
    const { network, testAccuracy } = await train({ ...quick, test, twin, weightNoise: 0.016 });
    network.weights.forEach((weights, l) => {
      const largest = Math.max(...weights.map(Math.abs));
      weights.forEach((weight, i) => {
        expect(weight).toBeGreaterThanOrEqual(twin.limits[l].low[i] * largest - 1e-6);
        expect(weight).toBeLessThanOrEqual(twin.limits[l].high[i] * largest + 1e-6);
      });
    });
    expect(network.spec.outputNeurons).toEqual(twin.neurons.map(({ parameters }) => parameters));
    expect(evaluate(network, test)).toBe(testAccuracy);
    const plain = await train(quick);
    const there = new Network(network.spec, plain.network.weights, plain.network.biases);
    expect(testAccuracy! - evaluate(there, test)).toBeGreaterThan(0.02);
  });

  it('of a network that is mapped already, keeps to what the largest weight stands for', async () => {
    const twin = chip();
    const limits = twin.limits.map((limit) => ({ ...limit, weightMax: 0.5 }));
    const { network } = await train({ ...quick, epochs: 2, twin: { ...twin, limits } });
    network.weights.forEach((weights, l) => {
      expect(Math.max(...weights.map(Math.abs))).toBeLessThanOrEqual(0.5);
      weights.forEach((weight, i) => {
        expect(weight).toBeGreaterThanOrEqual(0.5 * limits[l].low[i] - 1e-6);
        expect(weight).toBeLessThanOrEqual(0.5 * limits[l].high[i] + 1e-6);
      });
    });
  });

  it('goes on from a network that is given', async () => {
    const first = await train({ ...quick, epochs: 3 });
    const kept = first.network.clone();
    const next = await train({ ...quick, epochs: 1, rate: 1e-5, initial: first.network });
    expect(first.network.weights).toEqual(kept.weights);
    expect(Math.abs(next.trainAccuracy - first.trainAccuracy)).toBeLessThan(0.01);
  });

  it('repeats from its seed', async () => {
    const few = { ...quick, epochs: 2, twin: chip(), weightNoise: 0.02, sumNoise: 0.02, neuronSpread: 0.05 };
    const [a, b] = [await train(few), await train(few)];
    expect(a.network.weights).toEqual(b.network.weights);
  });

  it('trained with noise, a network loses less to noise', async () => {
    const accuracy = ({ weights, biases }: Network) => {
      let sum = 0;
      for (let k = 0; k < 5; k++) {
        const random = new Random(k);
        const noisy = weights.map((list) => {
          const deviation = 0.12 * Math.max(...list.map(Math.abs));
          return list.map((w) => w + deviation * random.normal());
        });
        sum += evaluate(new Network(spec, noisy, biases), test) / 5;
      }
      return sum;
    };
    const clean = await train(quick);
    const aware = await train({ ...quick, weightNoise: 0.12 });
    expect(accuracy(aware.network)).toBeGreaterThan(accuracy(clean.network) + 0.01);
  });

  it('a chip that is not laid out for the network is refused', async () => {
    const twin = chip();
    await expect(train({ ...quick, twin: { ...twin, neurons: twin.neurons.slice(1) } })).rejects.toThrow(
      /a chip is not laid out/,
    );
  });
});
