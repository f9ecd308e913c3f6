/** Opens a board by URL: the one place where the driver and the virtual board meet. */
import type { Board } from './driver/board.js';
import type { Emit } from './events.js';

export interface OpenOptions {
  emit?: Emit;
  signal?: AbortSignal;
  /** Pulses are refused. */
  readOnly?: boolean;
  /** File for the bytes of the link. */
  record?: string;
}

export async function openBoard(_url: string, _options: OpenOptions = {}): Promise<Board> {
  throw new Error('not yet');
}
