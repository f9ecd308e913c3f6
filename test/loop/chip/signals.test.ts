import { beforeAll, describe, expect, it } from 'vitest';
import { layerScales, recover } from '../../../src/loop/index.js';
import { type Dataset, Network, networkSpec, predict, Random, train } from '../../../src/model/index.js';
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

  it('that the board cannot take in a run is refused before any pulse', async () => {
    const open = (times: number, duration: number, stepTime: number) => {
      const spec = networkSpec([CHANNELS, 4], { times, duration, steps: 80 });
      const profile = smallProfile();
      profile.run.stepTime = stepTime;
      const scales = [{ weightMax: 1, inputMax: 1 }];
      return smallChip(profile, 4, { network: Network.initialise(spec, 1), scales });
    };
    await expect(open(33, 4e-3, 1e-5)).rejects.toThrow(/33 input pulses in a run, and the board takes 32/);
    await expect(open(8, 20e-3, 1e-5)).rejects.toThrow(/comes after 16 ms, and the board's runs take 10 ms/);
    const { board } = await open(32, 4e-3, 1e-5);
    await board.close();
  });

  it('hidden neurons of a run of 1000 steps get no more samples than a run takes pulses', async () => {
    const spec = networkSpec([4, 3, 4], { hidden: 'mif' });
    const profile = { ...smallProfile(), arrays: 2 };
    profile.run.stepTime = 1e-5;
    const drawn = Network.initialise(spec, 1);
    const chip = { network: drawn, scales: layerScales(drawn, { ...fresh, features: CHANNELS }) };
    const { board, deployment } = await smallChip(profile, 4, chip);
    expect(deployment.hardware.pulseSteps(1)).toHaveLength(32);
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
