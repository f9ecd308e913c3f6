/**
 * DVS128 Gesture (A. Amir et al. 2017): a folder of recordings in AEDAT 3.1, each with a list of what was done when,
 * `NAME_labels.csv`: class, start and end (µs). `trials_to_train.txt` and `trials_to_test.txt`, where they lie there, name
 * the recordings to train and to test on. AEDAT 3.1 (iniVation): lines that begin with #, then packets of a header of 28
 * bytes and events, lowest byte first; polarity events have 8 bytes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { badFile, type FileContent, type ReadOptions } from '../files/samples.js';
import { binned, type EventSample } from './bins.js';

const SIDE = 128;
const HEADER = 28;
const POLARITY = 1;

const recordings = (path: string): string[] =>
  readdirSync(path)
    .filter((file) => file.endsWith('.aedat'))
    .sort();

export const isAedatFolder = (path: string): boolean => recordings(path).length > 0;

/** Error: `bad-file`. */
export function readAedatFolder(path: string, options: ReadOptions): FileContent {
  // The gestures of a recording come one after the other, so that it is read once for all of them.
  let kept: { file: string; events: PolarityEvents } | undefined;
  const read = (file: string): PolarityEvents => {
    if (kept?.file !== file) kept = { file, events: polarityEvents(file) };
    return kept.events;
  };
  const part = (files: readonly string[]) => {
    const samples = files.flatMap((file) => gesturesOf(join(path, file), read));
    return binned(path, { side: SIDE }, samples, options, 'the lists of gestures');
  };
  const [train, test] = ['trials_to_train.txt', 'trials_to_test.txt'].map((name) => listed(path, name));
  return train && test ? { samples: part(train), test: part(test) } : { samples: part(recordings(path)) };
}

/** The recordings that a list in the folder names, if it is there. */
function listed(path: string, name: string): string[] | undefined {
  const list = join(path, name);
  if (!existsSync(list)) return undefined;
  const files = linesOf(list);
  const missing = files.find((file) => !existsSync(join(path, file)));
  if (missing !== undefined) throw badFile(list, `it names ${missing}, which does not lie beside it`);
  return files;
}

const linesOf = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** The gestures of one recording. */
function gesturesOf(file: string, read: (file: string) => PolarityEvents): EventSample[] {
  const csv = file.replace(/\.aedat$/, '_labels.csv');
  if (!existsSync(csv)) throw badFile(file, `${csv} with its classes is missing`);
  const rows = linesOf(csv)
    .slice(1)
    .map((line, i) => {
      const [label, start, end] = line.split(',').map((cell) => cell.trim());
      if (!(label && Number(start) < Number(end)))
        throw badFile(csv, `row ${i + 2} is not class, start and end: ${line.slice(0, 80)}`);
      return { label, start: Number(start), end: Number(end) };
    });
  return rows.map(({ label, start, end }) => ({
    label,
    events: (visit) => {
      const events = read(file);
      for (let k = 0; k < events.times.length; k++) {
        const time = events.times[k];
        const address = events.addresses[k];
        if (time >= start && time < end)
          visit(time, address >>> 17, (address >>> 2) & 0x7fff, (address >>> 1) & 1);
      }
    },
  }));
}

/** Lists of one length. */
interface PolarityEvents {
  times: Float64Array;
  addresses: Uint32Array;
}

/** Times, µs, and addresses (x in bits 17–31, y in 2–16, polarity in 1) of the valid events. */
function polarityEvents(file: string): PolarityEvents {
  const bytes = readFileSync(file);
  if (bytes.toString('latin1', 0, 12) !== '#!AER-DAT3.1')
    throw badFile(file, 'it does not begin with #!AER-DAT3.1');
  let at = 0;
  while (bytes[at] === 0x23) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw badFile(file, 'its header does not end');
    at = end + 1;
  }
  const most = Math.floor((bytes.length - at) / 8);
  const times = new Float64Array(most);
  const addresses = new Uint32Array(most);
  let count = 0;
  while (at < bytes.length) {
    if (at + HEADER > bytes.length) throw badFile(file, 'its last packet is cut off');
    const type = bytes.readUInt16LE(at);
    const size = bytes.readUInt32LE(at + 4);
    const overflow = bytes.readUInt32LE(at + 12);
    const events = bytes.readUInt32LE(at + 20);
    const first = at + HEADER;
    at = first + size * events;
    if (at > bytes.length) throw badFile(file, 'its last packet is cut off');
    if (type !== POLARITY) continue;
    if (size !== 8) throw badFile(file, `its polarity events have ${size} bytes, not 8`);
    for (let k = first; k < at; k += 8) {
      const address = bytes.readUInt32LE(k);
      if ((address & 1) === 0) continue;
      if (address >>> 17 >= SIDE || ((address >>> 2) & 0x7fff) >= SIDE)
        throw badFile(
          file,
          `an event is at ${address >>> 17}, ${(address >>> 2) & 0x7fff}, but the sensor has ${SIDE} × ${SIDE} pixels`,
        );
      times[count] = overflow * 2 ** 31 + bytes.readUInt32LE(k + 4);
      addresses[count++] = address;
    }
  }
  return { times: times.subarray(0, count), addresses: addresses.subarray(0, count) };
}
