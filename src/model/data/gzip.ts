/** Gzipped files, unpacked without trust in what they claim. */
import { constants, gunzipSync } from 'node:zlib';

export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** No packed file may grow beyond this many bytes: deflate reaches 1032 : 1 at most, and memory is finite. */
export const unpackedLimit = (packed: number): number => Math.min(1032 * packed + 1024, 2 ** 31 - 1);

/** Of a packed file, as much is unpacked to see how it begins. */
const PEEKED = 4096;

/** The first bytes of a file, at most `length`, unpacked if it is gzipped. Throws zlib's errors. */
export const unpackedStart = (file: Buffer, length: number): Buffer =>
  (isGzip(file)
    ? gunzipSync(file.subarray(0, PEEKED), { finishFlush: constants.Z_SYNC_FLUSH })
    : file
  ).subarray(0, length);
