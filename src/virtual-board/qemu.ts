/**
 * A board in QEMU: the firmware that a Cortex-M4 runs, on an emulated STM32F405, over the same simulated physics
 * as the virtual board.
 *
 *     host ◄─bytes─► USART1 ┌──────┐ USART2 ◄─calls─► SimulatedFrontEnd
 *          (FIFOs)          │ QEMU │ (UDP)
 *                           └──────┘ monitor ◄─ reboot, quit
 *
 * The calls are those of firmware-protocol/firmware/ports/netduinoplus2/front-end.c.
 *
 * What each line is made of decides its speed. QEMU writes the bytes of a UART one by one, which costs least in a
 * FIFO, and reads them one by one from anything but a datagram. So the host's line, on which the board says most,
 * is a pair of FIFOs, and the calls, of which the board hears most, are datagrams.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { constants, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encodeRawFrame, type Frame, FrameDecoder } from '../../firmware-protocol/frame.js';
import { encodePayload, MAX_PAYLOAD } from '../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../shared/errors.js';
import { TraceFile, type VirtualBoard, type VirtualBoardOptions } from './board.js';
import { loadFaults, parseFaults } from './faults.js';
import { faultyBoard } from './faulty-board.js';
import type { AnalogFrontEnd } from './firmware.js';
import { SimulatedFrontEnd } from './physics/front-end.js';
import { loadProfile, type Profile } from './profile.js';

/** Cells whose pulses the firmware counts (ML_CELLS in build.sh). */
const MAX_CELLS = 16_384;
/** A host that takes nothing for so long, ms, loses bytes, as on a line without flow control. */
const PATIENCE = 1000;
/** Longest that the bytes of a frame wait for its end, ms: passed on together they cost less. */
const LATENCY = 5;
const START_TIMEOUT = 30_000; // ms

const CALLS = {
  describe: 0x20,
  boardSerial: 0x21,
  arraySerial: 0x22,
  entropy: 0x23,
  status: 0x24,
  linesToZero: 0x25,
  pulses: 0x26,
  readCell: 0x27,
  readRow: 0x28,
  multiply: 0x29,
  reference: 0x2a,
  neuronsBegin: 0x2b,
  neuronsSample: 0x2c,
} as const;
export type FrontEndCall = keyof typeof CALLS;
/** Bytes of each of the pulses in a call. */
const PULSE_SIZE = 7;
const CALL_NAMES = new Map(Object.entries(CALLS).map(([name, id]) => [id as number, name as FrontEndCall]));

export interface QemuBoardOptions extends Omit<VirtualBoardOptions, 'realTime'> {
  /** The firmware; default what `npm run firmware:netduinoplus2` makes. */
  firmware?: string | undefined;
  /** Told of every call of the front end, with the board's clock (µs, 32 bits, wrapping). */
  onCall?: ((call: FrontEndCall, time: number) => void) | undefined;
  /** Told, about 50 times a second, the most bytes of its stack that the firmware ever used. */
  onStackUsed?: ((bytes: number) => void) | undefined;
}

/**
 * `close` of the board returns a promise. Errors: `bad-input` for the profile and the faults, `bad-file` without
 * the firmware, `service` without QEMU, `disk` for the trace.
 */
export async function startQemuBoard(options: QemuBoardOptions): Promise<VirtualBoard> {
  const profile = typeof options.profile === 'string' ? loadProfile(options.profile) : options.profile;
  const cells = profile.arrays * profile.rows * profile.columns;
  if (cells > MAX_CELLS) {
    throw new MemloopError(
      'bad-input',
      `the profile has ${cells} cells and this microcontroller counts the pulses of ${MAX_CELLS}: give a smaller one`,
    );
  }
  const firmware = options.firmware ?? defaultFirmware();
  if (!existsSync(firmware)) {
    throw new MemloopError(
      'bad-file',
      `no firmware at ${firmware}: run \`npm run firmware:netduinoplus2\` (needs gcc-arm-none-eabi and libnewlib-arm-none-eabi)`,
    );
  }
  const { trace, faults } = options;
  const schedule = typeof faults === 'string' ? loadFaults(faults) : faults && parseFaults(faults, 'given');
  const file = typeof trace === 'string' ? new TraceFile(trace) : undefined;
  const frontEnd = new SimulatedFrontEnd(profile, {
    seed: options.seed ?? 1,
    boot: options.boot,
    onPulse: typeof trace === 'function' ? trace : file?.add,
  });
  try {
    const machine = await startMachine(firmware);
    const board = new QemuBoard(profile, frontEnd, machine, file, options);
    await inTime(board.started, `${firmware} does not start; is it a firmware for netduinoplus2?`).catch(
      async (error) => {
        await machine.close();
        throw error;
      },
    );
    return schedule ? faultyBoard(board, schedule) : board;
  } catch (error) {
    file?.close();
    throw error;
  }
}

