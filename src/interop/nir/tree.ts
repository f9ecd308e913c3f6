/** HDF5 files as trees of texts and numbers, by h5wasm. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dataset, Entity, Group } from 'h5wasm/node';
import { MemloopError } from '../../shared/errors.js';
import { writeAtomically } from '../../shared/files.js';
import { loadHdf5 } from '../../shared/hdf5.js';
import { clean } from '../../shared/text.js';

/** Numbers row by row; a shape of [] is one number. Integers are read as float64. */
export interface NirArray {
  shape: number[];
  data: Float32Array | Float64Array | BigInt64Array;
}

export interface TextArray {
  shape: number[];
  data: string[];
}

export type Tree = { [name: string]: Tree | NirArray | TextArray | string };

/** Far above any network's; what is larger is damaged or meant to do harm. */
const MOST_OBJECTS = 100_000;
const DEEPEST = 8;
/** Deflate reaches 1032 : 1 at most, and memory is finite. */
const unpackedLimit = (packed: number): number => Math.min(1032 * packed + 1024, 2 ** 31 - 1);

export const notNir = (path: string, why: string): MemloopError =>
  new MemloopError('bad-file', clean(`${path} is not a readable NIR file: ${why}`));

/** The whole file. Error: `bad-file`. Values in memory are bounded by the size of the file. */
export async function readTree(path: string): Promise<Tree> {
  const { File } = await loadHdf5();
  const size = sizeOf(path);
  let file: Group | undefined;
  try {
    file = new File(path, 'r');
    const limits = { objects: MOST_OBJECTS, bytes: unpackedLimit(size), size };
    return treeOf(path, file, limits, 0);
  } catch (error) {
    if (error instanceof MemloopError) throw error;
    throw notNir(path, 'the HDF5 is damaged');
  } finally {
    try {
      (file as { close?: () => void } | undefined)?.close?.();
    } catch {
      // A damaged file need not close.
    }
  }
}

function sizeOf(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new MemloopError('bad-file', `${path} does not exist`);
  if (!found.isFile()) throw notNir(path, 'it is no file');
  return found.size;
}

interface Limits {
  objects: number;
  bytes: number;
  size: number;
}

function treeOf(path: string, group: Group, limits: Limits, depth: number): Tree {
  if (depth > DEEPEST) throw notNir(path, `its groups are more than ${DEEPEST} deep`);
  // Without a prototype, so that no name in a file means anything.
  const tree: Tree = Object.create(null);
  for (const name of group.keys()) {
    limits.objects--;
    if (limits.objects < 0) throw notNir(path, `it holds more than ${MOST_OBJECTS} objects`);
    const entity = group.get(name) as (Entity & { type: string }) | null;
    if (entity?.type === 'Group') tree[name] = treeOf(path, entity as Group, limits, depth + 1);
    else if (entity?.type === 'Dataset') tree[name] = leafOf(path, name, entity as Dataset, limits);
  }
  return tree;
}

function leafOf(path: string, name: string, dataset: Dataset, limits: Limits): Tree[string] {
  const { shape, metadata } = dataset;
  if (!shape) throw notNir(path, `${name} has no values`);
  const bytes = shape.reduce((all, n) => all * n, metadata.size);
  limits.bytes -= bytes;
  if (limits.bytes < 0 || (!metadata.chunks && bytes > limits.size))
    throw notNir(path, `${name} claims ${shape.join(' × ')} values, more than the file can hold`);
  const { value } = dataset;
  if (typeof value === 'string') return value;
  const list: unknown = shape.length === 0 && !ArrayBuffer.isView(value) ? [value] : value;
  if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return { shape, data: list };
  if (list instanceof Float32Array || list instanceof Float64Array) return { shape, data: list };
  if (ArrayBuffer.isView(list) || Array.isArray(list))
    return { shape, data: Float64Array.from(list as ArrayLike<number | bigint>, Number) };
  throw notNir(path, `${name} holds neither numbers nor text`);
}

/** Writes the file whole or not at all. Error: `disk`. */
export async function writeTree(path: string, tree: Tree): Promise<void> {
  const { File } = await loadHdf5();
  const folder = mkdtempSync(join(tmpdir(), 'memloop-'));
  try {
    const temporary = join(folder, 'tree.h5');
    const file = new File(temporary, 'w');
    writeGroup(file, tree);
    file.close();
    writeAtomically(path, readFileSync(temporary));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeGroup(group: Group, tree: Tree): void {
  for (const [name, item] of Object.entries(tree)) {
    if (typeof item === 'string') group.create_dataset({ name, data: item, shape: [], dtype: 'S' });
    else if (!isArray(item)) writeGroup(group.create_group(name), item);
    else group.create_dataset({ name, data: item.data, shape: item.shape, dtype: dtypeOf(item.data) });
  }
}

const isArray = (item: Tree | NirArray | TextArray): item is NirArray | TextArray =>
  Array.isArray(item.shape) && item.data !== undefined;

function dtypeOf(data: NirArray['data'] | string[]): string {
  if (data instanceof Float32Array) return '<f';
  if (data instanceof Float64Array) return '<d';
  return data instanceof BigInt64Array ? '<q' : 'S';
}
