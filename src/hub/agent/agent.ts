/**
 * `memloop bench serve`: the agent beside the boards of a bench. It takes jobs into its own journal, does them, mints
 * leases, and tells the hub. What it has taken goes on without the hub.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createInbox, type Msg } from '@nats-io/transport-node';
import { MemloopError } from '../../shared/errors.js';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { isAlive } from '../../telemetry/run-folder.js';
import { connectHub, type HubConnection } from '../connection.js';
import { fetchFile } from '../files.js';
import type { HubKey } from '../key.js';
import {
  type BoardMessage,
  cancelSchema,
  HUB_VERSION,
  isOver,
  jobMessageSchema,
  PROCEDURES,
  type Procedure,
  requests,
  STREAMS,
  subjects,
  TIMES,
} from '../messages.js';
import { decode, encode, encodeRefusal, HubRefusal } from '../refusal.js';
import { type BoardAccess, BoardAgent, type Carrier } from './board.js';
import { Fences } from './fence.js';
import { Forwarder } from './forward.js';
import { LiveStream } from './live.js';
import { Records } from './records.js';

export interface AgentOptions {
  key: HubKey;
  /** The bench's own journal; one agent at a time has it. */
  folder: string;
  boards: readonly { url: string; description: Omit<BoardMessage, 'v' | 'bench'> }[];
  access: BoardAccess;
  maxPulses?: number | undefined;
  carrier?: ((hub: HubConnection) => Carrier) | undefined;
  log: (line: string) => void;
}

/** ms */
const PULL = 5000;
const AGAIN = 1000;

export class BenchAgent {
  readonly #hub: HubConnection;
  readonly #options: AgentOptions;
  readonly #records: Records;
  readonly #boards: ReadonlyMap<string, BoardAgent>;
  readonly #live: LiveStream;
  readonly #forwarder: Forwarder;
  #closed = false;
  /** Resolves the wait of the loop that sends. */
  #changed: () => void = () => {};
  #dirty = false;
  #unlock: () => void = () => {};

  private constructor(hub: HubConnection, options: AgentOptions) {
    const { key, folder, access, maxPulses, carrier, log } = options;
    this.#hub = hub;
    this.#options = options;
    this.#records = new Records(join(folder, 'jobs'));
    const fences = new Fences(join(folder, 'fences.json'));
    this.#live = new LiveStream(hub);
    const boards = options.boards.map(({ url, description }) => {
      const board: BoardMessage = { v: HUB_VERSION, bench: key.name, ...description };
      const agent = new BoardAgent({
        url,
        board,
        access,
        records: this.#records,
        fences,
        maxPulses,
        carrier: carrier?.(hub),
        fetch: (file, path) => fetchFile(hub, file, path),
        changed: () => this.#change(),
        onEvent: (event, lost) => this.#live.send(board, event, lost),
      });
      return [board.board, agent] as const;
    });
    this.#boards = new Map(boards);
    const passportsOf = (board: string) => this.#boards.get(board)?.passports ?? [];
    this.#forwarder = new Forwarder(hub, this.#records, passportsOf, log);
  }

