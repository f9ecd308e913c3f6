/** URLs of serial ports: `PATH` or `serial:PATH?baud=N&parity=even`. */
import { MemloopError } from '../../shared/errors.js';

const DEFAULT_BAUD = 921_600;

/** The device path of a serial URL; undefined if it is of another kind. */
export function serialPath(url: string): string | undefined {
  return /^(?!serial:)[a-z][a-z0-9+.-]+:/i.test(url) ? undefined : parseSerialUrl(url).path;
}

const PARITIES = ['none', 'even', 'odd'] as const;
export type Parity = (typeof PARITIES)[number];

export function parseSerialUrl(url: string): { path: string; baudRate: number; parity: Parity } {
  const [path, query, ...rest] = url.replace(/^serial:(\/\/(?=\/))?/i, '').split('?');
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((key) => key !== 'baud' && key !== 'parity');
  const baudRate = Number(parameters.get('baud') ?? DEFAULT_BAUD);
  const parity = PARITIES.find((name) => name === (parameters.get('parity') ?? 'none'));
  const readable = path && rest.length === 0 && unknown === undefined;
  if (!readable || !Number.isInteger(baudRate) || baudRate < 300 || !parity) {
    throw new MemloopError(
      'usage',
      `cannot read the port ${url}; write serial:/dev/ttyACM0?baud=921600, and &parity=even or odd where there is one`,
    );
  }
  return { path, baudRate, parity };
}
