/** The link's time-outs. */
import { MemloopError } from '../../shared/errors.js';

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
