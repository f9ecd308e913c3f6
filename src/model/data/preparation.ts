/**
 * How the columns of a data file become inputs of 0…1: found on the training samples, kept in the network's file
 * and applied to whatever the network meets later.
 */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import type { Dataset } from './datasets.js';
import type { Samples } from './files/samples.js';

const columnSchema = z.discriminatedUnion('kind', [
  /** (value − low) / (high − low), clipped to 0…1; `fill` where it is missing */
  z
    .object({
      kind: z.literal('number'),
      name: z.string(),
      fill: z.number(),
      low: z.number(),
      high: z.number(),
    })
    .refine(({ low, high }) => low < high, 'the range is empty'),
  /** One input a category, or one input of 0 or 1 for two; `fill` where it is missing or another */
  z
    .object({
      kind: z.literal('text'),
      name: z.string(),
      fill: z.string(),
      categories: z.array(z.string()).min(2),
    })
    .refine(({ fill, categories }) => categories.includes(fill), 'fill is no category'),
  z.object({ kind: z.literal('left-out'), name: z.string(), why: z.enum(['constant', 'identifier']) }),
]);

export const preparationSchema = z.object({
  columns: z.union([
    z.array(columnSchema),
    /** Images: so many inputs on one scale. */
    z.object({ inputs: z.number().int().positive(), low: z.number(), high: z.number() }),
  ]),
  classes: z.array(z.string()).min(2).max(256),
});

/** What is done to the columns, and the names of the classes. */
export type Preparation = z.infer<typeof preparationSchema>;
type ColumnPreparation = z.infer<typeof columnSchema>;

/** Found on the samples at these indices. Error: `bad-input` if no column varies. */
export function prepare(path: string, samples: Samples, indices: ArrayLike<number>): Preparation {
  const classes = [...samples.classes];
  if (samples.image) return { columns: imageScale(samples, indices), classes };
  const columns = samples.columns.map((_, c) => prepareColumn(samples, c, indices));
  if (columns.every(({ kind }) => kind === 'left-out'))
    throw new MemloopError('bad-input', `${path}: no column varies; there is nothing to learn from`);
  return { columns, classes };
}

function imageScale(samples: Samples, indices: ArrayLike<number>) {
  const { image, values, columns } = samples;
  const inputs = columns.length;
  if (image?.full !== undefined) return { inputs, low: 0, high: image.full };
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < indices.length; i++)
    for (let k = indices[i] * inputs; k < (indices[i] + 1) * inputs; k++) {
      if (values[k] < low) low = values[k];
      if (values[k] > high) high = values[k];
    }
  return high > low ? { inputs, low, high } : { inputs, low: 0, high: 1 };
}

function prepareColumn(
  { columns, values }: Samples,
  c: number,
  indices: ArrayLike<number>,
): ColumnPreparation {
  const { name, categories } = columns[c];
  const width = columns.length;
  const present = Array.from(indices, (i) => values[i * width + c]).filter(Number.isFinite);
  if (categories) return prepareText(name, categories, present);
  const sorted = Float64Array.from(present).sort();
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))];
  if (sorted.length === 0 || at(0) === at(1)) return { kind: 'left-out', name, why: 'constant' };
  // Far outliers must not squeeze the rest together: the range ends three interquartile ranges from the quartiles.
  const reach = 3 * (at(0.75) - at(0.25));
  const low = reach > 0 ? Math.max(at(0), at(0.25) - reach) : at(0);
  const high = reach > 0 ? Math.min(at(1), at(0.75) + reach) : at(1);
  return { kind: 'number', name, fill: at(0.5), low, high };
}

function prepareText(
  name: string,
  categories: readonly string[],
  present: readonly number[],
): ColumnPreparation {
  const counts = new Map<number, number>();
  for (const value of present) counts.set(value, (counts.get(value) ?? 0) + 1);
  const seen = [...counts.keys()].sort((a, b) => a - b);
  if (seen.length < 2) return { kind: 'left-out', name, why: 'constant' };
  if (seen.length > 20 && 2 * seen.length > present.length)
    return { kind: 'left-out', name, why: 'identifier' };
  const mode = seen.reduce((best, value) => (counts.get(value)! > counts.get(best)! ? value : best));
  return { kind: 'text', name, fill: categories[mode], categories: seen.map((value) => categories[value]) };
}

