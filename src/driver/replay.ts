/**
 * Answers from a recording in place of a board: `replay:FILE`. Requests must come in the recorded order with
 * the recorded content; the first that differs closes the port and names the difference. Heartbeats and
 * repeats, which follow the clock, are answered whenever they come.
 */
import { isDeepStrictEqual } from 'node:util';
import { encodeFrame, type Frame, FrameDecoder } from '../../firmware-protocol/frame.js';
import type { Message, MessageOf } from '../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../errors.js';
import { describeFrame } from './flight.js';
import { type RecordedFrame, readRecording } from './recording.js';
import type { Transport } from './transport.js';

/** A recorded request with what the board sent for it. */
export interface Exchange {
  request: Frame;
  answers: Message[];
}

/** Requests but heartbeats and repeats, in the order in which they were first sent. */
export function exchangesOf(frames: readonly RecordedFrame[]): Exchange[] {
  const exchanges: Exchange[] = [];
  const bySequence = new Map<string, Exchange>();
  for (const { to, frame } of frames) {
    const { message, session, sequence } = frame;
    const key =
      message.name === 'Hello' || message.name === 'HelloReply'
        ? `hello ${message.nonce}`
        : `${session} ${sequence}`;
    const known = bySequence.get(key);
    if (to === 'board') {
      if (known || message.name === 'Ping') continue;
      const exchange: Exchange = { request: frame, answers: [] };
      bySequence.set(key, exchange);
      exchanges.push(exchange);
    } else if (known && isPartOfAnswer(message) && !known.answers.some(isFinal)) known.answers.push(message);
  }
  return exchanges;
}

const isFinal = (message: Message): boolean => message.name !== 'Samples';

/** OUT_OF_ORDER and BUSY only make the host send again. */
const isPartOfAnswer = (message: Message): boolean =>
  message.name !== 'Refused' || (message.status !== 'OUT_OF_ORDER' && message.status !== 'BUSY');

export function openReplay(url: string): Transport {
  const file = url.replace(/^replay:/i, '');
  if (!file) throw new MemloopError('usage', `cannot read the port ${url}; write replay:FILE`);
  const { frames, header } = readRecording(file);
  const exchanges = exchangesOf(frames);
  const pings = frames.map(({ frame }) => frame.message).filter((message) => message.name === 'PingReply');
  const answered = 1 + exchanges.findLastIndex(({ answers }) => answers.some(isFinal));
  const decoder = new FrameDecoder();
  /** Exchanges already begun, by the sequence number (or nonce) that the replaying host gave them. */
  const begun = new Map<string, Exchange>();
  let onBytes: (bytes: Uint8Array) => void = () => {};
  let next = 0;
  let end: (reason: string) => void = () => {};
  let open = true;
  const closed = new Promise<string>((resolve) => {
    end = (reason) => {
      open = false;
      resolve(reason);
    };
  });

  const answersTo = (frame: Frame): Message[] => {
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
      return [(pings.length > 1 ? pings.shift() : pings[0]) ?? silent];
    }
    const key = message.name === 'Hello' ? `hello ${message.nonce}` : `${session} ${sequence}`;
    let exchange = begun.get(key);
    if (!exchange) {
      exchange = exchanges[next];
      if (!exchange) {
        end(`the recording ends before ${describeFrame(frame)}`);
        return [];
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
        return [];
      }
      next++;
      begun.set(key, exchange);
      // An answer may be missing in the middle, where the board rebooted, but not at the end.
      if (next > answered) end(`the recording ends before the answer to ${describeFrame(frame)}`);
    }
    return exchange.answers.map((answer) =>
      answer.name === 'HelloReply' && message.name === 'Hello' ? { ...answer, nonce: message.nonce } : answer,
    );
  };

  return {
    url: `replay of ${header.url}`,
    closed,
    listen: (listener) => {
      onBytes = listener;
    },
    write: async (bytes) => {
      if (!open) throw new Error('the replay has ended');
      for (const frame of decoder.push(bytes)) {
        for (const message of answersTo(frame)) {
          const { session, sequence } = frame;
          onBytes(encodeFrame({ message, session, sequence }));
        }
      }
    },
    close: async () => end('the replay was closed'),
  };
}
