/**
 * ADS8688: an ADC of 16 bits behind eight inputs. A sample is taken as a frame begins, of the channel that the frame before
 * asked for, and comes out in the third and fourth byte. Commands and registers as in Linux's drivers/iio/adc/ti-ads8688.c.
 */
import type { SpiChip } from './chip.js';

const CHANNELS = 8;
const RANGES = 0x05;
const REGISTERS = 0x40;
const NO_OPERATION = 0;
const RESET = 0x85;
const MANUAL = 0xc0;

/** Lowest and highest voltage by the code of the range, V. */
const SPANS: Readonly<Record<number, readonly [number, number]>> = {
  0: [-10.24, 10.24],
  1: [-5.12, 5.12],
  2: [-2.56, 2.56],
  5: [0, 10.24],
  6: [0, 5.12],
};

export class Ads8688 implements SpiChip {
  readonly #sample: (channel: number, span: readonly [number, number]) => number;
  readonly #registers = new Uint8Array(REGISTERS);
  #channel: number | undefined;
  #frame: number[] = [];
  #result = 0;

  /** @param sample the code, 0 to 65535, that a channel shows now with this span of its input */
  constructor(sample: (channel: number, span: readonly [number, number]) => number) {
    this.#sample = sample;
  }

  reset(): void {
    this.#registers.fill(0);
    this.#channel = undefined;
  }

  select(): void {
    this.#frame = [];
    const channel = this.#channel;
    this.#result =
      channel === undefined
        ? 0
        : this.#sample(channel, SPANS[this.#registers[RANGES + channel] & 7] ?? SPANS[0]);
  }

  exchange(byte: number): number {
    const place = this.#frame.push(byte);
    const [command] = this.#frame;
    const register = command >> 1;
    const isRegister = command !== NO_OPERATION && register < REGISTERS;
    if (place === 3) return isRegister ? this.#access(register) : this.#result >> 8;
    return place === 4 && !isRegister ? this.#result & 0xff : 0;
  }

  deselect(): void {
    const [command, second] = this.#frame;
    if (command === RESET && second === 0) this.reset();
    else if ((command & 0xe3) === MANUAL && second === 0) this.#channel = (command >> 2) % CHANNELS;
  }

  /** Writes or reads a register of the program. */
  #access(register: number): number {
    const [command, value] = this.#frame;
    if (command & 1) this.#registers[register] = value;
    return this.#registers[register];
  }
}
