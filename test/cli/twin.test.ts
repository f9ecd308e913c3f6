import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Network, networkSpec, saveNetwork } from '../../src/model/index.js';
import { memloop, scratch } from '../integration/shell.js';
import { expectOneLine, home } from './shared.js';

test('a prediction needs the passport of a calibrated chip', async () => {
  const file = join(scratch(), 'network.safetensors');
  saveNetwork(file, Network.initialise(networkSpec([64, 4, 10], { steps: 250 }), 1), {
    'memloop.dataset': 'digits',
  });
  const predict = (...args: string[]) => memloop(['twin', 'predict', '--model', file, ...args], home());
  expectOneLine(await predict(), /give --passport SERIAL, or --port URL/);
  expectOneLine(await predict('--passport', 'VB-none'), /there is no passport .*run `memloop calibrate`/);
  const fresh = await predict('--port', 'virtual:w-sdc-32x32x5');
  expect(fresh.code).toBe(1);
  expect(fresh.stderr).toMatch(/neurons of board VB-.* are not calibrated: run `memloop calibrate`/);
});
