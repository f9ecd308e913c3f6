/** Round-trip time and the retransmission time-out that follows from it (RFC 6298). Times in s. */

/** Shortest time-out where the line is known to lose frames: a needless repeat costs less than a long wait. */
const NOISY_MIN_TIMEOUT = 0.004;

export class RoundTrip {
  /** Smoothed; 0 before the first measurement. */
  time = 0;
  #variance = 0;
  #noisyMin = NOISY_MIN_TIMEOUT;
  readonly #min: number;
  readonly #max: number;
  readonly #initial: number;

  constructor(options: { minTimeout: number; maxTimeout: number; initialTimeout: number }) {
    this.#min = options.minTimeout;
    this.#max = options.maxTimeout;
    this.#initial = options.initialTimeout;
  }

  /** A repeat was in vain: the board had the request already. */
  wasEarly(): void {
    this.#noisyMin = Math.min(2 * this.#noisyMin, this.#max);
  }

  measure(sample: number): void {
    this.#noisyMin = Math.max(0.9 * this.#noisyMin, NOISY_MIN_TIMEOUT);
    if (this.time === 0) {
      this.time = sample;
      this.#variance = sample / 2;
    } else {
      this.#variance += (Math.abs(this.time - sample) - this.#variance) / 4;
      this.time += (sample - this.time) / 8;
    }
  }

  timeout(noisy: boolean): number {
    if (this.time === 0) return this.#initial;
    const min = noisy ? this.#noisyMin : this.#min;
    return Math.min(Math.max(this.time + 4 * this.#variance, min), this.#max);
  }
}
