/** What the threads of the kernel share: the control words, and how a run's tasks are handed out. */
import type { MessagePort } from 'node:worker_threads';
import type { KernelFunctions, Task } from './calls.js';

/** Slots of the control words. CLAIM holds the run's number and the index of the next task. */
export const RUN = 0;
export const CLAIM = 1;
export const DONE = 2;
export const PROGRAM = 3;
export const FAILED = 4;

const INDEX_BITS = 10;
export const MAX_TASKS = (1 << INDEX_BITS) - 1;
const RUN_MASK = (1 << (31 - INDEX_BITS)) - 1;

/** The number of the run after `run`, and its first claim. */
export const runAfter = (run: number): number => (run + 1) & RUN_MASK;
export const firstClaim = (run: number): number => run << INDEX_BITS;

/** Does tasks of this run until none is left or another run has begun. */
export function work(
  control: Int32Array,
  run: number,
  tasks: readonly Task[],
  functions: KernelFunctions,
): void {
  const named = functions as unknown as Record<string, (...args: number[]) => unknown>;
  for (;;) {
    const claim = Atomics.load(control, CLAIM);
    const index = claim & MAX_TASKS;
    if (claim >> INDEX_BITS !== run || index >= tasks.length) return;
    if (Atomics.compareExchange(control, CLAIM, claim, claim + 1) !== claim) continue;
    try {
      for (const [name, ...args] of tasks[index]) named[name](...args);
    } catch {
      Atomics.store(control, FAILED, 1);
    }
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  }
}

/** Tasks on one memory. */
export interface Program {
  memory: number;
  tasks: readonly Task[];
}

/** What a thread begins with. */
export interface ThreadData {
  control: Int32Array;
  module: WebAssembly.Module;
  port: MessagePort;
}

/** What threads are told between runs. */
export type Message =
  | { memory: { id: number; memory: WebAssembly.Memory } }
  | { program: { id: number } & Program }
  | { forget: { memory: number; programs: number[] } };
