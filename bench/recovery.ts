/**
 * How long the link takes to recover from each kind of fault (the table of docs/results/link.md).
 *
 *     npm run bench:recovery -- [--times 15]
 *
 * A host makes one request after the other, a pulse and a read of one cell, over a pseudo-terminal. The time from
 * a fault to the next answer is its recovery time; without a fault it is the round trip. A hang is counted from its
 * end, an unplugging once from its start to the moment it is seen, and once from the port's return.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectBoard, openTransport } from '../src/driver/index.js';
import {
  createVirtualBoard,
  type Fault,
  type FaultKind,
  faultyBoard,
  type Served,
  servePty,
} from '../src/virtual-board/index.js';

const { values } = parseArgs({ options: { times: { type: 'string', default: '15' } } });
const TIMES = Number(values.times);
const clock = () => performance.now() / 1000;
const sleep = (time: number) => new Promise((resolve) => setTimeout(resolve, time * 1000));

const folder = mkdtempSync(join(tmpdir(), 'memloop-'));
const link = join(folder, 'board');
const cell = { array: 0, row: 3, column: 4 };
const work = [
  { kind: 'pulse' as const, ...cell, voltage: 0.1, width: 5e-6 },
  { kind: 'read' as const, ...cell, voltage: 0.1, samples: 1 },
];
/** Over many cells, none of which may have more than 5000. */
const pulses = Array.from({ length: 400 }, (_, n) => ({ ...work[0], row: n % 32, column: n >> 5 }));
const LATE = 0.1;
const HANG = 0.5;

async function connected(
  faults: Fault[],
  onFault: (kind: FaultKind) => void,
  onState: (state: string) => void = () => {},
) {
  const plain = createVirtualBoard({ profile: 'ideal', seed: 1 });
  const virtual = faultyBoard(plain, { seed: 1, faults }, onFault);
  const served = await servePty(virtual, { link });
  const board = await connectBoard(await openTransport(link), {
    reconnect: { within: 30 },
    emit: (event) => {
      if (event.type === 'link') onState(event.state);
    },
  });
  const close = async (port: Served = served) => {
    await board.close();
    await port.close();
    virtual.close();
  };
  return { virtual, board, served, close };
}

/** Recovery times of a fault that happens every few requests, s. */
async function recoveries(fault: Fault | undefined, extra = 0): Promise<number[]> {
  let at: number | undefined;
  const { board, close } = await connected(fault ? [fault] : [], () => {
    at ??= clock();
  });
  const times: number[] = [];
  while (times.length < TIMES) {
    if (!fault) at = clock();
    await board.cells(work);
    if (at === undefined) continue;
    times.push(Math.max(0, clock() - at - extra));
    // The next fault meets a link that is quiet again.
    await sleep(0.02);
    at = undefined;
  }
  await close();
  return times;
}

type Load = 'idle' | 'writing' | 'streaming';

/** Pulls the pseudo-terminal; [until it is seen, from its return until the work goes on], s. */
async function unplugging(load: Load): Promise<[number[], number[]]> {
  const seen: number[] = [];
  const back: number[] = [];
  while (seen.length < Math.ceil(TIMES / 3)) {
    let lostAt = 0;
    let backAt = 0;
    const { virtual, board, served, close } = await connected(
      [],
      () => {},
      (state) => {
        if (state === 'reconnecting') lostAt ||= clock();
        else if (state === 'connected' && lostAt > 0) backAt ||= clock();
      },
    );
    const stimulus = { steps: 1000, decimation: 1, pulseSteps: [0], drives: new Float32Array(10) };
    let running = true;
    const job = (async () => {
      while (running && load !== 'idle') {
        if (load === 'writing') await board.cells(pulses);
        else await board.run(Array.from({ length: 20 }, () => stimulus));
      }
    })();
    await sleep(0.2);
    const start = clock();
    await served.close();
    while (lostAt === 0) await sleep(0.005);
    seen.push(lostAt - start);
    const again = await servePty(virtual, { link });
    const returned = clock();
    while (backAt === 0) await sleep(0.005);
    back.push(backAt - returned);
    running = false;
    await job;
    await close(again);
  }
  return [seen, back];
}

const ms = (time: number) => (time * 1000).toFixed(time < 0.0095 ? 1 : 0);
console.log('| fault | median, ms | worst, ms | times |\n|---|---|---|---|');
const row = (name: string, times: number[]): void => {
  const sorted = times.toSorted((a, b) => a - b);
  console.log(`| ${name} | ${ms(sorted[sorted.length >> 1])} | ${ms(sorted.at(-1)!)} | ${times.length} |`);
};

row('none: the round trip', await recoveries(undefined));
const every: [number, number] = [5, 15];
const bytes: [number, number] = [200, 600];
for (const way of ['to-board', 'to-host'] as const) {
  const where = way === 'to-board' ? 'to the board' : 'to the host';
  for (const [kind, what] of [
    ['drop', 'byte dropped'],
    ['flip', 'bit flipped'],
    ['double', 'byte doubled'],
    ['insert', 'byte inserted'],
  ] as const) {
    row(`${what} ${where}`, await recoveries({ kind, way, every: bytes }));
  }
  for (const [kind, what] of [
    ['lose', 'frame lost'],
    ['repeat', 'frame doubled'],
    ['swap', 'frame after the next'],
    ['stale', 'old frame once more'],
  ] as const) {
    row(`${what} ${where}`, await recoveries({ kind, way, every }));
  }
  row(`frame late by ${LATE} s ${where}`, await recoveries({ kind: 'late', way, every, time: [LATE, LATE] }));
}
row('board reboots', await recoveries({ kind: 'reboot', of: 'pulses', every }));
row(
  `board hangs for ${HANG} s, from its end`,
  await recoveries({ kind: 'hang', of: 'pulses', every, time: [HANG, HANG] }, HANG),
);
row('ADCs saturated', await recoveries({ kind: 'saturate', of: 'frames', every, frames: 1 }));
for (const load of ['idle', 'writing', 'streaming'] as const) {
  const [seen, back] = await unplugging(load);
  row(`unplugged while ${load}: until it is seen`, seen);
  row(`unplugged while ${load}: from the port's return`, back);
}
rmSync(folder, { recursive: true });
