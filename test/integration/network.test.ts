import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { memloop, scratch } from './shell.js';

it('train --network trains a convolution from a file, which a chip takes; program says how much of the board it needs', async () => {
  const home = scratch();
  const environment = { MEMLOOP_HOME: home };
  const file = join(home, 'network.json');
  const out = join(home, 'network.safetensors');
  const layers = [{ kind: 'conv2d', maps: 4, kernel: 3, stride: 2 }, { kind: 'flatten' }, { kind: 'dense' }];
  writeFileSync(file, JSON.stringify({ layers }));
  const train = ['train', '--network', file, '--epochs', '5', '--steps', '50', '--out', out, '--json'];
  const trained = await memloop(train, environment);
  expect(trained.code).toBe(0);
  expect(trained.result.testAccuracy).toBeGreaterThan(0.5);

  const dryRun = async (profile: string) =>
    memloop(
      ['program', '--model', out, '--dry-run', '--port', `virtual:${profile}?seed=1`, '--json'],
      environment,
    );
  const placement = { cells: 792, boardCells: 5120, arrays: 3, tiles: 3 };
  expect((await dryRun('w-sdc-32x32x5')).result).toMatchObject({ dryRun: true, cells: 792, placement });
  const small = await dryRun('w-sdc-8x8x4');
  expect(small.code).toBe(2);
  expect(small.stderr).toMatch(
    /needs 13 arrays of 8×8, the board has 4; .* of 1 instead of 4 hidden outputs/,
  );

  writeFileSync(file, JSON.stringify({ layers: [{ kind: 'dense' }, { kind: 'dense' }] }));
  const bad = await memloop(train, environment);
  expect(bad.code).toBe(2);
  expect(bad.stderr).toBe('memloop: layer 0 (dense): "outputs" is missing\n');
});
