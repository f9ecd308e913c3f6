/** Jobs, from the side of those who submit them. */
import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from '../../shared/files.js';
import type { HubConnection } from '../connection.js';
import { fetchFile, putFile } from '../files.js';
import { HUB_VERSION, isOver, type Job, type State, subjects } from '../messages.js';
import { encode, HubRefusal } from '../refusal.js';
import { ulid } from '../ulid.js';

export type Target = { bench: string; board: string } | { pool: string };

export interface SubmitOptions {
  target: Target;
  command: string;
  /** Those that name a file here are sent with the job. */
  words: readonly string[];
  budget?: Job['budget'] | undefined;
  /** ISO 8601 */
  deadline?: string | undefined;
  /** Of a job that may have been submitted already: it is done once. */
  id?: string | undefined;
}

/** Sends the files and then the job; returns its id when the hub has it. Errors: HubRefusal, `service`. */
export async function submitJob(hub: HubConnection, options: SubmitOptions): Promise<string> {
  const { target, command, words, budget = {}, deadline, id = ulid() } = options;
  const job: Job = {
    v: HUB_VERSION,
    id,
    command,
    arguments: [],
    budget,
    ...(deadline !== undefined && { deadline }),
    submitted: new Date().toISOString(),
  };
  for (const word of words)
    job.arguments.push(isFile(word) ? await putFile(hub, word, basename(word)) : word);
  await hub.store(queueOf(hub, target), encode(job), id);
  return id;
}

const queueOf = (hub: HubConnection, target: Target): string =>
  'pool' in target ? subjects.pool(target.pool, hub.who) : subjects.job(target.bench, target.board, hub.who);

const isFile = (word: string): boolean => existsSync(word) && statSync(word).isFile();

/** What is known of a job. Throws HubRefusal `unknown-job`. */
export async function stateOf(hub: HubConnection, id: string): Promise<State> {
  const { jobs } = await hub.ask('jobs', { id });
  return jobs[0] as State;
}

/** Asks its bench to end a job; while nobody has taken it, it waits in the queue behind it. */
export async function cancelJob(hub: HubConnection, id: string): Promise<State> {
  const { bench, board, user } = await stateOf(hub, id);
  if (bench === 'pool')
    throw new HubRefusal(
      'busy',
      `no bench has taken ${id} yet: cancel it once one has, or give it a deadline`,
    );
  if (user !== hub.who && hub.key.role !== 'operator')
    throw new HubRefusal('not-allowed', `the job is ${user}'s: ask an operator`);
  await hub.store(
    subjects.job(bench, board, hub.who),
    encode({ v: HUB_VERSION, cancel: id }),
    `cancel ${id}`,
  );
  return stateOf(hub, id);
}

/** Waits until a job is over. */
export async function waitFor(hub: HubConnection, id: string, signal?: AbortSignal): Promise<State> {
  let told: () => void = () => {};
  const news = hub.nats.subscribe(subjects.state('*', id), { callback: () => told() });
  try {
    for (;;) {
      const change = new Promise<void>((done) => {
        told = done;
      });
      signal?.throwIfAborted();
      const state = await stateOf(hub, id).catch((error) => {
        // A hub that does not answer now may do so later.
        if (error instanceof HubRefusal || hub.nats.isClosed()) throw error;
      });
      if (state && isOver(state.state)) return state;
      await Promise.race([change, sleep(2000)]);
    }
  } finally {
    news.unsubscribe();
  }
}

/** The run folder of a job that is over, into a folder. Each file is checked by its hash. Returns the files' names. */
export async function fetchRun(hub: HubConnection, state: State, folder: string): Promise<string[]> {
  if (!isOver(state.state))
    throw new HubRefusal(
      'busy',
      `the job ${state.id} is ${state.state}: \`memloop jobs watch ${state.id}\` follows it`,
    );
  makeFolder(folder);
  const names: string[] = [];
  for (const file of state.files ?? []) {
    const path = join(folder, file.name);
    makeFolder(join(path, '..'));
    await fetchFile(hub, file, path);
    names.push(file.name);
  }
  return names;
}
