/** The bench's side of `hub:BENCH/BOARD`: claims the board for the holder of a lease, and carries the bytes of its link. */
import { connectBoard } from '../../driver/board/protocol-board.js';
import { openTransport } from '../../driver/transport/registry.js';
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
    await claim(url, token);
    const transport = await openTransport(url);
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
    transport.listen(send);
    void transport.closed.then((reason) => end(`the bench has lost the board: ${reason}`));
    return {
      close: async () => {
        end('the lease has ended');
        await transport.close();
        await claim(url, token + 1n).catch(() => {});
      },
    };
  };

/**
 * Opens a session with this token and ends it with Stop: the lines are at 0 V, and whoever had the board before is fenced
 * off. The token after a lease's is nobody's until the next one is minted, which is not lower.
 */
async function claim(url: string, token: bigint): Promise<void> {
  const board = await connectBoard(await openTransport(url), { claim: token });
  await board.close();
}
