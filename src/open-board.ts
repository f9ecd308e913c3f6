/** Opens a board by URL: the one place where the driver and the virtual board meet. */
import type { Board } from './driver/board/board.js';
import { connectBoard, openTransport } from './driver/index.js';
import type { Emit } from './shared/events.js';

export interface OpenOptions {
  emit?: Emit;
  /** Pulses are refused before they are sent. */
  readOnly?: boolean;
  /** File for the bytes of the link. */
  record?: string;
  /** Time for which a lost port is tried again, s; 0, the default, ends the work at once. */
  reconnect?: number;
}

/**
 * @param url a device path, `serial:PATH?baud=N`, `tcp://HOST:PORT`, or `virtual:PROFILE?seed=N` for a virtual
 * board inside this process.
 */
export async function openBoard(url: string, options: OpenOptions = {}): Promise<Board> {
  const transport = url.startsWith('virtual:')
    ? (await import('./virtual-board/open.js')).openVirtualTransport(url)
    : await openTransport(url);
  const { reconnect = 0, ...others } = options;
  // A board in this process has no cable, and a recording cannot come back.
  const mayReturn = reconnect > 0 && !/^(virtual|replay):/.test(url);
  return connectBoard(transport, mayReturn ? { ...others, reconnect: { within: reconnect } } : others);
}