/** Inputs that the columns become. */
export function inputsOf({ columns }: Preparation): number {
  if (!Array.isArray(columns)) return columns.inputs;
  return columns.reduce((sum, column) => sum + widthOf(column), 0);
}

const widthOf = (column: ColumnPreparation): number => {
  if (column.kind === 'left-out') return 0;
  return column.kind === 'number' || column.categories.length === 2 ? 1 : column.categories.length;
};

/** The samples at these indices as a network takes them. Error: `bad-input` where columns or classes do not fit. */
export function applyPreparation(
  name: string,
  samples: Samples,
  preparation: Preparation,
  indices: ArrayLike<number>,
): Dataset {
  const features = inputsOf(preparation);
  const inputs = new Float32Array(indices.length * features);
  const write = writers(name, samples, preparation);
  const width = samples.columns.length;
  for (let i = 0; i < indices.length; i++) {
    let at = i * features;
    const from = indices[i] * width;
    for (const { column, size, put } of write) {
      put(samples.values[from + column], inputs, at);
      at += size;
    }
  }
  const classIndex = samples.classes.map((text) => preparation.classes.indexOf(text));
  const unknown = classIndex.indexOf(-1);
  if (unknown >= 0)
    throw new MemloopError(
      'bad-input',
      `${name} has the class ${samples.classes[unknown]}, which the network does not know: its classes are ${preparation.classes.slice(0, 10).join(', ')}`,
    );
  const labels = Uint8Array.from(indices, (i) => classIndex[samples.labels[i]]);
  return {
    name,
    inputs,
    labels,
    count: indices.length,
    features,
    classes: preparation.classes.length,
    ...(samples.times !== undefined && { times: samples.times }),
  };
}

interface Writer {
  /** Column of the file. */
  column: number;
  /** Inputs that it becomes. */
  size: number;
  put: (value: number, inputs: Float32Array, at: number) => void;
}

const clip = (value: number): number => Math.min(1, Math.max(0, value));

function writers(name: string, { columns: found }: Samples, { columns }: Preparation): Writer[] {
  if (!Array.isArray(columns)) {
    const { inputs, low, high } = columns;
    if (found.length !== inputs) throw misfit(name, `it has ${found.length} inputs, the network ${inputs}`);
    return found.map((_, column) => ({
      column,
      size: 1,
      put: (value, to, at) => {
        to[at] = Number.isFinite(value) ? clip((value - low) / (high - low)) : 0;
      },
    }));
  }
  const places = new Map(found.map((column, c) => [column.name, c]));
  return columns.flatMap((wanted): Writer[] => {
    if (wanted.kind === 'left-out') return [];
    const column = places.get(wanted.name);
    if (column === undefined) throw misfit(name, `it has no column ${wanted.name}`);
    const { categories } = found[column];
    if ((wanted.kind === 'text') !== (categories !== undefined))
      throw misfit(
        name,
        `its column ${wanted.name} holds ${categories ? 'texts, not numbers' : 'numbers, not texts'}`,
      );
    const put = wanted.kind === 'number' ? putNumber(wanted) : putText(wanted, categories!);
    return [{ column, size: widthOf(wanted), put }];
  });
}

const misfit = (name: string, why: string): MemloopError =>
  new MemloopError(
    'bad-input',
    `${name} does not fit the network: ${why}; give a file with the columns that it was trained on`,
  );

const putNumber =
  ({ fill, low, high }: ColumnPreparation & { kind: 'number' }): Writer['put'] =>
  (value, to, at) => {
    to[at] = clip(((Number.isFinite(value) ? value : fill) - low) / (high - low));
  };

function putText(
  { fill, categories }: ColumnPreparation & { kind: 'text' },
  found: readonly string[],
): Writer['put'] {
  const filled = categories.indexOf(fill);
  const places = found.map((text) => categories.indexOf(text)).map((place) => (place < 0 ? filled : place));
  return (value, to, at) => {
    const place = Number.isFinite(value) ? places[value] : filled;
    if (categories.length === 2) to[at] = place;
    else to[at + place] = 1;
  };
}
