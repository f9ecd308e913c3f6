/** A job's command as a process of its own. It ends when the bench's agent does. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Ended {
  /** null: killed by a signal. */
  code: number | null;
  /** The last JSON line. */
  last: Record<string, unknown> | undefined;
}

export interface ProcessOptions {
  /** The command line's main file. */
  main: string;
  words: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Events as they happen, while somebody watches. `lost`: left out since the one before. */
  onEvent: (event: Record<string, unknown>, lost: number) => void;
}

/** After a request to stop, the command brings the board to 0 V; one that does not is killed. */
const PATIENCE = 10_000;
const MOST = 1 << 20;

/** What is said to the command, and what it says, over the process's channel. */
export type ToCommand = { watched: boolean };
export type FromCommand = { event: Record<string, unknown>; lost: number };

export class JobProcess {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;

  constructor({ main, words, cwd, env, onEvent }: ProcessOptions) {
    this.#child = fork(main, words, { cwd, env, stdio: ['ignore', 'pipe', 'ignore', 'ipc'], execArgv: [] });
    let tail = '';
    this.#child.stdout?.on('data', (data: Buffer) => {
      tail = (tail + data).slice(-MOST);
    });
    this.#child.on('message', ({ event, lost }: FromCommand) => onEvent(event, lost));
    this.ended = new Promise((done) => {
      let failed = false;
      this.#child.once('error', () => {
        failed = true;
        done({ code: null, last: undefined });
      });
      this.#child.once('close', (code) => failed || done({ code, last: lastLine(tail) }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether somebody watches: only then are events sent. */
  watch(watched: boolean): void {
    if (this.#child.connected) this.#child.send({ watched } satisfies ToCommand, () => {});
  }

  /** The board is put to 0 V, and the command ends. */
  stop(): void {
    this.#child.kill('SIGTERM');
    setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE).unref();
  }
}

function lastLine(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '');
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Ends a command that an agent which was killed has left, and waits until it is gone. It ends by itself when its channel
 * closes; by then another process may have its number, so the command line must name the job.
 */
export async function endOrphan(pid: number, job: string): Promise<void> {
  for (let i = 0; i < 150; i++) {
    if (!commandLineOf(pid).includes(job)) return;
    if (i % 50 === 0) process.kill(pid, i < 100 ? 'SIGTERM' : 'SIGKILL');
    await sleep(100);
  }
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
