import { describe, expect, it } from 'vitest';
import { type BackendName, loadBackend } from '../../../src/interop/tfjs/backend.js';
import { mifLayer } from '../../../src/interop/tfjs/operation.js';
import { MIF, runMif } from '../../../src/model/devices/mif.js';
import { backends } from './backends.js';

const spec = {
  neuron: MIF,
  integrator: 'exponential',
  duration: 10e-3,
  steps: 250,
  pulseSteps: [0, 100, 200],
} as const;
const layerSpec = { ...spec, pulseSteps: [...spec.pulseSteps] };
const drives = [
  [8e-6, -5e-6, 12e-6],
  [2e-6, 6e-6, -1e-6],
  [4e-6, 4e-6, 9e-6],
  [1e-6, 0, 3e-6],
  [7e-6, 2e-6, -8e-6],
];

async function check(name: BackendName) {
  const { tf } = await loadBackend(name);
  const layer = mifLayer(tf, layerSpec);
  const x = tf.tensor2d(drives);
  const voltages = layer(x);
  expect(voltages.shape).toEqual([5, 250, 3]);
  const values = voltages.dataSync();
  drives.forEach((row, b) => {
    row.forEach((drive, n) => {
      const { states } = runMif(
        MIF,
        'exponential',
        4e-5,
        250,
        new Map(spec.pulseSteps.map((s) => [s, drive])),
      );
      for (let t = 0; t < 250; t += 7)
        expect(Math.abs(values[(b * 250 + t) * 3 + n] - states[t + 1].v)).toBeLessThan(1e-6);
    });
  });
  // The loss of the paper out of tfjs operations, its gradient through the layer, against differences.
  const loss = (d: ReturnType<typeof tf.tensor2d>) =>
    tf.neg(tf.mean(tf.slice(tf.logSoftmax(tf.mul(layer(d), 1000)), [0, 0, 1], [-1, -1, 1]))) as ReturnType<
      typeof tf.scalar
    >;
  const gradient = tf
    .grad(loss as never)(x)
    .dataSync();
  const at = (b: number, n: number, h: number) => {
    const moved = drives.map((row) => [...row]);
    moved[b][n] += h;
    return loss(tf.tensor2d(moved)).dataSync()[0];
  };
  const largest = Math.max(...Array.from(gradient, Math.abs));
  for (const [b, n] of [
    [0, 0],
    [2, 1],
    [4, 2],
  ]) {
    const numeric = (at(b, n, 1e-7) - at(b, n, -1e-7)) / 2e-7;
    expect(Math.abs(gradient[b * 3 + n] - numeric)).toBeLessThan(2e-2 * largest);
  }
}

describe(`the MIF layer as a TensorFlow.js operation (backends that load here: ${backends.join(', ')})`, () => {
  it.each(backends)('on the %s backend', check);
  it('the backend chosen is one that works', async () => {
    const { name, tf } = await loadBackend();
    expect(['tfjs-node', 'wasm', 'cpu']).toContain(name);
    expect(tf.add(1, 2).dataSync()[0]).toBe(3);
  });
});
