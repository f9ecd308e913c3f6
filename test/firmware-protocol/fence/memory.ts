/**
 * The shipped firmware with its memory in hand: a state of the board can be kept, compared with another and put back.
 *
 * Two states are the same if their memory is, but for scratch: the stack, and the bytes that change when a board without a
 * session refuses frames, or one with a session repeats an answer. Those are counters, places in empty rings, and what is left
 * of frames that are gone. They decide nothing while the board has nothing to do, which is when a state is kept.
 */
import { readFileSync } from 'node:fs';
import { encodeFrame, type Frame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import { encodePayload, MAX_PAYLOAD, type Message } from '../../../firmware-protocol/generated/protocol.js';
import type { FirmwareExports } from '../../../src/virtual-board/firmware.js';
import { DESCRIPTION } from '../board.js';

const CHUNK = 256;
export const FIRST_BOOT = 0xb1b2b3b4;
/** Of build.sh: the stack stands behind all data, and between two calls nothing of it is used. */
const STACK = 16384;

/** A state of the board: for each chunk that was ever used, which of the contents that were seen. */
export type Snapshot = Int32Array;

export class BoardInMemory {
  readonly #exports: FirmwareExports;
  readonly #memory: Buffer;
  readonly #received: number;
  readonly #decoder = new FrameDecoder();
  readonly #base: Buffer;
  /** Chunks that are kept; at first all. */
  #live: number[] = [];
  /** Bytes of each chunk that tell states apart. */
  readonly #telling: Uint8Array;
  readonly #contents: Buffer[] = [];
  readonly #known = new Map<string, number>();
  #boot = 0;
  #inbox: Frame[] = [];
  /** Widths of the pulses that reached the front end since they were taken. */
  #pulses: number[] = [];

  /** @param opening a Hello */
  constructor(opening: Frame, strangers: readonly Message[]) {
    const module = new WebAssembly.Module(
      readFileSync(new URL('../../../assets/firmware.wasm', import.meta.url)),
    );
    const { exports } = new WebAssembly.Instance(module, { hal: this.#hal() });
    this.#exports = exports as unknown as FirmwareExports;
    this.#memory = Buffer.from(this.#exports.memory.buffer);
    this.#received = this.#exports.received();
    this.#telling = new Uint8Array(this.#memory.length).fill(1);
    this.boot(0);
    const quiet = Buffer.from(this.#memory);
    this.#base = quiet;
    this.#live = Array.from({ length: quiet.length / CHUNK }, (_, chunk) => chunk);
    // More than the ring of refusals holds.
    for (let i = 0; i < 10; i++)
      for (const message of strangers) {
        this.receive({ message, session: 0x77777777 + i, sequence: 0x33333333 + i });
        this.settle();
        this.#scratch(quiet);
      }
    // The count of repeats.
    this.take();
    this.#memory.set(quiet);
    this.receive(opening);
    this.settle();
    const reply = this.take().frames.find(({ message }) => message.name === 'HelloReply')?.message;
    const session = reply?.name === 'HelloReply' ? reply.session : 0;
    const ping: Frame = { message: { name: 'Ping' }, session, sequence: 1 };
    for (let i = 0; i < 2; i++) {
      this.receive(ping);
      this.settle();
    }
    const repeated = Buffer.from(this.#memory);
    for (let i = 0; i < 10; i++) {
      this.receive(ping);
      this.settle();
      this.#scratch(repeated);
    }
    let top = quiet.length;
    while (this.#memory[top - 1] === 0) top--;
    this.#telling.fill(0, Math.max(top - STACK, this.#received + this.#exports.receivedSize()), quiet.length);
    this.#memory.set(quiet);
    this.take();
  }

  /** What differs from `before` tells no states apart. */
  #scratch(before: Buffer): void {
    for (let at = 0; at < before.length; at++) if (this.#memory[at] !== before[at]) this.#telling[at] = 0;
  }

  #hal(): Record<string, (...given: number[]) => number> {
    const nothing = () => 0;
    const view = (at: number) => new DataView(this.#exports.memory.buffer, at, MAX_PAYLOAD);
    const description = { name: 'DescribeReply' as const, ...DESCRIPTION, maxWidth: 6.5e-3, maxEnergy: 1 };
    return {
      description: (at: number) => encodePayload(description, view(at), 0),
      firmwareVersion: nothing,
      boardSerial: nothing,
      arraySerial: nothing,
      now: nothing,
      entropy: () => FIRST_BOOT + this.#boot,
      fault: nothing,
      transmitSpace: () => 0x7fffffff,
      transmit: (at: number, count: number) => {
        return this.#inbox.push(...this.#decoder.push(this.#memory.subarray(at, at + count)));
      },
      linesToZero: nothing,
      pulse: (_array, _row, _column, _code, width) => this.#pulses.push(width),
      readRow: nothing,
      multiply: nothing,
      reference: nothing,
      neuronsBegin: nothing,
      neuronsSample: nothing,
    };
  }

  /** The boot id is FIRST_BOOT + `count`. */
  boot(count: number): void {
    this.#boot = count;
    this.#exports.boot();
    this.settle();
    this.#inbox = [];
  }

  receive(frame: Frame): void {
    const bytes = encodeFrame(frame);
    this.#memory.set(bytes, this.#received);
    this.#exports.receive(bytes.length);
    this.#memory.fill(0, this.#received, this.#received + bytes.length);
  }

  /** A little work; false when there was none. */
  poll(): boolean {
    return this.#exports.poll() !== 0;
  }

  settle(): void {
    while (this.poll());
  }

  /** What the board has said and done since it was last asked. */
  take(): { frames: Frame[]; pulses: number[] } {
    const taken = { frames: this.#inbox, pulses: this.#pulses };
    this.#inbox = [];
    this.#pulses = [];
    return taken;
  }

  /** The state that the board is in; it must have nothing to do. `before`: the state from which it came. */
  keep(before: Snapshot | undefined): Snapshot {
    const snapshot = new Int32Array(this.#live.length);
    for (const [i, chunk] of this.#live.entries()) {
      const from = chunk * CHUNK;
      const content = this.#memory.subarray(from, from + CHUNK);
      for (let k = 0; k < CHUNK; k++) if (this.#telling[from + k] === 0) content[k] = this.#base[from + k];
      const old = before?.[i];
      snapshot[i] = old !== undefined && this.#contents[old].equals(content) ? old : this.#nameOf(content);
    }
    return snapshot;
  }

  restore(snapshot: Snapshot): void {
    for (let i = 0; i < snapshot.length; i++)
      this.#memory.set(this.#contents[snapshot[i]], this.#live[i] * CHUNK);
  }

  /** From now on only those chunks are kept that differ in the given states. */
  narrow(snapshots: readonly Snapshot[]): void {
    this.#live = this.#live.filter((_, i) => snapshots.some((each) => each[i] !== snapshots[0][i]));
  }

  /** Whether anything has changed in chunks that are not kept; a search so far was of no use then, and they are kept from now on. */
  widen(): boolean {
    const known = new Set(this.#live);
    const found: number[] = [];
    for (let chunk = 0; chunk * CHUNK < this.#memory.length; chunk++) {
      const [from, to] = [chunk * CHUNK, (chunk + 1) * CHUNK];
      for (let at = from; at < to; at++) if (this.#telling[at] === 0) this.#memory[at] = this.#base[at];
      if (!known.has(chunk) && !this.#memory.subarray(from, to).equals(this.#base.subarray(from, to)))
        found.push(chunk);
    }
    this.#memory.set(this.#base);
    this.#live = [...this.#live, ...found];
    return found.length > 0;
  }

  #nameOf(content: Buffer): number {
    const key = content.toString('latin1');
    let name = this.#known.get(key);
    if (name === undefined) {
      name = this.#contents.push(Buffer.from(content)) - 1;
      this.#known.set(key, name);
    }
    return name;
  }
}
