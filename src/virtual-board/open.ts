/** A virtual board in this process, by URL: the transport of `virtual:PROFILE?seed=N`. */
import { inProcessTransport } from '../driver/transport/in-process.js';
import type { Transport } from '../driver/transport/transport.js';
import { MemloopError } from '../shared/errors.js';
import { createVirtualBoard } from './board.js';

/**
 * PROFILE is a built-in name or the path of a JSON file; the seed, default 1, decides the chip and its noise.
 * Errors: `usage` for the URL, `bad-input` for the profile.
 */
export const openVirtualTransport = (url: string): Transport =>
  inProcessTransport(url, createVirtualBoard(parseVirtualUrl(url)));

/** What such a URL names. Error: `usage`. */
export function parseVirtualUrl(url: string): { profile: string; seed: number } {
  const [profile, query = ''] = url.slice('virtual:'.length).split('?');
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (name !== 'seed')
      throw new MemloopError('usage', `unknown parameter "${name}" in ${url}; give virtual:PROFILE?seed=N`);
  const text = parameters.get('seed') ?? '1';
  const seed = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(seed) || seed < 0)
    throw new MemloopError('usage', `the seed in ${url} is not a whole number from 0`);
  return { profile, seed };
}
