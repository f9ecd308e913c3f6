/**
 * A board in QEMU: the firmware that a Cortex-M4 runs, on an emulated STM32F405, over the same simulated physics
 * as the virtual board.
 *
 *     host ◄─bytes─► USART1 ┌──────┐ USART2 ◄─calls─► SimulatedFrontEnd
 *          (FIFOs)          │ QEMU │ (UDP)
 *                           └──────┘ monitor ◄─ reboot, quit
 *
 * The calls are those of calls.ts; what the lines are made of is said in machine.ts.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { encodeRawFrame, type Frame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import { MemloopError } from '../../shared/errors.js';
import { loadFaults, parseFaults } from '../faults/faults.js';
import { faultyBoard } from '../faults/faulty-board.js';
import type { AnalogFrontEnd } from '../firmware.js';
import { SimulatedFrontEnd } from '../physics/front-end.js';
import { loadProfile, type Profile } from '../profile.js';
import { TraceFile } from '../trace.js';
import type { VirtualBoard, VirtualBoardOptions } from '../types.js';
import { CALLS, type Call, decodeCall, doCall, type FrontEndCall } from './calls.js';
import { inTime, type Machine, startMachine } from './machine.js';

/** Cells whose pulses the firmware counts (ML_CELLS in build.sh). */
const MAX_CELLS = 16_384;
/** After this time, ms, a host that takes nothing loses bytes, as on a line without flow control. */
const PATIENCE = 1000;
/** Longest time that the bytes of a frame wait for its end, ms: passed on together they cost less. */
const LATENCY = 5;

export interface QemuBoardOptions extends Omit<VirtualBoardOptions, 'realTime'> {
  /** The firmware; default what `npm run firmware:netduinoplus2` makes. */
  firmware?: string | undefined;
  /** Told of every call of the front end, with the board's clock (µs, 32 bits, wrapping). */
  onCall?: ((call: FrontEndCall, time: number) => void) | undefined;
  /** Told, about 50 times a second, the largest number of bytes of its stack that the firmware has used. */
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
      if (!(taken instanceof Promise)) return;
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
      const answer = doCall(message, this.frontEnd, this.profile, (bytes) =>
        this.#options.onStackUsed?.(bytes),
      );
      const reply = encodeRawFrame(CALLS[message.name] | 0x80, fault, sequence, answer);
      this.#last = { sequence, reply };
    }
    return this.#last!.reply;
  }
}
