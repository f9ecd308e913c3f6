/**
 * Answers from a recording in place of a board: `replay:FILE`. Requests must come in the recorded order with
 * the recorded content; the first that differs closes the port and names the difference. Heartbeats and
 * repeats, which follow the clock, are answered whenever they come.
 */
import { isDeepStrictEqual } from 'node:util';
import { encodeFrame, type Frame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import { describeFrame } from '../../../firmware-protocol/frame-text.js';
import type { Message, MessageOf } from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import { type RecordedFrame, type Recording, readRecording } from './recording.js';
import type { Transport } from './transport.js';

/** A recorded request with what the board sent for it. */
export interface Exchange {
  request: Frame;
  answers: Message[];
}

/** Requests but heartbeats and repeats, in the order in which they were first sent. */
export const exchangesOf = (frames: readonly RecordedFrame[]): Exchange[] => requestsOf(scriptOf(frames));

const requestsOf = (script: readonly Step[]): Exchange[] =>
  script.flatMap((step) => ('request' in step ? [step.request] : []));

/** What happens in a replay, in order: a request is awaited, an answer is given. */
type Step = { request: Exchange } | { answer: Message; to: Exchange } | { sessionLost: Frame };

/**
 * An answer comes only after the requests that had been sent before it, so that a session that was interrupted
 * with requests on their way is interrupted at the same place again.
 */
function scriptOf(frames: readonly RecordedFrame[]): Step[] {
  const steps: Step[] = [];
  const bySequence = new Map<string, Exchange>();
  const lost = new Set<number>();
  for (const { to, frame } of frames) {
    const { message, session, sequence } = frame;
    const key =
      message.name === 'Hello' || message.name === 'HelloReply'
        ? `hello ${message.nonce}`
        : `${session} ${sequence}`;
    const known = bySequence.get(key);
    const sessionLost = message.name === 'Refused' && message.status === 'NO_SESSION';
    if (to === 'board') {
      if (known || message.name === 'Ping') continue;
      const exchange: Exchange = { request: frame, answers: [] };
      bySequence.set(key, exchange);
      steps.push({ request: exchange });
    } else if (known && isPartOfAnswer(message) && !known.answers.some(isFinal)) {
      known.answers.push(message);
      steps.push({ answer: message, to: known });
    } else if (!known && sessionLost && !lost.has(session)) steps.push({ sessionLost: frame });
    if (sessionLost) lost.add(session);
  }
  return steps;
}

const isFinal = (message: Message): boolean => message.name !== 'Samples';

/** OUT_OF_ORDER and BUSY only make the host send again. */
const isPartOfAnswer = (message: Message): boolean =>
  message.name !== 'Refused' || (message.status !== 'OUT_OF_ORDER' && message.status !== 'BUSY');

/** An exchange under way: as the replaying host asked, and what it was answered so far. */
interface Beginning {
  frame: Frame;
  given: Message[];
}

export function openReplay(url: string): Transport {
  const file = url.replace(/^replay:/i, '');
  if (!file) throw new MemloopError('usage', `cannot read the port ${url}; write replay:FILE`);
  return new Replay(readRecording(file));
}

/** What a board answers to a Ping of which nothing was recorded. */
const SILENT: MessageOf<'PingReply'> = {
  name: 'PingReply',
  uptime: 0,
  framesReceived: 0,
  crcErrors: 0,
  duplicates: 0,
  pulsesApplied: 0,
};

class Replay implements Transport {
  readonly url: string;
  readonly closed: Promise<string>;
  readonly #script: readonly Step[];
  readonly #exchanges: readonly Exchange[];
  /** Exchanges up to the last that was answered to its end. */
  readonly #answered: number;
  readonly #pings: Message[];
  readonly #decoder = new FrameDecoder();
  /** Exchanges already begun, by the sequence number (or nonce) that the replaying host gave them. */
  readonly #begun = new Map<string, Beginning>();
  readonly #beginnings = new Map<Exchange, Beginning>();
  #onBytes: (bytes: Uint8Array) => void = () => {};
  /** Steps done, and exchanges begun. */
  #at = 0;
  #next = 0;
  #open = true;
  #resolve!: (reason: string) => void;

  constructor({ frames, header }: Recording) {
    this.url = `replay of ${header.url}`;
    this.closed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#script = scriptOf(frames);
    this.#exchanges = requestsOf(this.#script);
    this.#answered = 1 + this.#exchanges.findLastIndex(({ answers }) => answers.some(isFinal));
    this.#pings = frames.map(({ frame }) => frame.message).filter(({ name }) => name === 'PingReply');
  }

  listen(onBytes: (bytes: Uint8Array) => void): void {
    this.#onBytes = onBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#open) throw new Error('the replay has ended');
    for (const frame of this.#decoder.push(bytes)) this.#take(frame);
  }

  async close(): Promise<void> {
    this.#end('the replay was closed');
  }

  #end(reason: string): void {
    this.#open = false;
    this.#resolve(reason);
  }

  #give(message: Message, { message: asked, session, sequence }: Frame): void {
    const mine =
      message.name === 'HelloReply' && asked.name === 'Hello' ? { ...message, nonce: asked.nonce } : message;
    this.#onBytes(encodeFrame({ message: mine, session, sequence }));
  }

  #take(frame: Frame): void {
    const { message, session, sequence } = frame;
    if (message.name === 'Ping') {
      const answer = this.#pings.length > 1 ? this.#pings.shift() : this.#pings[0];
      this.#give(answer ?? SILENT, frame);
      return;
    }
    const key = message.name === 'Hello' ? `hello ${message.nonce}` : `${session} ${sequence}`;
    const known = this.#begun.get(key);
    if (known) for (const given of [...known.given]) this.#give(given, known.frame);
    else this.#begin(key, frame);
  }

  #begin(key: string, frame: Frame): void {
    const exchange = this.#exchanges[this.#next];
    if (!exchange) {
      this.#end(`the recording ends before ${describeFrame(frame)}`);
      return;
    }
    const { message } = exchange.request;
    const same =
      frame.message.name === 'Hello' ? message.name === 'Hello' : isDeepStrictEqual(frame.message, message);
    if (!same) {
      const recorded = describeFrame(exchange.request);
      this.#end(
        `request ${this.#next + 1} is ${describeFrame(frame)}, but the recording has ${recorded} or other content`,
      );
      return;
    }
    this.#next++;
    const beginning: Beginning = { frame, given: [] };
    this.#begun.set(key, beginning);
    this.#beginnings.set(exchange, beginning);
    this.#proceed();
    // An answer may be missing in the middle, where the board rebooted, but not at the end.
    if (this.#next > this.#answered && this.#at === this.#script.length)
      this.#end(`the recording ends before the answer to ${describeFrame(frame)}`);
  }

  /** Gives all answers up to the next request that was not yet made. */
  #proceed(): void {
    for (let step = this.#script[this.#at]; step; step = this.#script[this.#at]) {
      if ('request' in step) {
        if (!this.#beginnings.has(step.request)) return;
        this.#at++;
        continue;
      }
      this.#at++;
      if ('sessionLost' in step) this.#onBytes(encodeFrame(step.sessionLost));
      else {
        const beginning = this.#beginnings.get(step.to);
        if (!beginning) continue;
        beginning.given.push(step.answer);
        this.#give(step.answer, beginning.frame);
      }
    }
  }
}
