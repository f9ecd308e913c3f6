/**
 * A board in QEMU: the firmware that a Cortex-M4 runs, on an emulated STM32F405, over the same simulated physics
 * as the virtual board.
 *
 *     host ◄─bytes─► USART1 ┌──────┐ USART2 ◄─calls─► SimulatedFrontEnd
 *                           │ QEMU │
 *                           └──────┘ monitor ◄─ reboot, quit
 *
 * All three are Unix sockets that QEMU connects to. The calls are those of
 * firmware-protocol/firmware/ports/netduinoplus2/front-end.c.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encodeRawFrame, type Frame, FrameDecoder } from '../../firmware-protocol/frame.js';
import { encodePayload, MAX_PAYLOAD } from '../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../errors.js';
import { TraceFile, type VirtualBoard, type VirtualBoardOptions } from './board.js';
import { loadFaults, parseFaults } from './faults.js';
import { faultyBoard } from './faulty-board.js';
import type { AnalogFrontEnd } from './firmware.js';
import { SimulatedFrontEnd } from './front-end.js';
import { loadProfile, type Profile } from './profile.js';

/** Cells whose pulses the firmware counts (ML_CELLS in build.sh). */
const MAX_CELLS = 16_384;
/** A host that takes nothing for so long, ms, loses bytes, as on a line without flow control. */
const PATIENCE = 250;
const START_TIMEOUT = 30_000; // ms

const CALLS = {
  describe: 0x20,
  boardSerial: 0x21,
  arraySerial: 0x22,
  entropy: 0x23,
  status: 0x24,
  linesToZero: 0x25,
  pulse: 0x26,
  readRow: 0x27,
  multiply: 0x28,
  reference: 0x29,
  neuronsBegin: 0x2a,
  neuronsSample: 0x2b,
} as const;
export type FrontEndCall = keyof typeof CALLS;
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
    const { calls } = machine.sockets;
    this.started = once(calls, 'data').then(() => {});
    const decoder = new FrameDecoder<Call>(decodeCall);
    calls.on('data', (bytes) => {
      for (const frame of decoder.push(bytes)) {
        options.onCall?.(frame.message.name, frame.session);
        calls.write(this.#answer(frame));
      }
      trace?.flush();
    });
  }

  write(bytes: Uint8Array): void | Promise<void> {
    const { host } = this.#machine.sockets;
    if (host.destroyed || host.write(bytes)) return;
    return new Promise((resolve) => {
      host.once('drain', resolve);
      host.once('close', () => resolve());
    });
  }

  /** While the listener is busy the emulated board stands still, but not for long: its dead-man must run. */
  onData(listener: (bytes: Uint8Array) => void | Promise<void>): void {
    const { host } = this.#machine.sockets;
    let busy = false;
    host.removeAllListeners('data');
    host.on('data', (bytes) => {
      if (busy) return;
      const taken = listener(bytes);
      if (!taken) return;
      busy = true;
      host.pause();
      const resume = setTimeout(() => host.resume(), PATIENCE);
      taken.then(() => {
        clearTimeout(resume);
        busy = false;
        host.resume();
      });
    });
    host.resume();
  }

  elapse(time: number): void {
    this.frontEnd.elapse(time);
  }

  reboot(): void {
    this.#machine.sockets.monitor.write('system_reset\n');
  }

  hang(time: number): void {
    const { monitor } = this.#machine.sockets;
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
      case 'pulse':
        frontEnd.pulse(u8(0), u8(1), u8(2), i16(3), u16(5));
        return NOTHING;
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
const bytesOf = (counts: Int16Array) => new Uint8Array(counts.buffer);

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
  readonly sockets: { host: Socket; calls: Socket; monitor: Socket };
  close(): Promise<void>;
}

/** Ends QEMU when this process is gone, however it went: standard input is closed then. */
const GUARD = `exec 3<&0
"$@" < /dev/null & qemu=$!
{ cat <&3 > /dev/null; kill $qemu; } 2> /dev/null & guard=$!
wait $qemu; code=$?
kill $guard 2> /dev/null
exit $code`;

async function startMachine(firmware: string): Promise<Machine> {
  const folder = mkdtempSync(join(tmpdir(), 'memloop-qemu-'));
  const servers: Server[] = [];
  let child: ChildProcess | undefined;
  try {
    const [host, calls, monitor] = await Promise.all(
      ['host', 'calls', 'monitor'].map(async (name) => {
        const server = createServer({ pauseOnConnect: name === 'host' });
        servers.push(server);
        server.listen(join(folder, name));
        await once(server, 'listening');
        // A multiplexer takes 32 bytes at a time where a UART by itself would take one.
        const mux = name === 'monitor' ? 'off' : 'on';
        return { server, device: `socket,id=${name},path=${join(folder, name)},mux=${mux}` };
      }),
    );
    const qemu = ['qemu-system-arm', '-machine', 'netduinoplus2', '-kernel', firmware];
    // The multiplexer's escape character is none of the 256, so that all of them pass.
    qemu.push('-display', 'none', '-nodefaults', '-echr', '256');
    for (const { device } of [host, calls, monitor]) qemu.push('-chardev', device);
    qemu.push('-serial', 'chardev:host', '-serial', 'chardev:calls', '-monitor', 'chardev:monitor');
    child = spawn('sh', ['-c', GUARD, 'sh', ...qemu], { stdio: ['pipe', 'ignore', 'pipe'] });
    const { stderr } = child;
    let complaint = '';
    stderr!.on('data', (text) => {
      complaint += text;
    });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    const connected = Promise.all(
      [host, calls, monitor].map(async ({ server }) => {
        const [socket] = (await once(server, 'connection')) as [Socket];
        // QEMU that ends closes its sockets; 'close' follows.
        socket.on('error', () => {});
        return socket;
      }),
    );
    const sockets = await Promise.race([
      inTime(connected, 'QEMU does not open its UARTs'),
      ended.then(([code]) => `it ended with ${code}: ${complaint.trim().split('\n').at(-1)}`),
    ]);
    if (typeof sockets === 'string') throw cannotStart(sockets);
    const [hostSocket, callSocket, monitorSocket] = sockets;
    monitorSocket.resume();
    const { stdin } = child;
    let closing = false;
    ended.then(([code]) => {
      if (!closing) process.emitWarning(`QEMU has ended with ${code}: the board is gone ${complaint}`);
    });
    return {
      sockets: { host: hostSocket, calls: callSocket, monitor: monitorSocket },
      async close() {
        closing = true;
        stdin!.end();
        for (const socket of sockets) socket.destroy();
        for (const server of servers) server.close();
        await ended;
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    child?.stdin?.end();
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true, force: true });
    throw error;
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
