/**
 * Pseudo-terminals: a port that any serial program can open, with us in the place of the cable. `openpty`
 * comes from the C library through koffi; the master is read by libuv and written without blocking.
 */
import { closeSync, constants } from 'node:fs';
import { ReadStream } from 'node:tty';
import koffi from 'koffi';
import { MemloopError } from '../../shared/errors.js';

const F_GETFL = 3;
const F_SETFL = 4;
const POLLOUT = 4;
/** Tries before the kernel is asked. */
const SPINS = 4;
/** Longest wait for room in one call, ms: it holds a thread of libuv's pool. */
const POLL_TIME = 100;

/** Our end of a pseudo-terminal. */
export interface Pty {
  /** Path of the device that the other side opens. */
  readonly path: string;
  /** Takes the bytes that the other side wrote. While a promise that it returns is pending, no more come. */
  onData(listener: (bytes: Uint8Array) => void | Promise<void>): void;
  /** Resolves when the terminal has taken all bytes: as fast as the other side reads. */
  write(bytes: Uint8Array): Promise<void>;
  /** The device disappears: for whoever has it open this is an unplugged port. */
  close(): Promise<void>;
}

/** The device is raw (8-bit clean, no echo), and stays while nobody has it open. Errors: `service`. */
export function openPty(): Pty {
  const libc = loadLibc();
  const master = [0];
  const slave = [0];
  const name = Buffer.alloc(256);
  if (libc.openpty(master, slave, name, null, null) !== 0) {
    throw new MemloopError('service', 'cannot make a pseudo-terminal: openpty failed; is /dev/pts mounted?');
  }
  // struct termios is 60 bytes on Linux, 72 on macOS.
  const settings = Buffer.alloc(256);
  libc.tcgetattr(slave[0], settings);
  libc.cfmakeraw(settings);
  libc.tcsetattr(slave[0], 0, settings);
  libc.fcntl(master[0], F_SETFL, libc.fcntl(master[0], F_GETFL, 0) | constants.O_NONBLOCK);

  const reader = new ReadStream(master[0]);
  let open = true;
  reader.on('error', () => {
    open = false;
  });
  const pollfd = Buffer.alloc(8);
  pollfd.writeInt32LE(master[0], 0);
  pollfd.writeInt16LE(POLLOUT, 4);
  const room = () =>
    new Promise<void>((resolve) => {
      libc.poll.async(pollfd, 1, POLL_TIME, () => resolve());
    });

  return {
    path: name.toString('latin1', 0, name.indexOf(0)),
    onData(listener) {
      reader.on('data', (bytes) => {
        const taken = listener(bytes);
        if (!(taken instanceof Promise)) return;
        reader.pause();
        taken.then(() => reader.resume());
      });
    },
    async write(bytes) {
      let full = 0;
      for (let rest = bytes; open && rest.length > 0; ) {
        // Not Node's write, which makes an exception with a stack of every full terminal.
        const count = libc.write(master[0], rest, rest.length);
        if (count < 0 && koffi.errno() !== koffi.os.errno.EAGAIN) {
          throw new MemloopError('service', `the pseudo-terminal fails: error ${koffi.errno()}`);
        }
        if (count > 0) {
          rest = rest.subarray(count);
          full = 0;
        }
        if (rest.length === 0) return;
        // A reader that keeps up makes room at once; only for a slow one is it worth asking the kernel.
        if (full++ < SPINS) await new Promise((resolve) => setImmediate(resolve));
        else await room();
      }
    },
    async close() {
      if (!open) return;
      open = false;
      const closed = new Promise((resolve) => reader.once('close', resolve));
      reader.destroy();
      await closed;
      closeSync(slave[0]);
    },
  };
}

type Libc = ReturnType<typeof bindLibc>;
let loaded: Libc | undefined;

function loadLibc(): Libc {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new MemloopError('service', `no pseudo-terminals on ${process.platform}; use --tcp HOST:PORT`);
  }
  loaded ??= bindLibc();
  return loaded;
}

function bindLibc() {
  const libc = koffi.load(process.platform === 'darwin' ? '/usr/lib/libSystem.B.dylib' : 'libc.so.6');
  return {
    openpty: openptyFrom(libc),
    cfmakeraw: libc.func('void cfmakeraw(void *settings)'),
    tcgetattr: libc.func('int tcgetattr(int fd, void *settings)'),
    tcsetattr: libc.func('int tcsetattr(int fd, int when, void *settings)'),
    fcntl: libc.func('int fcntl(int fd, int command, int argument)'),
    poll: libc.func('int poll(void *fds, unsigned long count, int milliseconds)'),
    write: libc.func('long write(int fd, const void *bytes, unsigned long count)'),
  };
}

/** Before glibc 2.34 it lived in a library of its own. */
function openptyFrom(libc: ReturnType<typeof koffi.load>) {
  const signature =
    'int openpty(_Out_ int *master, _Out_ int *slave, void *name, void *settings, void *size)';
  try {
    return libc.func(signature);
  } catch {
    return koffi.load('libutil.so.1').func(signature);
  }
}
