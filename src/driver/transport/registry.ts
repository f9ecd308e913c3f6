/**
 * The kinds of port, by the scheme of their URL: `serial:/dev/ttyACM0?baud=921600` (or just the device path),
 * `tcp://host:port`, `replay:FILE` for a recorded session. Each is loaded when it is first used.
 */
import { MemloopError } from '../../shared/errors.js';
import type { Opener, Transport } from './transport.js';

const TRANSPORTS = new Map<string, { open: Opener; example: string }>([
  [
    'serial',
    { open: async (url) => (await import('./serial.js')).openSerial(url), example: 'serial:PATH?baud=N' },
  ],
  ['tcp', { open: async (url) => (await import('./tcp.js')).openTcp(url), example: 'tcp://HOST:PORT' }],
  ['replay', { open: async (url) => (await import('./replay.js')).openReplay(url), example: 'replay:FILE' }],
]);

/**
 * Adds a kind of port: from now on `openTransport` and `openBoard` open URLs that begin with `scheme:` by `open`.
 * Link, recording and reconnection work on it as on any other.
 *
 * @param scheme two or more letters, digits, `+`, `.` or `-`, the first a letter; one letter is a drive of Windows
 * @param example how such a URL is written, for messages
 */
export function registerTransport(scheme: string, open: Opener, example = `${scheme}:…`): void {
  if (!/^[a-z][a-z0-9+.-]+$/.test(scheme) || TRANSPORTS.has(scheme)) {
    throw new MemloopError(
      'usage',
      `"${scheme}" cannot be registered as a kind of port: ${
        TRANSPORTS.has(scheme) ? 'there is one of that name' : 'give lower-case letters, at least two'
      }`,
    );
  }
  TRANSPORTS.set(scheme, { open, example });
}

/** The scheme of a URL, in lower case; undefined for a path. A single letter is a drive of Windows. */
export const schemeOf = (url: string): string | undefined =>
  /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();

/**
 * Opens the port that `url` names. Errors: `usage`, which for an unknown scheme also gives the examples of what the caller
 * opens by other means; `port-not-found`, `port-in-use`, `bad-file`.
 */
export async function openTransport(url: string, otherExamples: readonly string[] = []): Promise<Transport> {
  const scheme = schemeOf(url) ?? 'serial';
  const transport = TRANSPORTS.get(scheme);
  if (transport) return transport.open(url);
  const examples = [...[...TRANSPORTS.values()].map(({ example }) => example), ...otherExamples];
  throw new MemloopError(
    'usage',
    `unknown kind of port "${scheme}:" in ${url}; give a device path, virtual:PROFILE or one of ${examples.join(', ')}`,
  );
}
