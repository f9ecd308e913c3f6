/** What the commands of the hub share: the key, the connection, the names of boards. */
import { type Command, Option } from 'commander';
import type { BoardRow, HubConnection, HubKey } from '../hub/index.js';
import type { Session } from './command.js';

export interface HubOptions {
  hub?: string;
  hubKey?: string;
}

/** `--hub` and `--hub-key`. */
export const withHub = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--hub <url>',
        "nats://127.0.0.1:4222 or tls://HOST:PORT (default: MEMLOOP_HUB, or the key's)",
      ),
    )
    .addOption(
      new Option(
        '--hub-key <file>',
        'who you are (default: MEMLOOP_HUB_KEY, or the key made on this machine)',
      ),
    );

/** `name`: whose key `hub serve` made on this machine. */
export async function keyOf({ hub, hubKey }: HubOptions, name: string): Promise<HubKey> {
  const { readKey } = await import('../hub/index.js');
  const { dataFolder } = await import('../calibration/index.js');
  return readKey({ url: hub, file: hubKey, home: dataFolder(), name });
}

/** Closed when the command ends. */
export async function hubOf(session: Session, options: HubOptions, name = 'me'): Promise<HubConnection> {
  const { connectHub } = await import('../hub/index.js');
  const connection = await connectHub(await keyOf(options, name));
  session.atEnd(() => connection.close());
  return connection;
}

/** The board that BENCH/BOARD names; BENCH alone where it has one board only. Throws HubRefusal. */
export async function boardOf(hub: HubConnection, name: string): Promise<BoardRow> {
  const { HubRefusal } = await import('../hub/index.js');
  const { boards } = await hub.ask('boards', {});
  const [bench, board] = name.replace(/^hub:/, '').split('/');
  const there = boards.filter((row) => row.bench === bench);
  if (there.length === 0) {
    const benches = [...new Set(boards.map((row) => row.bench))].join(', ') || 'none';
    throw new HubRefusal('unknown-bench', `there is no bench ${bench}; there are: ${benches}`);
  }
  const found = there.filter((row) => board === undefined || row.board === board);
  if (found.length === 1) return found[0];
  const names = there.map((row) => `${row.bench}/${row.board}`).join(', ');
  throw new HubRefusal('unknown-board', `${name} is no single board; there are: ${names}`);
}
