import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Network, networkSpec, saveNetwork } from '../../src/model/index.js';
import { memloop, scratch } from '../integration/shell.js';
import { BOARD, expectDone, expectOneLine, home } from './shared.js';

/** An untrained network: what it gets right does not matter here. */
function networkFile(metadata: Record<string, string>, features = 64): string {
  const file = join(scratch(), 'network.safetensors');
  saveNetwork(file, Network.initialise(networkSpec([features, 4, 10], { steps: 250 }), 1), metadata);
  return file;
}
const DIGITS = { 'memloop.dataset': 'digits' };

describe('eval', () => {
  test('in software', async () => {
    const file = networkFile(DIGITS);
    const [counted, told] = await Promise.all([
      memloop(['eval', '--model', file, '--samples', '40', '--json'], home()),
      memloop(['eval', '--model', file, '--samples', '40'], home()),
    ]);
    expectDone(counted);
    const { accuracy, samples, ...rest } = counted.result;
    expect(rest).toEqual({ type: 'result' });
    expect(samples).toBe(40);
    expect(accuracy * 40).toBeCloseTo(Math.round(accuracy * 40), 9);
    expectDone(told);
    expect(told.stdout).toContain(`${(100 * accuracy).toFixed(2)} % of 40 test images in software`);
  });

  test('on a board, as the network stands there', async () => {
    const file = networkFile(DIGITS);
    const where = ['--samples', '5', '--port', 'virtual:w-sdc-32x32x5', '--json'];
    const measured = await memloop(['eval', '--model', file, ...where], home());
    expectDone(measured);
    expect(measured.result).toEqual({
      type: 'result',
      accuracy: expect.any(Number),
      samples: 5,
      lostSamples: 0,
      sums: 'array',
      neurons: 'board',
      energy: expect.any(Number),
      latency: expect.any(Number),
      parts: { cells: expect.any(Number), neurons: expect.any(Number) },
    });
  });

  test('bad input ends in one line', async () => {
    const digits = networkFile(DIGITS);
    const wrong: [string[], RegExp][] = [
      [[], /required option '--model <file>' not specified/],
      [['--model', '/none.safetensors'], /cannot read \/none\.safetensors/],
      [['--model', networkFile({})], /does not say what it was trained on; give --dataset NAME/],
      [['--model', digits, '--dataset', 'letters'], /unknown dataset letters: known are/],
      [['--model', networkFile(DIGITS, 32)], /takes 32 inputs to 10 classes, digits has 64 and 10/],
      [['--model', digits, '--costs', '/none.json'], /none\.json does not exist; give segment/],
      [['--model', digits, '--port', BOARD], /needs 10 arrays of 8×8, the board has 4/],
    ];
    await Promise.all(
      wrong.map(async ([args, message]) => expectOneLine(await memloop(['eval', ...args], home()), message)),
    );
  });
});
