import { join } from 'node:path';
import type { Command } from 'commander';
import type { MemloopEvent } from '../../shared/events.js';
import { action, isTerminal, type Session, writeLine } from '../command.js';
import { boardOf, type HubOptions, hubOf, showEvents, withHub } from '../hub.js';
import { positive } from '../numbers.js';

interface Options extends HubOptions {
  speed: number;
}

export function register(program: Command): void {
  withHub(program.command('dashboard'))
    .description('watch a live run, a board of a hub, or replay a finished run')
    .argument('[run]', 'run folder (default: the latest in runs/), or hub:BENCH/BOARD')
    .option('--speed <n>', 'speed of a replay: how many times faster than it happened', positive, 10)
    .action(action(show, { run: false }));
}

/** What happens at a board of a hub, from now until the user leaves. */
async function showBoard(session: Session, name: string, options: HubOptions) {
  const { watchBoard } = await import('../../hub/index.js');
  const hub = await hubOf(session, options);
  const { bench, board } = await boardOf(hub, name);
  const gaps = { lost: 0 };
  await showEvents(session, watchBoard(hub, { bench, board }, gaps));
  return { result: { bench, board, lost: gaps.lost } };
}

async function show(session: Session, dir: string | undefined, { speed, ...options }: Options) {
  if (dir?.startsWith('hub:')) return showBoard(session, dir, options);
  const { MemloopError } = await import('../../shared/errors.js');
  const { followRun, isRunning, JOURNAL, latestRun, readJournal, readRun, replayJournal } = await import(
    '../../telemetry/index.js'
  );
  const { from, Subject } = await import('rxjs');
  const { jsonLines, plainLines, startDashboard } = await import('../../tui/index.js');
  const { global, signal } = session;
  const run = dir ?? global.run ?? (await latestRun('runs'));
  if (run === undefined)
    throw new MemloopError('usage', 'no run in runs/: name a run folder, or make one with `memloop demo`');
  const live = isRunning(await readRun(run));
  const journal = join(run, JOURNAL);
  if (global.json || !isTerminal()) {
    const events = new Subject<MemloopEvent>();
    (global.json ? jsonLines : plainLines)(events, writeLine);
    for await (const event of live ? followRun(run, { signal }) : readJournal(journal)) events.next(event);
    signal.throwIfAborted();
    return { result: { run, live } };
  }
  const leave = new AbortController();
  const dashboard = await startDashboard({
    events: live ? from(followRun(run, { signal: leave.signal })) : replayJournal(journal, { speed }),
    onQuit: () => leave.abort(),
    watching: true,
    mode: live ? 'live' : `replay ×${speed}`,
  });
  signal.addEventListener('abort', () => void dashboard.stop());
  await dashboard.done;
  return { result: { run, live } };
}
