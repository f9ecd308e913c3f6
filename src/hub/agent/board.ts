/** One board at a bench: it is idle, or one job or one lease has it. Who may pulse is decided here, beside the board. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemloopError } from '../../shared/errors.js';
import { makeFolder } from '../../shared/files.js';
import {
  type BoardMessage,
  type Counts,
  HUB_VERSION,
  isOperator,
  isOver,
  type Job,
  type Lease,
  type Presence,
  type State,
  TIMES,
} from '../messages.js';
import { HubRefusal } from '../refusal.js';
import { ulid } from '../ulid.js';
import { checkCommand, filesOf, resumes, wordsOf } from './commands.js';
import type { Fences } from './fence.js';
import { type Ended, endOrphan, JobProcess } from './process.js';
import type { Record, Records } from './records.js';

/** What the command line gives to an agent: boards and passports are other rooms'. */
export interface BoardAccess {
  /** The file that runs a command. */
  main: string;
  /** What the passports and the board's own counter say, after what was uncertain is settled; and the passports' files. */
  count(url: string): Promise<{ counts: Counts; passports: string[] }>;
}

/** Carries the link's bytes between the holder of a lease and the board; `close` stops the board and frees the port. */
export type Carrier = (held: { url: string; board: BoardMessage; who: string; lease: Lease }) => Promise<{
  close(): Promise<void>;
}>;

export interface BoardOptions {
  url: string;
  board: BoardMessage;
  access: BoardAccess;
  records: Records;
  fences: Fences;
  /** Most pulses that a job may ask for; undefined: no limit. */
  maxPulses?: number | undefined;
  carrier?: Carrier | undefined;
  /** Gets an artefact into a file. */
  fetch: (file: ReturnType<typeof filesOf>[number], path: string) => Promise<void>;
  /** Something is to be sent to the hub. */
  changed: () => void;
  onEvent: (event: { [field: string]: unknown }, lost: number) => void;
}

interface Held {
  record: Record;
  timer: NodeJS.Timeout;
  carried: { close(): Promise<void> } | undefined;
}

const MOST_ATTEMPTS = 5;
/** Reasons of a command's failure after which it may go well. */
const PASSING = new Set(['board-lost', 'timeout', 'service', 'port-in-use', 'port-not-found', 'interrupted']);

export class BoardAgent {
  readonly #options: BoardOptions;
  #lease: Held | undefined;
  #busy: Record | undefined;
  #process: JobProcess | undefined;
  #watched = false;
  #lost = false;
  #closed = false;
  #wake: () => void = () => {};
  #totals = { pulses: 0, energy: 0 };
  #working: Promise<void> = Promise.resolve();

  constructor(options: BoardOptions) {
    this.#options = options;
  }

  get board(): BoardMessage {
    return this.#options.board;
  }

  /** Neither busy nor with work waiting. */
  get idle(): boolean {
    return !this.#busy && !this.#lease && this.#queue().length === 0;
  }

  /** Goes on with what was taken before. */
  async start(): Promise<void> {
    for (const record of this.#mine())
      if (record.state.kind === 'lease' && !isOver(record.state.state))
        await this.#settle(record, {
          state: 'failed',
          reason: 'agent-ended',
          message: 'the agent was ended',
        });
    await this.#count().catch(() => {});
    this.#working = this.#work();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    this.#process?.stop();
    await this.#working;
    if (this.#lease) await this.#endLease('failed', 'agent-ended', 'the agent was ended');
  }

  status(): Presence['boards'][number] {
    const held = this.#busy ?? this.#lease?.record;
    return {
      board: this.board.board,
      state: this.#lost ? 'lost' : this.#busy ? 'job' : this.#lease ? 'lease' : 'idle',
      ...(held && { user: held.state.user, id: held.state.id }),
      queued: this.#queue().filter((record) => record !== this.#busy).length,
      ...this.#totals,
    };
  }

