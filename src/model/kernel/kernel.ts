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

/** Name of a kernel function and its arguments. */
export type Call = readonly [name: string, ...args: number[]];
export type Task = readonly Call[];

interface Program {
  memory: number;
  tasks: readonly Task[];
}

type KernelExports = Record<string, (...args: number[]) => number>;

const PAGE = 65536;
const MAX_PAGES = 16384;

/** Slots of the control words. A claim holds the run's number and the next task's index. */
const RUN = 0;
const CLAIM = 1;
const DONE = 2;
const PROGRAM = 3;
const FAILED = 4;
const INDEX_BITS = 10;
const MAX_TASKS = (1 << INDEX_BITS) - 1;
const RUN_MASK = (1 << (31 - INDEX_BITS)) - 1;

/**
 * What every thread does in one run; its source is also the worker's, so it uses nothing but its
 * arguments. Returns when no task is left or another run has begun.
 */
function work(
  control: Int32Array,
  run: number,
  tasks: readonly Task[],
  exports: KernelExports,
  slots: { CLAIM: number; DONE: number; FAILED: number; INDEX_BITS: number },
): void {
  for (;;) {
    const claim = Atomics.load(control, slots.CLAIM);
    const index = claim & ((1 << slots.INDEX_BITS) - 1);
    if (claim >> slots.INDEX_BITS !== run || index >= tasks.length) return;
    if (Atomics.compareExchange(control, slots.CLAIM, claim, claim + 1) !== claim) continue;
    try {
      for (const [name, ...args] of tasks[index]) exports[name](...args);
    } catch {
      Atomics.store(control, slots.FAILED, 1);
    }
    Atomics.add(control, slots.DONE, 1);
    Atomics.notify(control, slots.DONE);
  }
}
const SLOTS = { CLAIM, DONE, FAILED, INDEX_BITS };

const WORKER = `
const { workerData, receiveMessageOnPort } = require('node:worker_threads');
const { control, module, port, slots, RUN, PROGRAM } = workerData;
const work = ${work.toString()};
const instances = new Map();
const programs = new Map();
let seen = 0;
for (;;) {
  Atomics.wait(control, RUN, seen);
  seen = Atomics.load(control, RUN);
  if (seen < 0) break;
  for (let m = receiveMessageOnPort(port); m; m = receiveMessageOnPort(port)) {
    const { memory, program, forget } = m.message;
    if (memory) instances.set(memory.id, new WebAssembly.Instance(module, { env: { memory: memory.memory } }).exports);
    if (program) programs.set(program.id, program);
    if (forget) { instances.delete(forget.memory); for (const id of forget.programs) programs.delete(id); }
  }
  const program = programs.get(Atomics.load(control, PROGRAM));
  if (program) work(control, seen, program.tasks, instances.get(program.memory), slots);
}
`;

const require = createRequire(import.meta.url);

/** The threads, shared by everything in the process that uses the kernel. */
class Pool {
  readonly #module = new WebAssembly.Module(readFileSync(require.resolve('#assets/mif-kernel.wasm')));
  readonly #control = new Int32Array(new SharedArrayBuffer(64));
  #workers: { worker: Worker; port: MessagePort }[] = [];
  readonly #instances = new Map<number, { memory: WebAssembly.Memory; exports: KernelExports }>();
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
      const worker = new Worker(WORKER, {
        eval: true,
        workerData: { control: this.#control, module: this.#module, port: port2, slots: SLOTS, RUN, PROGRAM },
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

  #tell(message: unknown): void {
    for (const { port } of this.#workers) port.postMessage(message);
  }

  openMemory(bytes: number): { id: number; memory: WebAssembly.Memory; exports: KernelExports } {
    const pages = Math.ceil(bytes / PAGE);
    if (pages > MAX_PAGES)
      throw new MemloopError(
        'limit',
        `this network needs ${Math.ceil(bytes / 2 ** 20)} MB for one batch, more than ${MAX_PAGES / 16} MB: use a smaller batch or fewer steps`,
      );
    const memory = new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES, shared: true });
    const exports = new WebAssembly.Instance(this.#module, { env: { memory } }).exports as KernelExports;
    const id = this.#nextId++;
    this.#instances.set(id, { memory, exports });
    this.#tell({ memory: { id, memory } });
    return { id, memory, exports };
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
    const { exports } = this.#instances.get(memory)!;
    const run = (control[RUN] + 1) & RUN_MASK;
    Atomics.store(control, DONE, 0);
    Atomics.store(control, PROGRAM, id);
    Atomics.store(control, CLAIM, run << INDEX_BITS);
    Atomics.store(control, RUN, run);
    Atomics.notify(control, RUN);
    work(control, run, tasks, exports, SLOTS);
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
  readonly exports: KernelExports;

  constructor(readonly bytes: number) {
    const opened = this.#pool.openMemory(bytes);
    this.#id = opened.id;
    this.memory = opened.memory;
    this.exports = opened.exports;
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
