/**
 * All that can happen between a board and hosts that want it, up to a bound: breadth first, state by state.
 *
 * A and B are lent the board in turn: each lease has a token that grows and names the boot in which it was given. They keep
 * the rules: in every session they claim first and pulse then, but do not wait for the answer. C never claims. Each frame
 * that could have been sent may reach the board at any time, in any order, any number of times or never; so a host that
 * sleeps, a wire that delays, doubles and loses, and a second cable are all in it. Frames also come close together: the
 * second when the board has done 0, 1 or 2 pieces of work on the first.
 */
import type { Frame } from '../../../firmware-protocol/frame.js';
import {
  type Message,
  PROTOCOL_HASH,
  PROTOCOL_VERSION,
} from '../../../firmware-protocol/generated/protocol.js';
import { BoardInMemory, FIRST_BOOT, type Snapshot } from './memory.js';

export interface Bounds {
  /** Hellos of A, B and C; a session for each. */
  hellos: readonly [number, number, number];
  leases: number;
  reboots: number;
  /** Pulses that a host asks for in a session, each in a request of its own. */
  pulses: number;
  /** Steps from the start; Infinity: until there is no new state. */
  depth: number;
}

export interface Found {
  states: number;
  transitions: number;
  /** Steps from the start to the states found last. */
  depth: number;
  /** Whether there is no state beyond. */
  complete: boolean;
  /** Over all transitions. */
  applied: number;
  fenced: number;
  /** Of a broken rule: the rule, and the steps that lead there. */
  broken: string | undefined;
}

/** Opened by the board; the frames of its host follow from it. */
interface Session {
  number: number;
  host: number;
  boot: number;
  /** 0: its host never claims. */
  token: number;
  /** Boot for which the token was given. */
  tokenBoot: number;
  /** Which Hello it answers. */
  hello: number;
}

/** What the board and the hosts have been through, without what follows from it. */
interface Model {
  boot: number;
  /** Tokens given so far. */
  tokens: number;
  /** Of A and B: token and boot of the present lease; 0: none. */
  leases: readonly (readonly [number, number])[];
  /** Hellos said by each host. */
  hellos: readonly number[];
  sessions: readonly Session[];
  /** Highest token whose claim was acknowledged in this boot. */
  highest: number;
  /** Bit n: pulse n has reached a cell; was refused for good. */
  applied: number;
  refused: number;
}

interface Node {
  board: Snapshot;
  model: Model;
  from: number;
  step: Step;
}

interface Step {
  name: string;
  /** What comes to the board, and how often it works between the two; nothing for a lease. */
  frames: Frame[];
  polls: number;
  /** The boot that begins before. */
  boot?: number;
}

const FIRST_WIDTH = 25;
const hello = (nonce: number): Frame => ({
  message: { name: 'Hello', nonce, protocolVersion: PROTOCOL_VERSION, protocolHash: PROTOCOL_HASH },
  session: 0,
  sequence: 0,
});
const pulses = (ids: number[]): Message => ({
  name: 'Cells',
  ops: ids.map((id) => ({
    kind: 'PULSE' as const,
    array: 0,
    row: 0,
    column: 0,
    code: 100,
    width: (FIRST_WIDTH + id) * 1e-7,
    samples: 0,
  })),
});
const claim = (bootId: number, token: number): Message => ({
  name: 'Claim',
  bootId,
  tokenHigh: 0,
  tokenLow: token,
});
/** Of no session or another protocol, and longer than any frame of the search. */
const STRANGERS: Message[] = [
  claim(0xffffffff, 0xffffffff),
  { name: 'Ping' },
  pulses([1, 2, 3, 4, 5]),
  { name: 'Hello', nonce: 0x55555555, protocolVersion: 99, protocolHash: 1 },
];