  /** Takes a job; what is wrong with it is its end. On disk when it returns. */
  take(job: Job, user: string, unclaimed = false): void {
    const { records, maxPulses, board, changed } = this.#options;
    if (records.get(job.id)) return;
    const state: State = {
      v: HUB_VERSION,
      id: job.id,
      kind: 'job',
      bench: board.bench,
      board: board.board,
      user,
      state: 'accepted',
      time: new Date().toISOString(),
      attempt: 0,
      job,
    };
    try {
      checkCommand(job);
      const asked = job.budget.pulses;
      if (maxPulses !== undefined && asked === undefined) job.budget.pulses = maxPulses;
      if (maxPulses !== undefined && asked !== undefined && asked > maxPulses)
        throw new HubRefusal(
          'over-budget',
          `${asked} pulses are asked for, and this bench allows ${maxPulses}`,
        );
      records.add(state, unclaimed);
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      records.add({ ...state, state: 'failed', reason: error.code, message: error.message });
    }
    changed();
    this.#wake();
  }

  /** The hub has given a job of a pool to this bench, or to another one. */
  claimed(id: string, mine: boolean): void {
    const record = this.#options.records.get(id);
    if (!record?.unclaimed) return;
    record.unclaimed = false;
    if (!mine) record.ending = { state: 'cancelled', reason: 'taken', message: 'another bench has taken it' };
    this.#options.records.save(record);
    this.#wake();
  }

  /** A job for a board that is not at this bench. */
  cancelUnknown(id: string): void {
    const record = this.#options.records.get(id);
    const message = `the board is not at the bench ${this.board.bench}`;
    if (record) this.#end(record, { state: 'failed', reason: 'unknown-board', message });
  }

  /** Ends a job of one's own; an operator's may be anybody's. Throws HubRefusal. */
  cancel(id: string, who: string): void {
    const record = this.#options.records.get(id);
    if (!record) throw new HubRefusal('unknown-job', `this bench has no job ${id}`);
    if (record.state.user !== who && !isOperator(who))
      throw new HubRefusal('not-allowed', `the job is ${record.state.user}'s: ask an operator`);
    this.#end(record, { state: 'cancelled', reason: 'cancelled', message: `cancelled by ${who}` });
  }

  /** Ends what has the board, whoever asks: 0 V need no permission. */
  async stop(who: string): Promise<void> {
    const ending = { state: 'failed', reason: 'stopped', message: `stopped by ${who}` } as const;
    if (this.#busy) this.#end(this.#busy, ending);
    else if (this.#lease) await this.#endLease(ending.state, ending.reason, ending.message);
  }

  #end(record: Record, ending: NonNullable<Record['ending']>): void {
    if (isOver(record.state.state) || record.ending) return;
    record.ending = ending;
    this.#options.records.save(record);
    if (record === this.#busy) this.#process?.stop();
    this.#wake();
  }

  watch(watched: boolean): void {
    this.#watched = watched;
    this.#process?.watch(watched);
  }

  async acquire(who: string): Promise<Lease> {
    const { board, records, fences, carrier, url } = this.#options;
    if (!this.idle || this.#closed) {
      const { user, state } = this.status();
      throw new HubRefusal(
        'busy',
        `${board.bench}/${board.board} is busy: ${user ? `${user} has a ${state} on it` : 'a job waits for it'}`,
      );
    }
    const id = ulid();
    const fence = fences.mint(board.serial);
    const record = records.add({
      v: HUB_VERSION,
      id,
      kind: 'lease',
      bench: board.bench,
      board: board.board,
      user: who,
      state: 'running',
      time: new Date().toISOString(),
      attempt: 1,
      fence,
    });
    const held: Held = { record, timer: this.#leaseTimer(), carried: undefined };
    this.#lease = held;
    const lease: Lease = { v: HUB_VERSION, lease: id, fence, expires: TIMES.lease };
    try {
      const { counts } = await this.#count();
      record.state.before = counts;
      records.save(record);
      held.carried = await carrier?.({ url, board, who, lease });
    } catch (error) {
      await this.#endLease('failed', 'board-lost', (error as Error).message);
      throw new HubRefusal('busy', (error as Error).message);
    }
    this.#options.changed();
    return lease;
  }

  renew(id: string, who: string): Lease {
    const held = this.#held(id, who);
    const { record } = held;
    clearTimeout(held.timer);
    held.timer = this.#leaseTimer();
    return { v: HUB_VERSION, lease: id, fence: record.state.fence ?? '0', expires: TIMES.lease };
  }

  async release(id: string, who: string): Promise<void> {
    this.#held(id, who);
    await this.#endLease('done');
  }

  #held(id: string, who: string): Held {
    const held = this.#lease;
    if (held?.record.state.id === id && held.record.state.user === who) return held;
    throw new HubRefusal(
      'no-lease',
      'this lease has ended: the board may be somebody else’s now; open it again',
    );
  }

  #leaseTimer(): NodeJS.Timeout {
    const message = `not renewed for ${TIMES.lease} s`;
    return setTimeout(() => void this.#endLease('failed', 'expired', message), TIMES.lease * 1000);
  }

  async #endLease(state: 'done' | 'failed', reason?: string, message?: string): Promise<void> {
    const held = this.#lease;
    if (!held) return;
    clearTimeout(held.timer);
    await held.carried?.close().catch(() => {});
    await this.#settle(held.record, { state, ...(reason !== undefined && { reason, message }) });
    this.#lease = undefined;
    this.#wake();
  }

  #mine(): Record[] {
    const { records, board } = this.#options;
    return records.all().filter(({ state }) => state.board === board.board);
  }

