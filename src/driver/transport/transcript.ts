/** A recorded session for people: what was said, line by line, and in sum. */
import { describeFrame } from '../../../firmware-protocol/frame-text.js';
import type { Recording } from './recording.js';
import { exchangesOf } from './replay.js';

/** Frames (→ to the board, ← to the host) and events in the order of their time. */
export function transcriptOf({ frames, events }: Recording): string[] {
  const lines = [
    ...frames.map(({ time, to, frame }) => ({
      time,
      text: `${to === 'board' ? '→' : '←'} ${describeFrame(frame)}`,
    })),
    ...events.map(({ time, event }) => ({ time, text: `  ${event}` })),
  ].sort((a, b) => a.time - b.time);
  return lines.map(({ time, text }) => `${time.toFixed(4).padStart(10)} s ${text}`);
}

export interface SessionSummary {
  url: string;
  started: string;
  frames: number;
  /** Heartbeats and repeats not counted. */
  requests: number;
  unanswered: number;
  refused: number;
  /** Frames damaged on both ways. */
  damaged: number;
}

export function summariseSession({ header, frames, damaged }: Recording): SessionSummary {
  const exchanges = exchangesOf(frames);
  return {
    url: header.url,
    started: header.started,
    frames: frames.length,
    requests: exchanges.length,
    unanswered: exchanges.filter(({ answers }) => answers.length === 0).length,
    refused: exchanges.filter(({ answers }) => answers.some(({ name }) => name === 'Refused')).length,
    damaged: damaged.board + damaged.host,
  };
}
