/** A network whose tiles share arrays does what it does on arrays of its own. */
import { describe, expect, it } from 'vitest';
import { finetune, layerScales, maintain, twinTraining } from '../../../src/loop/index.js';
import { networkSpec, predict, train } from '../../../src/model/index.js';
import { bareProfile, patterns, smallChip, withoutProducts } from '../small.js';

const dataset = patterns(400, 1);
const pictures = patterns(200, 2);
const spec = networkSpec([8, 6, 4], { steps: 100, driveScale: 5e-6 });
const { network } = await train({
  spec,
  dataset,
  epochs: 20,
  batch: 20,
  validation: 0,
  decision: 1,
  seed: 1,
});
const scales = layerScales(network, dataset);
const decisions = predict(network, pictures.inputs);
const accuracy = decisions.filter((d, n) => d === pictures.labels[n]).length / pictures.count;

/** Five arrays for one tile each, or three whose 144 cells are all taken. */
const boardOf = (arrays: number) => ({ ...bareProfile(), rows: 6, columns: 8, arrays });
const chipOf = (profile: ReturnType<typeof bareProfile>, options = {}) =>
  smallChip(profile, 4, { network: network.clone(), scales }, options);

describe('tiles that share arrays', () => {
  it('fill the board, and give the sums that tiles of their own give', async () => {
    const sums: Float32Array[] = [];
    for (const arrays of [5, 3]) {
      const { board, deployment } = await chipOf(boardOf(arrays));
      expect(deployment.placement).toMatchObject({ cells: 144, boardCells: 48 * arrays, arrays });
      await deployment.program();
      for await (const { forward } of deployment.hardware.forward(pictures, 200))
        sums.push(forward.layers[1].sums);
      expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(accuracy - 0.03);
      await board.close();
    }
    const [apart, shared] = sums;
    const off = apart.reduce((sum, value, i) => sum + Math.abs(value - shared[i]), 0) / apart.length;
    const size = apart.reduce((sum, value) => sum + Math.abs(value), 0) / apart.length;
    expect(off).toBeLessThan(0.06 * size);
  });

  it('are summed by the host where the board has no products', async () => {
    const { board, deployment } = await chipOf(boardOf(3), { wrap: withoutProducts });
    await deployment.program();
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(accuracy - 0.03);
    await board.close();
  });

  it('are fine-tuned, trained for, and kept up', async () => {
    const profile = boardOf(3);
    profile.effects.stuckCells = { enabled: true, low: 0.05, high: 0.05 };
    const { board, deployment } = await chipOf(profile);
    await deployment.program();
    const before = await deployment.evaluate(pictures);
    await finetune(deployment, dataset, { epochs: 2, batch: 10, adapt: 2000, seed: 1 });
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(before.accuracy - 0.01);
    expect((await maintain(deployment, dataset)).accuracyAfter).toBeGreaterThan(before.accuracy - 0.02);
    const { limits } = twinTraining(board.passport, spec).twin;
    expect(limits!.some(({ high }) => high.some((most) => most < 1))).toBe(true);
    await board.close();
  });
});