  /**
   * Claims the boards and serves them until `close`. Errors: HubRefusal `board-claimed`, `service`, and those of the
   * journal.
   */
  static async start(options: AgentOptions): Promise<BenchAgent> {
    if (options.key.role !== 'bench')
      throw new MemloopError(
        'usage',
        `the key of ${options.key.name} is a ${options.key.role}'s: a bench needs one of its own (\`memloop hub user add NAME --role bench\`)`,
      );
    const unlock = lock(options.folder, options.key.name);
    const hub = await connectHub(options.key, { forever: true });
    try {
      const agent = new BenchAgent(hub, options);
      await agent.#untilHeard();
      agent.#answer();
      for (const board of agent.#boards.values()) await board.start();
      agent.#unlock = unlock;
      agent.#begin();
      return agent;
    } catch (error) {
      unlock();
      await hub.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#change();
    for (const board of this.#boards.values()) await board.close();
    if (this.#hub.connected) await this.#forwarder.sendAll().catch(() => {});
    await this.#hub.close();
    this.#unlock();
  }

  #begin(): void {
    void this.#hub.watch((up) => {
      if (up) void this.#untilDone(() => this.#hello());
    });
    const loops = [
      this.#loop(() => this.#pullOwn()),
      this.#loop(() => this.#sendOn()),
      this.#loop(() => this.#beat()),
    ];
    for (const kind of new Set([...this.#boards.values()].map(({ board }) => board.kind)))
      loops.push(this.#loop(() => this.#pullPool(kind)));
    void Promise.all(loops);
  }

  /** Again and again until the agent is closed; what fails is tried again after a moment. */
  async #loop(work: () => Promise<void>): Promise<void> {
    while (!this.#closed)
      await work().catch((error: Error) => {
        if (this.#hub.connected && !this.#closed) this.#options.log(error.message);
        return sleep(AGAIN);
      });
  }

  async #untilDone(work: () => Promise<void>): Promise<void> {
    for (let done = false; !done && !this.#closed; )
      done = await work().then(
        () => true,
        (error: Error) => {
          this.#options.log(error.message);
          return sleep(AGAIN).then(() => false);
        },
      );
  }

  /** The hub may be busy or away; what it refuses is refused. */
  async #untilHeard(): Promise<void> {
    for (;;) {
      try {
        return await this.#hello();
      } catch (error) {
        if (error instanceof HubRefusal) throw error;
        this.#options.log((error as Error).message);
        await sleep(AGAIN);
      }
    }
  }

  async #hello(): Promise<void> {
    const { hub } = await this.#hub.ask('hello', {
      boards: [...this.#boards.values()].map(({ board }) => board),
    });
    this.#records.readdress(hub);
    this.#change();
  }

  #change(): void {
    this.#dirty = true;
    this.#changed();
  }

  /** Sends what has changed; the journals of runs that last are looked at every second. */
  async #sendOn(): Promise<void> {
    const woken = new Promise<void>((done) => {
      this.#changed = done;
    });
    if (!this.#dirty) await Promise.race([woken, sleep(AGAIN)]);
    this.#dirty = false;
    if (!this.#hub.connected) return void (await sleep(AGAIN));
    try {
      await this.#claimAll();
      await this.#forwarder.sendAll();
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  /** Also of jobs that are done, so that a hub which has lost its disk gives none of them to another bench. */
  async #claimAll(): Promise<void> {
    for (const { state, unclaimed } of this.#records.all())
      if (unclaimed) this.#boards.get(state.board)?.claimed(state.id, await this.#forwarder.claim(state.id));
  }

  async #beat(): Promise<void> {
    if (this.#hub.connected) {
      const boards = [...this.#boards.values()].map((board) => board.status());
      const bench = this.#hub.who;
      const time = new Date().toISOString();
      this.#hub.nats.publish(subjects.presence(bench), encode({ v: HUB_VERSION, bench, time, boards }));
    }
    for (const board of this.#boards.values()) board.watch(this.#live.watched(board.board.board));
    await sleep(TIMES.heartbeat * 1000);
  }

  /** A message of a work queue, or undefined where none came in the time. */
  async #pull(stream: string, consumer: string): Promise<Msg | undefined> {
    if (!this.#hub.connected) throw new Error('not connected');
    const ask = encode({ batch: 1, expires: PULL * 1e6 });
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    // The message comes under its own subject, so the answer needs an inbox of its own.
    const reply = createInbox(`_INBOX.${this.#hub.who}`);
    const message = await this.#hub.nats.request(subject, ask, { timeout: PULL + 2000, noMux: true, reply });
    return message.headers?.hasError || !message.reply ? undefined : message;
  }

  /** It is in the journal: the hub may forget it. What it does not hear comes again, and is known then. */
  async #acknowledge(message: Msg): Promise<void> {
    await this.#hub.nats.request(message.reply as string, '+ACK', { timeout: PULL });
  }

  async #pullOwn(): Promise<void> {
    const message = await this.#pull(STREAMS.jobs, this.#hub.who);
    if (!message) return;
    const [, , , board, who] = message.subject.split('.');
    try {
      this.#takeMessage(message, who, this.#boards.get(board));
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      this.#options.log(`${message.subject}: ${error.message}`);
    }
    await this.#acknowledge(message);
  }

  #takeMessage(message: Msg, who: string, board: BoardAgent | undefined): void {
    const content = decode(message.data, jobMessageSchema, 'the job');
    const cancelled = cancelSchema.safeParse(content);
    if (cancelled.success) {
      const record = this.#records.get(cancelled.data.cancel);
      this.#boards.get(record?.state.board ?? '')?.cancel(cancelled.data.cancel, who);
    } else if ('id' in content) {
      // A board that is not here: whichever is there says so in the job's state.
      const any = board ?? [...this.#boards.values()][0];
      any.take(content, who);
      if (!board) any.cancelUnknown(content.id);
    }
  }

  async #pullPool(kind: string): Promise<void> {
    const board = [...this.#boards.values()].find((each) => each.board.kind === kind && each.idle);
    if (!board) return void (await sleep(AGAIN));
    const message = await this.#pull(STREAMS.pool, kind);
    if (!message) return;
    const who = message.subject.split('.').at(-1) as string;
    try {
      const content = decode(message.data, jobMessageSchema, 'the job');
      if ('id' in content) board.take(content, who, true);
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      this.#options.log(`${message.subject}: ${error.message}`);
    }
    await this.#acknowledge(message);
    await this.#claimAll();
  }

  #answer(): void {
    this.#hub.nats.subscribe(`ml.rpc.${this.#hub.who}.>`, {
      callback: (error, message) => {
        if (!error) void this.#respond(message);
      },
    });
  }

  async #respond(message: Msg): Promise<void> {
    const [, , , name, what, who] = message.subject.split('.');
    try {
      const procedure = PROCEDURES.find((each) => each === what);
      const board = this.#boards.get(name);
      if (!procedure) throw new HubRefusal('bad-message', `a bench does not know "${what}"`);
      if (!board) throw new HubRefusal('unknown-board', `there is no board ${name} at ${this.#hub.who}`);
      const request = decode(message.data, requests[procedure], `the request "${procedure}"`);
      const reply = await this.#reply(procedure, board, who, request as { lease: string });
      message.respond(encode({ v: HUB_VERSION, ...reply }));
    } catch (fault) {
      message.respond(encodeRefusal(fault));
    }
  }

