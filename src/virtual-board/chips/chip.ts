/** A chip on a serial bus, byte by byte. Another part on the board is another file here that implements this. */
export interface SpiChip {
  /** Its select line goes low: a frame begins. */
  select(): void;
  /** A byte goes in, most significant bit first, and one comes out. */
  exchange(byte: number): number;
  /** Its select line goes high: the frame ends. */
  deselect(): void;
}
