/**
 * The QEMU process and its lines.
 *
 * What each line is made of decides its speed. QEMU writes the bytes of a UART one by one, which costs least in a
 * FIFO, and reads them one by one from anything but a datagram. So the host's line, on which the board sends more,
 * is a pair of FIFOs, and the calls, on which the board receives more, are datagrams.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemloopError } from '../../shared/errors.js';

const START_TIMEOUT = 30_000; // ms

/** An emulated microcontroller and its lines. */
export interface Machine {
  readonly toBoard: Socket;
  readonly toHost: Socket;
  readonly calls: CallLine;
  readonly monitor: Socket;
  close(): Promise<void>;
}

/**
 * Ends QEMU when this process is gone, however it ended: its standard input is closed then. QEMU has nothing to save
 * and may be stuck, so it is killed.
 */
const GUARD = `exec 3<&0
"$@" < /dev/null & qemu=$!
{ cat <&3 > /dev/null; kill -KILL $qemu; } 2> /dev/null & guard=$!
wait $qemu; code=$?
kill $guard 2> /dev/null
exit $code`;

/** Errors: `service`. */
export async function startMachine(firmware: string): Promise<Machine> {
  const folder = mkdtempSync(join(tmpdir(), 'memloop-qemu-'));
  const server = createServer();
  const lines: { destroy(): void }[] = [];
  let child: ChildProcess | undefined;
  const tidy = () => {
    child?.stdin?.end();
    for (const line of lines) line.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const host = join(folder, 'host');
    const toBoard = openFifo(`${host}.in`, { writable: true, readable: false });
    const toHost = openFifo(`${host}.out`, { readable: true, writable: false });
    lines.push(toBoard, toHost);
    const calls = await CallLine.open();
    lines.push(calls);
    server.listen(join(folder, 'monitor'));
    await once(server, 'listening');

    const qemu = ['qemu-system-arm', '-machine', 'netduinoplus2', '-kernel', firmware];
    qemu.push('-display', 'none', '-nodefaults');
    // A multiplexer keeps 32 bytes where a UART by itself keeps one; its escape character is none of the 256.
    qemu.push('-echr', '256');
    qemu.push('-chardev', `pipe,id=host,path=${host},mux=on`, '-serial', 'chardev:host');
    const where = `host=127.0.0.1,port=${calls.port},localaddr=127.0.0.1`;
    qemu.push('-chardev', `udp,id=calls,${where},mux=on`, '-serial', 'chardev:calls');
    qemu.push('-monitor', `unix:${join(folder, 'monitor')}`);
    child = spawn('sh', ['-c', GUARD, 'sh', ...qemu], { stdio: ['pipe', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr!.on('data', (text) => {
      complaint += text;
    });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    const monitor = await Promise.race([
      inTime(once(server, 'connection') as Promise<[Socket]>, 'QEMU does not open its monitor'),
      ended.then(([code]) => `it ended with ${code}: ${complaint.trim().split('\n').at(-1)}`),
    ]);
    if (typeof monitor === 'string') throw cannotStart(monitor);
    const [socket] = monitor;
    lines.push(socket);
    // QEMU that ends closes its end.
    socket.on('error', () => {});
    socket.resume();
    let closing = false;
    ended.then(([code]) => {
      if (!closing) process.emitWarning(`QEMU has ended with ${code}: the board is gone ${complaint}`);
    });
    return {
      toBoard,
      toHost,
      calls,
      monitor: socket,
      async close() {
        closing = true;
        tidy();
        await ended;
      },
    };
  } catch (error) {
    tidy();
    throw error;
  }
}

/** A FIFO opened both ways, so that it neither waits for QEMU nor ends with it. */
function openFifo(path: string, ways: { readable: boolean; writable: boolean }): Socket {
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const fifo = new Socket({ fd, ...ways });
  fifo.on('error', () => {});
  return fifo;
}

/** Datagrams between the second UART and us. The firmware asks again for what is lost of them. */
class CallLine {
  readonly #socket = createSocket('udp4');
  #board: number | undefined;

  static async open(): Promise<CallLine> {
    const line = new CallLine();
    line.#socket.bind(0, '127.0.0.1');
    await once(line.#socket, 'listening');
    // The board sends one byte a datagram.
    line.#socket.setRecvBufferSize(1 << 20);
    return line;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#socket.on('message', (bytes, { port }) => {
      this.#board ??= port;
      if (port === this.#board) listener(bytes);
    });
  }

  write(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.#board, '127.0.0.1');
  }

  destroy(): void {
    this.#socket.close();
  }
}

function cannotStart(why: string): MemloopError {
  const missing = /not found/.test(why);
  return new MemloopError(
    'service',
    missing
      ? 'qemu-system-arm is not installed; on Debian: apt install qemu-system-arm'
      : `QEMU does not run: ${why}`,
  );
}

/** The promise's result, or after 30 s the error `service` with the complaint. */
export function inTime<T>(promise: Promise<T>, complaint: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new MemloopError('service', complaint));
    const timer = setTimeout(late, START_TIMEOUT);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
