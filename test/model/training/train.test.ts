import { existsSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDigits, split, subset } from '../../../src/model/data/datasets.js';
import { describedLayers, networkSchema } from '../../../src/model/network/description.js';
import { type Network, networkSpec } from '../../../src/model/network/network.js';
import { evaluate } from '../../../src/model/training/evaluate.js';
import { type TrainOptions, train } from '../../../src/model/training/train.js';
import type { EventBody } from '../../../src/shared/events.js';

const [dataset, test] = split(loadDigits(), 1, [0.8, 0.2]);
const few = subset(
  dataset,
  Uint32Array.from({ length: 300 }, (_, i) => i),
);
const spec = networkSpec([64, 16, 10], { steps: 50, driveScale: 1e-6 });
const quick: TrainOptions = { spec, dataset: few, epochs: 4, batch: 25, rate: 5e-3, dropout: 0.1, seed: 3 };
const bits = (network: Network) => [...network.weights, ...network.biases].map((list) => Array.from(list));

describe('training', () => {
  it('learns the digits, and its figures are those of the network it returns', async () => {
    const result = await train({
      spec: networkSpec([64, 32, 10], { steps: 100, driveScale: 1e-6 }),
      dataset,
      test,
      epochs: 20,
      batch: 50,
      rate: 1e-2,
      seed: 1,
    });
    expect(result.testAccuracy).toBeGreaterThan(0.94);
    expect(evaluate(result.network, test)).toBe(result.testAccuracy);
    expect(result.history).toHaveLength(20);
    expect(result.history.at(-1)!.loss).toBeLessThan(result.history[0].loss / 4);
  });

  it('a centred start: the first sums are in the mean what they were without inputs', async () => {
    const start = { ...quick, epochs: 1, rate: 1e-12 };
    const [plain, centred] = [await train(start), await train({ ...start, centred: true })];
    expect(bits(centred.network)[0]).toEqual(bits(plain.network)[0]);
    const [weights] = centred.network.weights;
    for (let j = 0; j < 16; j++) {
      let sum = centred.network.biases[0][j];
      for (let k = 0; k < few.inputs.length; k++)
        sum += (weights[64 * j + (k % 64)] * few.inputs[k]) / few.count;
      expect(sum).toBeCloseTo(plain.network.biases[0][j], 5);
    }
  });

  it.each(['relu', 'mif'])(
    'trains a convolution of %s units to the same weights, masks and all',
    async (activation) => {
      const layers = describedLayers(
        networkSchema.parse({
          layers: [
            { kind: 'conv2d', maps: 6, kernel: 3, stride: 2, activation },
            { kind: 'flatten' },
            { kind: 'dense' },
          ],
        }),
        dataset,
      );
      const options: TrainOptions = {
        spec: networkSpec(layers, { steps: 50, driveScale: 3e-6 }),
        dataset,
        test,
        epochs: 10,
        batch: 50,
        rate: 1e-2,
        dropout: 0.05,
        decision: 1,
        seed: 1,
      };
      const result = await train(options);
      expect(result.testAccuracy).toBeGreaterThan(0.88);
      expect(evaluate(result.network, test)).toBe(result.testAccuracy);
      const few = { ...options, epochs: 1 };
      expect(bits((await train(few)).network)).toEqual(bits((await train(few)).network));
    },
  );

  it('trains a network that spikes throughout', async () => {
    const result = await train({
      spec: networkSpec([64, 24, 10], { steps: 50, driveScale: 5e-6, hidden: 'mif' }),
      dataset,
      test,
      epochs: 10,
      batch: 50,
      rate: 1e-2,
      seed: 1,
    });
    expect(result.testAccuracy).toBeGreaterThan(0.85);
  });

  it('repeats from its seed; another seed gives another network', async () => {
    const [a, b, c] = [await train(quick), await train(quick), await train({ ...quick, seed: 4 })];
    expect(bits(a.network)).toEqual(bits(b.network));
    expect(bits(a.network)).not.toEqual(bits(c.network));
  });

  it('stopped in the middle of epoch 3 and resumed, it ends with the same weights', async () => {
    const whole = await train(quick);
    const checkpoint = join(mkdtempSync(join(tmpdir(), 'memloop-')), 'run.checkpoint');
    const abort = new AbortController();
    let epochs = 0;
    const emit = (event: EventBody) => {
      // A batch gives way to the event loop once, so this is after the first batch or two.
      if (event.type === 'training' && ++epochs === 2) setImmediate(() => setImmediate(() => abort.abort()));
    };
    await expect(train({ ...quick, checkpoint, emit, signal: abort.signal })).rejects.toThrow(
      /stopped in epoch 3: the same command resumes after epoch 2/,
    );
    expect(epochs).toBe(2);
    const resumed = await train({ ...quick, checkpoint });
    expect(bits(resumed.network)).toEqual(bits(whole.network));
    expect(resumed.history).toEqual(whole.history);
  });

  it('a checkpoint of other settings is refused', async () => {
    const checkpoint = join(mkdtempSync(join(tmpdir(), 'memloop-')), 'run.checkpoint');
    await train({ ...quick, epochs: 1, checkpoint });
    await expect(train({ ...quick, epochs: 2, checkpoint })).rejects.toThrow(/other settings/);
  });

  it.skipIf(!existsSync('/dev/full'))(
    'a disk that fills up while saving leaves the previous checkpoint (skipped where there is no /dev/full)',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'memloop-'));
      const checkpoint = join(folder, 'run.checkpoint');
      let epochs = 0;
      const emit = (event: EventBody) => {
        if (event.type === 'training' && ++epochs === 2)
          symlinkSync('/dev/full', `${checkpoint}.${process.pid}.tmp`);
      };
      await expect(train({ ...quick, checkpoint, emit })).rejects.toThrow(/the disk is full/);
      expect(readdirSync(folder)).toEqual(['run.checkpoint']);
      const resumed = await train({ ...quick, checkpoint });
      expect(bits(resumed.network)).toEqual(bits((await train(quick)).network));
    },
  );

  it.each([
    [{ epochs: 0 }, /epochs must be a whole number above 0, not 0/],
    [{ epochs: -3 }, /epochs must be a whole number above 0, not -3/],
    [{ batch: 0 }, /batch must be/],
    [{ dropout: 1.5 }, /dropout must be/],
    [
      { spec: networkSpec([64, 16, 10], { steps: 100, integrator: 'forward-euler' }) },
      /at least \d+ are needed/,
    ],
    [{ spec: networkSpec([64, 16, 10], { steps: 20 }) }, /too coarse/],
    [{ spec: networkSpec([60, 16, 10], { steps: 50 }) }, /60 inputs/],
  ] as [Partial<TrainOptions>, RegExp][])('refuses %o before it begins', async (change, message) => {
    await expect(train({ ...quick, ...change })).rejects.toThrow(message);
  });

  it('forward Euler that overflows is told with what to change', async () => {
    const wild = networkSpec([64, 16, 10], { steps: 600, integrator: 'forward-euler', driveScale: 1e-3 });
    await expect(train({ ...quick, spec: wild })).rejects.toThrow(
      /not a number in epoch 1, batch 1: forward-euler overflowed/,
    );
  });

  it('dead output neurons are told with what to change', async () => {
    const dead = networkSpec([64, 16, 10], { steps: 50, driveScale: 1e-15 });
    const long = { ...quick, dataset, spec: dead, batch: 10, rate: 1e-9 };
    await expect(train(long)).rejects.toThrow(/do not respond.*raise the drive/);
  });
});
