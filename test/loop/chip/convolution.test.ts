/** Convolutions on arrays: each filter bank is a tile that is multiplied by the patches. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FINETUNE_DEFAULTS, finetune, layerScales, maintain } from '../../../src/loop/index.js';
import { defaultsFor } from '../../../src/loop/tuning/options.js';
import {
  type Activation,
  describedLayers,
  layerOutputs,
  networkSpec,
  predict,
  train,
} from '../../../src/model/index.js';
import { temporaryHome } from '../../calibration/boards.js';
import { bareProfile, patterns, smallChip } from '../small.js';

const dataset = patterns(300, 1, 0.2, 36);
const pictures = patterns(100, 2, 0.2, 36);

async function trained(activation: Activation) {
  const mif = activation === 'mif';
  const layers = describedLayers(
    {
      layers: [
        { kind: 'conv2d', maps: 3, kernel: 3, padding: mif ? 0 : 1, stride: mif ? 3 : 1, activation },
        ...(mif ? [] : [{ kind: 'avgpool', kernel: 2 } as const]),
        { kind: 'flatten' },
        { kind: 'dense' },
      ],
    },
    dataset,
  );
  const spec = networkSpec(layers, { steps: 100, driveScale: mif ? 60e-6 : 20e-6 });
  const options = { epochs: mif ? 15 : 20, batch: 20, rate: mif ? 0.02 : 0.01, validation: 0, decision: 1 };
  const { network } = await train({ spec, dataset, seed: 1, ...options });
  const right = predict(network, pictures.inputs).filter((d, n) => d === pictures.labels[n]).length;
  return { network, accuracy: right / pictures.count, scales: layerScales(network, dataset) };
}

/** Two tiles an array of their own, or tiles that share arrays. */
const boardOf = (arrays: number, rows: number) => ({ ...bareProfile(), rows, columns: 8, arrays });

const shared = { ...boardOf(2, 9), columns: 32 };

describe('a convolution on a chip', async () => {
  const relu = await trained('relu');

  it('gives the sums of software, its filters on arrays of their own or beside the next layer', async () => {
    for (const board of [boardOf(2, 27), shared]) {
      const { board: port, deployment } = await smallChip(board, 4, relu);
      await deployment.program();
      for await (const { images, forward } of deployment.hardware.forward(pictures, 100)) {
        const [{ sums }] = forward.layers;
        const wanted = layerOutputs(relu.network, 0, images.inputs.subarray(0, 36));
        const size = Math.max(...Array.from(wanted, Math.abs));
        expect(wanted).toHaveLength(108);
        for (let i = 0; i < wanted.length; i++)
          expect(Math.abs(sums[i] - wanted[i])).toBeLessThan(0.1 * size);
      }
      expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(relu.accuracy - 0.03);
      await port.close();
    }
  });

  it('is fine-tuned, with training offline for the chip, and kept up', async () => {
    const profile = structuredClone(shared);
    profile.effects.stuckCells = { enabled: true, low: 0.05, high: 0.05 };
    const { board, deployment } = await smallChip(profile, 4, { ...relu, network: relu.network.clone() });
    await deployment.program();
    const { accuracy } = await deployment.evaluate(pictures);
    const options = {
      epochs: 1,
      batch: 20,
      adapt: 1000,
      seed: 1,
      checkpoint: join(temporaryHome(), 'state'),
    };
    const { history, best, images } = await finetune(deployment, dataset, options);
    expect(history[best].loss).toBeLessThan(history[0].loss);
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(accuracy - 0.02);
    expect((await finetune(deployment, dataset, options)).images).toBe(images);
    const round = await maintain(deployment, dataset);
    expect(round.accuracyAfter).toBeGreaterThanOrEqual(round.accuracyBefore);
    await board.close();
  });

  it('is fine-tuned with images such as it was trained on', () => {
    const { spec } = relu.network;
    expect(defaultsFor(spec, { ...dataset, name: 'mnist' })).toMatchObject({
      adapt: 0,
      dropout: 0,
      augmentation: 'affine',
    });
    const dense = networkSpec([36, 4]);
    expect(defaultsFor(dense, { ...dataset, name: 'mnist' })).toEqual(FINETUNE_DEFAULTS);
  });

  it('drives hidden MIF neurons, a layer behind them takes their waveforms', async () => {
    const mif = await trained('mif');
    const { board, deployment } = await smallChip(boardOf(2, 12), 4, mif);
    await deployment.program();
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(mif.accuracy - 0.06);
    await board.close();
  });
});
