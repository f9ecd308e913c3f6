/** Round-trip time and the retransmission time-out that follows from it (RFC 6298). Times in s. */

/** Shortest time-out where the line is known to lose frames: an answer that is late costs less than one waited for. */
const NOISY_MIN_TIMEOUT = 0.004;

export class RoundTrip {
  /** Smoothed; 0 before the first measurement. */
  time = 0;
  #variance = 0;
  readonly #min: number;
  readonly #max: number;
  readonly #initial: number;

  constructor(options: { minTimeout: number; maxTimeout: number; initialTimeout: number }) {
    this.#min = options.minTimeout;
    this.#max = options.maxTimeout;
    this.#initial = options.initialTimeout;
  }

  measure(sample: number): void {
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
    const min = noisy ? Math.min(NOISY_MIN_TIMEOUT, this.#min) : this.#min;
    return Math.min(Math.max(this.time + 4 * this.#variance, min), this.#max);
  }
}
