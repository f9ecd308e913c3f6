/**
 * What the hub is to know, from the records and run folders: nothing is lost while the hub is away, it only waits. Events
 * go first, then files, then the state that says that it is over; each is sent again until the hub has stored it.
 */
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { HubConnection } from '../connection.js';
import { putFile } from '../files.js';
import { claimSchema, type FileReference, HUB_VERSION, isOver, STREAMS, subjects } from '../messages.js';
import { decode, encode } from '../refusal.js';
import type { Record, Records } from './records.js';

/** Bytes of a journal read at once, and lines on the way at once. */
const READ = 1 << 20;
const AT_ONCE = 64;
/** Longer lines are left out of the stream; the journal among the files has them. */
const LONGEST = 900_000;
/** Larger files stay at the bench. */
const LARGEST = 256 * 2 ** 20;

export class Forwarder {
  readonly #hub: HubConnection;
  readonly #records: Records;
  readonly #passportsOf: (board: string) => readonly string[];
  readonly #log: (line: string) => void;

  constructor(
    hub: HubConnection,
    records: Records,
    passportsOf: (board: string) => readonly string[],
    log: (line: string) => void,
  ) {
    this.#hub = hub;
    this.#records = records;
    this.#passportsOf = passportsOf;
    this.#log = log;
  }

  /** Sends all that waits. Throws where the hub is away. */
  async sendAll(): Promise<void> {
    for (const record of this.#records.all())
      if (record.sent.state !== tagOf(record) || !isOver(record.state.state)) await this.#send(record);
  }

  /** Asks for a job of a pool: whether this bench has it. Only the first to ask has. */
  async claim(id: string): Promise<boolean> {
    const subject = subjects.claim(id);
    const mine = encode({ v: HUB_VERSION, bench: this.#hub.who });
    try {
      await this.#hub.storeFirst(subject, mine);
    } catch {
      // Somebody has it, or the answer was lost: what is stored tells.
    }
    const stored = await this.#hub.newest(STREAMS.claims, subject);
    if (!stored) throw new Error(`no claim of ${id} is stored`);
    return decode(stored, claimSchema, subject).bench === this.#hub.who;
  }

  async #send(record: Record): Promise<void> {
    const { state, sent } = record;
    // What the state says was true before what is read after it.
    const tag = tagOf(record);
    const over = isOver(state.state);
    if (state.kind === 'job') await this.#sendEvents(record);
    if (sent.state === tag) return;
    const message = { ...state };
    if (over) {
      message.events = sent.events;
      message.files = await this.#sendFiles(join(this.#records.folderOf(state.id), 'run'));
      message.passports = await this.#sendPassports(record);
    }
    await this.#hub.store(subjects.state(state.bench, state.id), encode(message), `${state.id}:${tag}`);
    sent.state = tag;
    this.#records.save(record);
  }

  async #sendEvents(record: Record): Promise<void> {
    const { sent, state } = record;
    const path = join(this.#records.folderOf(state.id), 'run', 'events.ndjson');
    const file = await open(path, 'r').catch(() => undefined);
    if (!file) return;
    try {
      const buffer = Buffer.alloc(READ);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, READ, sent.bytes);
        const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
        if (end === 0) return;
        const lines = buffer.toString('utf8', 0, end - 1).split('\n');
        await this.#sendLines(record, lines);
        sent.bytes += end;
        this.#records.save(record);
        if (bytesRead < READ) return;
      }
    } finally {
      await file.close();
    }
  }

  async #sendLines({ sent, state }: Record, lines: readonly string[]): Promise<void> {
    const subject = subjects.event(state.bench, state.board, state.id);
    const first = sent.events;
    for (let at = 0; at < lines.length; at += AT_ONCE) {
      await Promise.all(
        lines.slice(at, at + AT_ONCE).map(async (line, i) => {
          const n = first + at + i;
          if (line.length > LONGEST) return this.#log(`${state.id}: event ${n} is too long for the stream`);
          const data = Buffer.from(`{"v":${HUB_VERSION},"n":${n},"event":${line}}`);
          await this.#hub.store(subject, data, `${state.id}:${n}`);
        }),
      );
    }
    sent.events = first + lines.length;
  }

  async #sendFiles(folder: string): Promise<FileReference[]> {
    const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
    const files: FileReference[] = [];
    for (const name of names.sort()) {
      const path = join(folder, name);
      const found = await stat(path);
      if (!found.isFile()) continue;
      if (found.size > LARGEST) this.#log(`${path} is too large for the hub: it stays here`);
      else files.push(await putFile(this.#hub, path, name));
    }
    return files;
  }

  async #sendPassports({ state }: Record): Promise<FileReference[]> {
    if (!state.after) return [];
    const files: FileReference[] = [];
    for (const path of this.#passportsOf(state.board))
      files.push(await putFile(this.#hub, path, basename(path)));
    return files;
  }
}

/** Each state of a job that the hub is to know has its own. */
const tagOf = ({ state }: Record): string => `${state.state}-${state.attempt}`;
