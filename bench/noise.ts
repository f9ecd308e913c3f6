/**
 * Programs four 32x32 arrays over TCP through a relay that drops, flips, doubles and inserts bytes, each at a rate
 * per byte and both ways, and compares what the driver believes with the pulses that the simulated physics received
 * (docs/link.md).
 *
 *     npm run bench:noise -- [--rates 0,5e-5,1e-4,5e-4] [--seeds 1] [--limit 300] [--dist DIR]
 *
 * `--dist DIR` runs the same job with another build. `--limit`: s after which a job is given up.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type * as Memloop from '../src/index.js';
import { Random } from '../src/model/random.js';

const { values } = parseArgs({
  options: {
    rates: { type: 'string', default: '0,5e-5,1e-4,5e-4' },
    seeds: { type: 'string', default: '1' },
    limit: { type: 'string', default: '300' },
    dist: { type: 'string', default: 'dist' },
    profile: { type: 'string', default: 'w-sdc-32x32x5' },
  },
});
const ARRAYS = 4;
const dist = resolve(values.dist);
const memloop = (await import(join(dist, 'src/index.js'))) as typeof Memloop;

interface Row {
  seconds: number;
  inTolerance: number;
  pulses: number;
  /** Pulses whose fate stayed unknown. */
  unknown: number;
  /** Pulses that the physics received. */
  traced: number;
  requests: number;
  retries: number;
  bytes: number;
  sessions: number;
  /** Cells whose received pulses differ from those believed applied by more than the unknown ones. */
  falseBeliefs: number;
  error?: string;
}

async function program(rate: number, seed: number): Promise<Row> {
  const trace = new Map<string, number>();
  const applied = new Map<string, number>();
  const unknown = new Map<string, number>();
  const count = (
    map: Map<string, number>,
    { array, row, column }: Record<'array' | 'row' | 'column', number>,
  ) => {
    const key = `${array} ${row} ${column}`;
    map.set(key, (map.get(key) ?? 0) + 1);
  };
  const virtual = memloop.createVirtualBoard({
    profile: values.profile,
    seed,
    trace: (pulse) => count(trace, pulse),
  });
  const served = await memloop.serveTcp(virtual, {});
  const relayFile = resolve('test/integration/relay.mjs');
  const relay = spawn(
    process.execPath,
    [relayFile, new URL(served.port).port, String(seed), '--rate', String(rate)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [port] = await once(createInterface({ input: relay.stdout }), 'line');
  const home = mkdtempSync(join(tmpdir(), 'memloop-noise-'));
  const limit = AbortSignal.timeout(Number(values.limit) * 1000);
  const began = performance.now();
  let inTolerance = 0;
  let cells = 0;
  let error: string | undefined;
  const board = await memloop.connectBoard(await memloop.openTransport(`tcp://127.0.0.1:${port}`), {
    reconnect: { within: 30 },
    link: { handshakeTimeout: 30 },
    emit: (event) => {
      if (event.type !== 'pulses' || event.status === 'refused') return;
      for (const pulse of event.pulses) count(event.status === 'applied' ? applied : unknown, pulse);
    },
  });
  const work = async () => {
    const calibrated = new memloop.CalibratedBoard(board, memloop.nominalCalibration(board));
    const passport = memloop.Passport.open(board.description, home);
    for (let array = 0; array < ARRAYS; array++) {
      const { low, high } = memloop.arrayWindow(passport.array(array));
      const random = new Random(seed).fork(`targets ${array}`);
      const { rows, columns } = board.description;
      const targets = Float64Array.from(
        { length: rows * columns },
        () => low + (high - low) * random.uniform(),
      );
      const report = await memloop.programArray(calibrated, passport, array, targets, { signal: limit });
      inTolerance += report.inTolerance * report.cells;
      cells += report.cells;
    }
  };
  await Promise.race([
    work(),
    once(limit, 'abort').then(() => Promise.reject(new Error('over the time limit'))),
  ]).catch((reason) => {
    error = (reason as Error).message;
  });
  const seconds = (performance.now() - began) / 1000;
  const { retries, sessions, bytesSent, bytesReceived, requests } = board.counters as Memloop.LinkCounters;
  if (error === undefined) await board.close();
  const sum = (map: Map<string, number>) => [...map.values()].reduce((total, n) => total + n, 0);
  const falseBeliefs = [...new Set([...trace.keys(), ...applied.keys()])].filter((cell) => {
    const extra = (trace.get(cell) ?? 0) - (applied.get(cell) ?? 0);
    return extra < 0 || extra > (unknown.get(cell) ?? 0);
  }).length;
  relay.kill('SIGKILL');
  await Promise.race([served.close(), new Promise((done) => setTimeout(done, 1000))]);
  virtual.close();
  rmSync(home, { recursive: true, force: true });
  return {
    seconds,
    inTolerance: inTolerance / cells,
    pulses: sum(applied),
    unknown: sum(unknown),
    traced: sum(trace),
    requests,
    retries,
    bytes: bytesSent + bytesReceived,
    sessions,
    falseBeliefs,
    ...(error === undefined ? {} : { error }),
  };
}

for (const rate of values.rates.split(',').map(Number)) {
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    const row = await program(rate, seed);
    console.log(JSON.stringify({ rate, seed, ...row, seconds: Number(row.seconds.toFixed(2)) }));
  }
}
process.exit();