class Search {
  readonly #bounds: Bounds;
  readonly #board = new BoardInMemory(hello(1), STRANGERS);
  readonly found: Found = {
    states: 0,
    transitions: 0,
    depth: 0,
    complete: true,
    applied: 0,
    fenced: 0,
    broken: undefined,
  };
  #nodes: Node[] = [];
  readonly #seen = new Set<string>();

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  run(): Found {
    // A short search tells which memory is used, and the long one whether that was all.
    this.#searchTo(3);
    this.#board.narrow(this.#nodes.map(({ board }) => board));
    do this.#searchTo(this.#bounds.depth);
    while (this.#board.widen());
    return this.found;
  }

  #searchTo(depth: number): void {
    Object.assign(this.found, { transitions: 0, depth: 0, complete: true, applied: 0, fenced: 0 });
    this.#nodes = [];
    this.#seen.clear();
    this.#board.boot(0);
    const first: Model = {
      boot: 0,
      tokens: 0,
      leases: [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      hellos: [0, 0, 0],
      sessions: [],
      highest: 0,
      applied: 0,
      refused: 0,
    };
    this.#add(first, undefined, -1, { name: 'start', frames: [], polls: 0 });
    let from = 0;
    let steps = 0;
    for (; from < this.#nodes.length && steps < depth && !this.found.broken; steps++) {
      const end = this.#nodes.length;
      for (; from < end && !this.found.broken; from++) this.#expand(from);
    }
    this.found.states = this.#nodes.length;
    this.found.depth = steps;
    this.found.complete = from === this.#nodes.length;
  }

  #add(model: Model, before: Snapshot | undefined, from: number, step: Step): boolean {
    const board = this.#board.keep(before);
    const key = `${Buffer.from(board.buffer).toString('latin1')}${JSON.stringify(model)}`;
    if (!this.#seen.has(key)) {
      this.#seen.add(key);
      this.#nodes.push({ board, model, from, step });
    }
    return before === undefined || board.some((content, i) => content !== before[i]);
  }

