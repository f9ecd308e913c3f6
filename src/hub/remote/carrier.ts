/** The bench's side of `hub:BENCH/BOARD`: claims the board for the holder of a lease, and carries the bytes of its link. */
import { connectBoard } from '../../driver/board/protocol-board.js';
import { openTransport } from '../../driver/transport/registry.js';
import type { Transport } from '../../driver/transport/transport.js';
import { clean } from '../../shared/text.js';
import type { Carrier } from '../agent/board.js';
import type { HubConnection } from '../connection.js';
import { subjects } from '../messages.js';
import { pack, unpack } from './carried.js';

/** Longest message, bytes. */
const MOST = 256 * 1024;

/** A lease's board is claimed before its holder hears of it, so no older holder can pulse from then on. */
export const carrierOf =
  (hub: HubConnection, log: (line: string) => void): Carrier =>
  async ({ url, board, who, lease }) => {
    const token = BigInt(lease.fence);
    const port = new HandedOn(await openTransport(url));
    await claim(port, token).catch(async (error) => {
      await port.transport.close();
      throw error;
    });
    const { transport } = port;
    const { bench, board: name } = board;
    const down = subjects.link(bench, name, 'down', who);
    const send = (bytes: Uint8Array) => {
      for (let from = 0; from < bytes.length; from += MOST)
        hub.nats.publish(
          down,
          pack({ lease: lease.lease, kind: 'bytes', bytes: bytes.subarray(from, from + MOST) }),
        );
    };
    const subscription = hub.nats.subscribe(subjects.link(bench, name, 'up', who), {
      callback: (error, { subject, data }) => {
        const message = error ? undefined : unpack(data);
        if (message?.lease !== lease.lease)
          log(
            `${subject}: a message of no lease of now was dropped${message ? ` (${clean(message.lease)})` : ''}`,
          );
        else if (message.kind === 'bytes') void transport.write(message.bytes).catch(() => {});
      },
    });
    let ended = false;
    const end = (reason: string) => {
      if (ended) return;
      ended = true;
      subscription.unsubscribe();
      if (hub.connected) hub.nats.publish(down, pack({ lease: lease.lease, kind: 'end', reason }));
    };
    port.listener = send;
    void transport.closed.then((reason) => end(`the bench has lost the board: ${reason}`));
    return {
      close: async () => {
        end('the lease has ended');
        await claim(port, token + 1n).catch(() => {});
        await transport.close();
      },
    };
  };

/** A port that one after another has: each closes its own view of it, and the port stays open. */
class HandedOn {
  listener: ((bytes: Uint8Array) => void) | undefined;

  constructor(readonly transport: Transport) {
    transport.listen((bytes) => this.listener?.(bytes));
  }

  view(): Transport {
    const { url, closed } = this.transport;
    return {
      url,
      closed,
      listen: (onBytes) => {
        this.listener = onBytes;
      },
      write: (bytes) => this.transport.write(bytes),
      close: async () => {
        this.listener = undefined;
      },
    };
  }
}

/**
 * Opens a session with this token and ends it with Stop: the lines are at 0 V, and whoever had the board before is fenced
 * off. The token after a lease's is nobody's until the next one is minted, which is not lower.
 */
async function claim(port: HandedOn, token: bigint): Promise<void> {
  const board = await connectBoard(port.view(), { claim: token });
  await board.close();
}
