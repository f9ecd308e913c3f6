/** A data file of any kind, told by its first bytes. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { MemloopError } from '../../../shared/errors.js';
import { isAedatFolder, readAedatFolder } from '../events/aedat.js';
import { isBinFolder, readBinFolder } from '../events/n-mnist.js';
import { isGzip, unpackedLimit, unpackedStart } from '../gzip.js';
import { readIdx } from '../idx.js';
import { asSignal } from '../signal.js';
import { readArff } from './arff.js';
import { contentOf, type NamedArray } from './arrays.js';
import { readCsv } from './csv.js';
import { isFann, readFann } from './fann.js';
import { readHdf5 } from './hdf5.js';
import { isNpy, parseNpy, unpackNpz } from './npy.js';
import { readPngFolder } from './png.js';
import { badFile, type FileContent, type ReadOptions } from './samples.js';

/** Errors: `bad-file`; `bad-input` if there is no such file. */
export async function readDataFile(path: string, options: ReadOptions = {}): Promise<FileContent> {
  try {
    const content = statSync(path).isDirectory()
      ? await readFolder(path, options)
      : await readBytes(path, readFileSync(path), options);
    return asSignal(path, content, options);
  } catch (error) {
    if (error instanceof MemloopError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw badFile(path, 'there is no such file');
    throw badFile(path, `it cannot be read: ${message}`);
  }
}

const UNPACK_ANEW = 'the gzip data are damaged or cut off; fetch or pack it anew';
/** Longest text that a packed file becomes, in bytes: no table packs better than a hundred to one. */
const textLimit = (packed: number): number => Math.max(2 ** 26, 100 * packed);

/** Error: `bad-file` if the gzip data are damaged or become more than `limit` bytes. */
function unpack(path: string, packed: Buffer, limit = unpackedLimit(packed.length)): Buffer {
  if (!isGzip(packed)) return packed;
  try {
    return gunzipSync(packed, { maxOutputLength: limit });
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw badFile(path, tooLarge ? `it unpacks to more than ${limit} bytes; unpack it first` : UNPACK_ANEW);
  }
}

function startOf(path: string, packed: Buffer): Buffer {
  try {
    return unpackedStart(packed, 16);
  } catch {
    throw badFile(path, UNPACK_ANEW);
  }
}

async function readFolder(path: string, options: ReadOptions): Promise<FileContent> {
  if (isAedatFolder(path)) return readAedatFolder(path, options);
  if (isBinFolder(path)) return readBinFolder(path, options);
  return { samples: await readPngFolder(path) };
}

async function readBytes(path: string, packed: Buffer, options: ReadOptions): Promise<FileContent> {
  const start = startOf(path, packed);
  const zip = start.length > 4 && start.readUInt32LE(0) === 0x04034b50;
  if (!zip && !isNpy(start) && start.length > 8 && start[0] === 0 && start[1] === 0)
    return readIdxPair(path, start[3], options);
  const bytes = unpack(path, packed, zip || isNpy(start) ? undefined : textLimit(packed.length));
  if (isNpy(bytes)) return readNpy(path, bytes, options);
  if (zip) {
    const arrays = await unpackNpz(path, bytes);
    return contentOf(path, { names: [...arrays.keys()], read: (name) => arrays.get(name)! }, options);
  }
  if (bytes.length > 8 && bytes.readUInt32BE(0) === 0x89484446) return readHdf5(path, options);
  const text = bytes.toString('utf8');
  if (text.includes('\0'))
    throw badFile(path, 'its kind is not known; use CSV, ARFF, NPY, NPZ, IDX, HDF5 or a folder of PNG');
  if (/^\s*(%.*[\r\n]\s*)*@relation\b/i.test(text.slice(0, 100_000)) || /\.arff(\.gz)?$/i.test(path))
    return { samples: readArff(path, text, options) };
  if (isFann(text)) return { samples: readFann(path, text) };
  return { samples: await readCsv(path, text, options) };
}

/** The file of labels that lies beside one of inputs. */
function sibling(path: string, changes: readonly (readonly [RegExp, string])[]): string | undefined {
  for (const [from, to] of changes) {
    const beside = join(dirname(path), basename(path).replace(from, to));
    if (beside !== path && existsSync(beside)) return beside;
  }
  return undefined;
}

function readNpy(path: string, bytes: Buffer, options: ReadOptions): FileContent {
  const beside = sibling(path, [
    [/^x/i, 'y'],
    [/images/i, 'labels'],
    [/data/i, 'labels'],
    [/inputs/i, 'labels'],
  ]);
  const arrays = new Map<string, NamedArray>([['x', parseNpy(path, bytes)]]);
  if (beside !== undefined) arrays.set('y', parseNpy(beside, unpack(beside, readFileSync(beside))));
  const { label, ...rest } = options;
  const asked = beside === undefined && label !== undefined ? { label } : {};
  return contentOf(
    path,
    { names: [...arrays.keys()], read: (name) => arrays.get(name)! },
    { ...rest, ...asked },
  );
}

function readIdxPair(path: string, dimensions: number, options: ReadOptions): FileContent {
  const beside =
    options.label ??
    sibling(path, [
      [/images(.*)idx\d/i, 'labels$1idx1'],
      [/images/i, 'labels'],
    ]);
  if (beside === undefined)
    throw badFile(path, 'no file of labels lies beside it (images → labels in its name); give --label FILE');
  if (dimensions < 2 || dimensions > 4)
    throw badFile(
      path,
      `an IDX file of images has 2 to 4 dimensions, not ${dimensions}; give the images, not the labels`,
    );
  const images = readIdx(path, 0x0800 + dimensions, dimensions, 'write it anew');
  const labels = readIdx(beside, 0x0801, 1, 'write it anew');
  const arrays: Record<string, NamedArray> = {
    x: { shape: images.sizes, data: images.bytes },
    y: { shape: labels.sizes, data: labels.bytes },
  };
  return contentOf(path, { names: ['x', 'y'], read: (name) => arrays[name] }, {});
}
