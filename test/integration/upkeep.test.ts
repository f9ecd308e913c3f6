import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { layerScales, saveOnChip } from '../../src/loop/index.js';
import { loadDataset, loadNetwork, networkSpec, saveNetwork, train } from '../../src/model/index.js';
import { createVirtualBoard, loadProfile, servePty, withEffects } from '../../src/virtual-board/index.js';
import { memloop, scratch } from './shell.js';

/** One layer on two arrays: as quick as digits can be. */
const trained = await (async () => {
  const { train: images } = await loadDataset('digits', { seed: 1 });
  const spec = networkSpec([64, 10], { steps: 50, driveScale: 2e-6 });
  const { network } = await train({ spec, dataset: images, epochs: 4, batch: 50, validation: 0, seed: 1 });
  return { network, scales: layerScales(network, images) };
})();

function modelIn(folder: string): string {
  const file = join(folder, 'digits.safetensors');
  saveOnChip(file, trained.network, { 'memloop.dataset': 'digits', 'memloop.seed': '1' }, trained.scales);
  return file;
}

describe('memloop maintain', () => {
  it('takes note at first, and a month later brings accuracy back without a pulse', async () => {
    const folder = scratch();
    const model = modelIn(folder);
    const profile = withEffects(loadProfile('w-sdc-32x32x5'), []);
    profile.effects.drift = { enabled: true, time: 1, exponent: 0.02, deviation: 0.001 };
    const virtual = createVirtualBoard({ profile, seed: 2 });
    const served = await servePty(virtual);
    onTestFinished(async () => {
      await served.close();
      await virtual.close();
    });
    const environment = { MEMLOOP_HOME: folder, MEMLOOP_PORT: served.port };
    const run = (...args: string[]) => memloop([...args, '--model', model, '--json'], environment);

    expect((await run('program')).code).toBe(0);
    const first = await run('maintain');
    expect(first.stderr).toBe('');
    expect(first.result).toMatchObject({ noted: true, did: [], pulses: 0, out: model });
    const { accuracy } = first.result.normal;
    const fresh = loadNetwork(model);

    virtual.elapse(30 * 24 * 3600);
    const second = await run('maintain');
    expect(second.code).toBe(0);
    expect(second.result).toMatchObject({ noted: false, pulses: 0, normal: { accuracy } });
    expect(second.result.did[0].step).toBe('rescaled');
    expect(second.result.left[0]).toBeLessThan(0.85);
    expect(second.result.accuracyAfter).toBeGreaterThan(accuracy - 0.02);
    const aged = loadNetwork(model);
    expect(aged.network.weights).toEqual(fresh.network.weights);
    expect(aged.metadata['memloop.scales']).not.toBe(fresh.metadata['memloop.scales']);

    const third = await run('maintain');
    expect(third.result).toMatchObject({ noted: false, did: [] });
    // Other weights since: what was noted is not about them.
    aged.network.weights[0][0] += 1e-3;
    saveNetwork(model, aged.network, aged.metadata);
    expect((await run('maintain', '--read-only')).result).toMatchObject({ noted: true, did: [], pulses: 0 });
  }, 240_000);

  it('names a note that is damaged', async () => {
    const folder = scratch();
    const model = modelIn(folder);
    const { network, metadata } = loadNetwork(model);
    saveNetwork(model, network, { ...metadata, 'memloop.upkeep': '{"accuracy":2}' });
    const { code, stderr } = await memloop(
      ['maintain', '--model', model, '--port', 'virtual:w-sdc-32x32x5'],
      { MEMLOOP_HOME: folder },
    );
    expect(stderr).toMatch(/its memloop\.upkeep.+; take the file that was fine-tuned\n$/);
    expect(code).toBe(2);
  });
});

describe('memloop ledger', () => {
  it('writes its table and its plot', async () => {
    const folder = scratch();
    const svg = join(folder, 'ledger.svg');
    const args = [
      'ledger',
      '--model',
      modelIn(folder),
      '--profile',
      'ideal',
      '--samples',
      '20',
      '--svg',
      svg,
    ];
    const { code, stdout, stderr } = await memloop(args, { MEMLOOP_HOME: folder });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/no imperfection +\d/);
    expect(stdout).toMatch(/all together +\d+\.\d \(.*\) +0\.0 \(/);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);
    // Chips of a comparison leave no passports.
    expect(existsSync(join(folder, 'passports'))).toBe(false);
  }, 240_000);
});
