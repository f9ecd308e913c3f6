/**
 * N-MNIST (G. Orchard et al. 2015): a folder a class, a file a sample, all of one part under Train and Test. Events have
 * 40 bits: x and y (8 each), polarity (1), time (23, µs), the highest byte first; the sensor has 34 × 34 pixels.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { badFile, type FileContent, type ReadOptions } from '../files/samples.js';
import { binned, type EventSample, type EventSource } from './bins.js';

const SIDE = 34;
const EVENT = 5;

/** Whether a folder, or its Train, has folders of .bin files. */
export const isBinFolder = (path: string): boolean =>
  folders(existsSync(join(path, 'Train')) ? join(path, 'Train') : path).some(({ files }) => files.length > 0);

/** Error: `bad-file`. */
export function readBinFolder(path: string, options: ReadOptions): FileContent {
  if (!existsSync(join(path, 'Train'))) return { samples: readPart(path, options) };
  const samples = readPart(join(path, 'Train'), options);
  const test = join(path, 'Test');
  return existsSync(test) ? { samples, test: readPart(test, options) } : { samples };
}

function readPart(path: string, options: ReadOptions) {
  const samples = folders(path).flatMap(({ name, files }) =>
    files.map((file): EventSample => ({ label: name, events: eventsOf(join(path, name, file)) })),
  );
  return binned(path, { side: SIDE }, samples, options, 'folder');
}

const folders = (path: string) =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({
      name,
      files: readdirSync(join(path, name))
        .filter((file) => file.endsWith('.bin'))
        .sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

const eventsOf =
  (file: string): EventSource =>
  (visit) => {
    const bytes = readFileSync(file);
    if (bytes.length % EVENT !== 0)
      throw badFile(file, `it has ${bytes.length} bytes, but events have ${EVENT}; it is cut off`);
    for (let at = 0; at < bytes.length; at += EVENT) {
      const [x, y, high] = [bytes[at], bytes[at + 1], bytes[at + 2]];
      if (x >= SIDE || y >= SIDE)
        throw badFile(
          file,
          `event ${at / EVENT} is at ${x}, ${y}, but the sensor has ${SIDE} × ${SIDE} pixels`,
        );
      visit(((high & 0x7f) << 16) | bytes.readUInt16BE(at + 3), x, y, high >> 7);
    }
  };
