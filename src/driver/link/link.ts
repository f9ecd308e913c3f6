/**
 * Drives the link's state machine: bytes of a transport to frames, one timer, promises to requests, and the
 * ladder of reconnection. The rules of the link are in link-machine.ts.
 *
 *     request() ─► LinkMachine ─send─► encodeFrame ─► outbox ─► transport
 *     promise   ◄─ LinkMachine ◄─frame─ FrameDecoder ◄───────── transport
 */
import { encodeFrame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import type { MessageOf, ReplyOf, Request } from '../../../firmware-protocol/generated/protocol.js';
import { WINDOW } from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit, EventBody } from '../../shared/events.js';
import type { Claim, Transport } from '../transport/transport.js';
import { RefusedError, TooLargeError } from './errors.js';
import { FlightRecorder } from './flight.js';
import { type Answer, type LinkAction, LinkMachine, type RequestOptions } from './link-machine.js';
import { type LinkOptions, linkOptions } from './link-options.js';
import type { ReconnectOptions } from './reconnect.js';

/** Since the link was opened; s and bytes. */
export interface LinkCounters {
  /** Requests that callers have asked for. */
  readonly requests: number;
  /** Sendings of a request beyond its first. */
  readonly retries: number;
  /** Pings sent because nothing else was, or to learn what was lost. */
  readonly heartbeats: number;
  /** Large requests without effect that were given up on a noisy line and asked in pieces. */
  readonly withdrawn: number;
  /** Sessions opened: 1, and one more for every reboot of the board. */
  readonly sessions: number;
  /** Answers that came once more. */
  readonly duplicates: number;
  /** Frames of another session, or for no open request. */
  readonly stale: number;
  /** Damaged frames from the board: by their checksum, by their framing, or whole but of no known content. */
  readonly crcErrors: number;
  readonly framingErrors: number;
  readonly malformed: number;
  /** Membrane samples (of each neuron) that did not arrive. */
  readonly lostSamples: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Smoothed round-trip time. */
  readonly roundTrip: number;
  /** Chance that a byte is lost or damaged, estimated; 0 on a clean line. */
  readonly byteLoss: number;
  /** Requests on their way, and requests that wait to be sent. */
  readonly inFlight: number;
  readonly waiting: number;
}

type LinkState = Extract<EventBody, { type: 'link' }>['state'];

export interface LinkSettings {
  emit?: Emit | undefined;
  options?: Partial<LinkOptions> | undefined;
  /** How to reach a board again whose port was lost; without it, a lost port ends the link. */
  reconnect?: Required<ReconnectOptions> | undefined;
  /** The token with which every session claims the board; none: the port's own, if it has one. */
  claim?: Claim | undefined;
}

interface Waiter {
  resolve(answer: Answer): void;
  reject(error: Error): void;
  onSamples?: (samples: MessageOf<'Samples'>) => void;
}

const FENCED =
  'the board has been claimed by a newer holder, or has rebooted since; ask for a new token, or a new lease of the board';

/** Event period of the counters, s. */
const REPORT = 1;

const clock = () => performance.now() / 1000;

export class Link {
  readonly #machine: LinkMachine<Waiter>;
  readonly #settings: LinkSettings;
  readonly #emit: Emit;
  readonly #flight = new FlightRecorder();
  #decoder = new FrameDecoder();
  readonly #faults = { crc: 0, framing: 0, malformed: 0 };
  #transport: Transport;
  #outbox: Uint8Array[] = [];
  #writing = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #closing = false;
  /** Since the port was lost: why, when, and how many attempts were made to open it again. */
  #lost: { error: MemloopError; at: number; attempts: number } | undefined;
  #reported = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  /** Of the first session. */
  #bootId: number | undefined;
  #opened: ((error?: MemloopError) => void) | undefined;
  /** Counted by whoever puts runs together. */
  lostSamples = 0;

