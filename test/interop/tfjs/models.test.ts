import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { layers } from '@tensorflow/tfjs-layers';
import { afterAll, describe, expect, it } from 'vitest';
import { loadBackend, mif, modelFromNetwork, networkFromModel } from '../../../src/interop/tfjs.js';
import {
  isImageLayer,
  loadDataset,
  MIF,
  Network,
  networkSpec,
  outputVoltages,
  peakLoss,
  slice,
} from '../../../src/model/index.js';
import { PEAK_SCALE } from '../../../src/model/network/network.js';
import { described } from '../described.js';
import { backends } from './backends.js';

const folder = mkdtempSync(join(tmpdir(), 'memloop-tfjs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const settings = { steps: 60, driveScale: 8e-6 };
const networks: [string, Network][] = (
  [
    ['ReLU', networkSpec([6, 5, 3], settings)],
    ['hidden MIF neurons', networkSpec([6, 5, 4, 3], { ...settings, hidden: 'mif' })],
    [
      'output neurons of a measured chip',
      {
        ...networkSpec([6, 5, 3], settings),
        outputNeurons: [1, 2, 3].map((n) => ({ ...MIF, tau: n * 1e-3, von: 0.1 + n / 100 })),
      },
    ],
    [
      'convolutions, padding, pooling',
      networkSpec(
        described(
          [2, 7, 6],
          [
            { kind: 'conv2d', maps: 3, kernel: 3, padding: 1 },
            { kind: 'avgpool', kernel: 2 },
            { kind: 'conv2d', maps: 2, kernel: 2, activation: 'linear' },
            { kind: 'flatten' },
            { kind: 'dense' },
          ],
        ),
        settings,
      ),
    ],
    [
      'a convolution of MIF neurons',
      networkSpec(
        described(
          [2, 5, 4],
          [{ kind: 'conv2d', maps: 2, kernel: 3, stride: 2, activation: 'mif' }, { kind: 'dense' }],
        ),
        settings,
      ),
    ],
  ] as const
).map(([name, spec]) => [name, Network.initialise({ ...spec }, 5)]);

/** Three samples, as memloop lays them out and as TensorFlow.js does. */
function samples({ spec }: Network) {
  const [first] = spec.layers;
  const values = Array.from({ length: 3 }, (_, s) =>
    Array.from({ length: first.inputs }, (_, i) => ((i * 5 + s * 3) % 7) / 7),
  );
  if (!isImageLayer(first)) return { values, shape: [first.inputs], there: values };
  const { channels, height, width } = first;
  const there = values.map((x) =>
    Array.from(x, (_, i) => {
      const [y, column, c] = [
        Math.floor(i / (width * channels)),
        Math.floor(i / channels) % width,
        i % channels,
      ];
      return x[(c * height + y) * width + column];
    }),
  );
  return { values, shape: [height, width, channels], there };
}

const softmax = (list: number[]) => {
  const powers = list.map((x) => Math.exp(x - Math.max(...list)));
  return powers.map((x) => x / powers.reduce((a, b) => a + b));
};
const peaksOf = (network: Network, x: number[]) => {
  const v = outputVoltages(network, x);
  return Array.from({ length: network.classes }, (_, n) =>
    Math.max(...v.filter((_, i) => i % network.classes === n)),
  );
};

describe.each(backends)('on the %s backend', (name) => {
  it.each(networks)('a network and its model agree, both ways: %s', async (_, network) => {
    const { tf } = await loadBackend(name);
    const model = modelFromNetwork(tf, network);
    const { values, shape, there } = samples(network);
    const given = model.predict(tf.tensor(there.flat(), [3, ...shape])) as ReturnType<typeof tf.tensor2d>;
    const shares = given.arraySync() as number[][];
    values.forEach((x, s) => {
      const expected = softmax(peaksOf(network, x).map((v) => v / PEAK_SCALE));
      for (const [n, share] of shares[s].entries()) expect(share).toBeCloseTo(expected[n], 4);
    });
    expect(networkFromModel(tf, model)).toEqual(network);
  });

  it('the gradient of a hidden MIF layer is that of the reference', async () => {
    const { tf } = await loadBackend(name);
    const network = networks[1][1];
    const model = modelFromNetwork(tf, network);
    const { values } = samples(network);
    const label = 1;
    const loss = () =>
      tf.neg(
        tf.log(
          tf.slice(
            model.apply(tf.tensor2d([values[0]])) as ReturnType<typeof tf.tensor2d>,
            [0, label],
            [1, 1],
          ),
        ),
      );
    const { grads } = tf.variableGrads(() => tf.mean(loss()) as ReturnType<typeof tf.scalar>);
    const [kernel] = model.layers.flatMap((layer) => layer.trainableWeights);
    const gradient = grads[kernel.name].dataSync();
    const at = (index: number, h: number) => {
      const weights = network.weights.map((list) => Float64Array.from(list));
      // [inputs, outputs] there, [outputs, inputs] here.
      const [i, o] = [Math.floor(index / 5), index % 5];
      weights[0][o * 6 + i] += h;
      return peakLoss(
        outputVoltages({ ...network, spec: network.spec, weights, biases: network.biases }, values[0]),
        3,
        label,
      ).loss;
    };
    const numeric = Array.from({ length: 30 }, (_, i) => (at(i, 1e-4) - at(i, -1e-4)) / 2e-4);
    const largest = Math.max(...numeric.map(Math.abs));
    expect(largest).toBeGreaterThan(1e-4);
    for (const [i, slope] of numeric.entries())
      expect(Math.abs(gradient[i] - slope)).toBeLessThan(2e-2 * largest);
  });

  it('a convolutional model is fitted with callbacks, saved, loaded and read', async () => {
    const { tf } = await loadBackend(name);
    const digits = await loadDataset('digits', { seed: 1 });
    const { inputs, labels, count } = slice(digits.train, 0, 120);
    const x = tf.tensor4d(Float32Array.from(inputs.subarray(0, count * 64)), [count, 8, 8, 1]);
    const y = tf.oneHot(tf.tensor1d(Array.from(labels.subarray(0, count)), 'int32'), 10);
    const model = tf.sequential();
    model.add(
      tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, strides: 2, padding: 'valid' }),
    );
    model.add(tf.layers.reLU());
    model.add(tf.layers.flatten());
    model.add(tf.layers.dense({ units: 10 }));
    model.add(mif(tf, { steps: 40, driveScale: 2e-5 }));
    model.add(tf.layers.softmax());
    model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const losses: number[] = [];
    await model.fit(x, y, {
      epochs: 8,
      batchSize: 25,
      verbose: 0,
      callbacks: { onEpochEnd: async (_, logs) => void losses.push(logs!.loss) },
    });
    expect(losses).toHaveLength(8);
    expect(losses[7]).toBeLessThan(0.6 * losses[0]);

    const place = join(folder, name);
    await model.save(`file://${place}`);
    const loaded = await tf.loadLayersModel(`file://${place}/model.json`);
    const predict = (of: typeof loaded) => (of.predict(x) as ReturnType<typeof tf.tensor2d>).arraySync();
    expect(predict(loaded)).toEqual(predict(model));
    expect(loaded.layers.at(-2)!.getConfig()).toEqual(model.layers.at(-2)!.getConfig());
    expect(networkFromModel(tf, loaded)).toEqual(networkFromModel(tf, model));
    expect(networkFromModel(tf, loaded).spec).toMatchObject({
      steps: 40,
      driveScale: 2e-5,
      pulseSteps: [0, 16, 32],
    });
  });
});

