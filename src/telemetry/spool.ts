/**
 * Points on their way to InfluxDB, on disk first: a queue of lines in files that outlives the process. Each
 * process writes its own file; the files of processes that are gone are taken over, oldest first. What was
 * delivered but not yet removed when a process was killed is delivered again: points carry their own unique
 * time, so the database keeps one of each.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { writeAll } from '../shared/files.js';
import { isAlive } from './run-folder.js';

const CHUNK = 1 << 20;

export interface SpoolBatch {
  lines: string[];
  /** Removes the batch from the queue. */
  done(): void;
}

interface SpoolFile {
  path: string;
  fd: number;
  /** Bytes delivered. */
  offset: number;
  size: number;
}

export class Spool {
  #files: SpoolFile[];
  /** Lines that `add` refused since the last call of `takeDropped`. */
  #dropped = 0;

  readonly #maxBytes: number;

  /** `maxBytes` bounds what all waiting files of this process hold together. */
  constructor(
    readonly dir: string,
    maxBytes: number,
  ) {
    this.#maxBytes = maxBytes;

    mkdirSync(dir, { recursive: true });
    const inherited = abandoned(dir).flatMap((name) => {
      const mine = join(dir, name.replace(/-\d+\.points$/, `-${process.pid}.points`));
      try {
        renameSync(join(dir, name), mine);
      } catch (error) {
        // Another process took it first.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
      return [openFile(mine)];
    });
    const own = `${Date.now()}-${randomUUID().slice(0, 8)}-${process.pid}.points`;
    this.#files = [...inherited, openFile(join(dir, own))];
  }

  /** Bytes that wait. */
  get waiting(): number {
    return this.#files.reduce((sum, file) => sum + file.size - file.offset, 0);
  }

  /** Stores lines; drops them when the bound is reached or the disk is full. */
  add(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const held = this.#files.reduce((sum, file) => sum + file.size, 0);
    const file = this.#files.at(-1) as SpoolFile;
    if (held + bytes.length <= this.#maxBytes) {
      try {
        writeAll(file.fd, bytes);
        file.size += bytes.length;
        return;
      } catch {
        ftruncateSync(file.fd, file.size);
      }
    }
    this.#dropped += lines.length;
  }

  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** The next lines in order, at most `limit`; undefined when none waits. */
  next(limit: number): SpoolBatch | undefined {
    for (;;) {
      const file = this.#files.find((candidate) => candidate.offset < candidate.size);
      if (!file) return undefined;
      const batch = readLines(file, limit);
      if (batch) {
        const done = () => {
          file.offset += batch.bytes;
          this.#tidy();
        };
        return { lines: batch.lines, done };
      }
      // Only a half-written line is left, of a process that was killed.
      file.offset = file.size;
      this.#tidy();
    }
  }

  close(): void {
    for (const file of this.#files) {
      closeFile(file);
      if (file.offset >= file.size) rmSync(file.path, { force: true });
    }
    this.#files = [];
  }

  /** Delivered files go; our own is emptied. */
  #tidy(): void {
    const own = this.#files.at(-1);
    this.#files = this.#files.filter((file) => {
      if (file.offset < file.size) return true;
      if (file !== own) {
        closeFile(file);
        rmSync(file.path, { force: true });
        return false;
      }
      ftruncateSync(file.fd, 0);
      file.offset = 0;
      file.size = 0;
      return true;
    });
  }
}

/** Paths open in this process, so that a second spool in it does not take them for abandoned ones. */
const inUse = new Set<string>();

function openFile(path: string): SpoolFile {
  const fd = openSync(path, 'a+');
  inUse.add(path);
  return { path, fd, offset: 0, size: fstatSync(fd).size };
}

function closeFile(file: SpoolFile): void {
  closeSync(file.fd);
  inUse.delete(file.path);
}

/** Names of the files of processes that are gone, oldest first. */
function abandoned(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => {
      const pid = /^\d+-[0-9a-f]+-(\d+)\.points$/.exec(name)?.[1];
      if (pid === undefined || inUse.has(join(dir, name))) return false;
      return Number(pid) === process.pid || !isAlive(Number(pid));
    })
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}

function readLines(file: SpoolFile, limit: number): { lines: string[]; bytes: number } | undefined {
  for (let length = CHUNK; ; length *= 2) {
    const buffer = Buffer.alloc(Math.min(length, file.size - file.offset));
    const read = readSync(file.fd, buffer, 0, buffer.length, file.offset);
    const lines: string[] = [];
    let bytes = 0;
    while (lines.length < limit) {
      const end = buffer.indexOf(0x0a, bytes);
      if (end < 0 || end >= read) break;
      lines.push(buffer.toString('utf8', bytes, end));
      bytes = end + 1;
    }
    if (lines.length > 0) return { lines, bytes };
    if (buffer.length < length) return undefined;
  }
}
