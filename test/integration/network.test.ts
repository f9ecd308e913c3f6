import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { memloop, scratch } from './shell.js';

it('train --network trains a convolution from a file; no chip takes it yet, and says so before any pulse', async () => {
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

  const program = await memloop(['program', '--model', out, '--port', 'virtual:ideal?seed=1'], environment);
  expect(program.code).toBe(2);
  expect(program.stderr).toMatch(/conv2d layer, which a chip cannot take yet/);

  writeFileSync(file, JSON.stringify({ layers: [{ kind: 'dense' }, { kind: 'dense' }] }));
  const bad = await memloop(train, environment);
  expect(bad.code).toBe(2);
  expect(bad.stderr).toBe('memloop: layer 0 (dense): "outputs" is missing\n');
});
