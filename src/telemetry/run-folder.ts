/**
 * A run's folder: `run.json` says what was run, `events.ndjson` is the journal.
 *
 * What is guaranteed: when `append` returns, the event is with the operating system, so that a kill of the
 * process at any moment loses nothing appended (bulky events are thinned first, see thin.ts). After `flush`
 * (called by itself after each accuracy and at the end) it is on the disk, so that a power cut loses nothing
 * either. `run.json` is replaced as a whole, never seen half-written.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync } from 'node:fs';
import { access, constants, readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { MemloopError } from '../shared/errors.js';
import { eventSchema, type MemloopEvent } from '../shared/events.js';
import { writeAll, writeAtomically } from '../shared/files.js';
import { parseJson } from '../shared/json.js';
import { Thinner } from './thin.js';

export const JOURNAL = 'events.ndjson';
const RUN_FILE = 'run.json';

export interface RunInfo {
  command: string;
  argv: readonly string[];
}

/** The form of `run.json`. */
export const recordSchema = z.object({
  command: z.string(),
  argv: z.array(z.string()),
  /** Versions of memloop and Node.js. */
  memloop: z.string(),
  node: z.string(),
  platform: z.string(),
  pid: z.number().int(),
  /** ISO 8601 */
  started: z.string(),
  seed: z.number().optional(),
  backend: z.string().optional(),
  board: z.object({ port: z.string(), boardSerial: z.string(), firmwareVersion: z.string() }).optional(),
  /** ISO 8601; absent while the run lasts and after a kill. */
  finished: z.string().optional(),
  /** Absent when the run failed; then `error` says why. */
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.string().optional(),
});

/** What `run.json` holds. */
export type RunRecord = z.infer<typeof recordSchema>;

export interface RunFolder {
  readonly dir: string;
  /** The path of a file in the folder, for weights, plots and the like. The folder is made if need be. */
  file(name: string): string;
  /** Stores an event; throws `disk` when it cannot be stored. */
  append(event: MemloopEvent): void;
  /** Waits until everything appended is on the disk. */
  flush(): void;
  /** Stores what was withheld and ends the run in `run.json`. */
  close(): Promise<void>;
}

/**
 * Opens a run in a folder, which is made when the work's first event arrives (neither `run-started` nor a log
 * line): a command that is refused leaves nothing behind. A run in a folder that has a journal adds to it.
 */
export async function openRun(dir: string, info: RunInfo): Promise<RunFolder> {
  await checkWritable(dir);
  return new Folder(dir, info);
}

/** What is known of a run from its folder. */
export async function readRun(dir: string): Promise<RunRecord> {
  const file = join(dir, RUN_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new MemloopError(
      'bad-file',
      `${dir}: not a run folder (no ${RUN_FILE}); name one that memloop has made`,
      {
        cause: error,
      },
    );
  }
  return parseJson(text, recordSchema, {
    what: file,
    hint: 'name another run, or use the version of memloop that wrote it',
  });
}

/** Whether the process that writes this run is still at work on this machine. */
export function isRunning(record: RunRecord): boolean {
  return record.finished === undefined && isAlive(record.pid);
}