  async #reply(
    procedure: Procedure,
    board: BoardAgent,
    who: string,
    { lease }: { lease: string },
  ): Promise<object> {
    switch (procedure) {
      case 'info':
        return { board: board.board, status: board.status() };
      case 'stop':
        await board.stop(who);
        return {};
      case 'live':
        this.#live.open(board.board.board);
        board.watch(true);
        return { seconds: TIMES.live };
      case 'acquire':
        return board.acquire(who);
      case 'renew':
        return board.renew(lease, who);
      case 'release':
        await board.release(lease, who);
        return {};
    }
  }

  /** Jobs and leases that are not over, for messages. */
  get unfinished(): number {
    return this.#records.all().filter(({ state }) => !isOver(state.state)).length;
  }
}

/** The journal is one agent's: what a killed one has left is taken over. Error: `port-in-use`. Returns how to give it back. */
function lock(folder: string, name: string): () => void {
  makeFolder(folder);
  const path = join(folder, 'agent.pid');
  const pid = existsSync(path) ? Number(readFileSync(path, 'utf8')) : Number.NaN;
  if (pid > 0 && pid !== process.pid && isAlive(pid))
    throw new MemloopError(
      'port-in-use',
      `another agent serves this bench (${name}, process ${pid}): end that one first`,
    );
  writeAtomically(path, String(process.pid));
  return () => rmSync(path, { force: true });
}
