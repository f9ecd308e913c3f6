/** The link's state machine and the real firmware with a bad wire between them, in simulated time. */
import { encodeFrame, type Frame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import type { CellOp, MessageOf, Request } from '../../../firmware-protocol/generated/protocol.js';
import { LinkError } from '../../../src/driver/link/errors.js';
import { type LinkAction, LinkMachine, type RequestOptions } from '../../../src/driver/link/link-machine.js';
import { LINK_OPTIONS, type LinkOptions } from '../../../src/driver/link/link-options.js';
import { Random } from '../../../src/model/random.js';
import { Firmware } from '../../../src/virtual-board/firmware.js';
import { DESCRIPTION, RecordingFrontEnd } from '../../firmware-protocol/board.js';

/** Chances: of each byte to be hurt, of each frame to be lost, doubled or late. */
export interface Faults {
  drop: number;
  flip: number;
  double: number;
  insert: number;
  lose: number;
  repeat: number;
  late: number;
}

export const NO_FAULTS: Faults = { drop: 0, flip: 0, double: 0, insert: 0, lose: 0, repeat: 0, late: 0 };

class Channel {
  faults = NO_FAULTS;
  /** s */
  latency = 0.001;
  readonly #random: Random;
  readonly #deliver: (bytes: Uint8Array) => void;
  #travelling: { at: number; bytes: Uint8Array }[] = [];

  constructor(random: Random, deliver: (bytes: Uint8Array) => void) {
    this.#random = random;
    this.#deliver = deliver;
  }

  send(bytes: Uint8Array, now: number): void {
    const { lose, repeat, late } = this.faults;
    const chance = (p: number) => p > 0 && this.#random.uniform() < p;
    if (chance(lose)) return;
    for (let copies = chance(repeat) ? 2 : 1; copies > 0; copies--) {
      const delay = chance(late) ? 0.4 * this.#random.uniform() : 0;
      this.#travelling.push({ at: now + this.latency + delay, bytes: this.#hurt(bytes) });
    }
  }

  advance(now: number): void {
    const due = this.#travelling.filter(({ at }) => at <= now);
    this.#travelling = this.#travelling.filter(({ at }) => at > now);
    for (const { bytes } of due) this.#deliver(bytes);
  }

  #hurt(bytes: Uint8Array): Uint8Array {
    const { drop, flip, double, insert } = this.faults;
    if (drop + flip + double + insert === 0) return bytes;
    const out: number[] = [];
    for (const byte of bytes) {
      let fate = this.#random.uniform();
      fate -= drop;
      if (fate < 0) continue;
      fate -= flip;
      out.push(fate < 0 && fate >= -flip ? byte ^ (1 << this.#random.integer(8)) : byte);
      fate -= double;
      if (fate < 0 && fate >= -double) out.push(byte);
      fate -= insert;
      if (fate < 0 && fate >= -insert) out.push(this.#random.integer(256));
    }
    return Uint8Array.from(out);
  }
}

export type Outcome = 'applied' | 'refused' | 'unknown' | 'not-sent' | 'failed' | 'withdrawn';

export class World {
  now = 0;
  readonly random: Random;
  readonly frontEnd = new RecordingFrontEnd({ ...DESCRIPTION, maxPulses: 60000 });
  readonly firmware: Firmware;
  readonly machine: LinkMachine<number>;
  readonly toBoard: Channel;
  readonly toHost: Channel;
  /** What became of each request, by the order of asking. */
  readonly outcomes: (Outcome | undefined)[] = [];
  readonly answers: (LinkAction<number> & { do: 'answer' })[] = [];
  readonly actions: LinkAction<number>[] = [];
  /** Frames that left the host. */
  readonly sent: Frame[] = [];
  /** Calls of the firmware's poll in a millisecond: how fast the board works. */
  polls = 1000;
  /** A port that is attached again this long after the board counts as lost; undefined: never. */
  reattach: number | undefined;
  #attachAt = Infinity;
  #decoder = new FrameDecoder();
  #nonce = 1;
  readonly #before: number;

  /** `before`: the host's sequence numbers are the board's and so much more, as if so many had passed already. */
  constructor(seed = 1, options: Partial<LinkOptions> = {}, before = 0) {
    this.#before = before;
    this.random = new Random(seed);
    this.toBoard = new Channel(this.random, (bytes) => this.firmware.receive(bytes));
    this.toHost = new Channel(this.random, (bytes) => {
      this.machine.noise.passed(bytes.length);
      const damaged = this.#damaged;
      for (const frame of this.#decoder.push(bytes))
        this.act(this.machine.frame(shifted(frame, before), this.now));
      for (let i = this.#damaged - damaged; i > 0; i--) this.act(this.machine.damaged(this.now));
    });
    this.firmware = new Firmware(this.frontEnd, (bytes) => this.toHost.send(bytes, this.now));
    this.firmware.boot();
    this.machine = new LinkMachine({ ...LINK_OPTIONS, ...options }, () => this.#nonce++, before);
  }

  get #damaged(): number {
    const { crc, framing, malformed } = this.#decoder.counters;
    return crc + framing + malformed;
  }

  start(): this {
    this.act(this.machine.start(this.now));
    return this;
  }

  /** A connected link with nothing in flight. */
  static connected(seed = 1, options: Partial<LinkOptions> = {}): World {
    const world = new World(seed, options).start();
    world.run(0.02);
    return world;
  }

  set faults(faults: Faults) {
    this.toBoard.faults = faults;
    this.toHost.faults = faults;
  }

  request(request: Request, options: RequestOptions = {}): number {
    const tag = this.outcomes.length;
    this.outcomes.push(undefined);
    this.act(this.machine.request(request, tag, options, this.now));
    return tag;
  }

  act(actions: LinkAction<number>[]): void {
    for (const action of actions) {
      this.actions.push(action);
      if (action.do === 'send') {
        const { message, session, sequence } = action;
        const frame = { message, session, sequence };
        this.sent.push(frame);
        const bytes = encodeFrame(shifted(frame, -this.#before));
        this.machine.noise.passed(bytes.length);
        this.toBoard.send(bytes, this.now);
      } else if (action.do === 'answer') {
        this.answers.push(action);
        this.#settle(action.tag, action.answer.name === 'Refused' ? 'refused' : 'applied');
      } else if (action.do === 'fail') {
        const { error } = action;
        this.#settle(action.tag, error instanceof LinkError ? error.fate : 'failed');
      } else if (action.do === 'withdrawn') this.#settle(action.tag, 'withdrawn');
      else if (action.do === 'lost') {
        if (this.reattach === undefined) this.act(this.machine.fail(action.error));
        else this.unplug();
      }
    }
  }

  #settle(tag: number, outcome: Outcome): void {
    if (this.outcomes[tag] !== undefined) throw new Error(`request ${tag} ended twice`);
    this.outcomes[tag] = outcome;
  }

  unplug(): void {
    this.act(this.machine.detach());
    this.#attachAt = this.now + (this.reattach ?? 0.2);
  }

  reboot(): void {
    this.firmware.boot();
  }

  /** Lets time pass, s. */
  run(time: number, done: () => boolean = () => false): this {
    const end = this.now + time;
    while (this.now < end && !done()) {
      this.now += 0.001;
      this.frontEnd.time = (this.now * 1e6) >>> 0;
      if (this.now >= this.#attachAt) {
        this.#attachAt = Infinity;
        this.#decoder = new FrameDecoder();
        this.act(this.machine.attach(this.now));
      }
      this.toBoard.advance(this.now);
      for (let i = 0; i < this.polls && this.firmware.poll(); i++);
      this.toHost.advance(this.now);
      this.act(this.machine.tick(this.now));
    }
    return this;
  }

  count(action: LinkAction<number>['do']): number {
    return this.actions.filter((each) => each.do === action).length;
  }

  sentOf(name: Request['name']): Frame[] {
    return this.sent.filter(({ message }) => message.name === name);
  }
}

/** With all sequence numbers of a session moved. */
function shifted({ message, session, sequence }: Frame, by: number): Frame {
  if (by === 0 || session === 0) return { message, session, sequence };
  const expected = message.name === 'Refused' && message.status === 'OUT_OF_ORDER';
  return {
    message: expected ? { ...message, detail: (message.detail + by) >>> 0 } : message,
    session,
    sequence: (sequence + by) >>> 0,
  };
}

/** Pulses that can be told apart by their width: pulse n has 2.5 µs + n × 0.1 µs. */
export function pulses(first: number, count: number): MessageOf<'Cells'> {
  const ops = Array.from({ length: count }, (_, i): CellOp => {
    const n = first + i;
    return {
      kind: 'PULSE',
      array: n % 2,
      row: n % 4,
      column: n % 3,
      code: 100 + (n % 50),
      width: 2.5e-6 + n * 1e-7,
      samples: 1,
    };
  });
  return { name: 'Cells', ops };
}

/** The pulses that reached the front end, by the numbers that `pulses` gave them, in order. */
export const applied = (world: World): number[] => world.frontEnd.pulses.map(({ width }) => width - 25);
