/**
 * The board's firmware, compiled from firmware-protocol/firmware to WebAssembly: the same C that runs on a
 * microcontroller. One instance is one board; what it is wired to is an AnalogFrontEnd.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  type DescribeReply,
  encodePayload,
  MAX_PAYLOAD,
} from '../../firmware-protocol/generated/protocol.js';
import type { Machine } from './machine.js';

/** What the firmware finds at its pins. Codes and widths are within the described limits: the core checks. */
export interface AnalogFrontEnd {
  /** Read once, at boot. */
  readonly description: Omit<DescribeReply, 'name'>;
  readonly firmwareVersion: string;
  readonly boardSerial: string;
  arraySerial(array: number): string;
  /** µs; only differences are used, and only 32 bits of them. */
  now(): number;
  /** 32 bits that differ from boot to boot. */
  entropy(): number;
  /** 0 while all is well, else a code of what is wrong: lines are then kept at 0 V and nothing is done. */
  fault?(): number;
  /** All row and column lines and neuron drives to 0 V. */
  linesToZero(): void;
  /** width in 0.1 µs */
  pulse(array: number, row: number, column: number, code: number, width: number): void;
  /** counts[columns]: currents of the row's cells in range 0. */
  readRow(array: number, row: number, code: number, samples: number, counts: Int16Array): void;
  /** codes[rows] → counts[columns] */
  multiply(array: number, range: number, samples: number, codes: Int16Array, counts: Int16Array): void;
  /** reference OPEN_PATH: no resistor, the path is open. */
  reference(
    row: number,
    column: number,
    reference: number,
    range: number,
    samples: number,
    code: number,
  ): number;
  /** Neurons to rest, stimulus loaded: drives[pulses × neurons] at pulseSteps[pulses]. */
  neuronsBegin(pulseSteps: Uint16Array, drives: Int16Array): void;
  /** Runs on and samples: counts[samples × neurons], one sample after every `decimation` steps. */
  neuronsSample(samples: number, decimation: number, counts: Int16Array): void;
}

/** What a firmware in WebAssembly gives. */
export interface FirmwareExports {
  memory: WebAssembly.Memory;
  received(): number;
  receivedSize(): number;
  boot(): void;
  receive(count: number): void;
  poll(): number;
}

/** Memory of an instance, there once it has been made. */
export interface FirmwareMemory {
  buffer: ArrayBuffer;
  bytes: Uint8Array;
}

const compiled = new Map<string, WebAssembly.Module>();

function moduleOf(asset: string): WebAssembly.Module {
  let module = compiled.get(asset);
  if (!module) {
    module = new WebAssembly.Module(readFileSync(createRequire(import.meta.url).resolve(`#assets/${asset}`)));
    compiled.set(asset, module);
  }
  return module;
}

export const writeText = ({ bytes }: FirmwareMemory, value: string, at: number, max: number): number =>
  new TextEncoder().encodeInto(value, bytes.subarray(at, at + max)).written;

/** A firmware in WebAssembly. It never calls its imports but from `boot`, `receive` and `poll`. */
export class WasmFirmware implements Machine {
  readonly #exports: FirmwareExports;
  readonly #received: Uint8Array;

  /** @param imports what the firmware asks for, given its memory */
  constructor(
    asset: string,
    imports: (memory: FirmwareMemory) => Record<string, (...numbers: number[]) => unknown>,
  ) {
    const memory: FirmwareMemory = { buffer: new ArrayBuffer(0), bytes: new Uint8Array(0) };
    const instance = new WebAssembly.Instance(moduleOf(asset), { hal: imports(memory) });
    this.#exports = instance.exports as unknown as FirmwareExports;
    memory.buffer = this.#exports.memory.buffer;
    memory.bytes = new Uint8Array(memory.buffer);
    this.#received = memory.bytes.subarray(
      this.#exports.received(),
      this.#exports.received() + this.#exports.receivedSize(),
    );
  }

  /** Power on or reset: a new boot id, no session, all lines at 0 V. */
  boot(): void {
    this.#exports.boot();
  }

  /** Bytes from the host. What they ask for is done in `poll`. */
  receive(bytes: Uint8Array): void {
    const size = this.#received.length;
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size);
      this.#received.set(piece);
      this.#exports.receive(piece.length);
    }
  }

  /**
   * Does a little work: one cell operation, row, vector or frame of samples. True if something was done, so
   * that there may be more; after false, call again when bytes arrive, when there is room to transmit, or
   * after about a millisecond (the dead-man needs it).
   */
  poll(): boolean {
    return this.#exports.poll() !== 0;
  }
}

/** One board's firmware. Arrays that it hands to the front end are views of its memory, valid during the call only. */
export class Firmware extends WasmFirmware {
  /**
   * @param transmit takes bytes for the host, its own to keep; never more than `transmitSpace()` at once
   * @param transmitSpace bytes that `transmit` can take now; without it, any number
   */
  constructor(
    frontEnd: AnalogFrontEnd,
    transmit: (bytes: Uint8Array) => void,
    transmitSpace: () => number = () => 0xffffffff,
  ) {
    const { rows, columns, neurons } = frontEnd.description;
    super('firmware.wasm', (memory) => {
      const int16 = (at: number, count: number) => new Int16Array(memory.buffer, at, count);
      return {
        description: (at: number) =>
          encodePayload(
            { name: 'DescribeReply', ...frontEnd.description },
            new DataView(memory.buffer, at, MAX_PAYLOAD),
            0,
          ),
        firmwareVersion: (at: number, max: number) => writeText(memory, frontEnd.firmwareVersion, at, max),
        boardSerial: (at: number, max: number) => writeText(memory, frontEnd.boardSerial, at, max),
        arraySerial: (array: number, at: number, max: number) =>
          writeText(memory, frontEnd.arraySerial(array), at, max),
        now: () => frontEnd.now(),
        entropy: () => frontEnd.entropy(),
        fault: () => frontEnd.fault?.() ?? 0,
        transmitSpace,
        transmit: (at: number, count: number) => transmit(memory.bytes.slice(at, at + count)),
        linesToZero: () => frontEnd.linesToZero(),
        pulse: (array: number, row: number, column: number, code: number, width: number) =>
          frontEnd.pulse(array, row, column, code, width),
        readRow: (array: number, row: number, code: number, samples: number, counts: number) =>
          frontEnd.readRow(array, row, code, samples, int16(counts, columns)),
        multiply: (array: number, range: number, samples: number, codes: number, counts: number) =>
          frontEnd.multiply(array, range, samples, int16(codes, rows), int16(counts, columns)),
        reference: (
          row: number,
          column: number,
          reference: number,
          range: number,
          samples: number,
          code: number,
        ) => frontEnd.reference(row, column, reference, range, samples, code),
        neuronsBegin: (pulses: number, pulseSteps: number, drives: number) =>
          frontEnd.neuronsBegin(
            new Uint16Array(memory.buffer, pulseSteps, pulses),
            int16(drives, pulses * neurons),
          ),
        neuronsSample: (samples: number, decimation: number, counts: number) =>
          frontEnd.neuronsSample(samples, decimation, int16(counts, samples * neurons)),
      };
    });
  }
}
