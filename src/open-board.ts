/** Opens a board by URL: the one place where the driver and the virtual board meet. */
import type { Board } from './driver/board/board.js';
import { connectBoard, inProcessTransport, openTransport, type Transport } from './driver/index.js';
import { MemloopError } from './shared/errors.js';
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
  const transport = url.startsWith('virtual:') ? await openVirtual(url) : await openTransport(url);
  const { reconnect = 0, ...others } = options;
  // A board in this process has no cable, and a recording cannot come back.
  const mayReturn = reconnect > 0 && !/^(virtual|replay):/.test(url);
  return connectBoard(transport, mayReturn ? { ...others, reconnect: { within: reconnect } } : others);
}

async function openVirtual(url: string): Promise<Transport> {
  const { createVirtualBoard } = await import('./virtual-board/board.js');
  const [profile, query = ''] = url.slice('virtual:'.length).split('?');
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (name !== 'seed')
      throw new MemloopError('usage', `unknown parameter "${name}" in ${url}; give virtual:PROFILE?seed=N`);
  const seed = Number(parameters.get('seed') ?? 1);
  if (!Number.isInteger(seed) || seed < 0)
    throw new MemloopError('usage', `the seed in ${url} is not a whole number`);
  return inProcessTransport(url, createVirtualBoard({ profile, seed }));
}
