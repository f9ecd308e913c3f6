/**
 * The link as a pure state machine: events in (frames, clock, requests, the port's fate), actions out. It does
 * no I/O and reads no clock, so that every order of events can be tested.
 *
 *     start ─► handshake ─HelloReply─► connected ─NO_SESSION─► handshake (a new session)
 *                  │                      │ │ ▲
 *               silence           silence │ │ └── attach (resumes the session) ──┐
 *                  ▼                      ▼ └── detach (the port is gone) ──► detached
 *               failed ◄───────────── `lost`: whoever drives it detaches or fails it
 *
 * Exactly once or unknown. The board executes the requests of a session in the order of their sequence numbers
 * and keeps its last WINDOW answers, so a request may be sent as often as need be: it is executed once, and a
 * repeat gets the same answer. That holds while the session lives. When it has died (the board rebooted),
 * a request that was sent and not answered has fate `unknown` if it has an effect; one without is repeated in
 * the new session. A request with an effect that was never sent is failed as `not-sent`: it was planned on
 * what is now unknown.
 */

import type { Frame } from '../../../firmware-protocol/frame.js';
import {
  type MessageOf,
  PROTOCOL_HASH,
  PROTOCOL_VERSION,
  type Request,
  type RequestName,
  WINDOW,
} from '../../../firmware-protocol/generated/protocol.js';
import { type ErrorReason, MemloopError } from '../../shared/errors.js';

/** Times in s. Every time-out of the link is here. */
export interface LinkOptions {
  /** Shortest and longest retransmission time-out; between them it follows the round-trip time (RFC 6298). 0.001 to 10. */
  minTimeout: number;
  maxTimeout: number;
  /** Retransmission time-out before a round trip was measured. 0.001 to 10. */
  initialTimeout: number;
  /** A board that leaves a request unanswered and is silent for so long is lost. 0.1 to 60. */
  lostAfter: number;
  /** A port behind which nobody answers Hello for so long has no board. 0.1 to 60. */
  handshakeTimeout: number;
  /** A Ping is sent after so long without a frame to the board. 0.01 to 10; below the board's dead-man time. */
  heartbeat: number;
}

export const LINK_OPTIONS: Readonly<LinkOptions> = Object.freeze({
  minTimeout: 0.05,
  maxTimeout: 1,
  initialTimeout: 0.25,
  lostAfter: 1.5,
  handshakeTimeout: 1.5,
  heartbeat: 0.25,
});

const RANGES: Readonly<Record<keyof LinkOptions, readonly [number, number]>> = {
  minTimeout: [0.001, 10],
  maxTimeout: [0.001, 10],
  initialTimeout: [0.001, 10],
  lostAfter: [0.1, 60],
  handshakeTimeout: [0.1, 60],
  heartbeat: [0.01, 10],
};

export function linkOptions(given: Partial<LinkOptions> = {}): LinkOptions {
  const options = { ...LINK_OPTIONS, ...given };
  for (const [name, [low, high]] of Object.entries(RANGES) as [keyof LinkOptions, [number, number]][]) {
    if (!(options[name] >= low && options[name] <= high)) {
      throw new MemloopError('usage', `link option ${name} is ${options[name]} s; give ${low} to ${high} s`);
    }
  }
  return options;
}

/** Whether a request that got no answer may have been executed. */
export type Fate = 'unknown' | 'not-sent';

export class LinkError extends MemloopError {
  constructor(
    reason: ErrorReason,
    message: string,
    readonly fate: Fate,
    options?: ErrorOptions,
  ) {
    super(reason, message, options);
  }
}

export interface RequestOptions {
  /** It changes something that cannot be taken back, so it must not be repeated in another session. */
  effect?: boolean;
  /** Time that the board needs to execute it, s: its time-outs are longer by so much. */
  boardTime?: number;
  /** Goes before all that waits. */
  urgent?: boolean;
}

export type Answer = MessageOf<`${RequestName}Reply`> | MessageOf<'Refused'>;

/** What whoever drives the machine must do, in order. `tag` is what the request was made with. */
export type LinkAction<Tag> =
  | { do: 'send'; message: Request; session: number; sequence: number }
  | { do: 'answer'; tag: Tag; answer: Answer }
  | { do: 'fail'; tag: Tag; error: MemloopError }
  | { do: 'samples'; tag: Tag; samples: MessageOf<'Samples'> }
  | { do: 'notice'; notice: MessageOf<'Notice'> }
  /** A session has begun; `resumed`: the old one goes on behind a port that was opened again. */
  | { do: 'connected'; hello: MessageOf<'HelloReply'>; resumed: boolean }
  /** The session has died; a new one is being opened. */
  | { do: 'session-lost'; why: string }
  /** The board is silent or another one answers: detach (and attach to a port opened anew), or fail. */
  | { do: 'lost'; error: MemloopError };