/** The run started last among the folders in `root`. */
export async function latestRun(root: string): Promise<string | undefined> {
  const names = await readdir(root).catch(() => []);
  const runs: { dir: string; started: string }[] = [];
  for (const name of names) {
    const dir = join(root, name);
    const record = await readRun(dir).catch(() => undefined);
    if (record) runs.push({ dir, started: record.started });
  }
  return runs.sort((a, b) => a.started.localeCompare(b.started)).at(-1)?.dir;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

class Folder implements RunFolder {
  readonly dir: string;
  #thinner = new Thinner();
  #journal: number | undefined;
  #early: MemloopEvent[] = [];
  #record: RunRecord;
  #closed = false;

  constructor(dir: string, info: RunInfo) {
    this.dir = dir;
    this.#record = {
      command: info.command,
      argv: [...info.argv],
      memloop: memloopVersion(),
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
      pid: process.pid,
      started: new Date().toISOString(),
    };
  }

  file(name: string): string {
    const path = join(this.dir, name);
    this.#disk(() => mkdirSync(dirname(path), { recursive: true }));
    return path;
  }

  append(event: MemloopEvent): void {
    if (this.#closed) return;
    if (this.#journal === undefined) {
      this.#early.push(event);
      if (event.type === 'run-started' || event.type === 'log') return;
      this.#open();
      for (const early of this.#early.splice(0)) this.#store(early);
    } else this.#store(event);
  }

  flush(): void {
    const journal = this.#journal;
    if (journal !== undefined) this.#disk(() => fsyncSync(journal));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const journal = this.#journal;
    if (journal === undefined) return;
    this.#write(this.#thinner.drain().map((event) => this.#storable(event)));
    this.flush();
    this.#disk(() => closeSync(journal));
    this.#update({ finished: new Date().toISOString() });
  }

  #open(): void {
    this.#disk(() => {
      mkdirSync(this.dir, { recursive: true });
      const journal = openSync(join(this.dir, JOURNAL), 'a+');
      cutHalfLine(journal);
      this.#journal = journal;
    });
    this.#update({});
  }

  #store(event: MemloopEvent): void {
    this.#write(this.#thinner.push(event).map((stored) => this.#storable(stored)));
    switch (event.type) {
      case 'run-started':
        this.#update({ seed: event.seed, backend: event.backend });
        break;
      case 'board': {
        const { port, boardSerial, firmwareVersion } = event;
        this.#update({ board: { port, boardSerial, firmwareVersion } });
        break;
      }
      case 'accuracy':
        this.flush();
        break;
      case 'run-finished':
        this.#update({ result: event.result });
        break;
      case 'log':
        if (event.level === 'error') this.#update({ error: event.message });
    }
  }

  /** A journal must stay readable: what no reader would accept is replaced by a warning that says so. */
  #storable(event: MemloopEvent): MemloopEvent {
    const checked = eventSchema.safeParse(event);
    if (checked.success) return event;
    const issue = checked.error.issues[0];
    const message = `a ${event.type} event was not stored: ${issue?.path.join('.')}: ${issue?.message}`;
    return { type: 'log', level: 'warning', message, time: event.time };
  }

  #write(events: readonly MemloopEvent[]): void {
    if (events.length === 0) return;
    const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    this.#disk(() => writeAll(this.#journal as number, bytes));
  }

  #update(change: Partial<RunRecord>): void {
    this.#record = { ...this.#record, ...change };
    const path = join(this.dir, RUN_FILE);
    writeAtomically(path, `${JSON.stringify(this.#record, undefined, 2)}\n`);
  }

  #disk(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw diskError(this.dir, error);
    }
  }
}

/** What a kill left after the last line break was never acknowledged. */
function cutHalfLine(fd: number): void {
  const byte = Buffer.alloc(1);
  const size = fstatSync(fd).size;
  let end = size;
  for (; end > 0; end--) {
    readSync(fd, byte, 0, 1, end - 1);
    if (byte[0] === 0x0a) break;
  }
  if (end < size) ftruncateSync(fd, end);
}

async function checkWritable(dir: string): Promise<void> {
  for (let path = resolve(dir); ; path = dirname(path)) {
    const found = await stat(path).catch(() => undefined);
    if (!found) continue;
    if (!found.isDirectory()) {
      throw new MemloopError('bad-input', `${path}: not a folder; name another one for the run`);
    }
    try {
      return await access(path, constants.W_OK);
    } catch (error) {
      throw new MemloopError('bad-input', `${path}: not writable; name another folder for the run`, {
        cause: error,
      });
    }
  }
}

const diskError = (dir: string, error: unknown): MemloopError =>
  new MemloopError('disk', `${dir}: the run cannot be recorded (${(error as Error).message})`, {
    cause: error,
  });

/** Of this package. */
export const memloopVersion = (): string =>
  (createRequire(import.meta.url)('memloop/package.json') as { version: string }).version;
