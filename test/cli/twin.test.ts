import { join } from 'node:path';
import { test } from 'vitest';
import { Network, networkSpec, saveNetwork } from '../../src/model/index.js';
import { memloop, scratch } from '../integration/shell.js';
import { expectOneLine, home } from './shared.js';

test('a prediction needs the passport of a calibrated chip', async () => {
  const file = join(scratch(), 'network.safetensors');
  saveNetwork(file, Network.initialise(networkSpec([64, 4, 10], { steps: 250 }), 1), {
    'memloop.dataset': 'digits',
  });
  const predict = (...args: string[]) => memloop(['twin', 'predict', '--model', file, ...args], home());
  const [nowhere, unknown] = await Promise.all([predict(), predict('--passport', 'VB-none')]);
  expectOneLine(nowhere, /give --passport SERIAL, or --port URL/);
  expectOneLine(unknown, /there is no passport .*run `memloop calibrate`/);
});