interface Pending<Tag> {
  readonly request: Request;
  readonly replyName: string;
  /** Absent for the machine's own Pings. */
  readonly tag: Tag | undefined;
  readonly effect: boolean;
  readonly boardTime: number;
  readonly urgent: boolean;
  sequence: number;
  sends: number;
  sentAt: number;
  answered: boolean;
  /** It was on its way when a request before it timed out, so it is likely lost too. */
  doubtful: boolean;
}

export class LinkMachine<Tag> {
  state: 'handshake' | 'connected' | 'detached' | 'failed' = 'handshake';
  /** Of the session that runs or ran last. */
  hello: MessageOf<'HelloReply'> | undefined;
  readonly counters = { requests: 0, retries: 0, duplicates: 0, stale: 0, sessions: 0, heartbeats: 0 };
  /** Smoothed round-trip time, s. */
  roundTrip = 0;
  /** Own Hellos that came back since the handshake began. */
  echoes = 0;

  readonly #options: LinkOptions;
  readonly #nonce: () => number;
  readonly #before: number;
  #session = 0;
  #sequence = 0;
  /** Sent and unanswered, in order of sequence; answered ones stay until those before them are. */
  #window: Pending<Tag>[] = [];
  #queue: Pending<Tag>[] = [];
  #actions: LinkAction<Tag>[] = [];
  #error: MemloopError | undefined;

  #helloNonce = 0;
  #helloSends = 0;
  #helloSince = 0;

  #variance = 0;
  #timeout: number;
  #backoff = 1;
  #lastHeard = 0;
  #lastSent = 0;
  /** Last time the oldest request came nearer to its answer. */
  #lastProgress = 0;
  #wentBackTo = 0;
  #wentBackAt = 0;
  #lostReported = false;
  #resuming = false;

  /**
   * `nonce` gives unsigned 32-bit numbers that do not repeat. `before` is the sequence number before the first
   * of a session; a board expects the first to be 1.
   */
  constructor(options: LinkOptions, nonce: () => number, before = 0) {
    this.#options = options;
    this.#nonce = nonce;
    this.#before = before;
    this.#timeout = options.initialTimeout;
  }

