/** Datasets from people's own files, and what of their making a network's file keeps. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import type { Dataset } from './datasets.js';
import { readDataFile } from './files/read.js';
import type { ReadOptions, Samples } from './files/samples.js';
import { applyPreparation, inputsOf, type Preparation, preparationSchema, prepare } from './preparation.js';
import { stratifiedFolds, stratifiedSplit } from './stratify.js';

/** What `memloop.data` in the metadata of a network's file holds. */
export const dataRecordSchema = preparationSchema.extend({
  read: z.object({
    label: z.string().optional(),
    inputs: z.string().optional(),
    header: z.boolean().optional(),
    times: z.number().int().positive().optional(),
    channels: z.number().int().positive().optional(),
  }),
  /** Of the training file; empty for a folder. */
  sha256: z.string(),
  split: z.object({ seed: z.number(), testShare: z.number() }),
  test: z.string().optional(),
});

export type DataRecord = z.infer<typeof dataRecordSchema>;

export interface OwnDataOptions extends ReadOptions {
  seed?: number;
  /** Share of each class that is held back to test on; default 0.2. */
  testShare?: number;
  /** A file of test samples instead. */
  test?: string;
}

export interface OwnData {
  train: Dataset;
  test: Dataset;
  record: DataRecord;
  /** What the defaults did, in one line. */
  told: string;
}

const hashOf = (path: string): string =>
  statSync(path).isDirectory() ? '' : createHash('sha256').update(readFileSync(path)).digest('hex');

const all = ({ count }: Samples): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);

/** Errors: `bad-file` with row and column where the file is bad, `bad-input` where it cannot be split. */
export async function loadOwnData(path: string, options: OwnDataOptions = {}): Promise<OwnData> {
  const { seed = 1, testShare = 0.2, test, ...read } = options;
  const { samples, test: inside } = await readDataFile(path, read);
  const apart = test === undefined ? inside : (await readDataFile(test, read)).samples;
  const split = apart
    ? { train: all(samples), test: all(apart) }
    : stratifiedSplit(samples.labels, samples.classes.length, seed, testShare);
  const preparation = prepare(path, samples, split.train);
  const record: DataRecord = {
    ...preparation,
    read,
    sha256: hashOf(path),
    split: { seed, testShare },
    ...(test !== undefined && { test }),
  };
  const key = record.sha256;
  return {
    train: { ...applyPreparation(path, samples, preparation, split.train), key },
    test: applyPreparation(test ?? path, apart ?? samples, preparation, split.test),
    record,
    told: tell(path, samples, preparation),
  };
}

/**
 * A data file as a network takes it that was trained with this record. The file that it was trained on is split as
 * then; another file is split likewise, or with `whole` all its samples are test samples, for training never saw them.
 */
export async function loadForRecord(
  path: string,
  record: DataRecord,
  whole = false,
): Promise<{ train: Dataset; test: Dataset }> {
  const { samples, test: inside } = await readDataFile(path, record.read);
  const { seed, testShare } = record.split;
  const make = (from: Samples, indices: Uint32Array, name = path): Dataset =>
    applyPreparation(name, from, record, indices);
  const same = hashOf(path) === record.sha256;
  if (!same && whole) return { train: make(samples, all(samples)), test: make(samples, all(samples)) };
  if (same && record.test !== undefined) {
    const apart = (await readDataFile(record.test, record.read)).samples;
    return { train: make(samples, all(samples)), test: make(apart, all(apart), record.test) };
  }
  if (inside) return { train: make(samples, all(samples)), test: make(inside, all(inside)) };
  const split = stratifiedSplit(samples.labels, samples.classes.length, seed, testShare);
  return { train: make(samples, split.train), test: make(samples, split.test) };
}

