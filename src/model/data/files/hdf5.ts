/** HDF5 by h5wasm: datasets by their paths. */
import { statSync } from 'node:fs';
import { MemloopError } from '../../../shared/errors.js';
import { loadHdf5 } from '../../../shared/hdf5.js';
import { isSpikes, readSpikes } from '../events/shd.js';
import { unpackedLimit } from '../gzip.js';
import { contentOf, type NamedArray } from './arrays.js';
import { badFile, type FileContent, type ReadOptions } from './samples.js';

interface Node {
  type?: string;
  shape?: number[] | null;
  value?: unknown;
  metadata?: { size: number; chunks: number[] | null; vlen_type?: { type: number; size: number } };
  keys?: () => string[];
  get?: (name: string) => Node | null;
}

/** Error: `bad-file`. */
export async function readHdf5(path: string, options: ReadOptions): Promise<FileContent> {
  const { File } = await loadHdf5();
  const size = statSync(path).size;
  let file: InstanceType<typeof File> | undefined;
  try {
    file = new File(path, 'r');
    const found = new Map<string, Node>();
    collect(file as unknown as Node, '', found, 0);
    if (isSpikes(found)) return readSpikes(path, found, options);
    const read = (name: string): NamedArray => arrayOf(path, name, found.get(name)!, size);
    return contentOf(path, { names: [...found.keys()], read }, options);
  } catch (error) {
    if (error instanceof MemloopError) throw error;
    throw badFile(path, 'the HDF5 is damaged; write it anew');
  } finally {
    try {
      file?.close();
    } catch {
      // A damaged file need not close.
    }
  }
}

/** Datasets below a group; groups that lead back to themselves end at a depth of 8. */
function collect(group: Node, prefix: string, found: Map<string, Node>, depth: number): void {
  if (depth > 8 || found.size > 1000) return;
  for (const key of group.keys?.() ?? []) {
    const node = group.get?.(key);
    if (node?.type === 'Group') collect(node, `${prefix}${key}/`, found, depth + 1);
    else if (node?.type === 'Dataset') found.set(`${prefix}${key}`, node);
  }
}

function arrayOf(path: string, name: string, node: Node, fileSize: number): NamedArray {
  const { shape, metadata } = node;
  if (!shape || !metadata)
    throw badFile(path, `${name} is not an array; give --inputs or --label another name`);
  const bytes = shape.reduce((all, n) => all * n, metadata.size);
  if (bytes > (metadata.chunks ? unpackedLimit(fileSize) : fileSize))
    throw badFile(
      path,
      `${name} claims ${shape.join(' × ')} values, more than the file can hold; write it anew`,
    );
  const { value } = node;
  if (!ArrayBuffer.isView(value) && !Array.isArray(value))
    throw badFile(path, `${name} is not an array of numbers or texts`);
  const data = value as unknown as ArrayLike<unknown>;
  return typeof data[0] === 'bigint'
    ? { shape, data: Float64Array.from(data as ArrayLike<bigint>, Number) }
    : { shape, data: data as NamedArray['data'] };
}