function defaultFirmware(): string {
  const root = dirname(createRequire(import.meta.url).resolve('memloop/package.json'));
  return join(root, 'dist/firmware/netduinoplus2.elf');
}

class QemuBoard implements VirtualBoard {
  readonly profile: Profile;
  readonly frontEnd: SimulatedFrontEnd;
  /** Before its first call the firmware does not listen to the host either. */
  readonly started: Promise<void>;
  readonly #machine: Machine;
  readonly #trace: TraceFile | undefined;
  readonly #options: QemuBoardOptions;
  #last: { sequence: number; reply: Uint8Array } | undefined;

  constructor(
    profile: Profile,
    frontEnd: SimulatedFrontEnd,
    machine: Machine,
    trace: TraceFile | undefined,
    options: QemuBoardOptions,
  ) {
    this.profile = profile;
    this.frontEnd = frontEnd;
    this.#machine = machine;
    this.#trace = trace;
    this.#options = options;
    const decoder = new FrameDecoder<Call>(decodeCall);
    this.started = new Promise((resolve) => {
      machine.calls.onData((bytes) => {
        resolve();
        for (const frame of decoder.push(bytes)) {
          options.onCall?.(frame.message.name, frame.session);
          const reply = this.#answer(frame);
          // What was applied is on disk before the board hears of it.
          trace?.flush();
          machine.calls.write(reply);
        }
      });
    });
  }

  write(bytes: Uint8Array): void | Promise<void> {
    const { toBoard } = this.#machine;
    if (toBoard.destroyed || toBoard.write(bytes)) return;
    return new Promise((resolve) => {
      toBoard.once('drain', resolve);
      toBoard.once('close', () => resolve());
    });
  }

  /** While the listener is busy the emulated board stands still, but not for long: its dead-man must run. */
  onData(listener: (bytes: Uint8Array) => void | Promise<void>): void {
    const { toHost } = this.#machine;
    let busy = false;
    let pieces: Uint8Array[] = [];
    let late: NodeJS.Timeout | undefined;
    const deliver = () => {
      clearTimeout(late);
      late = undefined;
      const taken = listener(Buffer.concat(pieces));
      pieces = [];
      if (!taken) return;
      busy = true;
      toHost.pause();
      const resume = setTimeout(() => toHost.resume(), PATIENCE);
      taken.then(() => {
        clearTimeout(resume);
        busy = false;
        toHost.resume();
      });
    };
    toHost.removeAllListeners('data');
    toHost.on('data', (bytes) => {
      if (busy) return;
      pieces.push(bytes);
      const ended = bytes[bytes.length - 1] === 0;
      if (ended) deliver();
      else late ??= setTimeout(deliver, LATENCY);
    });
    toHost.resume();
  }

  elapse(time: number): void {
    this.frontEnd.elapse(time);
  }

  reboot(): void {
    this.#machine.monitor.write('system_reset\n');
  }

  hang(time: number): void {
    const { monitor } = this.#machine;
    monitor.write('stop\n');
    setTimeout(() => monitor.write('cont\n'), time * 1e3).unref();
  }

  async close(): Promise<void> {
    await this.#machine.close();
    this.#trace?.close();
  }

  /** Each call is executed once: one that comes again, for its reply was late, gets the same reply. */
  #answer({ message, sequence }: Frame<Call>): Uint8Array {
    if (this.#last?.sequence !== sequence || message.name === 'describe') {
      const fault = (this.frontEnd as AnalogFrontEnd).fault?.() ?? 0;
      const reply = encodeRawFrame(CALLS[message.name] | 0x80, fault, sequence, this.#do(message));
      this.#last = { sequence, reply };
    }
    return this.#last!.reply;
  }