  #queue(): Record[] {
    return this.#mine().filter(({ state }) => state.kind === 'job' && !isOver(state.state));
  }

  async #work(): Promise<void> {
    while (!this.#closed) {
      const next = this.#lease
        ? undefined
        : this.#queue().find((record) => !record.unclaimed || record.ending);
      const woken = new Promise<void>((done) => {
        this.#wake = done;
      });
      if (!next) {
        await woken;
        continue;
      }
      this.#busy = next;
      const again = await this.#serve(next).catch((error: Error) => this.#fail(next, 'disk', error.message));
      this.#busy = undefined;
      if (again !== undefined && !this.#closed) await Promise.race([sleep(again), woken]);
    }
  }

  /** One attempt at a job, or its end. Returns ms after which it is looked at again where it could not be begun. */
  async #serve(record: Record): Promise<number | undefined> {
    const { records } = this.#options;
    const { state } = record;
    const job = state.job as Job;
    if (record.pid !== undefined) await endOrphan(record.pid, state.id);
    if (record.ending) return this.#settle(record, record.ending);
    const left =
      job.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(job.deadline) - Date.now();
    if (left <= 0) return this.#fail(record, 'too-late', `it was not done by ${job.deadline}`);
    if (state.attempt > 0 && !resumes(job))
      return this.#fail(
        record,
        'cut-off',
        `"${job.command}" was cut off and is not begun twice: see what was booked`,
      );
    if (state.attempt >= MOST_ATTEMPTS)
      return this.#fail(
        record,
        'gave-up',
        `cut off ${state.attempt} times; the last time: ${state.message ?? '?'}`,
      );
    try {
      await this.#prepare(record, job);
    } catch (error) {
      if (error instanceof HubRefusal) return this.#fail(record, error.code, error.message);
      this.#lost = !(error instanceof MemloopError && error.reason === 'service');
      state.message = (error as Error).message;
      if (this.#lost) state.attempt++;
      records.save(record);
      return 2000;
    }
    this.#lost = false;
    if (record.ending || this.#closed) return 0;
    const ended = await this.#attempt(record, job, left);
    return this.#judge(record, job, ended);
  }

  /** Its files, and the counts before its first pulse. */
  async #prepare(record: Record, job: Job): Promise<void> {
    const { records, fetch } = this.#options;
    const { id } = record.state;
    const files = join(records.folderOf(id), 'files');
    makeFolder(files);
    makeFolder(join(records.folderOf(id), 'run'));
    const there = new Set(readdirSync(files));
    for (const file of filesOf(job)) {
      if (file.name.includes('/')) throw new HubRefusal('bad-artefact', `${file.name} is a path`);
      if (!there.has(file.name)) await fetch(file, join(files, file.name));
    }
    if (record.state.before) return;
    const { counts } = await this.#count();
    record.state.before = counts;
    records.save(record);
  }

  async #attempt(record: Record, job: Job, left: number): Promise<Ended> {
    const { records, fences, board, access, url, changed, onEvent } = this.#options;
    const folder = records.folderOf(record.state.id);
    const run = join(folder, 'run');
    const { budget } = job;
    const limited = budget.pulses !== undefined || budget.energy !== undefined;
    Object.assign(record.state, {
      attempt: record.state.attempt + 1,
      state: 'running',
      time: new Date().toISOString(),
      fence: fences.mint(board.serial),
    });
    records.save(record);
    const child = new JobProcess({
      main: access.main,
      words: [...wordsOf(job, join(folder, 'files')), '--port', url, '--run', run, '--json'],
      cwd: run,
      env: {
        ...withoutSecrets(process.env),
        MEMLOOP_FENCE: record.state.fence,
        ...(limited && { MEMLOOP_BUDGET: JSON.stringify({ ...budget, file: join(folder, 'budget.json') }) }),
      },
      onEvent,
    });
    this.#process = child;
    record.pid = child.pid;
    records.save(record);
    changed();
    child.watch(this.#watched);
    const late = {
      state: 'failed',
      reason: 'too-late',
      message: `it was not done by ${job.deadline}`,
    } as const;
    const timer = Number.isFinite(left)
      ? setTimeout(() => this.#end(record, late), Math.min(left, 2 ** 31 - 1))
      : undefined;
    const ended = await child.ended;
    clearTimeout(timer);
    this.#process = undefined;
    record.pid = undefined;
    records.save(record);
    return ended;
  }

  async #judge(record: Record, job: Job, { code, last }: Ended): Promise<number | undefined> {
    const { type, ...fields } = last ?? {};
    record.state.exitCode = code;
    if (code === 0) {
      const result = type === 'result' ? fields : {};
      return this.#settle(record, { state: 'done', result });
    }
    if (record.ending) return this.#settle(record, record.ending);
    if (this.#closed) return 0;
    const reason = typeof fields.reason === 'string' ? fields.reason : 'killed';
    const message =
      typeof fields.message === 'string' ? fields.message : `it ended with ${code ?? 'a signal'}`;
    record.state.message = message;
    if (resumes(job) && record.state.attempt < MOST_ATTEMPTS && (code === null || PASSING.has(reason))) {
      this.#options.records.save(record);
      return 500 * record.state.attempt;
    }
    return this.#fail(record, reason, message);
  }

  #fail(record: Record, reason: string, message: string): Promise<undefined> {
    return this.#settle(record, { state: 'failed', reason, message });
  }

  /** The end of a job or lease, with the counts after it. */
  async #settle(
    record: Record,
    end: Pick<State, 'state' | 'reason' | 'message' | 'result'>,
  ): Promise<undefined> {
    const { records, changed } = this.#options;
    const pulsed = record.state.before !== undefined;
    const after = pulsed ? await this.#count().catch(() => undefined) : undefined;
    const { message: _, reason: __, ...rest } = record.state;
    record.state = { ...rest, ...end, time: new Date().toISOString(), ...(after && { after: after.counts }) };
    record.ending = undefined;
    record.unclaimed = false;
    records.save(record);
    changed();
    return undefined;
  }

  async #count(): Promise<{ counts: Counts; passports: string[] }> {
    const { access, url } = this.#options;
    const counted = await access.count(url);
    this.#totals = { pulses: counted.counts.pulses, energy: counted.counts.energy };
    this.passports = counted.passports;
    return counted;
  }

  /** Files of the chip's passports. */
  passports: readonly string[] = [];
}

/** The key of the hub is the agent's alone. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { MEMLOOP_HUB_KEY: _, MEMLOOP_PORT: __, ...rest } = env;
  return rest;
}
