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
 *
 * Noise. The line keeps the order of frames and the board answers in the order of the requests, so most losses show
 * before a time-out does: the board refuses what follows a lost request (OUT_OF_ORDER), and an answer that comes
 * before that of an earlier request tells that the earlier one was lost. Both are believed only if the missing frame
 * was sent before the one that tells, and only make the machine send again. Where frames were lost, fewer are on
 * their way at once, time-outs are short and do not grow while something is heard, and a large request without an
 * effect is withdrawn (`withdrawn`) so that it can be asked in pieces. On a line that loses nothing, none of this
 * happens.
 */

import type { Frame } from '../../../firmware-protocol/frame.js';
import {
  encodePayload,
  MAX_PAYLOAD,
  type MessageOf,
  PROTOCOL_HASH,
  PROTOCOL_VERSION,
  type Request,
  type RequestName,
  WINDOW,
} from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import { LinkError } from './errors.js';
import { LineNoise } from './line-noise.js';
import type { LinkOptions } from './link-options.js';
import { RoundTrip } from './round-trip.js';

export interface RequestOptions {
  /** It changes something that cannot be taken back, so it must not be repeated in another session. */
  effect?: boolean;
  /** Time that the board needs to execute it, s: its time-outs are longer by so much. */
  boardTime?: number;
  /** Goes before all that waits. */
  urgent?: boolean;
  /** Of a request without effect that can be asked in pieces: bytes of its frame and its answer's. */
  divisible?: number | undefined;
}

export type Answer = MessageOf<`${RequestName}Reply`> | MessageOf<'Refused'>;

/** What whoever drives the machine must do, in order. `tag` is what the request was made with. */
export type LinkAction<Tag> =
  | { do: 'send'; message: Request; session: number; sequence: number }
  | { do: 'answer'; tag: Tag; answer: Answer }
  | { do: 'fail'; tag: Tag; error: MemloopError }
  /** It is too large for the noise of the line: to be asked again in pieces. */
  | { do: 'withdrawn'; tag: Tag }
  | { do: 'samples'; tag: Tag; samples: MessageOf<'Samples'> }
  | { do: 'notice'; notice: MessageOf<'Notice'> }
  /** A session has begun; `resumed`: it is the old one, behind a port that was opened again. */
  | { do: 'connected'; hello: MessageOf<'HelloReply'>; resumed: boolean }
  /** A session has begun in which the board is to be claimed: `claim` must be called; until then nothing is asked. */
  | { do: 'claim'; session: number; bootId: number }
  /** The board refused the claim: fail it, for no session of ours can pulse any more. */
  | { do: 'fenced' }
  /** The session has died; a new one is being opened. */
  | { do: 'session-lost'; why: string }
  /** The board is silent or another one answers: detach (and attach to a port opened anew), or fail. */
  | { do: 'lost'; error: MemloopError };

interface Pending<Tag> {
  request: Request;
  readonly replyName: string;
  /** Absent for the machine's own: its Pings, and what holds the place of a withdrawn request. */
  tag: Tag | undefined;
  readonly effect: boolean;
  readonly boardTime: number;
  readonly urgent: boolean;
  readonly divisible: number | undefined;
  sequence: number;
  sends: number;
  sentAt: number;
  /** Places of its last sendings among all sendings, ascending; those whose refusal has come are gone. */
  places: number[];
  answered: boolean;
  /** It was on its way when a request before it timed out, so it is likely lost too. */
  doubtful: boolean;
  /** The board has it: what is sent again under its number only asks for the answer, so a Ping will do. */
  taken: boolean;
  /** The board refused it for an earlier one that was lost; it is sent again when there are fewer before it. */
  parked: boolean;
}

export class LinkMachine<Tag> {
  state: 'handshake' | 'connected' | 'detached' | 'failed' = 'handshake';
  /** Of the session that runs or ran last. */
  hello: MessageOf<'HelloReply'> | undefined;
  readonly counters = {
    requests: 0,
    retries: 0,
    duplicates: 0,
    stale: 0,
    sessions: 0,
    heartbeats: 0,
    withdrawn: 0,
  };
  readonly noise = new LineNoise();
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

