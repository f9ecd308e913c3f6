/** What the commands of the hub share: the key, the connection, the names of boards. */
import { type Command, Option } from 'commander';
import type { Observable } from 'rxjs';
import type { BoardRow, HubConnection, HubKey } from '../hub/index.js';
import type { MemloopEvent } from '../shared/events.js';
import { isTerminal, type Session, writeLine } from './command.js';

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
export async function hubOf(session: Session, options: HubOptions): Promise<HubConnection> {
  const { connectHub } = await import('../hub/index.js');
  const connection = await connectHub(await keyOf(options, 'me'));
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

/** Shows events until they end, the user leaves the dashboard, or Ctrl-C. Rejects where they fail. */
export async function showEvents(
  { global, signal }: Session,
  events: Observable<MemloopEvent>,
): Promise<void> {
  const { fromEvent, lastValueFrom, Subject, takeUntil, tap } = await import('rxjs');
  const { jsonLines, plainLines, startDashboard } = await import('../tui/index.js');
  if (isTerminal() && !global.json) {
    const dashboard = await startDashboard({ events, onQuit: () => {}, watching: true });
    signal.addEventListener('abort', () => void dashboard.stop());
    await dashboard.done;
    return;
  }
  const told = new Subject<MemloopEvent>();
  (global.json ? jsonLines : plainLines)(told, writeLine);
  const shown = events.pipe(
    takeUntil(fromEvent(signal, 'abort')),
    tap((event) => told.next(event)),
  );
  await lastValueFrom(shown, { defaultValue: undefined });
}
