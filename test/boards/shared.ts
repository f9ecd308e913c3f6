/** What the tests of the command line on foreign boards share. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TracedPulse } from '../../src/virtual-board/index.js';
import { type Ended, ended, scratch, start, startMock } from '../integration/shell.js';

export interface StandInBench {
  port: string;
  folder: string;
  /** In which `memloop` finds the stand-in. */
  environment: Record<string, string>;
  /** What its cells have received so far. */
  received(): TracedPulse[];
}

/** A stand-in in another process. */
export async function standIn(name: string, faults: object, ...args: string[]): Promise<StandInBench> {
  const folder = scratch();
  const [trace, file] = [join(folder, 'trace.ndjson'), join(folder, 'faults.json')];
  writeFileSync(file, JSON.stringify(faults));
  const { port, environment } = await startMock(['--as', name, '--trace', trace, '--faults', file, ...args]);
  return {
    port,
    folder,
    environment: { ...environment, MEMLOOP_PORT: port, MEMLOOP_HOME: folder },
    received: () =>
      readFileSync(trace, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
}

/** Starts a command with `--json`, and gives it the signal when it has begun to program. */
export async function stopWhileProgramming(
  args: readonly string[],
  environment: Record<string, string>,
  signal: 'SIGINT' | 'SIGKILL',
): Promise<Ended> {
  const child = start([...args, '--json'], environment);
  const end = ended(child);
  let stdout = '';
  const begun = (data: unknown) => {
    stdout += data;
    if (!stdout.includes('"stage":"program"')) return;
    child.stdout!.off('data', begun);
    child.kill(signal);
  };
  child.stdout!.on('data', begun);
  return end;
}
