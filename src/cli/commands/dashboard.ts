import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { MemloopEvent } from '../../shared/events.js';
import { action, isTerminal, writeLine } from '../command.js';
import { decimal } from '../numbers.js';

interface Options {
  speed: number;
}

const speedOf = (text: string): number => {
  const speed = decimal(text);
  if (speed <= 0) throw new InvalidArgumentError('Give a number above 0.');
  return speed;
};

export function register(program: Command): void {
  program
    .command('dashboard')
    .description('watch a live run or replay a finished one')
    .argument('[run]', 'run folder (default: the latest in runs/)')
    .option('--speed <n>', 'of a replay: times faster than it happened', speedOf, 10)
    .action(
      action(
        async (session, dir: string | undefined, { speed }: Options) => {
          const { MemloopError } = await import('../../shared/errors.js');
          const { followRun, isRunning, JOURNAL, latestRun, readJournal, readRun, replayJournal } =
            await import('../../telemetry/index.js');
          const { from, Subject } = await import('rxjs');
          const { jsonLines, plainLines, startDashboard } = await import('../../tui/index.js');
          const { global, signal } = session;
          const run = dir ?? global.run ?? (await latestRun('runs'));
          if (run === undefined) {
            throw new MemloopError(
              'usage',
              'no run in runs/: name a run folder, or make one with `memloop demo`',
            );
          }
          const record = await readRun(run);
          const journal = join(run, JOURNAL);
          const live = isRunning(record);
          if (global.json || !isTerminal()) {
            const events = new Subject<MemloopEvent>();
            (global.json ? jsonLines : plainLines)(events, writeLine);
            for await (const event of live ? followRun(run, { signal }) : readJournal(journal)) {
              events.next(event);
            }
            signal.throwIfAborted();
          } else {
            const leave = new AbortController();
            const dashboard = await startDashboard({
              events: live
                ? from(followRun(run, { signal: leave.signal }))
                : replayJournal(journal, { speed }),
              onQuit: () => leave.abort(),
              watching: true,
              mode: live ? 'live' : `replay ×${speed}`,
            });
            signal.addEventListener('abort', () => void dashboard.stop());
            await dashboard.done;
          }
          return { result: { run, live } };
        },
        { run: false },
      ),
    );
}