  private constructor(transport: Transport, settings: LinkSettings) {
    this.#settings = settings;
    this.#emit = settings.emit ?? (() => {});
    const random = () => crypto.getRandomValues(new Uint32Array(1))[0];
    this.#machine = new LinkMachine(
      linkOptions(settings.options),
      random,
      0,
      (settings.claim ?? transport.claim) !== undefined,
    );
    this.#transport = transport;
  }

  /** Shakes hands over an open transport. Errors: `not-a-board`, `protocol-mismatch`, `board-lost`. */
  static async open(transport: Transport, settings: LinkSettings = {}): Promise<Link> {
    const link = new Link(transport, settings);
    await new Promise<void>((resolve, reject) => {
      link.#opened = (error) => (error ? reject(error) : resolve());
      link.#report('connecting');
      link.#attach(transport);
      // A lone delimiter ends whatever the board has half received.
      link.#outbox.push(new Uint8Array(1));
      link.#perform(link.#machine.start(clock()));
    });
    return link;
  }

  /** What the board said of itself when the session began. */
  get hello(): MessageOf<'HelloReply'> {
    return this.#machine.hello as MessageOf<'HelloReply'>;
  }

  get counters(): LinkCounters {
    const { roundTrip, inFlight, waiting, counters, noise } = this.#machine;
    const { crc, framing, malformed } = this.#decoder.counters;
    return {
      ...counters,
      crcErrors: this.#faults.crc + crc,
      framingErrors: this.#faults.framing + framing,
      malformed: this.#faults.malformed + malformed,
      lostSamples: this.lostSamples,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      roundTrip,
      byteLoss: noise.rate,
      inFlight,
      waiting,
    };
  }

  /** Bytes that a request and its answer should have together on this line; Infinity if it loses nothing. */
  get budget(): number {
    return this.#machine.noise.budget;
  }

  /**
   * Sends a request and gives its reply. Errors: `LinkError`, whose fate tells whether the request may have
   * been executed; `RefusedError`, in which case it was not; `TooLargeError` for one that is `divisible`.
   */
  async request<R extends Request>(
    request: R,
    options: RequestOptions = {},
    onSamples?: (samples: MessageOf<'Samples'>) => void,
  ): Promise<ReplyOf<R['name']>> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const waiter: Waiter = onSamples ? { resolve, reject, onSamples } : { resolve, reject };
      this.#perform(this.#machine.request(request, waiter, options, clock()));
    });
    if (answer.name === 'Refused') throw new RefusedError(request.name, answer.status);
    return answer as ReplyOf<R['name']>;
  }

  /** Ends the link; requests still unanswered fail. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#perform(this.#machine.fail(new MemloopError('board-lost', 'the link was closed')));
    clearTimeout(this.#timer);
    await this.#transport.close();
    this.#report('closed');
  }

  #attach(transport: Transport): void {
    this.#transport = transport;
    const { crc, framing, malformed } = this.#decoder.counters;
    this.#faults.crc += crc;
    this.#faults.framing += framing;
    this.#faults.malformed += malformed;
    this.#decoder = new FrameDecoder();
    this.#outbox = [];
    this.#writing = false;
    transport.listen((bytes) => {
      if (transport === this.#transport) this.#receive(bytes);
    });
    transport.closed.then((reason) => {
      if (transport !== this.#transport || this.#closing || this.#machine.state === 'detached') return;
      this.#lose(new MemloopError('board-lost', `lost ${transport.url}: ${reason}`));
    });
  }

  #receive(bytes: Uint8Array): void {
    this.#bytesReceived += bytes.length;
    this.#machine.noise.passed(bytes.length);
    const now = clock();
    const before = this.#damaged;
    for (const frame of this.#decoder.push(bytes)) {
      this.#flight.received(frame, now);
      this.#act(this.#machine.frame(frame, now), now);
    }
    for (let i = this.#damaged - before; i > 0; i--) this.#act(this.#machine.damaged(now), now);
    this.#settle(now);
  }

  /** Frames that the present decoder found damaged. */
  get #damaged(): number {
    const { crc, framing, malformed } = this.#decoder.counters;
    return crc + framing + malformed;
  }

  #perform(actions: LinkAction<Waiter>[]): void {
    const now = clock();
    this.#act(actions, now);
    this.#settle(now);
  }

  #act(actions: LinkAction<Waiter>[], now: number): void {
    for (const action of actions) {
      switch (action.do) {
        case 'send': {
          // A stalled port must not pile up repeats.
          if (this.#outbox.length >= 4 * WINDOW) break;
          const { message, session, sequence } = action;
          const frame = { message, session, sequence };
          this.#flight.sent(frame, now);
          const bytes = encodeFrame(frame);
          this.#machine.noise.passed(bytes.length);
          this.#outbox.push(bytes);
          break;
        }
        case 'answer':
          action.tag.resolve(action.answer);
          break;
        case 'fail':
          action.tag.reject(action.error);
          break;
        case 'withdrawn':
          action.tag.reject(new TooLargeError());
          break;
        case 'samples':
          action.tag.onSamples?.(action.samples);
          break;
        case 'notice':
          this.#notice(action.notice);
          break;
        case 'connected':
          if (this.#lost) {
            const after = (now - this.#lost.at).toFixed(1);
            const session = action.resumed ? ' with its session' : '';
            this.#log('info', `the board is back after ${after} s${session}`);
          }
          this.#lost = undefined;
          this.#report('connected');
          this.#opened?.();
          this.#opened = undefined;
          break;
        case 'claim':
          this.#claim(action);
          break;
        case 'fenced':
          this.#fail(new MemloopError('fenced', FENCED));
          break;
        case 'session-lost':
          this.#log('warning', `${action.why}; opening a new session`);
          this.#report('reconnecting');
          break;
        case 'lost':
          this.#lose(action.error);
          break;
      }
    }
  }

  async #claim({ session, bootId }: { session: number; bootId: number }): Promise<void> {
    const claim = this.#settings.claim ?? this.#transport.claim ?? 0n;
    this.#bootId ??= bootId;
    try {
      const asked = typeof claim === 'function';
      const token = asked ? await claim(bootId) : claim;
      this.#perform(this.#machine.claim(session, token, asked ? bootId : this.#bootId, clock()));
    } catch (error) {
      if (this.#closing) return;
      const lost = (cause: Error) => new MemloopError('board-lost', cause.message, { cause });
      this.#fail(error instanceof MemloopError ? error : lost(error as Error));
    }
  }

  #settle(now: number): void {
    this.#flush();
    this.#arm(now);
    if (now - this.#reported >= REPORT && this.#machine.state === 'connected') this.#report('connected');
  }

  #flush(): void {
    if (this.#writing || this.#outbox.length === 0) return;
    const bytes = this.#outbox.length === 1 ? this.#outbox[0] : Buffer.concat(this.#outbox);
    this.#outbox = [];
    this.#bytesSent += bytes.length;
    this.#writing = true;
    const transport = this.#transport;
    transport.write(bytes).then(
      () => {
        if (transport !== this.#transport) return;
        this.#writing = false;
        this.#flush();
      },
      (error: Error) => {
        // A port that is gone says so by `closed`.
        if (transport === this.#transport && error instanceof MemloopError) this.#fail(error);
      },
    );
  }

  /** One timer for the whole link: it is moved only when it would ring too late. */
  #arm(now: number): void {
    const { deadline } = this.#machine;
    if (deadline >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Infinity;
        this.#perform(this.#machine.tick(clock()));
      },
      Math.max(0, Math.ceil((deadline - now) * 1000)),
    );
  }

  #lose(error: MemloopError): void {
    if (this.#machine.state === 'failed') return;
    const neverOpened = this.#machine.hello === undefined;
    const { reconnect } = this.#settings;
    if (neverOpened || !reconnect || reconnect.within === 0) {
      this.#fail(error);
      return;
    }
    const now = clock();
    const { within } = reconnect;
    if (!this.#lost) {
      this.#lost = { error, at: now, attempts: 0 };
      this.#log('warning', `${error.message}; trying for ${within} s to reach it again`);
    } else if (now >= this.#lost.at + within) {
      // That there is no port is said already.
      const why = error.reason === 'port-not-found' ? '' : `: ${error.message}`;
      const message = `${this.#lost.error.message}; it was not back within ${within} s${why}`;
      this.#fail(new MemloopError('board-lost', message, { cause: error }));
      return;
    } else this.#log('info', `attempt ${this.#lost.attempts}: ${error.message}`);
    this.#act(this.#machine.detach(), now);
    this.#report('reconnecting');
    const pause = Math.min(0.1 * 2 ** this.#lost.attempts++, 1, this.#lost.at + within - now);
    this.#reopen(reconnect.reopen, pause);
  }

  async #reopen(open: () => Promise<Transport>, pause: number): Promise<void> {
    const { url } = this.#transport;
    await this.#transport.close().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
    if (this.#closing) return;
    try {
      const transport = await open();
      if (this.#closing) return await transport.close();
      if (transport.url !== url) this.#log('info', `the device is now ${transport.url}`);
      this.#attach(transport);
      this.#outbox.push(new Uint8Array(1));
      this.#perform(this.#machine.attach(clock()));
    } catch (error) {
      const lost = (cause: Error) => new MemloopError('board-lost', cause.message, { cause });
      this.#lose(error instanceof MemloopError ? error : lost(error as Error));
    }
  }

  #fail(error: MemloopError): void {
    const now = clock();
    let { message } = error;
    if (error.reason === 'not-a-board' && this.#machine.echoes === 0 && this.#bytesReceived > 0) {
      message = `the device sends ${this.#bytesReceived} bytes, but no frame of the memloop protocol; it is another device, or the baud rate is wrong`;
    }
    const flight = this.#flight.lines(now);
    const cause = new Error(['the last frames of the link (→ to the board):', ...flight].join('\n'));
    cause.stack = cause.message;
    const failure = new MemloopError(error.reason, message, { cause });
    this.#act(this.#machine.fail(failure), now);
    clearTimeout(this.#timer);
    this.#report('lost');
    this.#opened?.(failure);
    this.#opened = undefined;
    this.#transport.close().catch(() => {});
  }

  #notice({ code, detail }: MessageOf<'Notice'>): void {
    if (code === 'FAULT')
      this.#log('error', `the board's front end reports fault ${detail}; all lines are at 0 V`);
    if (code === 'DEAD_MAN')
      this.#log('info', 'the host was busy for too long; the board has set all lines to 0 V');
  }

  #log(level: 'info' | 'warning' | 'error', message: string): void {
    this.#emit({ type: 'log', level, message });
  }

  #report(state: LinkState): void {
    this.#reported = clock();
    const {
      requests,
      retries,
      crcErrors,
      duplicates,
      lostSamples,
      bytesSent,
      bytesReceived,
      roundTrip,
      inFlight,
    } = this.counters;
    this.#emit({
      type: 'link',
      state,
      requests,
      retries,
      crcErrors,
      duplicates,
      lostSamples,
      bytesSent,
      bytesReceived,
      roundTrip,
      inFlight,
    });
  }
}
