/**
 * Runs the WebAssembly kernel on all cores. Work is a program: a list of tasks, each a list of calls on
 * addresses in one shared memory. Threads, the caller's among them, claim tasks until none is left, so
 * results never depend on who ran what. Synchronous: `run` returns when all is done.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { MemloopError } from '../../shared/errors.js';
import { workerFile } from '../../shared/worker-file.js';
import type { KernelFunctions, Task } from './calls.js';
import {
  CLAIM,
  DONE,
  FAILED,
  firstClaim,
  MAX_TASKS,
  type Message,
  PROGRAM,
  type Program,
  RUN,
  runAfter,
  type ThreadData,
  work,
} from './work.js';

const PAGE = 65536;
const MAX_PAGES = 16384;

const require = createRequire(import.meta.url);

/** The threads, shared by everything in the process that uses the kernel. */
class Pool {
  readonly #module = new WebAssembly.Module(readFileSync(require.resolve('#assets/mif-kernel.wasm')));
  readonly #control = new Int32Array(new SharedArrayBuffer(64));
  #workers: { worker: Worker; port: MessagePort }[] = [];
  readonly #instances = new Map<number, { memory: WebAssembly.Memory; functions: KernelFunctions }>();
  readonly #programs = new Map<number, Program>();
  #nextId = 1;
  #threads = 1;

  /** Threads that run tasks, the caller's included. */
  setThreads(threads: number): void {
    if (threads === this.#threads) return;
    this.#stop();
    this.#threads = threads;
    for (let i = 1; i < threads; i++) {
      const { port1, port2 } = new MessageChannel();
      const workerData: ThreadData = { control: this.#control, module: this.#module, port: port2 };
      const worker = new Worker(workerFile(import.meta.url, 'worker.js'), {
        workerData,
        transferList: [port2],
      });
      worker.unref();
      port1.unref();
      this.#workers.push({ worker, port: port1 });
    }
    for (const [id, { memory }] of this.#instances) this.#tell({ memory: { id, memory } });
    for (const [id, program] of this.#programs) this.#tell({ program: { id, ...program } });
  }

  get threadCount(): number {
    return this.#threads;
  }

  #stop(): void {
    const run = this.#control[RUN];
    Atomics.store(this.#control, RUN, -1);
    Atomics.notify(this.#control, RUN);
    for (const { worker, port } of this.#workers) {
      port.close();
      void worker.terminate();
    }
    this.#workers = [];
    Atomics.store(this.#control, RUN, run);
  }

  #tell(message: Message): void {
    for (const { port } of this.#workers) port.postMessage(message);
  }

  openMemory(bytes: number): { id: number; memory: WebAssembly.Memory; functions: KernelFunctions } {
    const pages = Math.ceil(bytes / PAGE);
    if (pages > MAX_PAGES)
      throw new MemloopError(
        'limit',
        `this network needs ${Math.ceil(bytes / 2 ** 20)} MB for one batch, more than ${MAX_PAGES / 16} MB: use a smaller batch or fewer steps`,
      );
    const memory = new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES, shared: true });
    const instance = new WebAssembly.Instance(this.#module, { env: { memory } });
    const functions = instance.exports as unknown as KernelFunctions;
    const id = this.#nextId++;
    this.#instances.set(id, { memory, functions });
    this.#tell({ memory: { id, memory } });
    return { id, memory, functions };
  }

  addProgram(memory: number, tasks: readonly Task[]): number {
    if (tasks.length > MAX_TASKS)
      throw new MemloopError('limit', `a program of ${tasks.length} tasks is too long`);
    const id = this.#nextId++;
    this.#programs.set(id, { memory, tasks });
    this.#tell({ program: { id, memory, tasks } });
    return id;
  }

  forget(memory: number): void {
    const programs = [...this.#programs].filter(([, program]) => program.memory === memory).map(([id]) => id);
    for (const id of programs) this.#programs.delete(id);
    this.#instances.delete(memory);
    this.#tell({ forget: { memory, programs } });
  }

  run(id: number): void {
    const control = this.#control;
    const { memory, tasks } = this.#programs.get(id)!;
    const { functions } = this.#instances.get(memory)!;
    const run = runAfter(control[RUN]);
    Atomics.store(control, DONE, 0);
    // The claim before the program: a thread that comes late to the last run must not take tasks of this one for its own.
    Atomics.store(control, CLAIM, firstClaim(run));
    Atomics.store(control, PROGRAM, id);
    Atomics.store(control, RUN, run);
    Atomics.notify(control, RUN);
    work(control, run, tasks, functions);
    for (;;) {
      const done = Atomics.load(control, DONE);
      if (done === tasks.length) break;
      Atomics.wait(control, DONE, done);
    }
    if (Atomics.exchange(control, FAILED, 0))
      throw new MemloopError('training', 'the kernel trapped: this is a fault of memloop, please report it');
  }
}

let pool: Pool | undefined;

function sharedPool(): Pool {
  if (!pool) {
    pool = new Pool();
    pool.setThreads(Math.min(8, availableParallelism()));
  }
  return pool;
}

/** How many threads the kernel uses; all cores, at most 8, unless set. */
export function setKernelThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1)
    throw new MemloopError('bad-input', `threads must be a whole number above 0, not ${threads}`);
  sharedPool().setThreads(threads);
}

export const kernelThreads = (): number => sharedPool().threadCount;

/** A shared memory with the kernel on it. Addresses are bytes, aligned to 16. */
export class KernelMemory {
  readonly #pool = sharedPool();
  readonly #id: number;
  readonly memory: WebAssembly.Memory;
  /** The kernel's functions on this thread. */
  readonly functions: KernelFunctions;

  constructor(readonly bytes: number) {
    const opened = this.#pool.openMemory(bytes);
    this.#id = opened.id;
    this.memory = opened.memory;
    this.functions = opened.functions;
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  ints(address: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, address, length);
  }

  /** A program that can be run any number of times. */
  program(tasks: readonly Task[]): () => void {
    const id = this.#pool.addProgram(this.#id, tasks);
    return () => this.#pool.run(id);
  }

  /** The memory is freed once nothing refers to its views. */
  dispose(): void {
    this.#pool.forget(this.#id);
  }
}

/** Hands out addresses, above the kernel's own numbers; its end is the size of the memory needed. */
export class Layout {
  #end = 2048;
  take(bytes: number): number {
    const at = this.#end;
    this.#end += Math.ceil(bytes / 16) * 16;
    return at;
  }
  get bytes(): number {
    return this.#end;
  }
}

/** What trains and evaluates networks, for a person to read. */
export const backendName = 'WebAssembly SIMD kernel';
