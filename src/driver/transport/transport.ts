/**
 * Bytes in, bytes out, closed: all that the link knows of a port. Which one is named by a URL: a device path
 * or `serial:/dev/ttyACM0?baud=921600`, `tcp://host:port`, or `replay:FILE` for a recorded session.
 */
import { MemloopError } from '../../shared/errors.js';

export interface Transport {
  readonly url: string;
  /** Takes the bytes from the board; call it once. Bytes that come earlier are kept until then. */
  listen(onBytes: (bytes: Uint8Array) => void): void;
  /** Resolves when the port can take more, so that a slow line costs no memory. Rejects once the port is closed; `closed` says why. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves with the reason, in words, when the port is closed by either side; never rejects. */
  readonly closed: Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens a serial port, a TCP connection or a recording, and loads only the code for that kind. Errors: `usage`, `port-not-found`, `port-in-use`.
 */
export async function openTransport(url: string): Promise<Transport> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'serial') return (await import('./serial.js')).openSerial(url);
  if (scheme === 'tcp') return (await import('./tcp.js')).openTcp(url);
  if (scheme === 'replay') return (await import('./replay.js')).openReplay(url);
  throw new MemloopError(
    'usage',
    `unknown kind of port "${scheme}:" in ${url}; give a device path, serial:PATH?baud=N, tcp://HOST:PORT, virtual:PROFILE or replay:FILE`,
  );
}
