/** Files that are whole at any moment. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { MemloopError } from './errors.js';

/** A write may be cut short (a full disk, a signal): repeats until all is written or an error says why not. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

/** Makes a folder, and those above it, where there is none. Error: `disk`. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new MemloopError('disk', `cannot make the folder ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Written beside, synced and renamed: a kill or a full disk leaves what was there before. What is no file, such as
 * /dev/stdout, is written to as it is. Error: `disk`.
 */
export const writeAtomically = (path: string, ...parts: readonly (string | Uint8Array)[]): void =>
  replace(path, parts, 0o666);

/** The same for what only its owner may read, such as keys. */
export const writePrivately = (path: string, text: string): void => replace(path, [text], 0o600);

function replace(path: string, parts: readonly (string | Uint8Array)[], mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      for (const part of parts) writeFileSync(path, part);
      return;
    }
    const file = openSync(temporary, 'w', mode);
    try {
      for (const part of parts) writeAll(file, typeof part === 'string' ? Buffer.from(part) : part);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    // Without the name of the temporary file, which means nothing to a user.
    const why = code === 'ENOSPC' ? 'the disk is full' : message.replace(/, \w+ '.*$/, '');
    throw new MemloopError('disk', `cannot write ${path}: ${why}; what was there before is unchanged`, {
      cause: error,
    });
  }
}
