/** A board in this process as a transport. */
import type { Transport } from './transport.js';

/** Anything that takes bytes and gives bytes. */
export interface ByteDevice {
  write(bytes: Uint8Array): void | Promise<void>;
  onData(listener: (bytes: Uint8Array) => void): void;
  close?(): void | Promise<void>;
}

export function inProcessTransport(url: string, device: ByteDevice): Transport {
  let end: (reason: string) => void;
  let open = true;
  const closed = new Promise<string>((resolve) => {
    end = resolve;
  });
  return {
    url,
    closed,
    listen: (onBytes) => device.onData(onBytes),
    write: async (bytes) => {
      if (!open) throw new Error('the board was closed');
      await device.write(bytes);
    },
    close: async () => {
      if (!open) return;
      open = false;
      end('the board was closed');
      await device.close?.();
    },
  };
}
