/**
 * Reading a journal: one event per line. A half-written last line is what a kill leaves behind; it is skipped.
 * Anything else that is not an event is an error that names file and line.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Observable } from 'rxjs';
import { MemloopError } from '../shared/errors.js';
import { eventSchema, type MemloopEvent } from '../shared/events.js';
import { parseJson } from '../shared/json.js';
import { isRunning, JOURNAL, readRun } from './run-folder.js';

const CHUNK = 1 << 16;
const NEWLINE = 0x0a;

/** Every event of a journal. */
export async function* readJournal(file: string): AsyncGenerator<MemloopEvent> {
  const handle = await openJournal(file);
  try {
    yield* new Reader(file, handle).events();
  } finally {
    await handle.close();
  }
}

export interface FollowOptions {
  signal?: AbortSignal;
  /** Time between two checks of the file, s; default 0.2. */
  poll?: number;
}

/** Every event of a run that still lasts, as it comes; ends with the run, or when aborted. */
export async function* followRun(dir: string, options: FollowOptions = {}): AsyncGenerator<MemloopEvent> {
  const { signal, poll = 0.2 } = options;
  const file = join(dir, JOURNAL);
  const handle = await openJournal(file);
  try {
    const reader = new Reader(file, handle);
    for (let over = false; ; await sleep(poll * 1000)) {
      for await (const event of reader.events()) {
        if (signal?.aborted) return;
        yield event;
      }
      if (over || signal?.aborted) return;
      // What was written before the end is read once more.
      over = !isRunning(await readRun(dir));
    }
  } finally {
    await handle.close();
  }
}

export interface ReplayOptions {
  /** Times faster than it happened; Infinity for at once. Default 1. */
  speed?: number;
  /** Longest wait between two events, s of the replay; default 1. */
  maxPause?: number;
}

/** A finished run's events in the rhythm in which they happened. Cold; ends with the journal. */
export function replayJournal(file: string, options: ReplayOptions = {}): Observable<MemloopEvent> {
  const { speed = 1, maxPause = 1 } = options;
  return new Observable((subscriber) => {
    const play = async () => {
      let now: number | undefined;
      let due = performance.now();
      for await (const event of readJournal(file)) {
        const gap = now === undefined ? 0 : Math.max(0, event.time - now) / speed;
        now = Math.max(now ?? event.time, event.time);
        due += Math.min(gap, maxPause) * 1000;
        const wait = due - performance.now();
        if (wait > 1) await sleep(wait);
        if (subscriber.closed) return;
        subscriber.next(event);
      }
      subscriber.complete();
    };
    play().catch((error) => subscriber.error(error));
  });
}

async function openJournal(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no journal here' : (error as Error).message;
    throw new MemloopError('bad-file', `${file}: ${why}; name a run folder that memloop has made`, {
      cause: error,
    });
  }
}

/** Reads on from where it stopped, by whole lines: an unfinished one is read again next time. */
class Reader {
  #offset = 0;
  #line = 0;

  readonly #file: string;
  readonly #handle: FileHandle;

  constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  async *events(): AsyncGenerator<MemloopEvent> {
    let pending: Buffer[] = [];
    let position = this.#offset;
    for (;;) {
      const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(CHUNK), 0, CHUNK, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      let start = 0;
      for (
        let end = buffer.indexOf(NEWLINE);
        end >= 0 && end < bytesRead;
        end = buffer.indexOf(NEWLINE, start)
      ) {
        const line = Buffer.concat([...pending, buffer.subarray(start, end)]);
        pending = [];
        start = end + 1;
        this.#offset += line.length + 1;
        this.#line += 1;
        if (line.length > 0) yield this.#parse(line.toString('utf8'));
      }
      pending.push(buffer.subarray(start, bytesRead));
    }
  }

  #parse(line: string): MemloopEvent {
    return parseJson(line, eventSchema, {
      what: `${this.#file}:${this.#line}`,
      hint: 'remove this line, or use the version of memloop that wrote it',
    });
  }
}
