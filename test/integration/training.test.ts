import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { loadNetwork } from '../../src/model/index.js';
import { memloop, scratch, start } from './shell.js';

const TRAIN = ['train', '--epochs', '5', '--steps', '50', '--threads', '1', '--json'];

describe('memloop train', () => {
  it('killed in epoch 3 and repeated, it ends with the bytes of a run that was not killed', async () => {
    const folder = scratch();
    const [whole, killed] = ['whole', 'killed'].map((name) => join(folder, `${name}.safetensors`));
    const { code, result } = await memloop([...TRAIN, '--out', whole]);
    expect(code).toBe(0);
    expect(result.result ?? result).toMatchObject({ file: whole, testAccuracy: expect.any(Number) });

    const child = start([...TRAIN, '--out', killed]);
    for await (const line of createInterface({ input: child.stdout! })) {
      const event = JSON.parse(line);
      if (event.type === 'training' && event.epoch === 2) break;
    }
    child.kill('SIGKILL');
    expect(existsSync(`${killed}.checkpoint`)).toBe(true);
    const again = await memloop([...TRAIN, '--out', killed]);
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/resumed from/);
    expect(readFileSync(killed).equals(readFileSync(whole))).toBe(true);
    expect(existsSync(`${killed}.checkpoint`)).toBe(false);
    expect(readFileSync(join(folder, 'killed.svg'), 'utf8')).toMatch(/^<svg.*validation/s);
  });

  it('trains for the chip of a passport, and says so in the file', async () => {
    const home = { MEMLOOP_HOME: scratch() };
    const port = ['--port', 'virtual:w-sdc-32x32x5?seed=3', '--json'];
    expect((await memloop(['calibrate', '--converters-only', ...port], home)).code).toBe(0);
    const early = await memloop(['train', '--passport', 'VB-e0bb71f2'], home);
    expect(early.stderr).toMatch(/the neurons of board VB-e0bb71f2 are not calibrated/);
    expect(early.code).toBe(1);
    const calibrated = await memloop(['calibrate', '--neurons-only', ...port], home);
    expect(calibrated.result.passport.neurons.neurons).toHaveLength(10);
    const file = join(scratch(), 'own.safetensors');
    const { code, result } = await memloop([...TRAIN, '--passport', 'VB-e0bb71f2', '--out', file], home);
    expect(code).toBe(0);
    expect(result.testAccuracy).toBeGreaterThan(0.7);
    const { network, metadata } = loadNetwork(file);
    expect(metadata['memloop.chip']).toMatch(/board VB-e0bb71f2, neurons measured 2/);
    const [{ parameters }] = calibrated.result.passport.neurons.neurons;
    expect(network.spec.outputNeurons?.[0]).toEqual(parameters);
  });

  it('a data file, without a hidden layer: evaluation needs no more than the two files', async () => {
    const folder = scratch();
    const [data, out] = [join(folder, 'blobs.csv'), join(folder, 'blobs.safetensors')];
    const rows = Array.from({ length: 40 }, (_, i) => `${i % 2 ? 5 + (i % 7) : -(i % 5)},${i % 3},${i % 2}`);
    writeFileSync(data, `a,b,class\n${rows.join('\n')}\n`);
    const options = ['--hidden', 'none', '--steps', '50', '--threads', '1', '--out', out, '--json'];
    const { code, result } = await memloop(['train', '--dataset', data, ...options]);
    expect(code).toBe(0);
    expect(result.testAccuracy).toBe(1);
    expect(loadNetwork(out).network.spec.layers).toMatchObject([{ inputs: 2, outputs: 2 }]);
    expect((await memloop(['eval', '--model', out, '--json'])).result).toMatchObject({
      accuracy: 1,
      samples: 8,
    });
  });

  it.each([
    [['train', '--passport', 'VB-nothing'], /there is no passport .*VB-nothing.*memloop calibrate/],
    [['train', '--weight-noise', '-1'], /weightNoise must not be negative/],
    [['train', '--epochs', '0'], /epochs must be a whole number above 0, not 0/],
    [['train', '--epochs', '-2'], /epochs must be a whole number above 0, not -2/],
    [['train', '--dataset', 'emnist'], /unknown dataset emnist: known are/],
    [
      ['train', '--integrator', 'forward-euler', '--steps', '200'],
      /unstable with 200 steps.*at least \d+ are needed/,
    ],
    [['data', 'fetch', 'emnist'], /unknown dataset emnist/],
    [['simulate'], /either --peak A or --stimulus FILE/],
    [['export', 'spice'], /one of --model FILE, --peak A or --stimulus FILE/],
  ])('%j ends in one line, exit 2', async (args, message) => {
    const { code, stderr } = await memloop(args);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('an IDX file that is cut off is named', async () => {
    const folder = scratch();
    for (const name of ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'])
      writeFileSync(join(folder, `${name}-ubyte`), Buffer.from([0, 0, 8, 3, 0, 0]));
    const { code, stderr } = await memloop(['train', '--dataset', 'mnist', '--data-dir', folder]);
    expect(stderr).toMatch(/train-images-idx3-ubyte is not the IDX file it should be: it ends after 6 bytes/);
    expect(code).toBe(2);
  });
});

it('memloop simulate tells its trace, and writes it as CSV and SVG', async () => {
  const folder = scratch();
  const [csv, svg] = [join(folder, 'trace.csv'), join(folder, 'trace.svg')];
  const { code, result } = await memloop([
    'simulate',
    '--peak',
    '5e-6',
    '--out',
    csv,
    '--svg',
    svg,
    '--json',
  ]);
  expect(code).toBe(0);
  expect(result.trace.time).toHaveLength(1001);
  expect(Math.max(...result.trace.neurons[0].v)).toBeCloseTo(80.6e-3, 4);
  expect(readFileSync(csv, 'utf8').split('\n')[0]).toBe('time,neuron,a,i,v,x1,x2');
  expect(readFileSync(svg, 'utf8')).toMatch(/^<svg/);
});
