/**
 * The front end's C as WebAssembly on the same circuit that the emulated Pico has: the fast way to test it. Frames take the
 * time of their bits, waits end with a turn of the clock of microseconds, as in the port to the RP2040.
 */
import { randomInt } from 'node:crypto';
import { DEVICES, NUMBERS, PINS, SELECT } from '../../../firmware-protocol/generated/wiring.js';
import { Random } from '../../model/random.js';
import { WasmFirmware, writeText } from '../firmware.js';
import type { Circuit } from './circuit.js';

/** Of a frame beside its bits, of a pin, and of a byte, in whole ns. */
const FRAME_TIME = 900;
const PIN_TIME = 100;
const BYTE_TIME = (8 * 1e9) / NUMBERS.SPI_CLOCK_HZ;
const MICRO = 1000;

export interface PortableOptions {
  /** Makes boot ids repeatable. */
  boot?: number | undefined;
  seed: number;
  transmit: (bytes: Uint8Array) => void;
  space: () => number;
}

/** Time that its operations took. */
export class BusClock {
  nanos = 0;

  /** s */
  get time(): number {
    return this.nanos * 1e-9;
  }
}

export function portableFirmware(circuit: Circuit, clock: BusClock, options: PortableOptions): WasmFirmware {
  const { boot, seed, transmit, space } = options;
  const boots = boot === undefined ? undefined : new Random(seed).fork('noise').fork(`boot ${boot}`);
  const serial = `PICO-${circuit.identity}`;
  /** End of the last frame, ns. */
  let ended = 0;
  return new WasmFirmware('front-end.wasm', (memory) => ({
    firmwareVersion: (at, max) => writeText(memory, '0.1.0-pico', at, max),
    boardSerial: (at, max) => writeText(memory, serial, at, max),
    arraySerial: (_array, at, max) => writeText(memory, `${serial}-A0`, at, max),
    // It runs on what operations take and on ours, so that the dead-man notices a silent host.
    now: () => (clock.nanos / MICRO + performance.now() * 1e3) >>> 0,
    entropy: () => (boots ? boots.integer(2 ** 32) : randomInt(2 ** 32)),
    transmitSpace: space,
    transmit: (at, count) => transmit(memory.bytes.slice(at, at + count)),
    exchange: (device, at, count) => {
      const pin = SELECT[DEVICES[device]];
      circuit.pin(pin, false);
      for (let i = at; i < at + count; i++) {
        clock.nanos += BYTE_TIME;
        memory.bytes[i] = circuit.exchange(memory.bytes[i]);
      }
      clock.nanos += FRAME_TIME;
      ended = clock.nanos;
      circuit.pin(pin, true);
    },
    pin: (pin, high) => {
      clock.nanos += PIN_TIME;
      circuit.pin(PINS[pin], high !== 0);
    },
    pinIsHigh: (pin) => Number(circuit.pinIsHigh(PINS[pin])),
    wait: (microseconds) => {
      clock.nanos = (Math.floor(clock.nanos / MICRO) + microseconds + 1) * MICRO;
    },
    waitForEdge: (width, count) => {
      clock.nanos = ended + width * 100 - (count * BYTE_TIME + FRAME_TIME);
    },
  }));
}
