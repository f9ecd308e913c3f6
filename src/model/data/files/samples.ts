/** What every reader of data files makes of its file: numbers, columns, labels. Nothing is scaled or left out yet. */
import { MemloopError } from '../../../shared/errors.js';

export interface Column {
  name: string;
  /** Of a text column: its texts; the numbers are indices into them. */
  categories?: readonly string[];
}

export interface Samples {
  count: number;
  columns: readonly Column[];
  /** count × columns; NaN where missing */
  values: Float32Array | Float64Array | Uint8Array;
  /** Index into `classes` of each sample. */
  labels: Uint32Array;
  classes: readonly string[];
  /** Images: all columns share one scale and none is left out. `full` is the value that becomes 1. */
  image?: { full?: number };
  /** Signals in time: the columns are so many vectors, one after the other; all share one scale, as of images. */
  times?: number;
  /** Name of the column or array that holds the labels. */
  label: string;
}

/** How a file is read where the defaults do not fit. */
export interface ReadOptions {
  /** Name of the label's column or array, or its number from 1. */
  label?: string | undefined;
  /** Name of the array of inputs (NPZ, HDF5). */
  inputs?: string | undefined;
  /** Whether the first row of a CSV file holds names; guessed unless given. */
  header?: boolean | undefined;
  /** Vectors that a sample is, one after the other; of events the parts that a sample's time is cut into. */
  times?: number | undefined;
  /** Of events: fields that the sensor's addresses are cut into. */
  channels?: number | undefined;
}

/** What files hold: training samples, and test samples where the file keeps them apart. */
export interface FileContent {
  samples: Samples;
  test?: Samples;
}

export const badFile = (path: string, why: string): MemloopError =>
  new MemloopError('bad-file', `${path}: ${why}`);

/** Inputs of one sample at most: far more than a network on arrays can take, and all have a column in memory. */
export const MAX_INPUTS = 2 ** 20;

const numeric = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));

/** Classes of the labels in order: numbers by size, texts by the alphabet, or as `declared`. */
export function classesOf(
  path: string,
  texts: readonly string[],
  declared?: readonly string[],
): { labels: Uint32Array; classes: string[] } {
  const seen = new Set(texts);
  if (seen.size > 256)
    throw badFile(
      path,
      `the label takes ${seen.size} values, and at most 256 classes are possible; give --label NAME or N`,
    );
  const classes = declared
    ? declared.filter((name) => seen.has(name))
    : [...seen].every(numeric)
      ? [...seen].sort((a, b) => Number(a) - Number(b))
      : [...seen].sort();
  if (classes.length < 2)
    throw badFile(
      path,
      `the label has ${classes.length === 1 ? `only the value ${classes[0]}` : 'no values'}; at least two classes are needed; give --label NAME or N`,
    );
  const index = new Map(classes.map((name, i) => [name, i]));
  return { labels: Uint32Array.from(texts, (text) => index.get(text)!), classes };
}
