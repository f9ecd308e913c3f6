import { join } from 'node:path';
import type { Command } from 'commander';
import type { MemloopEvent } from '../../shared/events.js';
import { action, isTerminal, type Session, writeLine } from '../command.js';
import { positive } from '../numbers.js';

interface Options {
  speed: number;
}

export function register(program: Command): void {
  program
    .command('dashboard')
    .description('watch a live run or replay a finished one')
    .argument('[run]', 'run folder (default: the latest in runs/)')
    .option('--speed <n>', 'speed of a replay: how many times faster than it happened', positive, 10)
    .action(action(show, { run: false }));
}

async function show(session: Session, dir: string | undefined, { speed }: Options) {
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