describe('what cannot be is told in one line that names the layer', async () => {
  const { tf } = await loadBackend('cpu');
  const { dense, conv2d, flatten, dropout } = tf.layers;
  const of = (...list: layers.Layer[]) => {
    const model = tf.sequential();
    for (const layer of list) model.add(layer);
    return networkFromModel(tf, model);
  };
  const first = { inputShape: [6, 6, 1], filters: 2, kernelSize: 3 };
  const last = () => [dense({ units: 2 }), mif(tf, { steps: 50 })] as const;

  it.each([
    [
      'a layer that no chip has',
      () => of(conv2d(first), tf.layers.maxPooling2d({ poolSize: 2 })),
      /\(MaxPooling2D\) is of a kind/,
    ],
    [
      'another activation',
      () => of(dense({ inputShape: [3], units: 2, activation: 'tanh' })),
      /\(Dense\).*"activation"/,
    ],
    [
      'a plain classifier',
      () => of(dense({ inputShape: [3], units: 2 })),
      /does not end in a MIF layer: add mif/,
    ],
    [
      'a softmax too early',
      () => of(dense({ inputShape: [3], units: 2 }), tf.layers.softmax()),
      /before the output neurons/,
    ],
    [
      'uneven padding',
      () => of(conv2d({ ...first, strides: 2, padding: 'same' }), flatten(), ...last()),
      /\(Conv2D\) pads sides differently \("same"\): use ZeroPadding2D/,
    ],
    [
      'dilation',
      () => of(conv2d({ ...first, dilationRate: 2 }), flatten(), ...last()),
      /\(Conv2D\) is dilated/,
    ],
    [
      'MIF behind ReLU',
      () => of(dense({ inputShape: [3], units: 2, activation: 'relu' }), mif(tf)),
      /\(MIF\) does not stand behind a Dense layer without activation/,
    ],
    [
      'MIF layers of different settings',
      () =>
        of(
          dense({ inputShape: [3], units: 2 }),
          mif(tf, { steps: 50, returnSequences: true, driveScale: 1e-6 }),
          ...last(),
        ),
      /\(MIF\) has other settings than the MIF layer before it/,
    ],
    [
      'MIF on an image',
      () => of(conv2d(first), mif(tf)),
      /\(MIF\) takes \[neurons\] or \[250, neurons\], not \[4, 4, 2\]; flatten/,
    ],
    ['settings that are none', () => mif(tf, { steps: -1 }), /a MIF layer: field "steps"/],
    ['pulses behind the end', () => mif(tf, { steps: 5, pulseSteps: [7] }), /pulse steps 7 must ascend/],
    [
      'branches',
      () => {
        const input = tf.input({ shape: [3] });
        const both = [1, 2].map(() => dense({ units: 2 }).apply(input) as ReturnType<typeof tf.input>);
        const sum = tf.layers.add().apply(both) as ReturnType<typeof tf.input>;
        return networkFromModel(tf, tf.model({ inputs: input, outputs: sum }));
      },
      /is not in a chain/,
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(
      expect.objectContaining({ name: 'MemloopError', message: expect.stringMatching(message) }),
    );
  });

  it('a network of signals in time becomes none', () => {
    const network = Network.initialise(networkSpec([2, 3], { times: 4 }), 1);
    expect(() => modelFromNetwork(tf, network)).toThrow(/takes signals in time: no layers-model can have it/);
  });

  it('Dropout and "same" that is even are read', () => {
    const { spec } = of(conv2d({ ...first, padding: 'same' }), flatten(), dropout({ rate: 0.5 }), ...last());
    expect(spec.layers).toMatchObject([
      { kind: 'conv2d', padding: 1, outputs: 72 },
      { inputs: 72, outputs: 2 },
    ]);
  });

  it('damaged files of models', async () => {
    const model = modelFromNetwork(tf, networks[0][1]);
    const place = join(folder, 'damaged');
    await model.save(`file://${place}`);
    const file = join(place, 'model.json');
    const load = () => tf.loadLayersModel(`file://${file}`);
    const whole = readFileSync(file, 'utf8');
    for (const [text, message] of [
      ['{', /is not JSON/],
      ['{}', /field "modelTopology": is missing/],
      [whole.replace('weights.bin', '../../gone.bin'), /cannot read .*gone\.bin/],
      [whole.replace('"steps":60', '"steps":0'), /a MIF layer: field "steps"/],
    ] as const) {
      writeFileSync(file, text);
      await expect(load()).rejects.toMatchObject({
        name: 'MemloopError',
        message: expect.stringMatching(message),
      });
    }
    await expect(tf.loadLayersModel(`file://${place}/none.json`)).rejects.toThrow(/does not exist/);
  });
});
