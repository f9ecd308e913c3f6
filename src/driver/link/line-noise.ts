/**
 * How noisy the line is, from the bytes that passed and the frames that were lost, and what follows from it for the
 * size of frames and of the window. On a line that has lost nothing both are as large as the protocol allows.
 */

/** Bytes over which the past counts; a burst of noise is forgotten after a few times as many. */
const MEMORY = 65_536;
/** Bytes taken as passed unhurt before the first one, so that one early loss is not taken for the rule. */
const PRIOR = 4096;
/** Fewest bytes that a rate is told from. */
const LEAST = 1024;
/** Fewer losses than this (they fade) mean a clean line. */
const FORGOTTEN = 0.05;
/** Cost of a request beside its content, bytes: two headers, two checksums, and a share of the round trip. */
const OVERHEAD = 64;

export class LineNoise {
  #bytes = PRIOR;
  #losses = 0;

  /** Bytes that went either way. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    while (this.#bytes > MEMORY) {
      this.#bytes /= 2;
      this.#losses /= 2;
    }
  }

  /** Bytes of frames whose fate will not show: the board ignored them. */
  wasted(bytes: number): void {
    this.#bytes = Math.max(this.#bytes - bytes, LEAST);
  }

  /** A frame was damaged or did not arrive. */
  lost(): void {
    this.#losses += 1;
  }

  /** Chance that a byte spoils the frame it is in. */
  get rate(): number {
    return this.#losses < FORGOTTEN ? 0 : this.#losses / this.#bytes;
  }

  /**
   * Size of a request with its answer, bytes, at which throughput is highest. Of L bytes with overhead h, a share of
   * L / (L + h) is content and exp(−p (L + h)) arrives; for p h ≪ 1 the product is highest at L = √(h/p).
   */
  get budget(): number {
    return Math.sqrt(OVERHEAD / this.rate);
  }

  /** Requests on their way at once, out of `most`: as a rule, one of them is lost at a time. */
  window(most: number): number {
    if (this.rate === 0) return most;
    const lost = 1 - Math.exp(-this.rate * (this.budget + OVERHEAD));
    return Math.min(most, Math.max(2, Math.round(1 / lost)));
  }
}
