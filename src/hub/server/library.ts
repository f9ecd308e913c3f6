/**
 * What the hub answers: who is there, what became of the jobs, the events of a run. It reads the streams for those who may
 * not, and keeps the newest of each board and job in memory. It decides nothing about pulses: benches do.
 */
import { DeliverPolicy, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import {
  type BoardMessage,
  type BoardRow,
  boardMessageSchema,
  cancelSchema,
  HUB_VERSION,
  type HubProcedure,
  jobMessageSchema,
  type Presence,
  presenceSchema,
  requests,
  STREAMS,
  type State,
  stateSchema,
  subjects,
  TIMES,
} from '../messages.js';
import { decode, encode, encodeRefusal, HubRefusal } from '../refusal.js';
import { makeConsumer, makePool, makeStreams } from './streams.js';

/** Bytes and lines of one answer. */
const PAGE = { bytes: 512 * 1024, events: 500, jobs: 200 };
/** Newest jobs that are kept in memory; all are in the stream. */
const KEPT = 20_000;

interface Seen {
  at: number;
  presence: Presence;
}

export class Library {
  readonly #nats: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #log: (line: string) => void;
  readonly #hub: string;
  readonly #boards = new Map<string, BoardMessage>();
  readonly #seen = new Map<string, Seen>();
  readonly #made = new Set<string>();
  /** By id, in the order in which they were first heard of. */
  readonly #states = new Map<string, State>();

  private constructor(
    nats: NatsConnection,
    manager: JetStreamManager,
    hub: string,
    log: (line: string) => void,
  ) {
    this.#nats = nats;
    this.#manager = manager;
    this.#hub = hub;
    this.#log = log;
  }

  /** Makes the streams, reads what they hold and answers from now on, until the connection ends. */
  static async open(nats: NatsConnection, log: (line: string) => void): Promise<Library> {
    const manager = await jetstreamManager(nats);
    const library = new Library(nats, manager, await makeStreams(manager), log);
    library.#listen();
    await library.#recall();
    for (const procedure of ['hello', 'boards', 'jobs', 'events'] as const) library.#answer(procedure);
    return library;
  }

  #listen(): void {
    this.#hear('ml.presence.*', (message) => {
      const presence = decode(message.data, presenceSchema, 'a heartbeat');
      this.#seen.set(presence.bench, { at: Date.now(), presence });
    });
    this.#hear('ml.state.*.*', (message) => this.#learn(message));
    this.#hear('ml.job.*.*.*', (message) => this.#queued(message));
    this.#hear('ml.pool.*.*', (message) => this.#queued(message));
  }

  #hear(subject: string, take: (message: Msg) => void): void {
    this.#nats.subscribe(subject, {
      callback: (error, message) => {
        try {
          if (!error) take(message);
        } catch (fault) {
          this.#log(`${message.subject}: ${(fault as Error).message}`);
        }
      },
    });
  }

  #learn({ subject, data }: Pick<Msg, 'subject' | 'data'>): void {
    const state = decode(data, stateSchema, subject);
    // A bench speaks for itself only.
    if (subject !== subjects.state(state.bench, state.id))
      throw new HubRefusal('not-allowed', 'of another bench');
    const known = this.#states.get(state.id);
    if (known && known.state !== 'queued' && known.bench !== state.bench) return;
    this.#keep(state);
  }

  #keep(state: State): void {
    this.#states.set(state.id, state);
    if (this.#states.size > KEPT) this.#states.delete([...this.#states.keys()][0]);
  }

  /** A job on its way to a bench, for lists. */
  #queued({ subject, data }: Msg): void {
    const message = decode(data, jobMessageSchema, subject);
    if (cancelSchema.safeParse(message).success || !('id' in message) || this.#states.has(message.id)) return;
    const [, kind, ...rest] = subject.split('.');
    const [bench, board] = kind === 'pool' ? ['pool', rest[0]] : rest;
    this.#keep({
      v: HUB_VERSION,
      id: message.id,
      kind: 'job',
      bench,
      board,
      user: rest[rest.length - 1],
      state: 'queued',
      time: new Date().toISOString(),
      attempt: 0,
      job: message,
    });
  }

  /** The newest of each board and job, from the streams. */
  async #recall(): Promise<void> {
    const take = (message: { subject: string; data: Uint8Array }) => {
      if (message.subject.startsWith('ml.state.')) return this.#learn(message);
      const board = decode(message.data, boardMessageSchema, message.subject);
      this.#boards.set(`${board.bench}/${board.board}`, board);
    };
    for (const stream of [STREAMS.states, STREAMS.boards]) {
      const consumer = await jetstream(this.#nats).consumers.get(stream, {
        deliver_policy: DeliverPolicy.LastPerSubject,
        filter_subjects: stream === STREAMS.states ? 'ml.state.>' : 'ml.board.>',
      });
      const { num_pending: pending } = await consumer.info();
      for (let left = pending; left > 0; ) {
        const batch = await consumer.fetch({ max_messages: Math.min(left, 500), expires: 5000 });
        let got = 0;
        for await (const message of batch) {
          got++;
          try {
            take(message);
          } catch (error) {
            this.#log(`${message.subject}: ${(error as Error).message}`);
          }
        }
        if (got === 0) break;
        left -= got;
      }
      await consumer.delete();
    }
  }

  #answer(procedure: HubProcedure): void {
    this.#nats.subscribe(subjects.hub(procedure, '*'), {
      callback: (error, message) => {
        if (!error) void this.#respond(procedure, message);
      },
    });
  }

  async #respond(procedure: HubProcedure, message: Msg): Promise<void> {
    const who = message.subject.split('.').at(-1) as string;
    try {
      const what = `the request "${procedure}"`;
      const reply = await this.#reply(procedure, who, decode(message.data, requests[procedure], what));
      message.respond(encode({ v: HUB_VERSION, ...reply }));
    } catch (fault) {
      this.#log(`${who} is refused "${procedure}": ${(fault as Error).message}`);
      message.respond(encodeRefusal(fault));
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: the request is what the procedure's schema has made of it
  #reply(procedure: HubProcedure, who: string, request: any): object | Promise<object> {
    switch (procedure) {
      case 'hello':
        return this.#hello(who, request.boards);
      case 'boards':
        return { boards: this.#rows() };
      case 'jobs':
        return this.#jobs(request);
      case 'events':
        return this.#events(request);
    }
  }

  async #hello(bench: string, boards: readonly BoardMessage[]): Promise<object> {
    for (const board of boards) {
      if (board.bench !== bench)
        throw new HubRefusal('not-allowed', `${bench} cannot speak for ${board.bench}`);
      const owner = this.#ownerOf(board.serial, bench);
      if (owner)
        throw new HubRefusal(
          'board-claimed',
          `the board ${board.serial} is at the bench ${owner}: end that one first (it hands over ${TIMES.handOver} s after it has gone)`,
        );
    }
    await this.#once(`jobs ${bench}`, () => makeConsumer(this.#manager, bench));
    for (const [key, old] of this.#boards) if (old.bench === bench) this.#boards.delete(key);
    for (const board of boards) {
      for (const [key, other] of this.#boards)
        if (other.serial === board.serial && other.bench !== bench) this.#boards.delete(key);
      this.#boards.set(`${bench}/${board.board}`, board);
      await this.#once(`pool ${board.kind}`, () => makePool(this.#manager, board.kind));
      const { error } = await this.#store(subjects.board(bench, board.board), encode(board));
      if (error) throw new HubRefusal('queue-full', error.description);
    }
    this.#seen.set(bench, { at: Date.now(), presence: emptyPresence(bench) });
    return { hub: this.#hub };
  }

  /** Consumers outlive connections: each is made once. */
  async #once(name: string, make: () => Promise<void>): Promise<void> {
    if (this.#made.has(name)) return;
    await make();
    this.#made.add(name);
  }

  async #store(subject: string, data: Uint8Array): Promise<{ error?: { description: string } }> {
    return (await this.#nats.request(subject, data, { timeout: 5000 })).json();
  }

  /** Another bench that has a board, and has not been silent for long. */
  #ownerOf(serial: string, bench: string): string | undefined {
    for (const other of this.#boards.values())
      if (other.serial === serial && other.bench !== bench && this.#silence(other.bench) < TIMES.handOver)
        return other.bench;
    return undefined;
  }

  /** s since a bench was last heard. */
  #silence(bench: string): number {
    const seen = this.#seen.get(bench);
    return seen ? (Date.now() - seen.at) / 1000 : Number.POSITIVE_INFINITY;
  }

  #rows(): BoardRow[] {
    return [...this.#boards.values()].map((board) => ({
      ...board,
      present: this.#silence(board.bench) < TIMES.away,
      status: this.#seen.get(board.bench)?.presence.boards.find((each) => each.board === board.board),
    }));
  }

  #jobs({ id, before }: { id?: string; before?: string }): object {
    if (id !== undefined) {
      const state = this.#states.get(id);
      if (!state)
        throw new HubRefusal('unknown-job', `there is no job ${id}: \`memloop jobs list\` has them`);
      return { jobs: [state], more: false };
    }
    const all = [...this.#states.values()].filter((state) => before === undefined || state.id < before);
    all.sort((a, b) => (a.id < b.id ? 1 : -1));
    const page: State[] = [];
    let bytes = 0;
    // The newest first; without what only one who asks for it by its id needs.
    for (const { files: _, result: __, ...state } of all) {
      bytes += JSON.stringify(state).length;
      if (page.length === PAGE.jobs || bytes > PAGE.bytes) return { jobs: page, more: true };
      page.push(state);
    }
    return { jobs: page, more: false };
  }

  async #events({ job, from }: { job: string; from: number }): Promise<object> {
    const events: unknown[] = [];
    let next = Math.max(1, from);
    for (let bytes = 0; events.length < PAGE.events && bytes < PAGE.bytes; ) {
      const query = { seq: next, next_by_subj: subjects.event('*', '*', job) };
      const found = await this.#manager.direct.getMessage(STREAMS.events, query);
      if (!found) return { events, next, more: false };
      bytes += found.data.length;
      events.push(found.json());
      next = found.seq + 1;
    }
    return { events, next, more: true };
  }
}

const emptyPresence = (bench: string): Presence => ({
  v: HUB_VERSION,
  bench,
  time: new Date().toISOString(),
  boards: [],
});
