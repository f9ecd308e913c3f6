/** The upper rungs of the ladder: the port that was lost is opened again, or its device under another path. */
import { MemloopError } from '../../shared/errors.js';
import { listPorts, type PortInfo } from '../transport/ports.js';
import { openTransport } from '../transport/registry.js';
import { serialPath } from '../transport/serial-url.js';
import type { Transport } from '../transport/transport.js';

export interface ReconnectOptions {
  /** Time from the loss after which the board is given up, s; attempts come 0.1, 0.2, 0.4 … at most 1 s apart. Default 10. */
  within?: number;
  /** Opens a port for an attempt. Default: the same port, else its device under another path. */
  reopen?: () => Promise<Transport>;
}

/** To be made while the device is still there, since only then can its identity be read. */
export function portFinder(url: string): () => Promise<Transport> {
  const path = serialPath(url);
  if (path === undefined) return () => openTransport(url);
  const before = listPorts();
  return async () => {
    try {
      return await openTransport(url);
    } catch (error) {
      if (!(error instanceof MemloopError) || error.reason !== 'port-not-found') throw error;
      const other = sameDevice(path, await before, await listPorts());
      if (other === undefined) throw error;
      return openTransport(url.replace(path, other.path));
    }
  };
}

/**
 * The port that is now where the device of `path` was before: the one with its USB identity, or, where the
 * system tells none, one that was not there. The handshake makes sure that it is the same board.
 */
export function sameDevice(path: string, before: PortInfo[], now: PortInfo[]): PortInfo | undefined {
  const lost = before.find((port) => port.path === path);
  if (lost?.vendorId === undefined) {
    return now.find((port) => !before.some((known) => known.path === port.path));
  }
  return now.find(
    (port) =>
      port.path !== path &&
      port.vendorId === lost.vendorId &&
      port.productId === lost.productId &&
      port.serialNumber === lost.serialNumber,
  );
}
