/**
 * AD5676R: eight DACs of 16 bits. Frames of 24 bits, command << 20 | channel << 16 | code, taken when the select line goes
 * high; frames of another length do nothing. Commands as in Linux's drivers/iio/dac/ad5686.h.
 */
import type { SpiChip } from './chip.js';

const FRAME = 3;
const CHANNELS = 8;
/** After a reset with RSTSEL high. Recalled from the data sheet and not confirmed. */
const MIDDLE = 0x8000;

export class Ad5676 implements SpiChip {
  /** What the outputs stand at. */
  readonly codes = new Uint16Array(CHANNELS).fill(MIDDLE);
  readonly #input = new Uint16Array(CHANNELS).fill(MIDDLE);
  readonly #moves: (channels: number) => void;
  #frame: number[] = [];
  #answer: readonly number[] = [0, 0, 0];
  #next: readonly number[] = [0, 0, 0];

  /** @param moves is told, one bit a channel, which outputs are about to change */
  constructor(moves: (channels: number) => void) {
    this.#moves = moves;
  }

  reset(): void {
    this.#moves((1 << CHANNELS) - 1);
    this.codes.fill(MIDDLE);
    this.#input.fill(MIDDLE);
    this.#next = [0, 0, 0];
  }

  /** LDAC goes low: all outputs take what was written. */
  load(): void {
    this.#moves((1 << CHANNELS) - 1);
    this.codes.set(this.#input);
  }

  select(): void {
    this.#frame = [];
    this.#answer = this.#next;
    this.#next = [0, 0, 0];
  }

  exchange(byte: number): number {
    return this.#answer[this.#frame.push(byte) - 1] ?? 0;
  }

  deselect(): void {
    if (this.#frame.length !== FRAME) return;
    const [first, high, low] = this.#frame;
    const command = first >> 4;
    const channel = first & 0xf;
    if (channel >= CHANNELS) return;
    const code = (high << 8) | low;
    if (command === 1 || command === 3) this.#input[channel] = code;
    if (command === 2 || command === 3) {
      this.#moves(1 << channel);
      this.codes[channel] = this.#input[channel];
    } else if (command === 6) this.reset();
    else if (command === 9) this.#next = [0, this.codes[channel] >> 8, this.codes[channel] & 0xff];
  }
}
