/** Files that are whole at any moment. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { MemloopError } from './errors.js';

/** A write may be cut short (a full disk, a signal): repeats until all is written or an error says why not. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

/** Written beside, synced and renamed: a kill or a full disk leaves what was there before. Error: `disk`. */
export function writeAtomically(path: string, ...parts: readonly (string | Uint8Array)[]): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w');
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
    const why = code === 'ENOSPC' ? 'the disk is full' : message;
    throw new MemloopError('disk', `cannot write ${path}: ${why}; what was there before is unchanged`, {
      cause: error,
    });
  }
}