  #expand(index: number): void {
    const { model } = this.#nodes[index];
    const { leases, reboots, hellos } = this.#bounds;
    if (model.tokens < leases) {
      // Who is the first is called A.
      for (const host of model.tokens === 0 ? [0] : [0, 1]) {
        const token = model.tokens + 1;
        const lease = model.leases.map((old, i) => (i === host ? ([token, model.boot] as const) : old));
        this.#try(index, { ...model, tokens: token, leases: lease }, `lease ${token} to ${'AB'[host]}`, []);
      }
    }
    if (model.boot < reboots) this.#reboot(index, model);
    for (const [host, said] of model.hellos.entries()) {
      // A and B come because they were lent the board.
      if (said === hellos[host] || (host < 2 && model.leases[host][0] === 0)) continue;
      const raised = model.hellos.map((count, i) => (i === host ? count + 1 : count));
      this.#try(index, { ...model, hellos: raised }, `Hello of ${'ABC'[host]}`, [hello(nonceOf(host, said))]);
    }
    const frames = this.#frames(model);
    // A frame that changes nothing leaves nothing to do for another to come in between.
    const working = frames.filter(({ name, frame }) => this.#try(index, model, name, [frame]));
    for (const first of working)
      for (const second of frames)
        for (let polls = first === second ? 3 : 0; polls < 3; polls++)
          this.#try(
            index,
            model,
            `${first.name}, ${polls} polls, ${second.name}`,
            [first.frame, second.frame],
            polls,
          );
  }

  /** All that may still be on its way. */
  #frames(model: Model): { name: string; frame: Frame }[] {
    const frames: { name: string; frame: Frame }[] = [];
    for (const [host, said] of model.hellos.entries())
      for (let i = 0; i < said; i++)
        frames.push({ name: `Hello ${i} of ${'ABC'[host]} again`, frame: hello(nonceOf(host, i)) });
    for (const [i, session] of model.sessions.entries()) {
      const of = ` of ${'ABC'[session.host]}'s session ${i}`;
      let sequence = 1;
      const add = (name: string, message: Message) =>
        frames.push({ name: name + of, frame: { message, session: session.number, sequence: sequence++ } });
      if (session.token > 0)
        add(`claim ${session.token}`, claim(FIRST_BOOT + session.tokenBoot, session.token));
      for (let k = 0; k < this.#bounds.pulses; k++) add(`pulse ${k}`, pulses([i * this.#bounds.pulses + k]));
    }
    return frames;
  }

  #reboot(index: number, model: Model): void {
    const boot = model.boot + 1;
    const step: Step = { name: 'reboot', frames: [], polls: 0, boot };
    this.#board.restore(this.#nodes[index].board);
    this.#do(step);
    this.#board.take();
    this.#add({ ...model, boot, highest: 0 }, undefined, index, step);
  }

  /** Whether the board is in another state afterwards. */
  #try(index: number, model: Model, name: string, frames: Frame[], polls = 0): boolean {
    const { board } = this.#nodes[index];
    const step = { name, frames, polls };
    this.#board.restore(board);
    this.#do(step);
    return this.#add(this.#observe(model, index, name), board, index, step);
  }

  #do({ frames, polls, boot }: Step): void {
    if (boot !== undefined) this.#board.boot(boot);
    for (const [i, frame] of frames.entries()) {
      this.#board.receive(frame);
      for (let k = 0; i === 0 && k < polls; k++) this.#board.poll();
    }
    this.#board.settle();
    this.found.transitions++;
  }

  /** Of at most so many states: those to which the steps lead as well if nothing is put back in between. */
  replayed(most: number): { same: number; of: number } {
    let [same, of] = [0, 0];
    const every = Math.ceil(this.#nodes.length / most);
    for (let index = 0; index < this.#nodes.length; index += every, of++) {
      this.#board.restore(this.#nodes[0].board);
      for (const step of this.#path(index)) this.#do(step);
      this.#board.take();
      const board = this.#board.keep(undefined);
      if (board.every((content, i) => content === this.#nodes[index].board[i])) same++;
    }
    return { same, of };
  }

  /** What the board has done, against the rules, and what the hosts then know. */
  #observe(model: Model, index: number, step: string): Model {
    const { frames, pulses } = this.#board.take();
    if (frames.length === 0 && pulses.length === 0) return model;
    let { highest, applied, refused } = model;
    let sessions = model.sessions;
    const broken = (rule: string) => {
      this.found.broken ??= `${rule}: ${[...this.#path(index).map(({ name }) => name), step].join(' → ')}`;
    };
    for (const width of pulses) {
      const id = width - FIRST_WIDTH;
      const session = sessions[Math.floor(id / this.#bounds.pulses)];
      if (applied & (1 << id)) broken('a pulse was applied twice');
      if (refused & (1 << id)) broken('a pulse was applied that was refused');
      if (session.boot !== model.boot) broken('a pulse of before the reboot was applied');
      if (session.token < highest) broken('a pulse of an older holder was applied');
      if (session.token > 0 && session.tokenBoot !== model.boot)
        broken('a pulse by a lease of before the reboot was applied');
      applied |= 1 << id;
      this.found.applied++;
    }
    for (const { message, session: number, sequence } of frames) {
      if (message.name === 'HelloReply') {
        if (sessions.some((known) => known.number === message.session)) continue;
        const [host, said] = [Math.floor(message.nonce / 100) - 1, message.nonce % 100];
        const [token, tokenBoot] = model.leases[host];
        sessions = [
          ...sessions,
          { number: message.session, host, boot: model.boot, token, tokenBoot, hello: said },
        ];
        continue;
      }
      const at = sessions.findIndex((known) => known.number === number);
      const session = sessions[at];
      if (message.name === 'ClaimReply') {
        if (session.token < highest) broken('an older claim was taken');
        if (session.tokenBoot !== model.boot) broken('a claim of before the reboot was taken');
        highest = Math.max(highest, session.token);
      }
      if (message.name !== 'CellsReply') continue;
      const id = at * this.#bounds.pulses + sequence - (session.token > 0 ? 2 : 1);
      const { status } = message.results[0];
      const done = (applied & (1 << id)) !== 0;
      if ((status === 'OK') !== done)
        broken(`${status} was said of a pulse that was ${done ? '' : 'not '}applied`);
      if (status === 'FENCED') this.found.fenced++;
      if (status !== 'OK') refused |= 1 << id;
    }
    return { ...model, sessions, highest, applied, refused };
  }

  #path(index: number): Step[] {
    const steps: Step[] = [];
    for (let i = index; i > 0; i = this.#nodes[i].from) steps.unshift(this.#nodes[i].step);
    return steps;
  }
}

const nonceOf = (host: number, said: number): number => 100 * (host + 1) + said;

/** Throws if states that were put back do not go on as those that were lived through. */
export function search(bounds: Bounds): Found {
  const all = new Search(bounds);
  const found = all.run();
  const { same, of } = all.replayed(1000);
  if (found.broken === undefined && same < of)
    throw new Error(`${of - same} of ${of} states come out otherwise when they are lived through`);
  return found;
}