  #do({ name, arguments: at }: Call): Uint8Array {
    const { frontEnd, profile } = this;
    const u8 = (offset: number) => at.getUint8(offset);
    const u16 = (offset: number) => at.getUint16(offset, true);
    const i16 = (offset: number) => at.getInt16(offset, true);
    const codes = (offset: number, count: number) =>
      Int16Array.from({ length: count }, (_, i) => i16(offset + 2 * i));
    switch (name) {
      case 'describe': {
        const payload = new DataView(new ArrayBuffer(MAX_PAYLOAD));
        const end = encodePayload({ name: 'DescribeReply', ...frontEnd.description }, payload, 0);
        return new Uint8Array(payload.buffer, 0, end);
      }
      case 'boardSerial':
        return new TextEncoder().encode(frontEnd.boardSerial);
      case 'arraySerial':
        return new TextEncoder().encode(frontEnd.arraySerial(u8(0)));
      case 'entropy':
        return new Uint8Array(Uint32Array.of(frontEnd.entropy()).buffer);
      case 'status':
        this.#options.onStackUsed?.(at.getUint32(0, true));
        return NOTHING;
      case 'linesToZero':
        frontEnd.linesToZero();
        return NOTHING;
      case 'pulses':
        for (let o = 0; o + PULSE_SIZE <= at.byteLength; o += PULSE_SIZE)
          frontEnd.pulse(u8(o), u8(o + 1), u8(o + 2), i16(o + 3), u16(o + 5));
        return NOTHING;
      case 'readCell': {
        const counts = new Int16Array(profile.columns);
        frontEnd.readRow(u8(0), u8(1), i16(3), u8(5), counts);
        return bytesOf(counts.subarray(u8(2), u8(2) + 1));
      }
      case 'readRow': {
        const counts = new Int16Array(profile.columns);
        frontEnd.readRow(u8(0), u8(1), i16(2), u8(4), counts);
        return bytesOf(counts);
      }
      case 'multiply': {
        const counts = new Int16Array(profile.columns);
        frontEnd.multiply(u8(0), u8(1), u8(2), codes(3, profile.rows), counts);
        return bytesOf(counts);
      }
      case 'reference':
        return bytesOf(Int16Array.of(frontEnd.reference(u8(0), u8(1), u8(2), u8(3), u8(4), i16(5))));
      case 'neuronsBegin': {
        const pulses = u8(0);
        const steps = Uint16Array.from({ length: pulses }, (_, i) => u16(1 + 2 * i));
        frontEnd.neuronsBegin(steps, codes(1 + 2 * pulses, pulses * profile.neurons));
        return NOTHING;
      }
      case 'neuronsSample': {
        const counts = new Int16Array(u16(0) * profile.neurons);
        frontEnd.neuronsSample(u16(0), u16(2), counts);
        return bytesOf(counts);
      }
    }
  }
}

interface Call {
  name: FrontEndCall;
  arguments: DataView;
}

const NOTHING = new Uint8Array(0);
/** Typed arrays are little-endian on every machine that Node runs on, as the frames are. */
const bytesOf = (counts: Int16Array) => new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength);

function decodeCall(type: number, view: DataView, from: number, to: number): Call | undefined {
  const name = CALL_NAMES.get(type);
  return name && { name, arguments: new DataView(view.buffer.slice(from, to)) };
}

function inTime<T>(promise: Promise<T>, complaint: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new MemloopError('service', complaint));
    const timer = setTimeout(late, START_TIMEOUT);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

interface Machine {
  readonly toBoard: Socket;
  readonly toHost: Socket;
  readonly calls: CallLine;
  readonly monitor: Socket;
  close(): Promise<void>;
}

/**
 * Ends QEMU when this process is gone, however it went: standard input is closed then. It has nothing to save and may be
 * stuck, hence not by asking.
 */
const GUARD = `exec 3<&0
"$@" < /dev/null & qemu=$!
{ cat <&3 > /dev/null; kill -KILL $qemu; } 2> /dev/null & guard=$!
wait $qemu; code=$?
kill $guard 2> /dev/null
exit $code`;

async function startMachine(firmware: string): Promise<Machine> {
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

/** Opened both ways, so that it neither waits for QEMU nor ends with it. */
function openFifo(path: string, ways: { readable: boolean; writable: boolean }): Socket {
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const fifo = new Socket({ fd, ...ways });
  fifo.on('error', () => {});
  return fifo;
}

/** Datagrams between the second UART and us. What is lost of them is asked again. */
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
