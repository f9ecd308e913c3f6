/** One way of a virtual board's line, on which bytes and frames are hurt. A frame ends at a zero byte. */
import type { ByteFault, FaultKind, FrameFault } from './faults.js';
import type { Schedule } from './schedule.js';

export type Sink = (bytes: Uint8Array) => void | Promise<void>;

/** How many past frames a stale one is chosen from. */
const MEMORY = 64;
/** Bytes without a delimiter that pass as a frame. */
const LONGEST = 8192;

export class FaultyLine {
  #partial: number[] = [];
  #content = false;
  #swapped: Uint8Array | undefined;
  readonly #past: Uint8Array[] = [];

  readonly #bytes: Schedule<ByteFault>[];
  readonly #frames: Schedule<FrameFault>[];
  readonly #tell: (kind: FaultKind) => void;
  readonly #deliver: Sink;
  readonly #onFrame: () => void;

  constructor(
    bytes: Schedule<ByteFault>[],
    frames: Schedule<FrameFault>[],
    tell: (kind: FaultKind) => void,
    deliver: Sink,
    /** Called for each whole frame, before a fault can hit it. */
    onFrame: () => void,
  ) {
    this.#bytes = bytes;
    this.#frames = frames;
    this.#tell = tell;
    this.#deliver = deliver;
    this.#onFrame = onFrame;
  }

  /** Takes bytes in pieces of any size; frames pass whole. */
  push(bytes: Uint8Array): void | Promise<void> {
    const taken: Promise<void>[] = [];
    const pass = (frame: Uint8Array) => {
      const promise = this.#deliver(this.#hurt(frame));
      if (promise instanceof Promise) taken.push(promise);
    };
    for (const byte of bytes) {
      this.#partial.push(byte);
      if (byte !== 0) this.#content = true;
      if ((byte !== 0 || !this.#content) && this.#partial.length < LONGEST) continue;
      const frame = Uint8Array.from(this.#partial);
      this.#partial = [];
      this.#content = false;
      this.#onFrame();
      this.#frame(frame, pass);
    }
    if (taken.length > 0) return Promise.all(taken).then(() => {});
  }

  #frame(frame: Uint8Array, pass: (frame: Uint8Array) => void): void {
    const due = this.#frames.filter((schedule) => schedule.due())[0];
    if (due) this.#tell(due.fault.kind);
    const swapped = this.#swapped;
    this.#swapped = undefined;
    switch (due?.fault.kind) {
      case 'lose':
        break;
      case 'repeat':
        pass(frame);
        pass(frame);
        break;
      case 'late': {
        const hurt = this.#hurt(frame);
        setTimeout(() => this.#deliver(hurt), due.time(due.fault.time) * 1000);
        break;
      }
      case 'swap':
        this.#swapped = frame;
        break;
      case 'stale':
        pass(frame);
        if (this.#past.length > 0) pass(this.#past[due.random.integer(this.#past.length)]);
        break;
      default:
        pass(frame);
    }
    if (swapped) pass(swapped);
    this.#past.push(frame);
    if (this.#past.length > MEMORY) this.#past.shift();
  }

  #hurt(bytes: Uint8Array): Uint8Array {
    if (this.#bytes.length === 0) return bytes;
    const out: number[] = [];
    for (const byte of bytes) {
      const due = this.#bytes.filter((schedule) => schedule.due())[0];
      if (!due) {
        out.push(byte);
        continue;
      }
      this.#tell(due.fault.kind);
      if (due.fault.kind === 'flip') out.push(byte ^ (1 << due.random.integer(8)));
      else if (due.fault.kind === 'double') out.push(byte, byte);
      else if (due.fault.kind === 'insert') out.push(byte, due.random.integer(256));
    }
    return Uint8Array.from(out);
  }
}