/** Training and test set of each fold, each prepared on its own training samples alone. */
export async function loadFolds(
  path: string,
  folds: number,
  options: OwnDataOptions = {},
): Promise<{ parts: () => Generator<{ train: Dataset; test: Dataset }>; samples: Samples; told: string }> {
  const { seed = 1, testShare: _, test: __, ...read } = options;
  const { samples } = await readDataFile(path, read);
  const held = stratifiedFolds(samples.labels, samples.classes.length, seed, folds);
  function* parts() {
    for (const test of held) {
      const out = new Set(test);
      const train = all(samples).filter((i) => !out.has(i));
      const preparation = prepare(path, samples, train);
      yield {
        train: applyPreparation(path, samples, preparation, train),
        test: applyPreparation(path, samples, preparation, test),
      };
    }
  }
  return { parts, samples, told: tell(path, samples, prepare(path, samples, all(samples))) };
}

export interface DataDescription {
  samples: number;
  /** Of each step in time. */
  inputs: number;
  classes: number;
  /** Steps in time of one sample. */
  times: number;
  label: string;
  columns: { name: string; kind: string; missing: number }[];
  /** Samples of each class. */
  counts: Record<string, number>;
  missing: number;
  testSamples: number;
  told: string;
}

/** What a data file holds and what the defaults would do with it. */
export async function describeData(path: string, options: ReadOptions = {}): Promise<DataDescription> {
  const { samples, test } = await readDataFile(path, options);
  const preparation = prepare(path, samples, all(samples));
  const missing = missingOf(samples);
  const { columns } = preparation;
  return {
    samples: samples.count,
    inputs: inputsOf(preparation) / (samples.times ?? 1),
    classes: samples.classes.length,
    times: samples.times ?? 1,
    label: samples.label,
    columns: samples.columns.map(({ name }, c) => ({
      name,
      kind: Array.isArray(columns) ? columns[c].kind : samples.times === undefined ? 'pixel' : 'signal',
      missing: missing[c],
    })),
    counts: Object.fromEntries(countsOf(samples).map((count, c) => [samples.classes[c], count])),
    missing: missing.reduce((sum, n) => sum + n, 0),
    testSamples: test?.count ?? 0,
    told: tell(path, samples, preparation),
  };
}

function countsOf({ classes, labels }: Samples): number[] {
  const counts = classes.map(() => 0);
  for (const label of labels) counts[label]++;
  return counts;
}

function missingOf({ columns, values }: Samples): number[] {
  const missing = columns.map(() => 0);
  for (let k = 0; k < values.length; k++) if (Number.isNaN(values[k])) missing[k % columns.length]++;
  return missing;
}

/** One line: what was taken for the label, and what was filled in, spread, left out and scaled. */
function tell(path: string, samples: Samples, preparation: Preparation): string {
  const counts = countsOf(samples);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const { times = 1 } = samples;
  const inputs = `${inputsOf(preparation) / times} inputs${times > 1 ? ` at each of ${times} times` : ''}`;
  const parts = [
    `${samples.count} samples, ${inputs}, ${samples.classes.length} classes by ${samples.label}`,
  ];
  const { columns } = preparation;
  if (Array.isArray(columns)) {
    const missing = missingOf(samples).reduce((sum, n) => sum + n, 0);
    const text = columns.filter(({ kind }) => kind === 'text').length;
    const out = columns.flatMap((column) =>
      column.kind === 'left-out' ? [`${column.name} (${column.why})`] : [],
    );
    parts.push('columns scaled to 0…1 by the training samples');
    if (missing > 0) parts.push(`${missing} missing values filled with median or mode`);
    if (text > 0) parts.push(`${text} text columns one-hot`);
    if (out.length > 0)
      parts.push(
        `left out: ${out.slice(0, 5).join(', ')}${out.length > 5 ? ` and ${out.length - 5} more` : ''}`,
      );
  } else parts.push('all inputs on one scale');
  if (most > 3 * least) parts.push(`classes unequal: ${least} to ${most} samples; they are not weighted`);
  return `${basename(path)}: ${parts.join('; ')}`;
}