  get inFlight(): number {
    return this.#window.length;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** The port is open: begin. */
  start(now: number): LinkAction<Tag>[] {
    this.#handshake(now);
    return this.#take();
  }

  request(request: Request, tag: Tag, options: RequestOptions, now: number): LinkAction<Tag>[] {
    const pending = this.#pending(request, tag, options);
    if (this.#error) this.#actions.push({ do: 'fail', tag, error: asNotSent(this.#error) });
    else {
      if (options.urgent) this.#queue.unshift(pending);
      else this.#queue.push(pending);
      this.#pump(now);
    }
    return this.#take();
  }

  frame(frame: Frame, now: number): LinkAction<Tag>[] {
    const { message } = frame;
    if (this.state === 'failed' || this.state === 'detached') return [];
    if (message.name === 'HelloReply') this.#helloReply(message, now);
    else if (message.name === 'Hello') this.echoes++;
    else if (message.name === 'Notice') this.#notice(message, now);
    else if (this.state !== 'connected' || frame.session !== this.#session) this.counters.stale++;
    else {
      this.#heard(now);
      if (message.name === 'Samples') this.#samples(frame.sequence, message, now);
      else if (message.name === 'Refused') this.#refused(frame.sequence, message, now);
      else this.#answer(frame.sequence, message as Answer, now);
    }
    return this.#take();
  }

  tick(now: number): LinkAction<Tag>[] {
    const late = now - this.deadline;
    if (!(late >= 0)) return [];
    if (late > STALL) {
      // This process slept, not the board: what it has sent meanwhile is still to be read.
      this.#lastHeard = now;
      this.#lastProgress = now;
      this.#helloSince = now;
    }
    if (this.state === 'handshake') {
      if (now >= this.#helloSince + this.#options.handshakeTimeout) this.#silent(now);
      else this.#sendHello(now);
    } else if (this.state === 'connected') {
      const head = this.#window[0];
      if (head && now >= this.#lostAt(head)) this.#silent(now);
      else if (head && now >= this.#retransmitAt(head)) {
        this.#backoff = Math.min(this.#backoff * 2, 64);
        for (const pending of this.#window) pending.doubtful = true;
        this.#lastProgress = now;
        this.#send(head, now);
      } else if (now >= this.#lastSent + this.#options.heartbeat) {
        // A repeat of the oldest request feeds the dead-man as well as a Ping does.
        if (head) this.#send(head, now);
        else this.#ping(now);
      }
    }
    return this.#take();
  }

  /** When `tick` must be called; Infinity: no need. */
  get deadline(): number {
    if (this.state === 'handshake') {
      if (this.#lostReported) return Infinity;
      const next =
        this.#lastSent + Math.min(this.#options.initialTimeout * this.#helloSends, this.#options.maxTimeout);
      return Math.min(next, this.#helloSince + this.#options.handshakeTimeout);
    }
    if (this.state !== 'connected') return Infinity;
    const head = this.#window[0];
    const heartbeat = this.#lastSent + this.#options.heartbeat;
    if (!head) return heartbeat;
    const lost = this.#lostReported ? Infinity : this.#lostAt(head);
    return Math.min(heartbeat, lost, this.#retransmitAt(head));
  }

  /** The port is gone, perhaps not for good: all waits, for at most as long as the caller wants. */
  detach(): LinkAction<Tag>[] {
    if (this.state !== 'failed') this.state = 'detached';
    return this.#take();
  }

  /** A port is open again. If the board behind it still has the session, nothing was lost. */
  attach(now: number): LinkAction<Tag>[] {
    if (this.state === 'failed') return [];
    if (this.#session === 0) this.#handshake(now);
    else {
      this.state = 'connected';
      this.#resuming = true;
      this.#lostReported = false;
      this.#backoff = 1;
      this.#lastHeard = now;
      this.#lastProgress = now;
      if (this.#window.length > 0) this.#resend(0, now);
      else this.#ping(now);
    }
    return this.#take();
  }

  /** The end. What was sent with an effect is unknown, the rest was not executed or did not matter. */
  fail(error: MemloopError): LinkAction<Tag>[] {
    if (this.state === 'failed') return [];
    this.state = 'failed';
    this.#error = error;
    for (const pending of this.#window) {
      if (!pending.answered) this.#failOne(pending, pending.effect ? asUnknown(error) : error);
    }
    for (const pending of this.#queue) this.#failOne(pending, asNotSent(error));
    this.#window = [];
    this.#queue = [];
    return this.#take();
  }

  #take(): LinkAction<Tag>[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #pending(request: Request, tag: Tag | undefined, options: RequestOptions): Pending<Tag> {
    const { effect = false, boardTime = 0, urgent = false } = options;
    const replyName = `${request.name}Reply`;
    const unsent = { sequence: 0, sends: 0, sentAt: 0, answered: false, doubtful: false };
    return { request, replyName, tag, effect, boardTime, urgent, ...unsent };
  }

  #ping(now: number): void {
    this.counters.heartbeats++;
    this.#queue.unshift(this.#pending({ name: 'Ping' }, undefined, { urgent: true }));
    this.#pump(now);
  }

  #failOne(pending: Pending<Tag>, error: MemloopError): void {
    if (pending.tag !== undefined) this.#actions.push({ do: 'fail', tag: pending.tag, error });
  }

  #handshake(now: number): void {
    this.state = 'handshake';
    this.#session = 0;
    this.#helloNonce = this.#nonce();
    this.#helloSends = 0;
    this.#helloSince = now;
    this.echoes = 0;
    this.#lostReported = false;
    this.#resuming = false;
    this.#sendHello(now);
  }

  #sendHello(now: number): void {
    const message = {
      name: 'Hello' as const,
      nonce: this.#helloNonce,
      protocolVersion: PROTOCOL_VERSION,
      protocolHash: PROTOCOL_HASH,
    };
    this.#helloSends++;
    this.#lastSent = now;
    this.#actions.push({ do: 'send', message, session: 0, sequence: 0 });
  }

  #helloReply(reply: MessageOf<'HelloReply'>, now: number): void {
    if (this.state !== 'handshake' || reply.nonce !== this.#helloNonce) {
      this.counters.stale++;
      return;
    }
    const before = this.hello;
    const fault = mismatch(reply) ?? (before && otherBoard(before, reply));
    if (fault) {
      this.#lost(fault);
      return;
    }
    this.hello = reply;
    this.state = 'connected';
    this.#session = reply.session;
    this.#sequence = this.#before;
    this.#wentBackTo = this.#before;
    this.#backoff = 1;
    this.#lastHeard = now;
    this.#lastProgress = now;
    this.counters.sessions++;
    this.#actions.push({ do: 'connected', hello: reply, resumed: false });
    this.#pump(now);
  }

  #notice(notice: MessageOf<'Notice'>, now: number): void {
    this.#actions.push({ do: 'notice', notice });
    if (this.state === 'handshake' && notice.code === 'BOOTED') this.#sendHello(now);
    // An announcement can be late or twisted, so it only makes us ask: the board's answer decides.
    if (this.state === 'connected' && notice.code === 'BOOTED' && notice.detail !== this.hello?.bootId) {
      const head = this.#window[0];
      if (head) this.#send(head, now);
      else this.#ping(now);
    }
  }

  #heard(now: number): void {
    this.#lastHeard = now;
    this.#lostReported = false;
    if (this.#resuming && this.hello) {
      this.#resuming = false;
      this.#actions.push({ do: 'connected', hello: this.hello, resumed: true });
    }
  }

  #find(sequence: number): Pending<Tag> | undefined {
    const first = this.#window[0];
    const pending = first && this.#window[ahead(sequence, first.sequence)];
    return pending && !pending.answered ? pending : undefined;
  }

  #samples(sequence: number, samples: MessageOf<'Samples'>, now: number): void {
    const pending = this.#find(sequence);
    if (!pending || pending.tag === undefined || pending.request.name !== 'Run') {
      this.counters.stale++;
      return;
    }
    this.#lastProgress = now;
    this.#actions.push({ do: 'samples', tag: pending.tag, samples });
  }

  #refused(sequence: number, refused: MessageOf<'Refused'>, now: number): void {
    switch (refused.status) {
      case 'NO_SESSION': {
        const rebooted = refused.detail !== this.hello?.bootId;
        this.#sessionLost(rebooted ? 'the board has rebooted' : 'the board has closed the session', now);
        break;
      }
      case 'EXPIRED':
        // Cannot come for what we still wait for, unless host and board no longer agree.
        if (this.#find(sequence)) this.#sessionLost('the board no longer has an answer it owes', now);
        else this.counters.stale++;
        break;
      case 'OUT_OF_ORDER':
        this.#outOfOrder(refused.detail, now);
        break;
      case 'BUSY':
        // Not executed: the time-out will send it again.
        break;
      default:
        this.#answer(sequence, refused, now);
    }
  }

  #answer(sequence: number, answer: Answer, now: number): void {
    const pending = this.#find(sequence);
    if (!pending || (answer.name !== pending.replyName && answer.name !== 'Refused')) {
      this.counters.duplicates++;
      return;
    }
    pending.answered = true;
    this.#lastProgress = now;
    // Which of several sendings was answered is unknown, so only single ones are measured (Karn). Until one was,
    // time-outs stay long: on a slow line short ones would only add repeats to what it has to carry.
    if (pending.sends === 1) {
      this.#measure(now - pending.sentAt);
      this.#backoff = 1;
    }
    if (pending.tag !== undefined) this.#actions.push({ do: 'answer', tag: pending.tag, answer });
    const head = this.#window[0];
    while (this.#window[0]?.answered) this.#window.shift();
    const next = this.#window[0];
    // After a time-out the neighbours of the lost frame are likely lost too: ask for the next at once.
    if (next && next !== head && next.doubtful && next.sends === 1) this.#send(next, now);
    this.#pump(now);
  }

  #outOfOrder(expected: number, now: number): void {
    const first = this.#window[0];
    const index = first ? ahead(expected, first.sequence) : Infinity;
    if (index >= this.#window.length) {
      this.counters.stale++;
      return;
    }
    // Every frame behind the missing one is refused: going back once is enough for all of them.
    if (expected === this.#wentBackTo && now - this.#wentBackAt < this.#timeout) return;
    this.#wentBackTo = expected;
    this.#wentBackAt = now;
    this.#resend(index, now);
  }

  #resend(index: number, now: number): void {
    for (const pending of this.#window.slice(index)) if (!pending.answered) this.#send(pending, now);
  }

  #sessionLost(why: string, now: number): void {
    this.#actions.push({ do: 'session-lost', why });
    const again: Pending<Tag>[] = [];
    for (const pending of this.#window) {
      if (pending.answered || (pending.tag === undefined && !pending.effect)) continue;
      if (pending.effect) {
        const message = `${why} before it answered ${pending.request.name}, which may or may not have been executed`;
        this.#failOne(pending, new LinkError('board-lost', message, 'unknown'));
      } else again.push(pending);
    }
    for (const pending of this.#queue) {
      if (pending.tag === undefined) continue;
      if (pending.effect) {
        this.#failOne(pending, new LinkError('board-lost', `not sent: ${why}`, 'not-sent'));
      } else again.push(pending);
    }
    for (const pending of again) {
      pending.sends = 0;
      pending.sequence = 0;
      pending.doubtful = false;
    }
    this.#window = [];
    this.#queue = again;
    this.#handshake(now);
  }

  /** Sends what the window has room for. Its last place is kept for what is urgent: Stop and Ping. */
  #pump(now: number): void {
    if (this.state !== 'connected') return;
    for (let pending = this.#queue[0]; pending; pending = this.#queue[0]) {
      if (this.#window.length >= (pending.urgent ? WINDOW : WINDOW - 1)) return;
      this.#queue.shift();
      if (this.#window.length === 0) this.#lastProgress = now;
      this.#sequence = ahead(this.#sequence, -1);
      pending.sequence = this.#sequence;
      this.#window.push(pending);
      this.counters.requests++;
      this.#send(pending, now);
    }
  }

  #send(pending: Pending<Tag>, now: number): void {
    if (pending.sends > 0) this.counters.retries++;
    pending.sentAt = now;
    pending.sends++;
    this.#lastSent = now;
    const { request, sequence } = pending;
    this.#actions.push({ do: 'send', message: request, session: this.#session, sequence });
  }

  #retransmitAt(head: Pending<Tag>): number {
    const timeout = Math.min(this.#timeout * this.#backoff, this.#options.maxTimeout);
    return Math.max(this.#lastProgress, head.sentAt) + timeout + head.boardTime;
  }

  #lostAt(head: Pending<Tag>): number {
    return this.#lastHeard + this.#options.lostAfter + head.boardTime;
  }

  /** RFC 6298. */
  #measure(sample: number): void {
    if (this.roundTrip === 0) {
      this.roundTrip = sample;
      this.#variance = sample / 2;
    } else {
      this.#variance += (Math.abs(this.roundTrip - sample) - this.#variance) / 4;
      this.roundTrip += (sample - this.roundTrip) / 8;
    }
    const { minTimeout, maxTimeout } = this.#options;
    this.#timeout = Math.min(Math.max(this.roundTrip + 4 * this.#variance, minTimeout), maxTimeout);
  }

