/** URLs of serial ports: `PATH` or `serial:PATH?baud=N`. */
import { MemloopError } from '../../shared/errors.js';

const DEFAULT_BAUD = 921_600;

/** The device path of a serial URL; undefined if it is of another kind. */
export function serialPath(url: string): string | undefined {
  return /^(?!serial:)[a-z][a-z0-9+.-]+:/i.test(url) ? undefined : parseSerialUrl(url).path;
}

export function parseSerialUrl(url: string): { path: string; baudRate: number } {
  const [path, query, ...rest] = url.replace(/^serial:(\/\/(?=\/))?/i, '').split('?');
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((key) => key !== 'baud');
  const baudRate = Number(parameters.get('baud') ?? DEFAULT_BAUD);
  if (!path || rest.length > 0 || unknown !== undefined || !Number.isInteger(baudRate) || baudRate < 300) {
    throw new MemloopError('usage', `cannot read the port ${url}; write serial:/dev/ttyACM0?baud=921600`);
  }
  return { path, baudRate };
}
