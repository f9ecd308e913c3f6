/** Lines of text out, at a pace that the instrument can follow; bytes in. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Transport } from '../../driver/transport/transport.js';

/** Lines that come faster than one in 0.5 to 1 ms are dropped by the instrument, ms. */
const PACE = 1;

/** The port is closed; the reason in words. */
export class LineLost extends Error {}

export class SerialLine {
  readonly #transport: Transport;
  #received = Buffer.alloc(0);
  #lost: string | undefined;
  #wake: () => void = () => {};
  /** When the next line may go, ms. */
  #next = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.listen((bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    transport.closed.then((reason) => {
      this.#lost = reason;
      this.#wake();
    });
  }

  get lost(): string | undefined {
    return this.#lost;
  }

  /** Bytes that nobody has asked for yet. */
  get waiting(): number {
    return this.#received.length;
  }

  drain(): void {
    this.#received = Buffer.alloc(0);
  }

  /** Throws `LineLost`. */
  async send(...lines: string[]): Promise<void> {
    for (const line of lines) {
      // A timer may fire almost 1 ms early.
      while (performance.now() < this.#next) await sleep(1);
      this.#check();
      try {
        await this.#transport.write(Buffer.from(`${line}\n`, 'latin1'));
      } catch {
        // `closed` says why, soon.
        await Promise.race([this.#transport.closed, sleep(100)]);
        this.#lost ??= 'the port failed';
        this.#check();
      }
      this.#next = performance.now() + PACE;
    }
  }

  /** The next bytes; undefined where so many do not come before `patience` s pass without any. Throws `LineLost`. */
  async receive(count: number, patience: number): Promise<Buffer | undefined> {
    return this.#until(() => (this.#received.length >= count ? count : undefined), patience);
  }

  /** The next line; as `receive`. */
  async receiveLine(patience: number): Promise<string | undefined> {
    const bytes = await this.#until(() => this.#received.indexOf('\n') + 1 || undefined, patience);
    return bytes?.toString('latin1').trim();
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #until(complete: () => number | undefined, patience: number): Promise<Buffer | undefined> {
    for (;;) {
      const length = complete();
      if (length !== undefined) {
        const taken = this.#received.subarray(0, length);
        this.#received = this.#received.subarray(length);
        return taken;
      }
      this.#check();
      if (!(await this.#activity(patience))) return undefined;
    }
  }

  /** Whether anything happens within `patience` s. */
  #activity(patience: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), patience * 1000);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #check(): void {
    if (this.#lost !== undefined) throw new LineLost(this.#lost);
  }
}
