/** A board in this process: a machine that runs the firmware, as bytes in and bytes out, with its turns on the event loop. */
import type { Machine } from './machine.js';
import type { Profile } from './profile.js';
import type { TraceFile } from './trace.js';
import type { SimulatedParts, VirtualBoard } from './types.js';

/** Longest stretch of work before others get their turn, ms. */
const SLICE = 4;
/** How often an idle board checks its clock, ms. */
const IDLE = 20;
/** Bytes that wait for a slow host before the board stops sending. */
const OUTPUT_ROOM = 131_072;
/** Bytes handed over at once: less than the room, so that the board works while they are taken. */
const OUTPUT_PIECE = 32_768;
/** Bytes that wait for a busy board before `write` keeps the host waiting. */
const INPUT_ROOM = 65536;

export interface InProcessOptions<Parts extends SimulatedParts> {
  profile: Profile;
  parts: Parts;
  trace: TraceFile | undefined;
  /** Operations take their time of `parts`. */
  realTime?: boolean | undefined;
  /** Makes the machine; `transmit` takes bytes for the host, never more than `space()` at once. */
  machine: (transmit: (bytes: Uint8Array) => void, space: () => number) => Machine;
}

export class InProcessBoard<Parts extends SimulatedParts> implements VirtualBoard<Parts> {
  readonly profile: Profile;
  readonly frontEnd: Parts;
  readonly #machine: Machine;
  readonly #trace: TraceFile | undefined;
  readonly #realTime: boolean;
  readonly #idle: NodeJS.Timeout;
  /** Board time accounted for, when operations take their time. */
  #accounted = 0;
  /** Nothing is done before, ms: also the end of a hang. */
  #caughtUp = 0;
  #open = true;
  #scheduled = false;
  #rebooting = false;

  #input: Uint8Array[] = [];
  #inputBytes = 0;
  #waiting: (() => void)[] = [];

  #listener: ((bytes: Uint8Array) => void | Promise<void>) | undefined;
  #output: Uint8Array[] = [];
  #outputBytes = 0;
  #sending = false;

  constructor({ profile, parts, trace, realTime = false, machine }: InProcessOptions<Parts>) {
    this.profile = profile;
    this.frontEnd = parts;
    this.#realTime = realTime;
    this.#trace = trace;
    this.#machine = machine(
      (bytes) => {
        this.#output.push(bytes);
        this.#outputBytes += bytes.length;
      },
      () => OUTPUT_ROOM - this.#outputBytes,
    );
    this.#machine.boot();
    this.#idle = setInterval(() => this.#wake(), IDLE).unref();
    this.#wake();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    this.#input.push(bytes.slice());
    this.#inputBytes += bytes.length;
    this.#wake();
    if (this.#inputBytes < INPUT_ROOM) return;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  onData(listener: (bytes: Uint8Array) => void | Promise<void>): void {
    this.#listener = listener;
    this.#wake();
  }

  elapse(time: number): void {
    this.frontEnd.elapse(time);
    this.#accounted += time;
  }

  reboot(): void {
    this.#rebooting = true;
    this.#wake();
  }

  hang(time: number): void {
    this.#caughtUp = Math.max(this.#caughtUp, performance.now() + time * 1e3);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearInterval(this.#idle);
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.#trace?.close();
  }

  #wake(): void {
    if (this.#scheduled || !this.#open) return;
    this.#scheduled = true;
    setImmediate(this.#work);
  }

  readonly #work = (): void => {
    this.#scheduled = false;
    if (!this.#open || this.#waitForOurTime()) return;
    this.#send();
    const end = performance.now() + SLICE;
    let busy: boolean;
    let ahead = false;
    do {
      if (this.#rebooting) this.#boot();
      const bytes = this.#input.shift();
      if (bytes) {
        this.#inputBytes -= bytes.length;
        this.#machine.receive(bytes);
      }
      busy = this.#machine.poll() || this.#input.length > 0;
      if (this.#realTime) this.#account();
      ahead = this.#caughtUp > performance.now();
    } while (busy && !ahead && performance.now() < end);
    // What was applied is on disk before the host hears of it.
    this.#trace?.flush();
    if (this.#inputBytes < INPUT_ROOM) for (const resolve of this.#waiting.splice(0)) resolve();
    if (!ahead) this.#send();
    if (busy || ahead) this.#wake();
  };

  /** Between two operations; what waits in the buffers of either way is lost. */
  #boot(): void {
    this.#rebooting = false;
    this.#input = [];
    this.#inputBytes = 0;
    for (const { length } of this.#output) this.#outputBytes -= length;
    this.#output = [];
    this.#machine.boot();
  }

  #account(): void {
    const passed = this.frontEnd.time - this.#accounted;
    this.#accounted += passed;
    if (passed > 0) this.#caughtUp = Math.max(this.#caughtUp, performance.now()) + passed * 1e3;
  }

  #waitForOurTime(): boolean {
    const wait = this.#caughtUp - performance.now();
    if (wait <= 0) return false;
    this.#scheduled = true;
    setTimeout(this.#work, wait);
    return true;
  }

  #send(): void {
    if (this.#sending || this.#outputBytes === 0 || !this.#listener || !this.#open) return;
    let count = 0;
    for (let length = 0; count < this.#output.length && length < OUTPUT_PIECE; count++)
      length += this.#output[count].length;
    const bytes = count === 1 ? this.#output[0] : Buffer.concat(this.#output.slice(0, count));
    this.#output.splice(0, count);
    const taken = this.#listener(bytes);
    // A listener in plain JavaScript may return anything, such as the boolean of `stream.write`.
    if (!(taken instanceof Promise)) {
      this.#outputBytes -= bytes.length;
      this.#send();
      return;
    }
    // The bytes count until they are taken: this is what makes a slow host slow the board.
    this.#sending = true;
    taken.then(() => {
      this.#sending = false;
      this.#outputBytes -= bytes.length;
      this.#send();
      this.#wake();
    });
  }
}
