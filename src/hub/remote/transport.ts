/**
 * `hub:BENCH/BOARD`: a board at a bench as a port. One holds the board at a time, by a lease that is renewed until the port
 * is closed; the lease's token is the board's fence. Bytes may be lost on the way, and come twice or late: the link sees to
 * it, as on a cable.
 */

import type { Transport } from '../../driver/transport/transport.js';
import { MemloopError } from '../../shared/errors.js';
import { connectHub, type HubConnection } from '../connection.js';
import type { HubKey } from '../key.js';
import { type Lease, subjects } from '../messages.js';
import { HubRefusal } from '../refusal.js';
import { pack, unpack } from './carried.js';

/** Of a lease, how long is let pass before it is renewed. */
const RENEW = 1 / 3;

interface Address {
  bench: string;
  board: string;
}

/** Errors: `usage` for the URL, HubRefusal (`busy` with who has the board, `unknown-board`), `service`. */
export async function openHub(url: string, key: HubKey): Promise<Transport> {
  const named = /^hub:([a-z0-9][a-z0-9-]*)(?:\/([\w-]+))?$/.exec(url);
  if (!named)
    throw new MemloopError(
      'usage',
      `cannot read the port ${url}; write hub:BENCH/BOARD, as \`memloop benches\` shows them`,
    );
  const hub = await connectHub(key);
  try {
    const address = { bench: named[1], board: named[2] ?? (await onlyBoard(hub, named[1])) };
    const held = new HeldBoard(url, hub, address);
    await held.acquire();
    return held;
  } catch (error) {
    await hub.close();
    throw error;
  }
}

/** The board of a bench that has only one. */
async function onlyBoard(hub: HubConnection, bench: string): Promise<string> {
  const { boards } = await hub.ask('boards', {});
  const there = boards.filter((row) => row.bench === bench);
  if (there.length === 1) return there[0].board;
  if (there.length === 0)
    throw new HubRefusal('unknown-bench', `there is no bench ${bench}: see \`memloop benches\``);
  throw new HubRefusal(
    'unknown-board',
    `write hub:BENCH/BOARD, one of ${there.map((row) => `${bench}/${row.board}`).join(', ')}`,
  );
}

class HeldBoard implements Transport {
  readonly closed: Promise<string>;
  readonly #hub: HubConnection;
  readonly #address: Address;
  readonly #up: string;
  #lease: Lease | undefined;
  #listener: ((bytes: Uint8Array) => void) | undefined;
  #early: Uint8Array[] = [];
  #timer: NodeJS.Timeout | undefined;
  #end: (reason: string) => void = () => {};
  #ended = false;

  constructor(
    readonly url: string,
    hub: HubConnection,
    address: Address,
  ) {
    this.#hub = hub;
    this.#address = address;
    this.#up = subjects.link(address.bench, address.board, 'up', hub.who);
    this.closed = new Promise((resolve) => {
      this.#end = (reason) => {
        this.#ended = true;
        clearTimeout(this.#timer);
        resolve(reason);
      };
    });
    void hub.nats.closed().then(() => this.#end('the connection to the hub was closed'));
  }

  async acquire(): Promise<void> {
    const { bench, board } = this.#address;
    this.#hub.nats.subscribe(subjects.link(bench, board, 'down', this.#hub.who), {
      callback: (error, { data }) => {
        if (!error) this.#receive(data);
      },
    });
    this.#lease = await this.#hub.call(this.#address, 'acquire', {});
    this.#renewLater();
  }

  /**
   * The token of the lease, which the bench confirms for each session: after a reboot of the board it is still ours, or
   * somebody else's.
   */
  readonly claim = async (): Promise<bigint> => {
    const lease = await this.#hub.call(this.#address, 'renew', { lease: this.#id });
    return BigInt(lease.fence);
  };

  listen(onBytes: (bytes: Uint8Array) => void): void {
    this.#listener = onBytes;
    for (const bytes of this.#early.splice(0)) onBytes(bytes);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#ended) throw new Error('the port is closed');
    this.#hub.nats.publish(this.#up, pack({ lease: this.#id, kind: 'bytes', bytes }));
  }

  async close(): Promise<void> {
    if (this.#hub.nats.isClosed()) return;
    const held = !this.#ended && this.#lease !== undefined;
    this.#end('the port was closed');
    if (held) await this.#hub.call(this.#address, 'release', { lease: this.#id }).catch(() => {});
    await this.#hub.close();
  }

  get #id(): string {
    return this.#lease?.lease ?? '';
  }

  #receive(data: Uint8Array): void {
    const message = unpack(data);
    if (!message || (this.#lease && message.lease !== this.#lease.lease)) return;
    if (message.kind === 'end') {
      if (this.#lease) this.#end(message.reason);
    } else if (this.#listener) this.#listener(message.bytes);
    else this.#early.push(message.bytes);
  }

  #renewLater(): void {
    const { expires } = this.#lease as Lease;
    this.#timer = setTimeout(() => void this.#renew(), expires * RENEW * 1000);
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    try {
      await this.#hub.call(this.#address, 'renew', { lease: this.#id });
    } catch (error) {
      // Where nobody answers it is tried again: the bench decides when the lease has ended.
      if (error instanceof HubRefusal) return this.#end(error.message);
    }
    if (!this.#ended) this.#renewLater();
  }
}
