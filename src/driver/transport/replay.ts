/**
 * Answers from a recording in place of a board: `replay:FILE`. Requests must come in the recorded order with
 * the recorded content; the first that differs closes the port and names the difference. Heartbeats and
 * repeats, which follow the clock, are answered whenever they come.
 */
import { isDeepStrictEqual } from 'node:util';
import { encodeFrame, type Frame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import type { Message, MessageOf } from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import { describeFrame } from '../link/flight.js';
import { type RecordedFrame, readRecording } from './recording.js';
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
  const { frames, header } = readRecording(file);
  const script = scriptOf(frames);
  const exchanges = requestsOf(script);
  const pings = frames.map(({ frame }) => frame.message).filter((message) => message.name === 'PingReply');
  const answered = 1 + exchanges.findLastIndex(({ answers }) => answers.some(isFinal));
  const decoder = new FrameDecoder();
  /** Exchanges already begun, by the sequence number (or nonce) that the replaying host gave them. */
  const begun = new Map<string, Beginning>();
  const beginnings = new Map<Exchange, Beginning>();
  let onBytes: (bytes: Uint8Array) => void = () => {};
  /** Steps done, and exchanges begun. */
  let at = 0;
  let next = 0;
  let end: (reason: string) => void = () => {};
  let open = true;
  const closed = new Promise<string>((resolve) => {
    end = (reason) => {
      open = false;
      resolve(reason);
    };
  });

  const give = (message: Message, { message: asked, session, sequence }: Frame): void => {
    const mine =
      message.name === 'HelloReply' && asked.name === 'Hello' ? { ...message, nonce: asked.nonce } : message;
    onBytes(encodeFrame({ message: mine, session, sequence }));
  };

  /** Gives all answers up to the next request that was not yet made. */
  const proceed = (): void => {
    for (let step = script[at]; step; step = script[at]) {
      if ('request' in step) {
        if (!beginnings.has(step.request)) return;
        at++;
      } else if ('sessionLost' in step) {
        at++;
        onBytes(encodeFrame(step.sessionLost));
      } else {
        const beginning = beginnings.get(step.to)!;
        at++;
        beginning.given.push(step.answer);
        give(step.answer, beginning.frame);
      }
    }
  };

  const take = (frame: Frame): void => {
    const { message, session, sequence } = frame;
    if (message.name === 'Ping') {
      const silent: MessageOf<'PingReply'> = {
        name: 'PingReply',
        uptime: 0,
        framesReceived: 0,
        crcErrors: 0,
        duplicates: 0,
        pulsesApplied: 0,
      };
      give((pings.length > 1 ? pings.shift() : pings[0]) ?? silent, frame);
      return;
    }
    const key = message.name === 'Hello' ? `hello ${message.nonce}` : `${session} ${sequence}`;
    const known = begun.get(key);
    if (known) {
      for (const message of [...known.given]) give(message, known.frame);
      return;
    }
    const exchange = exchanges[next];
    if (!exchange) {
      end(`the recording ends before ${describeFrame(frame)}`);
      return;
    }
    const { request } = exchange;
    const same =
      message.name === 'Hello'
        ? request.message.name === 'Hello'
        : isDeepStrictEqual(message, request.message);
    if (!same) {
      end(
        `request ${next + 1} is ${describeFrame(frame)}, but recorded was ${describeFrame(request)} or other content`,
      );
      return;
    }
    next++;
    const beginning: Beginning = { frame, given: [] };
    begun.set(key, beginning);
    beginnings.set(exchange, beginning);
    proceed();
    // An answer may be missing in the middle, where the board rebooted, but not at the end.
    if (next > answered && at === script.length)
      end(`the recording ends before the answer to ${describeFrame(frame)}`);
  };

  return {
    url: `replay of ${header.url}`,
    closed,
    listen: (listener) => {
      onBytes = listener;
    },
    write: async (bytes) => {
      if (!open) throw new Error('the replay has ended');
      for (const frame of decoder.push(bytes)) take(frame);
    },
    close: async () => end('the replay was closed'),
  };
}
