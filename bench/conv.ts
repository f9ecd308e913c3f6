/**
 * An epoch of a convolutional network on MNIST here and in PyTorch, side by side in one run on one machine: two strided
 * 5 × 5 convolutions of 8 and 24 maps and a dense layer, 8,840 weights, batches of 200 images moved at random. Here ten
 * MIF neurons decide; in PyTorch ordinary units, because its neurons would take minutes. Epochs take turns.
 *
 *     npm run bench:conv -- --data-dir DIR [--threads 2 --epochs 3 --images 60000]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Dataset,
  describedLayers,
  loadDataset,
  networkSpec,
  setKernelThreads,
  subset,
  train,
} from '../src/model/index.js';

const { values } = parseArgs({
  options: {
    'data-dir': { type: 'string' },
    threads: { type: 'string', default: '2' },
    epochs: { type: 'string', default: '3' },
    images: { type: 'string', default: '60000' },
  },
});
const threads = Number(values.threads);
const turns = Number(values.epochs);
const BATCH = 200;
const PYTHON = process.env.PYTHON ?? '/usr/bin/python3';
const root = dirname(createRequire(import.meta.url).resolve('memloop/package.json'));

const dataDir = values['data-dir'];
const { train: all } = await loadDataset('mnist', { seed: 1, ...(dataDir !== undefined && { dataDir }) });
const images = subset(
  all,
  Uint32Array.from({ length: Math.min(all.count, Number(values.images)) }, (_, i) => i),
);
const layers = describedLayers(
  {
    layers: [
      { kind: 'conv2d', maps: 8, kernel: 5, stride: 2 },
      { kind: 'conv2d', maps: 24, kernel: 5, stride: 2 },
      { kind: 'flatten' },
      { kind: 'dense' },
    ],
  },
  images,
);

/** s: by the clock, and of all processors together, which other work on the machine disturbs least. */
interface Epoch {
  seconds: number;
  cpu: number;
}

/** Two runs of one and two epochs: their difference is an epoch without the start and the last evaluation. */
async function ownEpoch(dataset: Dataset, steps: number): Promise<Epoch> {
  const spec = networkSpec(layers, { steps, driveScale: 1e-6 });
  const run = async (epochs: number): Promise<Epoch> => {
    const begun = performance.now();
    const used = process.cpuUsage();
    await train({
      spec,
      dataset,
      epochs,
      batch: BATCH,
      rate: 3e-3,
      decision: 1,
      augmentation: 'affine',
      validation: 0,
    });
    const { user, system } = process.cpuUsage(used);
    return { seconds: (performance.now() - begun) / 1e3, cpu: (user + system) / 1e6 };
  };
  const [one, two] = [await run(1), await run(2)];
  return { seconds: two.seconds - one.seconds, cpu: two.cpu - one.cpu };
}

const folder = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
writeFileSync(join(folder, 'images.f32'), images.inputs);
writeFileSync(join(folder, 'labels.u8'), images.labels);

/** The second epoch; the first warms up. */
function peerEpoch(): Epoch & { version: string } {
  const peer = join(root, 'bench', 'conv-peer.py');
  const args = [peer, String(threads), '2', folder, String(images.count), String(BATCH)];
  const run = spawnSync(PYTHON, args, { encoding: 'utf8' });
  if (run.status !== 0)
    throw new Error(
      `${PYTHON} cannot run PyTorch: ${run.stderr.trim().split('\n').at(-1) || run.error?.message}`,
    );
  const { seconds, cpu, version } = JSON.parse(run.stdout);
  return { seconds: seconds[1], cpu: cpu[1], version };
}

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1];
const rows: Record<string, Epoch[]> = {};
const add = (name: string, epoch: Epoch) => {
  rows[name] = [...(rows[name] ?? []), epoch];
  console.log(
    `${name.padEnd(36)} ${epoch.seconds.toFixed(2).padStart(7)} s  ${epoch.cpu.toFixed(2).padStart(7)} s`,
  );
};

setKernelThreads(threads);
console.log(`An epoch of ${images.count} images, ${threads} threads: by the clock, and processor time\n`);
for (let turn = 0; turn < turns; turn++) {
  add('memloop, MIF neurons, 250 steps', await ownEpoch(images, 250));
  add('memloop, MIF neurons, 40 steps', await ownEpoch(images, 40));
  const { version, ...epoch } = peerEpoch();
  add(`PyTorch ${version.split('+')[0]}, ordinary units`, epoch);
}
console.log('\nMedians');
for (const [name, epochs] of Object.entries(rows))
  console.log(
    `${name.padEnd(36)} ${median(epochs.map((e) => e.seconds))
      .toFixed(2)
      .padStart(7)} s  ${median(epochs.map((e) => e.cpu))
      .toFixed(2)
      .padStart(7)} s`,
  );
