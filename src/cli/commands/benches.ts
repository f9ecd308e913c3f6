import type { Command } from 'commander';
import type { BoardRow } from '../../hub/index.js';
import { action, type Outcome, type Session } from '../command.js';
import { type HubOptions, hubOf, withHub } from '../hub.js';

export function register(program: Command): void {
  withHub(program.command('benches'))
    .description('boards of a hub: what they are, who has them, how worn they are')
    .action(action(benches, { run: false }));
}

async function benches(session: Session, options: HubOptions): Promise<Outcome> {
  const hub = await hubOf(session, options);
  const { boards } = await hub.ask('boards', {});
  return {
    result: { benches: boards },
    text: boards.length === 0 ? 'no benches: `memloop bench serve` adds one' : boards.map(lineOf).join('\n'),
  };
}

function lineOf({ bench, board, kind, present, status }: BoardRow): string {
  const state = present ? (status?.state ?? 'idle') : 'away';
  const holder = status?.user === undefined ? '' : ` (${status.user})`;
  const queued = status?.queued ? `, ${status.queued} queued` : '';
  return `${bench}/${board}  ${kind}  ${state}${holder}${queued}  ${status?.pulses ?? '?'} pulses so far`;
}
