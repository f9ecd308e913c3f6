/**
 * Programs four 32x32 arrays through a relay that drops, flips, doubles and inserts bytes, each at a rate per byte and
 * both ways, by the command line, and compares what it believes with the pulses that the mock's physics received
 * (docs/results/link.md).
 *
 *     npm run bench:noise -- [--rates 0,5e-5,1e-4,5e-4] [--seeds 1] [--limit 300] [--dist DIR]
 *
 * `--dist DIR` runs the same commands of another build. `--limit`: s after which a job is given up.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Random } from '../src/model/random.js';

const { values } = parseArgs({
  options: {
    rates: { type: 'string', default: '0,5e-5,1e-4,5e-4' },
    seeds: { type: 'string', default: '1' },
    limit: { type: 'string', default: '300' },
    dist: { type: 'string', default: 'dist' },
  },
});
const ARRAYS = 4;
const SIZE = 32;
/** Targets, S: within the window that is assumed of W+SDC cells. */
const [LOW, HIGH] = [10e-6, 45e-6];

type Address = Record<'array' | 'row' | 'column', number>;
type Count = Map<string, number>;

const add = (map: Count, { array, row, column }: Address) => {
  const key = `${array} ${row} ${column}`;
  map.set(key, (map.get(key) ?? 0) + 1);
};
const total = (map: Count) => [...map.values()].reduce((sum, n) => sum + n, 0);
const linesOf = (file: string) =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];

/** A process of the bench that says on its first line where it listens. */
async function start(
  args: string[],
  endings: (() => void)[],
): Promise<{ child: ChildProcess; first: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  endings.push(() => child.kill());
  const [first] = await once(createInterface({ input: child.stdout! }), 'line');
  return { child, first };
}

/** Targets of one array as the file that `program --target` takes. */
function targetFile(folder: string, seed: number, array: number): string {
  const random = new Random(seed).fork(`targets ${array}`);
  const rows = Array.from({ length: SIZE }, () =>
    Array.from({ length: SIZE }, () => LOW + (HIGH - LOW) * random.uniform()),
  );
  const file = join(folder, `target-${array}.json`);
  writeFileSync(file, JSON.stringify(rows));
  return file;
}

/** Runs the command and gives its result; undefined and killed after `limit` s. */
async function command(args: string[], home: string, limit: number) {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, MEMLOOP_HOME: home },
    timeout: Math.ceil(limit * 1000),
    killSignal: 'SIGKILL',
  });
  let last = '';
  for await (const line of createInterface({ input: child.stdout! })) last = line;
  const result = last.startsWith('{') ? JSON.parse(last) : undefined;
  return result?.type === 'result' ? (result as { inTolerance: number }) : undefined;
}

/** Cells that received more or fewer pulses than the host may believe. */
function falseBeliefs(trace: Count, applied: Count, unknown: Count): number {
  return [...new Set([...trace.keys(), ...applied.keys()])].filter((cell) => {
    const extra = (trace.get(cell) ?? 0) - (applied.get(cell) ?? 0);
    return extra < 0 || extra > (unknown.get(cell) ?? 0);
  }).length;
}

async function program(rate: number, seed: number, endings: (() => void)[]) {
  const home = mkdtempSync(join(tmpdir(), 'memloop-noise-'));
  endings.push(() => rmSync(home, { recursive: true, force: true }));
  const main = join(resolve(values.dist), 'src/cli/main.js');
  const traceFile = join(home, 'trace.ndjson');
  const profile = ['--profile', 'w-sdc-32x32x5', '--seed', String(seed)];
  const mock = await start(
    [main, 'mock', ...profile, '--tcp', '127.0.0.1:0', '--trace', traceFile, '--json'],
    endings,
  );
  const served = new URL(JSON.parse(mock.first).port).port;
  const relay = await start(
    ['test/integration/relay.mjs', served, String(seed), '--rate', String(rate)],
    endings,
  );
  const port = `tcp://127.0.0.1:${relay.first}`;
  const began = performance.now();
  const left = () => Number(values.limit) - (performance.now() - began) / 1000;
  const [applied, unknown, trace]: Count[] = [new Map(), new Map(), new Map()];
  const inTolerance: number[] = [];
  for (let array = 0; array < ARRAYS && left() > 0; array++) {
    const run = join(home, `run-${array}`);
    const target = ['--array', String(array), '--target', targetFile(home, seed, array)];
    const link = ['--port', port, '--reconnect', '30', '--run', run, '--json'];
    const result = await command([main, 'program', ...target, ...link], home, left());
    if (result) inTolerance.push(result.inTolerance);
    for (const event of linesOf(join(run, 'events.ndjson')))
      if (event.type === 'pulses' && event.status !== 'refused')
        for (const pulse of event.pulses) add(event.status === 'applied' ? applied : unknown, pulse);
  }
  const seconds = (performance.now() - began) / 1000;
  // With the relay's connection open the mock would wait for its end.
  for (const { child } of [relay, mock]) {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  }
  for (const pulse of linesOf(traceFile)) add(trace, pulse);
  return {
    seconds: Number(seconds.toFixed(2)),
    programmed: inTolerance.length,
    inTolerance: inTolerance.reduce((sum, share) => sum + share, 0) / inTolerance.length,
    pulses: total(applied),
    unknown: total(unknown),
    received: total(trace),
    falseBeliefs: falseBeliefs(trace, applied, unknown),
  };
}

for (const rate of values.rates.split(',').map(Number)) {
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    const endings: (() => void)[] = [];
    const row = await program(rate, seed, endings);
    for (const end of endings.reverse()) end();
    console.log(JSON.stringify({ rate, seed, ...row }));
  }
}