  readonly #trip: RoundTrip;
  #backoff = 1;
  #lastHeard = 0;
  #lastSent = 0;
  /** Last time the oldest request came nearer to its answer. */
  #lastProgress = 0;
  #lastTimeout = 0;
  /** Frames sent so far, and the place among them of the last one known to be refused as out of order. */
  #sendings = 0;
  #refusedPlace = 0;
  #lostReported = false;
  #resuming = false;
  readonly #claims: boolean;
  /** Where this session stands; until it has claimed, nothing but Ping and Stop is sent. */
  #claim: 'to be asked' | 'sent' | 'done' = 'done';

  /**
   * `nonce` gives unsigned 32-bit numbers that do not repeat. `before` is the sequence number before the first
   * of a session; a board expects the first to be 1. `claims`: every session begins with a Claim.
   */
  constructor(options: LinkOptions, nonce: () => number, before = 0, claims = false) {
    this.#claims = claims;
    this.#options = options;
    this.#nonce = nonce;
    this.#before = before;
    this.#trip = new RoundTrip(options);
  }

  /** Smoothed round-trip time, s. */
  get roundTrip(): number {
    return this.#trip.time;
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
    this.counters.requests++;
    if (this.#error) this.#actions.push({ do: 'fail', tag, error: asNotSent(this.#error) });
    else {
      if (options.urgent) this.#queue.unshift(pending);
      else this.#queue.push(pending);
      this.#pump(now);
    }
    return this.#take();
  }

  /** The answer to the action `claim`. */
  claim(session: number, token: bigint, bootId: number, now: number): LinkAction<Tag>[] {
    if (this.state === 'failed' || session !== this.#session || this.#claim !== 'to be asked') return [];
    this.#claim = 'sent';
    const [tokenHigh, tokenLow] = [Number(token >> 32n), Number(token & 0xffffffffn)];
    const claim: Request = { name: 'Claim', bootId, tokenHigh, tokenLow };
    this.#queue.unshift(this.#pending(claim, undefined, { urgent: true }));
    this.#pump(now);
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

  /** A damaged frame came: most likely the answer that is awaited. */
  damaged(now: number): LinkAction<Tag>[] {
    this.noise.lost();
    const head = this.#window[0];
    if (this.state !== 'connected' || !head) return [];
    // A stream continues whatever is lost of it, and what was sent just now is waited for.
    if (head.request.name === 'Run' || now - this.#lastSent < this.#trip.time / 2) return [];
    if (isWithdrawn(head)) this.#probe(head, now);
    else this.#send(head, now);
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
      else if (head && now >= this.#retransmitAt(head)) this.#timedOut(head, now);
      else if (now >= this.#lastSent + this.#options.heartbeat) {
        // A repeat of the oldest request feeds the dead-man as well as a Ping does, if it gets through at all.
        if (head && (this.#noisy || head.sends > 1)) this.#probe(head, now);
        else if (head) this.#send(head, now);
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

  /** The port is gone, perhaps not for good: all waits, for as long as the caller allows. */
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
      if (!pending.answered) this.#failOne(pending, asUnknown(error));
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

  /** Requests that should be on their way at once. */
  get #most(): number {
    return this.noise.window(WINDOW - 1);
  }

  get #noisy(): boolean {
    return this.noise.rate > 0;
  }

  #timedOut(head: Pending<Tag>, now: number): void {
    const heard = this.#lastHeard > this.#lastTimeout;
    this.#lastTimeout = now;
    // What comes from now on tells of what is sent from now on.
    this.#refusedPlace = this.#sendings;
    if (!(this.#noisy && heard)) this.#backoff = Math.min(this.#backoff * 2, 64);
    else this.#backoff = 1;
    for (const pending of this.#window) pending.doubtful = true;
    this.#lastProgress = now;
    if (isWithdrawn(head)) this.#probe(head, now);
    else {
      this.#send(head, now);
      if (this.#noisy || head.request.name !== 'Ping') this.#probe(head, now);
    }
  }

  /** A Ping is short, and what comes of it tells what was lost before it: requests or their answers. */
  #probe(head: Pending<Tag>, now: number): void {
    const isProbe = (each: Pending<Tag>) => each !== head && each.request.name === 'Ping' && !each.answered;
    const probe = this.#window.findLast(isProbe);
    if (probe) this.#send(probe, now);
    else if (this.#window.length < WINDOW) this.#ping(now);
    else this.#send(head, now);
  }

  #pending(request: Request, tag: Tag | undefined, options: RequestOptions): Pending<Tag> {
    const { effect = false, boardTime = 0, urgent = false } = options;
    const divisible = effect ? undefined : options.divisible;
    const replyName = `${request.name}Reply`;
    const unsent = {
      sequence: 0,
      sends: 0,
      sentAt: 0,
      places: [],
      answered: false,
      doubtful: false,
      taken: false,
      parked: false,
    };
    return { request, replyName, tag, effect, boardTime, urgent, divisible, ...unsent };
  }

  #ping(now: number): void {
    this.counters.heartbeats++;
    this.#queue.unshift(this.#pending(PING, undefined, { urgent: true }));
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
    this.#backoff = 1;
    this.#lastHeard = now;
    this.#lastProgress = now;
    this.counters.sessions++;
    this.#actions.push({ do: 'connected', hello: reply, resumed: false });
    this.#claim = this.#claims ? 'to be asked' : 'done';
    if (this.#claims) this.#actions.push({ do: 'claim', session: reply.session, bootId: reply.bootId });
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
        if (this.#find(sequence))
          this.#sessionLost('the board no longer keeps the answer to an earlier request', now);
        else this.counters.stale++;
        break;
      case 'OUT_OF_ORDER':
        this.#outOfOrder(sequence, refused.detail, now);
        break;
      case 'BUSY':
        // Not executed yet: the time-out will send it again.
        this.#trip.wasEarly();
        break;
      default:
        this.#answer(sequence, refused, now);
    }
  }

  #answer(sequence: number, answer: Answer, now: number): void {
    const pending = this.#find(sequence);
    const ours = pending?.tag === undefined || answer.name === pending.replyName || answer.name === 'Refused';
    if (!pending || !ours) {
      this.counters.duplicates++;
      this.#trip.wasEarly();
      return;
    }
    pending.answered = true;
    this.#lastProgress = now;
    // Which of several sendings was answered is unknown, so only single ones are measured (Karn). Until one was,
    // time-outs stay long: on a slow line short ones would only add repeats to what it has to carry.
    if (pending.sends === 1) {
      this.#trip.measure(now - pending.sentAt);
      this.#backoff = 1;
    }
    if (pending.tag !== undefined) this.#actions.push({ do: 'answer', tag: pending.tag, answer });
    else if (pending.request.name === 'Claim') {
      if (answer.name === 'Refused') this.#actions.push({ do: 'fenced' });
      else this.#claim = 'done';
    }
    const head = this.#window[0];
    this.#askForMissing(pending, now);
    while (this.#window[0]?.answered) this.#window.shift();
    const next = this.#window[0];
    // After a time-out the neighbours of the lost frame are likely lost too: ask for the next at once.
    if (next && next !== head && next.doubtful && next.sends === 1) this.#send(next, now);
    for (const pending of this.#window.slice(0, this.#most)) if (pending.parked) this.#send(pending, now);
    this.#pump(now);
  }

  /** What was sent before `answered` and has no answer was executed before it, and its answer was lost. */
  #askForMissing(answered: Pending<Tag>, now: number): void {
    for (const pending of this.#window) {
      if (pending === answered) return;
      pending.taken = true;
      if (pending.answered || lastPlace(pending) > lastPlace(answered)) continue;
      if (pending.tag === undefined && pending.request.name === 'Ping') pending.answered = true;
      else if (this.#isTooLarge(pending)) {
        this.#withdraw(pending);
        pending.answered = true;
      } else this.#send(pending, now);
    }
  }

  #outOfOrder(refused: number, expected: number, now: number): void {
    const first = this.#window[0];
    const index = first ? ahead(expected, first.sequence) : Infinity;
    if (index >= this.#window.length) {
      this.counters.stale++;
      return;
    }
    for (const pending of this.#window.slice(0, index)) pending.taken = true;
    // Every frame behind the missing one is refused: going back once is enough for all that were sent before.
    const told = this.#find(refused)?.places.find((place) => place > this.#refusedPlace);
    if (told === undefined) return;
    this.#refusedPlace = told;
    if (told < lastPlace(this.#window[index])) return;
    this.noise.lost();
    for (const { answered, parked, request } of this.#window.slice(index + 1))
      if (!answered && !parked) this.noise.wasted(sizeOf(request));
    this.#resend(index, now, index + this.#most);
  }

  #isTooLarge({ divisible, sends }: Pending<Tag>): boolean {
    return divisible !== undefined && sends >= TRIES && divisible > 2 * this.noise.budget;
  }

  /** Its place in the order of requests is held by a Ping: the board must not wait for it. */
  #withdraw(pending: Pending<Tag>): void {
    if (pending.tag === undefined) return;
    this.counters.withdrawn++;
    this.#actions.push({ do: 'withdrawn', tag: pending.tag });
    pending.tag = undefined;
    pending.request = PING;
  }

  /** Sends again from an index of the window on; from `end` on only what is urgent, the rest later. */
  #resend(index: number, now: number, end = WINDOW): void {
    for (const [i, pending] of this.#window.slice(index).entries()) {
      if (pending.answered) continue;
      pending.parked = index + i >= end && !pending.urgent;
      if (!pending.parked) this.#send(pending, now);
    }
  }

  #sessionLost(why: string, now: number): void {
    this.#actions.push({ do: 'session-lost', why });
    const again: Pending<Tag>[] = [];
    for (const pending of this.#window) {
      if (pending.answered || pending.tag === undefined) continue;
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
      pending.places = [];
      pending.sequence = 0;
      pending.doubtful = false;
      pending.taken = false;
      pending.parked = false;
    }
    this.#window = [];
    this.#queue = again;
    this.#handshake(now);
  }

  /** Sends what the window has room for. Its last place is kept for what is urgent: Stop and Ping. */
  #pump(now: number): void {
    if (this.state !== 'connected') return;
    const most = this.#most;
    for (let pending = this.#queue[0]; pending; pending = this.#queue[0]) {
      if (this.#claim !== 'done' && pending.tag !== undefined && pending.request.name !== 'Stop') return;
      if (this.#window.length >= (pending.urgent ? WINDOW : most)) return;
      this.#queue.shift();
      if (this.#window.length === 0) this.#lastProgress = now;
      this.#sequence = ahead(this.#sequence, -1);
      pending.sequence = this.#sequence;
      this.#window.push(pending);
      this.#send(pending, now);
    }
  }

  #send(pending: Pending<Tag>, now: number): void {
    if (this.#isTooLarge(pending)) this.#withdraw(pending);
    if (pending.sends > 0) this.counters.retries++;
    pending.parked = false;
    pending.sentAt = now;
    pending.sends++;
    pending.places.push(++this.#sendings);
    if (pending.places.length > PLACES) pending.places.shift();
    this.#lastSent = now;
    const { request, sequence, taken } = pending;
    const message = taken ? PING : request;
    this.#actions.push({ do: 'send', message, session: this.#session, sequence });
  }

  #retransmitAt(head: Pending<Tag>): number {
    // The frames of a stream are long: it is not to be hurried.
    const hurried = this.#noisy && head.request.name !== 'Run';
    const backoff = hurried ? Math.min(this.#backoff, NOISY_BACKOFF) : this.#backoff;
    const wait = Math.min(this.#trip.timeout(hurried) * backoff, this.#options.maxTimeout);
    return Math.max(this.#lastProgress, head.sentAt) + wait + head.boardTime;
  }

  #lostAt(head: Pending<Tag>): number {
    return this.#lastHeard + this.#options.lostAfter + head.boardTime;
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
/** How far time-outs grow while nothing is heard on a line that loses frames. */
const NOISY_BACKOFF = 4;
/** Sendings after which a divisible request may be withdrawn. */
const TRIES = 2;
/** Sendings of one request that are remembered; older ones have been answered or lost. */
const PLACES = 32;

const PING: Request = { name: 'Ping' };
const scratch = new DataView(new ArrayBuffer(MAX_PAYLOAD));
/** Bytes of a request's content. */
const sizeOf = (request: Request): number => encodePayload(request, scratch, 0);

const isWithdrawn = (pending: { tag: unknown; divisible: number | undefined }): boolean =>
  pending.tag === undefined && pending.divisible !== undefined;

const lastPlace = ({ places }: { places: readonly number[] }): number => places.at(-1) ?? 0;

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
