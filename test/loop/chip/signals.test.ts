import { beforeAll, describe, expect, it } from 'vitest';
import { layerScales, recover } from '../../../src/loop/index.js';
import { type Dataset, type Network, networkSpec, predict, Random, train } from '../../../src/model/index.js';
import { smallChip, smallProfile } from '../small.js';

const TIMES = 6;
const CHANNELS = 4;

/** A bump that runs up the channels, down, stays below, or stays above: with all times in one, the first two look alike. */
function movements(count: number, seed: number): Dataset {
  const random = new Random(seed);
  const paths = [(t: number) => t, (t: number) => TIMES - 1 - t, () => 0, () => TIMES - 1];
  const labels = Uint8Array.from({ length: count }, (_, n) => n % paths.length);
  const features = TIMES * CHANNELS;
  const inputs = Float32Array.from({ length: count * features }, (_, k) => {
    const at = Math.floor((k % features) / CHANNELS);
    const centre = (paths[labels[Math.floor(k / features)]](at) * (CHANNELS - 1)) / (TIMES - 1);
    const value = Math.exp(-((centre - (k % CHANNELS)) ** 2)) + 0.1 * random.normal();
    return Math.min(1, Math.max(0, value));
  });
  return { name: 'movements', inputs, labels, count, features, classes: paths.length };
}

describe('a signal in time on a chip, hidden MIF neurons', () => {
  const dataset = movements(400, 1);
  const fresh = movements(120, 2);
  let network: Network;
  beforeAll(async () => {
    const spec = networkSpec([CHANNELS, 8, 4], {
      times: TIMES,
      hidden: 'mif',
      steps: 80,
      duration: 4e-3,
      driveScale: 10e-6,
    });
    const options = { epochs: 15, batch: 20, validation: 0, decision: 5, rate: 2e-2, seed: 1 };
    ({ network } = await train({ spec, dataset, ...options }));
  });
  const onChip = (profile = smallProfile()) => {
    const scales = layerScales(network, dataset);
    return smallChip({ ...profile, arrays: 3 }, 4, { network: network.clone(), scales });
  };

  it('is decided as in software', async () => {
    const software = predict(network, fresh.inputs);
    const right = Array.from(software).filter((d, n) => d === fresh.labels[n]).length;
    expect(right).toBeGreaterThan(0.95 * fresh.count);
    const { board, deployment } = await onChip();
    await deployment.program();
    const decisions: number[] = [];
    for await (const { forward } of deployment.hardware.forward(fresh, 64))
      decisions.push(...forward.decisions);
    const same = decisions.filter((decision, n) => decision === software[n]).length;
    expect(same).toBeGreaterThan(0.9 * fresh.count);
    await board.close();
  });

  it('is learned by state injection where neurons differ', async () => {
    const profile = smallProfile();
    profile.effects.neuronMismatch = { enabled: true, relative: 0.2 };
    const { board, deployment } = await onChip(profile);
    const options = { adapt: 0, epochs: 1, batch: 10, learningRate: 0.02, seed: 1 };
    const { before, after, software } = await recover(deployment, { train: dataset, test: fresh }, options);
    expect(software - before.accuracy).toBeGreaterThan(0.05);
    expect(after.accuracy - before.accuracy).toBeGreaterThan(0.5 * (software - before.accuracy));
    await board.close();
  });
});
