/** Named arrays (NPY, NPZ, HDF5, IDX) → samples and labels. */
import {
  badFile,
  classesOf,
  type FileContent,
  MAX_INPUTS,
  type ReadOptions,
  type Samples,
} from './samples.js';
import { listed } from './table.js';

export interface NamedArray {
  shape: readonly number[];
  /** Numbers, or texts for labels. */
  data: ArrayLike<number> | readonly string[];
}

/** Arrays by name; read only when asked for. */
export interface Arrays {
  names: readonly string[];
  read: (name: string) => NamedArray;
}

const INPUTS = ['x', 'data', 'images', 'inputs', 'features', 'x_train', 'train_x', 'train_images'];
const LABELS = ['y', 'labels', 'target', 'targets', 'label', 'classes', 'y_train', 'train_y', 'train_labels'];

/** The array that is meant: as asked for, or the first known name, whatever its case and folder. */
function find(
  path: string,
  names: readonly string[],
  known: readonly string[],
  asked: string | undefined,
): string | undefined {
  if (asked !== undefined) {
    if (names.includes(asked)) return asked;
    throw badFile(path, `it holds no array ${asked}; its arrays are ${listed(names)}`);
  }
  const last = (name: string): string => name.split('/').at(-1)!.toLowerCase();
  for (const wanted of known) {
    const found = names.find((name) => last(name) === wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Error: `bad-file`. */
export function contentOf(path: string, { names, read }: Arrays, options: ReadOptions): FileContent {
  const x = find(path, names, INPUTS, options.inputs) ?? (names.length === 1 ? names[0] : undefined);
  if (x === undefined)
    throw badFile(
      path,
      `no array is named x, data or images; its arrays are ${listed(names)}; give --inputs NAME`,
    );
  const column = names.length === 1 ? options.label : undefined;
  const y = names.length === 1 ? undefined : find(path, names, LABELS, options.label);
  if (y === undefined && names.length > 1)
    throw badFile(
      path,
      `no array is named y, labels or target; its arrays are ${listed(names)}; give --label NAME`,
    );
  const samples =
    y === undefined ? labelInside(path, x, read(x), column) : paired(path, x, read(x), y, read(y));
  const testX = x.replace(/train/i, 'test');
  const testY = y?.replace(/train/i, 'test');
  if (testX === x || testY === undefined || !names.includes(testX) || !names.includes(testY))
    return { samples };
  return { samples, test: paired(path, testX, read(testX), testY, read(testY)) };
}

const product = (sizes: readonly number[]): number => sizes.reduce((all, n) => all * n, 1);

function paired(path: string, x: string, inputs: NamedArray, y: string, targets: NamedArray): Samples {
  const [count, ...rest] = inputs.shape;
  const features = product(rest);
  if (!(count >= 2 && features >= 1))
    throw badFile(
      path,
      `${x} is ${inputs.shape.join(' × ') || 'a single number'}; samples × inputs are needed, two samples at least`,
    );
  checkWidth(path, x, features);
  if (targets.shape[0] !== count || product(targets.shape.slice(1)) > 256)
    throw badFile(
      path,
      `${y} is ${targets.shape.join(' × ')}: not one label for each of the ${count} samples of ${x}`,
    );
  const wide = product(targets.shape.slice(1));
  const texts = Array.from({ length: count }, (_, i) => {
    if (wide === 1) return String(targets.data[i]);
    let best = 0;
    for (let j = 1; j < wide; j++) if (targets.data[i * wide + j] > targets.data[i * wide + best]) best = j;
    return String(best);
  });
  return {
    count,
    columns: Array.from({ length: features }, (_, i) => ({ name: `input ${i + 1}` })),
    values: numbers(path, x, inputs.data),
    ...classesOf(path, texts),
    ...imageOf(inputs),
    label: y,
  };
}

function checkWidth(path: string, name: string, width: number): void {
  if (width > MAX_INPUTS)
    throw badFile(path, `${name} has ${width} inputs a sample; at most ${MAX_INPUTS} are read`);
}

/** Bytes and arrays of three and more dimensions are images: one scale for all columns. */
function imageOf({ shape, data }: NamedArray): Pick<Samples, 'image'> {
  if (data instanceof Uint8Array) return { image: { full: 255 } };
  return shape.length > 2 ? { image: {} } : {};
}

function numbers(path: string, name: string, data: NamedArray['data']): Samples['values'] {
  if (data instanceof Uint8Array || data instanceof Float32Array || data instanceof Float64Array) return data;
  if (typeof data[0] === 'string') throw badFile(path, `${name} holds texts; inputs must be numbers`);
  return Float64Array.from(data as ArrayLike<number>, Number);
}

/** One array of samples × columns, a column of which is the label: the last unless told. */
function labelInside(
  path: string,
  name: string,
  { shape, data }: NamedArray,
  label: string | undefined,
): Samples {
  const [count, width] = shape;
  if (shape.length !== 2 || width < 2)
    throw badFile(
      path,
      `${name} is ${shape.join(' × ')} and no labels lie beside it; save both as x and y in an NPZ file`,
    );
  checkWidth(path, name, width);
  const at = label === undefined ? width - 1 : Number(label) - 1;
  if (!(Number.isInteger(at) && at >= 0 && at < width))
    throw badFile(path, `there is no column ${label}; it has ${width}`);
  const values = new Float64Array(count * (width - 1));
  const texts: string[] = [];
  for (let i = 0, k = 0; i < count; i++)
    for (let j = 0; j < width; j++)
      if (j === at) texts.push(String(data[i * width + j]));
      else values[k++] = Number(data[i * width + j]);
  const columns = Array.from({ length: width - 1 }, (_, i) => ({ name: `input ${i + 1}` }));
  if (count < 2) throw badFile(path, `it has ${count} samples; at least two are needed`);
  return { count, columns, values, ...classesOf(path, texts), label: `column ${at + 1}` };
}