  #silent(now: number): void {
    const error = this.hello
      ? new MemloopError(
          'board-lost',
          `the board ${this.hello.boardSerial} has not answered for ${(now - this.#lastHeard).toFixed(1)} s`,
        )
      : new MemloopError(
          'not-a-board',
          this.echoes > 0
            ? 'the device only echoes what it is sent; it is not a memloop board'
            : 'no memloop board answers; check its power, its firmware and the baud rate',
        );
    this.#lost(error);
  }

  #lost(error: MemloopError): void {
    this.#lostReported = true;
    this.#actions.push({ do: 'lost', error });
  }
}

/** A clock tick so late, s, tells that the process was kept from running. */
const STALL = 0.1;

/** Sequence numbers have 32 bits and come round, on the board as here. */
const ahead = (sequence: number, of: number): number => (sequence - of) >>> 0;

const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

function mismatch(reply: MessageOf<'HelloReply'>): MemloopError | undefined {
  const same = reply.protocolVersion === PROTOCOL_VERSION && reply.protocolHash === PROTOCOL_HASH;
  if (same && reply.session !== 0) return undefined;
  return new MemloopError(
    'protocol-mismatch',
    `the board ${reply.boardSerial} (firmware ${reply.firmwareVersion}) speaks protocol version ${reply.protocolVersion}, hash ${hex(reply.protocolHash)}; ` +
      `this memloop speaks version ${PROTOCOL_VERSION}, hash ${hex(PROTOCOL_HASH)}; flash the firmware of this release or install the memloop of the board's`,
  );
}

function otherBoard(
  before: MessageOf<'HelloReply'>,
  reply: MessageOf<'HelloReply'>,
): MemloopError | undefined {
  if (before.boardSerial === reply.boardSerial && before.firmwareVersion === reply.firmwareVersion)
    return undefined;
  return new MemloopError(
    'board-lost',
    `another board answers: ${reply.boardSerial} (firmware ${reply.firmwareVersion}) in place of ${before.boardSerial} (firmware ${before.firmwareVersion})`,
  );
}

const asUnknown = (error: MemloopError) =>
  new LinkError(error.reason, error.message, 'unknown', { cause: error });
const asNotSent = (error: MemloopError) =>
  new LinkError(error.reason, error.message, 'not-sent', { cause: error });
