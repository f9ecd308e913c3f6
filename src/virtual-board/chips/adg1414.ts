/**
 * ADG1414: eight switches, in a chain of such chips. Bytes shift through the chain, so that the last one stays in the first
 * chip; when the select line goes high all switches take what is in the chain. A reset opens them (recalled from the data
 * sheet and not confirmed).
 */
import type { SpiChip } from './chip.js';

export class Adg1414Chain implements SpiChip {
  /** One byte a chip, the first of the chain first; bit n: switch n is closed. */
  readonly closed: Uint8Array;
  readonly #shift: Uint8Array;
  readonly #moves: () => void;

  /** @param moves is told that switches are about to move */
  constructor(chips: number, moves: () => void) {
    this.closed = new Uint8Array(chips);
    this.#shift = new Uint8Array(chips);
    this.#moves = moves;
  }

  reset(): void {
    this.#moves();
    this.closed.fill(0);
    this.#shift.fill(0);
  }

  select(): void {}

  exchange(byte: number): number {
    const out = this.#shift[this.#shift.length - 1];
    this.#shift.copyWithin(1, 0);
    this.#shift[0] = byte;
    return out;
  }

  deselect(): void {
    this.#moves();
    this.closed.set(this.#shift);
  }
}
