/** IDX, the format of MNIST and its successors (Y. LeCun): magic, big-endian sizes, bytes; often gzipped. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { MemloopError } from '../../shared/errors.js';
import type { Dataset } from './datasets.js';
import { isGzip, unpackedLimit, unpackedStart } from './gzip.js';

const IMAGES = 0x00000803;
const LABELS = 0x00000801;

const REMEDY = 'memloop data fetch fetches it anew';

/**
 * Sizes and bytes of an IDX file of unsigned bytes, gzipped or not. No more is unpacked than its header announces, and
 * nothing if the packed bytes cannot hold that. Error: `bad-file`.
 *
 * @param remedy what the message tells to do about a bad file
 */
export function readIdx(
  path: string,
  magic: number,
  dimensions: number,
  remedy = REMEDY,
): { sizes: number[]; bytes: Buffer } {
  const wrong = (why: string): MemloopError =>
    new MemloopError('bad-file', `${path} is not the IDX file it should be: ${why}; ${remedy}`);
  const header = 4 + 4 * dimensions;
  try {
    const file = readFileSync(path);
    const start = unpackedStart(file, header);
    if (start.length < header) throw wrong(`it ends after ${start.length} bytes`);
    const found = start.readUInt32BE(0);
    if (found !== magic) throw wrong(`its magic number is ${hexadecimal(found)}, not ${hexadecimal(magic)}`);
    const sizes = Array.from({ length: dimensions }, (_, i) => start.readUInt32BE(4 + 4 * i));
    const expected = header + sizes.reduce((product, n) => product * n, 1);
    const most = isGzip(file) ? unpackedLimit(file.length) : file.length;
    if (expected > most) throw wrong(`it has ${file.length} bytes where its header announces ${expected}`);
    const whole = isGzip(file) ? gunzipSync(file, { maxOutputLength: expected }) : file;
    if (whole.length !== expected)
      throw wrong(`it has ${whole.length} bytes where its header announces ${expected}`);
    return { sizes, bytes: whole.subarray(header) };
  } catch (error) {
    if (error instanceof MemloopError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new MemloopError('bad-file', `cannot read ${path}: there is no such file`);
    if (code === 'ERR_BUFFER_TOO_LARGE') throw wrong('it unpacks to more than its header announces');
    throw wrong(code?.startsWith('Z_') ? 'the gzip data are damaged or cut off' : message);
  }
}

const hexadecimal = (magic: number): string => `0x${magic.toString(16).padStart(8, '0')}`;

/** A dataset from an image and a label file, gzipped or not; pixels become 0…1. */
export function loadIdx(name: string, imagesPath: string, labelsPath: string): Dataset {
  const images = readIdx(imagesPath, IMAGES, 3);
  const labels = readIdx(labelsPath, LABELS, 1);
  const [count, height, width] = images.sizes;
  if (labels.sizes[0] !== count)
    throw new MemloopError(
      'bad-file',
      `${labelsPath} has ${labels.sizes[0]} labels for the ${count} images of ${imagesPath}`,
    );
  const classes = 10;
  const high = labels.bytes.findIndex((label) => label >= classes);
  if (high >= 0)
    throw new MemloopError(
      'bad-file',
      `${labelsPath}: label ${labels.bytes[high]} of image ${high} is not below ${classes}`,
    );
  const inputs = new Float32Array(count * height * width);
  for (let i = 0; i < inputs.length; i++) inputs[i] = images.bytes[i] / 255;
  return { name, inputs, labels: Uint8Array.from(labels.bytes), count, features: height * width, classes };
}
