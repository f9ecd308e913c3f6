/** Events as they happen, to whoever watches: never stored, never waited for. */
import type { HubConnection } from '../connection.js';
import { type BoardMessage, HUB_VERSION, subjects, TIMES } from '../messages.js';
import { encode } from '../refusal.js';

/** Bytes that may be on their way to the server; what comes then is left out and counted. */
const MOST = 4 * 2 ** 20;
const LONGEST = 900_000;

export class LiveStream {
  readonly #hub: HubConnection;
  readonly #until = new Map<string, number>();
  #n = 0;
  #lost = 0;
  #pending = 0;
  #flushing = false;

  constructor(hub: HubConnection) {
    this.#hub = hub;
  }

  /** Somebody watches a board, from now on for a while. */
  open(board: string): void {
    this.#until.set(board, Date.now() + TIMES.live * 1000);
  }

  watched(board: string): boolean {
    return (this.#until.get(board) ?? 0) > Date.now();
  }

  send({ bench, board }: BoardMessage, event: { [field: string]: unknown }, lost: number): void {
    this.#lost += lost;
    if (!this.watched(board)) return;
    const data = encode({ v: HUB_VERSION, n: this.#n, lost: this.#lost, event });
    if (!this.#hub.connected || this.#pending + data.length > MOST || data.length > LONGEST) {
      this.#lost++;
      return;
    }
    this.#n++;
    this.#lost = 0;
    this.#pending += data.length;
    this.#hub.nats.publish(subjects.live(bench, board), data);
    this.#flush();
  }

  /** A flush returns when the server has taken what was sent before it. */
  #flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    const sent = this.#pending;
    this.#hub.nats
      .flush()
      .catch(() => {})
      .finally(() => {
        this.#flushing = false;
        this.#pending -= sent;
        if (this.#pending > 0) this.#flush();
      });
  }
}
