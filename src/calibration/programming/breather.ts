/** Longest stretch of computing before the link and other listeners get their turn, ms. */
const STRETCH = 15;

/** Lets long computations share the thread: heartbeats, answers and Ctrl-C must not wait for them. */
export class Breather {
  #since = performance.now();

  /** Await this between pieces of work; it gives way only when it is due. */
  async breathe(): Promise<void> {
    if (performance.now() - this.#since < STRETCH) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}
