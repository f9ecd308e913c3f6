import { describe, expect, it } from 'vitest';
import { maintain, scalesOf } from '../../../src/loop/upkeep/maintain.js';
import { Network } from '../../../src/model/index.js';
import { patterns, smallChip, smallNetwork, smallProfile } from '../small.js';

const MONTH = 30 * 24 * 3600;
const small = await smallNetwork();
const images = patterns(1000, 3);

/** The network on a chip that drifts, a month after it was known to be good. */
async function aged(change: { exponent: number; deviation: number; months?: number }) {
  const profile = smallProfile();
  profile.effects.drift = { enabled: true, time: 1, exponent: change.exponent, deviation: change.deviation };
  const own = new Network(
    small.network.spec,
    small.network.weights.map((list) => list.slice()),
    small.network.biases.map((list) => list.slice()),
  );
  const { virtual, board, deployment } = await smallChip(profile, 5, { ...small, network: own });
  await deployment.program();
  const first = await maintain(deployment, images);
  expect(first).toMatchObject({ did: [], pulses: 0 });
  virtual.elapse((change.months ?? 1) * MONTH);
  const pulses = async () => (await board.health()).pulsesApplied!;
  return { deployment, board, network: own, normal: first.normal, pulses };
}

describe('upkeep', () => {
  it('leaves a chip that has not drifted as it is: no pulse, no change of network or scales', async () => {
    const { deployment, board, network, normal, pulses } = await aged({ exponent: 0, deviation: 0 });
    const [before, scales] = [await pulses(), scalesOf(deployment)];
    const round = await maintain(deployment, images, { normal });
    expect(round).toMatchObject({ did: [], pulses: 0, images: 0, normal });
    expect(await pulses()).toBe(before);
    expect(network.weights).toEqual(small.network.weights);
    expect(network.biases).toEqual(small.network.biases);
    expect(scalesOf(deployment)).toEqual(scales);
    await board.close();
  });

  it('brings back a chip whose cells have drifted together without a pulse', async () => {
    const { deployment, board, normal, pulses } = await aged({ exponent: 0.025, deviation: 0.001 });
    const before = await pulses();
    const round = await maintain(deployment, images, { normal, threshold: 0.03 });
    expect(round.left[0]).toBeLessThan(0.85);
    expect(round.accuracyBefore).toBeLessThan(normal.accuracy - 0.1);
    expect(round.accuracyAfter).toBeGreaterThanOrEqual(normal.accuracy - 0.03);
    expect(round.did[0].step).toBe('rescaled');
    expect(round.pulses).toBe(0);
    expect(await pulses()).toBe(before);
    // What is left is measured against the new scale.
    expect((await maintain(deployment, images, { normal, threshold: 0.03 })).did).toEqual([]);
    await board.close();
  });

  it('pulses cells that have drifted apart, no more than it says, and only if it may', async () => {
    const { deployment, board, normal, pulses } = await aged({ exponent: 0.02, deviation: 0.02 });
    const before = await pulses();
    const careful = await maintain(deployment, images, { normal, threshold: 0.04, pulses: false });
    expect(careful.accuracyAfter).toBeLessThan(normal.accuracy - 0.1);
    expect(careful.did.map(({ step }) => step)).toEqual(['rescaled', 'biases tuned']);
    expect(await pulses()).toBe(before);
    const kept: number[] = [];
    const round = await maintain(deployment, images, {
      normal,
      threshold: 0.04,
      epochs: 2,
      keep: () => {
        kept.push(deployment.network.weights[0][0]);
      },
    });
    expect(round.did.map(({ step }) => step)).toContain('cells put back');
    expect(round.pulses).toBeGreaterThan(0);
    expect((await pulses()) - before).toBe(round.pulses);
    expect(round.accuracyAfter).toBeGreaterThanOrEqual(normal.accuracy - 0.04);
    expect(kept.at(-1)).toBe(deployment.network.weights[0][0]);
    await board.close();
  });
});
