/** What rp2040js does not have of the RP2040 and the firmware uses. */
import { BasePeripheral, type RP2040 } from 'rp2040js';

/** The ring oscillator, whose random bit is the firmware's entropy. */
export class RandomOscillator extends BasePeripheral {
  readonly #random: () => number;
  #bits = 0;
  #left = 0;

  constructor(chip: RP2040, random: () => number) {
    super(chip, 'ROSC');
    this.#random = random;
  }

  override readUint32(offset: number): number {
    if (offset !== 0x1c) return 0;
    if (this.#left === 0) {
      this.#bits = this.#random();
      this.#left = 32;
    }
    this.#left--;
    return (this.#bits >>> this.#left) & 1;
  }
}

const READ_ID = 0x4b;
const DUMMIES = 4;
/** Bits that a frame has, and the mode, of the first control register. */
const BYTES = 7;

/** The flash chip's serial port. Only its number can be read; the program is read by the chip's own cache. */
export class FlashPort extends BasePeripheral {
  readonly #id: Uint8Array;
  readonly #registers = new Map<number, number>();
  readonly #answers: number[] = [];
  #sent = 0;
  #command = 0;
  /** The select line, which the firmware forces. */
  readonly pins: BasePeripheral;

  constructor(chip: RP2040, id: Uint8Array) {
    super(chip, 'SSI');
    this.#id = id;
    this.pins = new SelectPin(chip, () => {
      this.#sent = 0;
    });
  }

  override readUint32(offset: number): number {
    if (offset === 0x28) return (this.#answers.length > 0 ? 1 << 3 : 0) | (1 << 2) | (1 << 1);
    if (offset === 0x60) return this.#answers.shift() ?? 0;
    return this.#registers.get(offset) ?? 0;
  }

  override writeUint32(offset: number, value: number): void {
    if (offset === 0x60) this.#byte(value & 0xff);
    else this.#registers.set(offset, value);
  }

  #byte(value: number): void {
    const place = this.#sent++;
    if (place === 0) this.#command = value;
    const bytes = (this.#registers.get(0) ?? 0) >> 16 === BYTES && this.#registers.get(8) === 1;
    const id = place - 1 - DUMMIES;
    const answers = bytes && this.#command === READ_ID && id >= 0;
    this.#answers.push(answers ? (this.#id[id] ?? 0xff) : 0xff);
  }
}

class SelectPin extends BasePeripheral {
  readonly #fell: () => void;
  #control = 0;

  constructor(chip: RP2040, fell: () => void) {
    super(chip, 'IO_QSPI');
    this.#fell = fell;
  }

  override readUint32(): number {
    return this.#control;
  }

  override writeUint32(_offset: number, value: number): void {
    this.#control = value;
    if (((value >> 8) & 3) === 2) this.#fell();
  }
}
