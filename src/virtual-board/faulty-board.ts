/**
 * A virtual board with a schedule of faults between it and its port:
 *
 *     port ─► line to the board (bytes and frames hurt) ─► board (reboots, hangs, saturated ADCs)
 *          ◄─ line to the host  (bytes and frames hurt) ◄─
 *          unplugged by whoever serves it
 *
 * It knows of the protocol only that a frame ends at a zero byte.
 */
import { Random } from '../model/random.js';
import type { VirtualBoard } from './board.js';
import type { ByteFault, Fault, FaultKind, Faults, FrameFault, Incident } from './faults.js';

type Sink = (bytes: Uint8Array) => void | Promise<void>;

/** Frames to choose a stale one from. */
const MEMORY = 64;
/** Bytes without a delimiter that pass as a frame. */
const LONGEST = 8192;

/** Tells when a fault is due: after gaps drawn from its own stream. */
class Schedule<F extends Fault> {
  readonly random: Random;
  #left: number;
  #times: number;

  constructor(
    readonly fault: F,
    random: Random,
  ) {
    this.random = random;
    this.#times = fault.times ?? Infinity;
    this.#left = this.#gap();
  }

  /** One more byte, frame or pulse has passed. */
  due(): boolean {
    if (--this.#left > 0 || this.#times === 0) return false;
    this.#times--;
    this.#left = this.#gap();
    return true;
  }

  #gap(): number {
    const [low, high] = this.fault.every;
    return low + this.random.integer(high - low + 1);
  }

  /** s */
  time([low, high]: readonly [number, number]): number {
    return low + (high - low) * this.random.uniform();
  }
}

const isByteFault = (fault: Fault): fault is ByteFault =>
  ['drop', 'flip', 'double', 'insert'].includes(fault.kind);
const isIncident = (fault: Fault): fault is Incident =>
  ['reboot', 'hang', 'unplug', 'saturate'].includes(fault.kind);

/** One way of the line. */
class FaultyLine {
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
    /** Before a whole frame is looked at. */
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
      if (promise) taken.push(promise);
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

/** How often each kind of fault has happened. */
export type FaultCounts = Partial<Record<FaultKind, number>>;

/** `onFault` hears of each fault as it happens. */
export function faultyBoard(
  board: VirtualBoard,
  faults: Faults,
  onFault: (kind: FaultKind) => void = () => {},
): VirtualBoard {
  return new FaultyBoard(board, faults, onFault);
}

class FaultyBoard implements VirtualBoard {
  readonly faultCounts: FaultCounts = {};
  readonly #board: VirtualBoard;
  readonly #toBoard: FaultyLine;
  readonly #toHost: FaultyLine;
  readonly #incidents: Schedule<Incident>[];
  readonly #tell: (kind: FaultKind) => void;
  #listener: Sink = () => {};
  #onUnplug: (time: number) => void = () => {};
  #saturatedFor = 0;

  constructor(board: VirtualBoard, { seed, faults }: Faults, onFault: (kind: FaultKind) => void) {
    this.#board = board;
    this.#tell = (kind) => {
      this.faultCounts[kind] = (this.faultCounts[kind] ?? 0) + 1;
      onFault(kind);
    };
    const random = new Random(seed);
    const schedules = faults.map((fault, i) => new Schedule<Fault>(fault, random.fork(`fault ${i}`)));
    const line = (way: 'to-board' | 'to-host', deliver: Sink, onFrame: () => void) => {
      const here = schedules.filter(({ fault }) => 'way' in fault && fault.way === way);
      const bytes = here.filter(({ fault }) =>
        isByteFault(fault),
      ) as Schedule<Fault>[] as Schedule<ByteFault>[];
      const frames = here.filter(
        ({ fault }) => !isByteFault(fault),
      ) as Schedule<Fault>[] as Schedule<FrameFault>[];
      return new FaultyLine(bytes, frames, this.#tell, deliver, onFrame);
    };
    this.#incidents = schedules.filter(({ fault }) =>
      isIncident(fault),
    ) as Schedule<Fault>[] as Schedule<Incident>[];
    this.#toBoard = line('to-board', (bytes) => board.write(bytes), this.#frameFromHost);
    this.#toHost = line(
      'to-host',
      (bytes) => this.#send(bytes),
      () => {},
    );
    board.frontEnd.pulseListeners.push(() => this.#passed('pulses'));
    board.onData((bytes) => this.#toHost.push(bytes));
  }

  get profile() {
    return this.#board.profile;
  }

  get frontEnd() {
    return this.#board.frontEnd;
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.#toBoard.push(bytes);
  }

  onData(listener: Sink): void {
    this.#listener = listener;
  }

  onUnplug(listener: (time: number) => void): void {
    this.#onUnplug = listener;
  }

  elapse(time: number): void {
    this.#board.elapse(time);
  }

  reboot(): void {
    this.#board.reboot();
  }

  hang(time: number): void {
    this.#board.hang?.(time);
  }

  close(): void | Promise<void> {
    return this.#board.close();
  }

  readonly #frameFromHost = (): void => {
    if (this.#saturatedFor > 0 && --this.#saturatedFor === 0) this.frontEnd.adcsSaturated = false;
    this.#passed('frames');
  };

  /** Bytes to the host: at an incident the rest of them is lost. */
  #send(bytes: Uint8Array): void | Promise<void> {
    if (!this.#incidents.some(({ fault }) => fault.of === 'bytes')) return this.#listener(bytes);
    let length = 0;
    while (length < bytes.length) {
      length++;
      if (this.#passed('bytes')) break;
    }
    return this.#listener(bytes.subarray(0, length));
  }

  /** True if something happened. */
  #passed(what: Incident['of']): boolean {
    let happened = false;
    for (const schedule of this.#incidents) {
      const { fault } = schedule;
      if (fault.of !== what || !schedule.due()) continue;
      happened = true;
      this.#tell(fault.kind);
      if (fault.kind === 'reboot') this.#board.reboot();
      else if (fault.kind === 'hang') this.#board.hang?.(schedule.time(fault.time));
      else if (fault.kind === 'unplug') this.#onUnplug(schedule.time(fault.time));
      else if (fault.kind === 'saturate') {
        this.#saturatedFor = fault.frames;
        this.frontEnd.adcsSaturated = true;
      }
    }
    return happened;
  }
}
