/** Longest stretch of computing before the link and other listeners get their turn, ms. */
const STRETCH = 15;
/** The clock is looked at once in so many pieces of work. */
const PIECES = 32;

/** Lets long computations share the thread: heartbeats, answers and Ctrl-C must not wait for them. */
export class Breather {
  #since = performance.now();
  #pieces = 0;

  /** Ask this between small pieces of work: whether it is time to `breathe`. */
  get due(): boolean {
    return ++this.#pieces % PIECES === 0 && performance.now() - this.#since >= STRETCH;
  }

  /** Gives way. */
  async breathe(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}
