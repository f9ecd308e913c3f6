/** Labelled images, and splits of them that repeat from a seed. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gunzipSync } from 'node:zlib';
import { MemloopError } from '../../shared/errors.js';
import { Random } from '../random.js';

export interface Dataset {
  name: string;
  /** count × features, 0…1 */
  inputs: Float32Array;
  labels: Uint8Array;
  count: number;
  features: number;
  /** Of signals in time: the features are so many vectors of channels, one after the other. 1 where left out. */
  times?: number;
  classes: number;
  /** Of a file's data: what tells it from another file of the same name. */
  key?: string;
}

const require = createRequire(import.meta.url);

/** The 1,797 handwritten digits of 8 × 8 pixels that come with memloop (UCI, CC BY 4.0). */
export function loadDigits(): Dataset {
  const rows = gunzipSync(readFileSync(require.resolve('#assets/digits.csv.gz')))
    .toString()
    .trim()
    .split('\n');
  const features = 64;
  const inputs = new Float32Array(rows.length * features);
  const labels = new Uint8Array(rows.length);
  rows.forEach((row, i) => {
    const values = row.split(',');
    for (let j = 0; j < features; j++) inputs[i * features + j] = Number(values[j]) / 16;
    labels[i] = Number(values[features]);
  });
  return { name: 'digits', inputs, labels, count: rows.length, features, classes: 10 };
}

/** The samples at these indices, in this order. */
export function subset(dataset: Dataset, indices: ArrayLike<number>, name = dataset.name): Dataset {
  const { features } = dataset;
  const inputs = new Float32Array(indices.length * features);
  const labels = new Uint8Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] * features;
    inputs.set(dataset.inputs.subarray(from, from + features), i * features);
    labels[i] = dataset.labels[indices[i]];
  }
  return { ...dataset, name, inputs, labels, count: indices.length };
}

/** Samples `from` up to `to`, as far as there are any: a view, not a copy. */
export function slice(dataset: Dataset, from: number, to: number): Dataset {
  const { features } = dataset;
  const labels = dataset.labels.subarray(from, to);
  const inputs = dataset.inputs.subarray(from * features, to * features);
  return { ...dataset, inputs, labels, count: labels.length };
}

/** The samples in order, `size` at a time: views. */
export const batches = (dataset: Dataset, size: number): Dataset[] =>
  Array.from({ length: Math.ceil(dataset.count / size) }, (_, b) => slice(dataset, b * size, (b + 1) * size));

/**
 * Disjoint random parts, each holding its share of the samples; the last share takes what rounding left
 * if the shares add up to 1.
 */
export function split(dataset: Dataset, seed: number, shares: readonly number[]): Dataset[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (shares.some((share) => !(share >= 0)) || total > 1 + 1e-9)
    throw new MemloopError(
      'bad-input',
      `split shares ${shares.join(', ')} must be positive and add up to at most 1`,
    );
  const order = new Random(seed)
    .fork('split')
    .shuffle(Uint32Array.from({ length: dataset.count }, (_, i) => i));
  const parts: Dataset[] = [];
  let cumulative = 0;
  for (const share of shares) {
    const from = Math.round(cumulative * dataset.count);
    cumulative += share;
    const to = Math.min(dataset.count, Math.round(cumulative * dataset.count));
    parts.push(subset(dataset, order.subarray(from, to)));
  }
  return parts;
}
