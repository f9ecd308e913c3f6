/** A virtual board behind a port that any program can open: a pseudo-terminal or a TCP port. */
import { lstatSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemloopError } from '../../shared/errors.js';
import type { VirtualBoard } from '../types.js';
import { openPty } from './pty.js';

/** What a port needs of what is behind it. */
export type PortDevice = Pick<VirtualBoard, 'write' | 'onData' | 'onUnplug'>;

export interface Served {
  /** The port as `--port` takes it. */
  readonly port: string;
  /** The port disappears; the board itself is not closed. */
  close(): Promise<void>;
}

/**
 * `link`: a symbolic link to the device, made now and removed at the end. Errors: `service` where there are
 * no pseudo-terminals, `bad-input` where the link cannot be made.
 */
export function servePty(board: PortDevice, options: { link?: string | undefined } = {}): Promise<Served> {
  return replugged(board, () => openPtyPort(board, options));
}

/** Opens the port, and again after each time that the board's faults unplug it. */
async function replugged(board: PortDevice, open: (before?: Served) => Promise<Served>): Promise<Served> {
  let served = await open();
  const closed = new AbortController();
  let replugging = Promise.resolve();
  board.onUnplug?.((time) => {
    replugging = replugging.then(async () => {
      if (closed.signal.aborted) return;
      board.onData(() => {});
      await served.close();
      await sleep(time * 1000, undefined, closed).catch(() => {});
      if (!closed.signal.aborted) served = await open(served);
    });
  });
  return {
    get port() {
      return served.port;
    },
    async close() {
      closed.abort();
      await replugging;
      await served.close();
    },
  };
}

async function openPtyPort(board: PortDevice, options: { link?: string | undefined }): Promise<Served> {
  const pty = openPty();
  const { link } = options;
  try {
    if (link !== undefined) makeLink(pty.path, link);
  } catch (error) {
    await pty.close();
    throw error;
  }
  board.onData((bytes) => pty.write(bytes));
  pty.onData((bytes) => board.write(bytes));
  return {
    port: link ?? pty.path,
    async close() {
      if (link !== undefined) removeLink(pty.path, link);
      await pty.close();
    },
  };
}

function makeLink(path: string, link: string): void {
  const existing = lstatSync(link, { throwIfNoEntry: false });
  if (existing && !existing.isSymbolicLink()) {
    throw new MemloopError(
      'bad-input',
      `${link} exists and is not a symbolic link: remove it or give another --link`,
    );
  }
  try {
    if (existing) unlinkSync(link);
    symlinkSync(path, link);
  } catch (error) {
    throw new MemloopError('bad-input', `cannot make the link ${link}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Unless another board has taken the link over meanwhile. */
function removeLink(path: string, link: string): void {
  if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(link) === path)
    unlinkSync(link);
}

/**
 * One host at a time, as with a cable: a second connection is closed at once. Without a host, what the board
 * sends is lost. Port 0 takes a free one. Errors: `port-in-use`, `service`.
 */
export function serveTcp(
  board: PortDevice,
  options: { host?: string | undefined; port?: number | undefined } = {},
): Promise<Served> {
  const { host = '127.0.0.1', port = 0 } = options;
  return replugged(board, (before) =>
    openTcpPort(board, host, before ? Number(new URL(before.port).port) : port),
  );
}

async function openTcpPort(board: PortDevice, host: string, port: number): Promise<Served> {
  let client: Socket | undefined;
  board.onData((bytes) => {
    const socket = client;
    if (!socket || socket.write(bytes)) return;
    return new Promise<void>((resolve) => {
      socket.once('drain', resolve);
      socket.once('close', resolve);
    });
  });
  const server = createServer((socket) => {
    if (client) {
      socket.destroy();
      return;
    }
    client = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      const taken = board.write(bytes);
      if (!taken) return;
      socket.pause();
      taken.then(() => socket.resume());
    });
    // A host that vanishes is an ordinary end; 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      client = undefined;
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE';
      const why = inUse ? 'it is in use' : error.message;
      reject(
        new MemloopError(inUse ? 'port-in-use' : 'service', `cannot listen on ${host}:${port}: ${why}`, {
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  return {
    port: `tcp://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        client?.destroy();
      }),
  };
}
