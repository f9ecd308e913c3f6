/**
 * Reading a journal: one event a line. A half-written last line is what a kill leaves behind; it is skipped.
 * Anything else that is not an event is an error that names file and line.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Observable } from 'rxjs';
import { MemloopError } from '../errors.js';
import { eventSchema, type MemloopEvent } from '../events.js';

const CHUNK = 1 << 16;
const NEWLINE = 0x0a;

/** Every event of a journal. */
export async function* readJournal(file: string): AsyncGenerator<MemloopEvent> {
  const handle = await openJournal(file);
  if (!handle) {
    throw new MemloopError('bad-file', `${file}: no journal here; name a run folder that memloop has made`);
  }
  try {
    yield* new Reader(file, handle).events();
  } finally {
    await handle.close();
  }
}

export interface FollowOptions {
  signal?: AbortSignal;
  /** s between two looks at the file; default 0.2. */
  poll?: number;
}

/**
 * Every event of a journal that is still being written, as it comes; the file may not be there yet. Ends when
 * aborted, or at the end of the file when the last event says that the run has finished.
 */
export async function* followJournal(
  file: string,
  options: FollowOptions = {},
): AsyncGenerator<MemloopEvent> {
  const pause = () => sleep((options.poll ?? 0.2) * 1000, undefined, { ref: true });
  const ended = () => options.signal?.aborted ?? false;
  let handle = await openJournal(file);
  while (!handle && !ended()) {
    await pause();
    handle = await openJournal(file);
  }
  if (!handle) return;
  try {
    const reader = new Reader(file, handle);
    let last: MemloopEvent | undefined;
    while (!ended()) {
      for await (const event of reader.events()) {
        yield event;
        last = event;
        if (ended()) return;
      }
      if (last?.type === 'run-finished') return;
      await pause();
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

async function openJournal(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new MemloopError('bad-file', `${file}: cannot be read (${(error as Error).message})`, {
      cause: error,
    });
  }
}

/** Reads on from where it stopped, by whole lines: an unfinished one is read again next time. */
class Reader {
  #offset = 0;
  #line = 0;

  constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
  ) {}

  async *events(): AsyncGenerator<MemloopEvent> {
    let pending: Buffer[] = [];
    let position = this.#offset;
    for (;;) {
      const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(CHUNK), 0, CHUNK, position);
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
    const where = `${this.file}:${this.#line}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new MemloopError('bad-file', `${where}: not JSON; the journal is damaged, remove this line`, {
        cause: error,
      });
    }
    const parsed = eventSchema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const field = issue?.path.join('.') || 'the line';
    throw new MemloopError(
      'bad-file',
      `${where}: not a memloop event (${field}: ${issue?.message ?? 'invalid'}); was it written by another version?`,
      { cause: parsed.error },
    );
  }
}
