import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  arrayWindow,
  CalibratedBoard,
  guardBoard,
  nominalCalibration,
  programArray,
} from '../../src/calibration/index.js';
import {
  type CellOperation,
  connectBoard,
  openTransport,
  type ProtocolBoard,
} from '../../src/driver/index.js';
import {
  createVirtualBoard,
  type FaultCounts,
  type Faults,
  servePty,
  serveTcp,
  startQemuBoard,
  type TracedPulse,
  type VirtualBoard,
  type VirtualBoardOptions,
} from '../../src/virtual-board/index.js';
import { buildFirmware, missing, why } from './qemu.js';
import { ALL_FAULTS, emptyTally, randomFaults, soak, type Tally } from './soak.js';

/** `npm run soak:link` sets it; the suite's share is small. */
const PULSES = Number(process.env.MEMLOOP_SOAK_PULSES ?? 0);
const LONG = { timeout: PULSES > 0 ? 3_600_000 : 60_000 };

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** What must hold whatever happened. */
function expectExactlyOnce(tally: Tally): void {
  const { acknowledged, unknownApplied, traced } = tally;
  expect(tally).toMatchObject({ twice: 0, falselyAcknowledged: 0, falselyDenied: 0, misresolved: 0 });
  expect(acknowledged + unknownApplied).toBe(traced);
  expect(tally.acknowledged + tally.notApplied + tally.unknown).toBe(tally.asked);
}

function add<T extends object>(to: T, what: T): T {
  const sum = to as Record<string, number>;
  for (const [name, count] of Object.entries(what)) sum[name] = (sum[name] ?? 0) + count;
  return to;
}

async function faulty(start: Start, port: 'tcp' | 'pty', faults: Faults, pulses: number, seed: number) {
  const trace: TracedPulse[] = [];
  const board = await start({ profile: 'ideal', seed, faults, trace: (pulse) => trace.push(pulse) });
  endings.push(() => board.close());
  const folder = mkdtempSync(join(tmpdir(), 'memloop-'));
  endings.push(() => rmSync(folder, { recursive: true }));
  const served =
    port === 'tcp' ? await serveTcp(board) : await servePty(board, { link: join(folder, 'board') });
  endings.push(() => served.close());
  const tally = await soak(served.port, trace, { pulses, seed });
  return { tally, faults: board.faultCounts ?? {} };
}

type Start = (options: VirtualBoardOptions) => VirtualBoard | Promise<VirtualBoard>;

const folder = mkdtempSync(join(tmpdir(), 'memloop-link-'));
const firmware = join(folder, 'firmware.elf');
beforeAll(() => {
  if (missing.length === 0) buildFirmware(firmware);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The same tests for both; the emulated one is slower and gets a share of the pulses and samples. */
const boards = [
  {
    name: 'the virtual board',
    start: createVirtualBoard,
    ...{ skip: false, share: 1, longShare: 1, streamShare: 1 },
  },
  {
    name: `the board in QEMU${why}`,
    start: (options: VirtualBoardOptions) => startQemuBoard({ ...options, firmware }),
    ...{ skip: missing.length > 0, share: 0.6, longShare: 0.05, streamShare: 0.05 },
  },
];

for (const { name, start, skip, share, longShare, streamShare } of boards) {
  describe.skipIf(skip)(name, () => {
    describe('exactly once or unknown, with the physics as the witness', () => {
      test.each(['tcp', 'pty'] as const)('all kinds of fault at once, over %s', async (port) => {
        const { tally, faults } = await faulty(start, port, ALL_FAULTS, 2500 * share, 11);
        expectExactlyOnce(tally);
        expect(Object.keys(faults).sort()).toEqual(
          [...new Set(ALL_FAULTS.faults.map(({ kind }) => kind))].sort(),
        );
        expect(tally.acknowledged).toBeGreaterThan(500 * share);
        expect(tally.unknown).toBeGreaterThan(0);
      });

      test('random schedules', LONG, async () => {
        const total = emptyTally();
        const happened: FaultCounts = {};
        const begun = performance.now();
        const perSchedule = PULSES > 0 ? 4000 : 400;
        for (let seed = 1; total.asked < Math.max(PULSES * longShare, 1200 * share); seed++) {
          const { tally, faults } = await faulty(
            start,
            seed % 4 === 0 ? 'pty' : 'tcp',
            randomFaults(seed),
            perSchedule,
            seed,
          );
          expectExactlyOnce(tally);
          add(total, tally);
          add(happened, faults);
          for (const end of endings.splice(0).reverse()) await end();
        }
        if (PULSES > 0) {
          if (longShare === 1) expect(Object.keys(happened)).toHaveLength(13);
          const seconds = Math.round((performance.now() - begun) / 1000);
          console.log(
            JSON.stringify({ board: name, through: 'mock --faults', ...total, faults: happened, seconds }),
          );
        }
      });

      test(
        'through a relay that knows nothing of the protocol and twists, loses and cuts',
        LONG,
        async () => {
          const trace: TracedPulse[] = [];
          const board = await start({
            profile: 'ideal',
            seed: 2,
            faults: { seed: 9, faults: [{ kind: 'reboot', of: 'pulses', every: [100, 3000] }] },
            trace: (pulse) => trace.push(pulse),
          });
          endings.push(() => board.close());
          const served = await serveTcp(board);
          endings.push(() => served.close());
          const relay = spawn(
            process.execPath,
            [join(import.meta.dirname, 'relay.mjs'), new URL(served.port).port, '7', '3000', '60000'],
            { stdio: ['ignore', 'pipe', 'inherit'] },
          );
          endings.push(() => relay.kill('SIGKILL'));
          const lines = createInterface({ input: relay.stdout! });
          const [port] = await once(lines, 'line');
          const begun = performance.now();
          const tally = await soak(`tcp://127.0.0.1:${port}`, trace, {
            pulses: Math.max(1500 * share, (PULSES / 4) * longShare),
            seed: 3,
          });
          expectExactlyOnce(tally);
          const counts = await stop(relay, lines);
          expect(counts.hurt).toBeGreaterThan(10);
          expect(counts.cuts).toBeGreaterThan(0);
          if (PULSES > 0) {
            const seconds = Math.round((performance.now() - begun) / 1000);
            console.log(
              JSON.stringify({ board: name, through: 'relay.mjs', ...tally, relay: counts, seconds }),
            );
          }
        },
      );
    });

    describe('a pseudo-terminal that is unplugged', () => {
      const runs = 300 * streamShare;
      const stimulus = {
        steps: 1000,
        decimation: 1,
        pulseSteps: [0],
        drives: new Float32Array(10).fill(1e-5),
      };
      const pulses = Array.from({ length: 6000 * share }, (_, n): CellOperation => {
        return { kind: 'pulse', array: n % 5, row: n % 32, column: (n * 7) % 32, voltage: 0.5, width: 5e-6 };
      });
      const jobs: [string, (board: ProtocolBoard) => Promise<unknown>, unknown][] = [
        ['idle', async () => 'nothing', 'nothing'],
        [
          'while pulses are written',
          (board) => board.cells(pulses),
          pulses.map(() => ({ status: 'applied' })),
        ],
        [
          'while samples are streamed',
          async (board) =>
            (await board.run(Array.from({ length: runs }, () => stimulus))).map(({ lost }) => lost),
          Array.from({ length: runs }, () => 0),
        ],
      ];

      test.each(jobs)(
        '%s: one line says so, and the job goes on when it is back',
        async (_, job, expected) => {
          const trace: TracedPulse[] = [];
          const virtual = await start({ profile: 'ideal', seed: 4, trace: (pulse) => trace.push(pulse) });
          endings.push(() => virtual.close());
          const folder = mkdtempSync(join(tmpdir(), 'memloop-'));
          endings.push(() => rmSync(folder, { recursive: true }));
          const link = join(folder, 'board');
          let served = await servePty(virtual, { link });
          endings.push(() => served.close());
          const lines: string[] = [];
          const board = await connectBoard(await openTransport(link), {
            reconnect: { within: 30 },
            emit: (event) => event.type === 'log' && event.level !== 'info' && lines.push(event.message),
          });
          endings.push(() => board.close());
          const { bytesReceived } = board.counters;
          const work = job(board);
          const begun = expected === 'nothing' ? 0 : 500;
          await vi.waitFor(
            () => expect(board.counters.bytesReceived).toBeGreaterThanOrEqual(bytesReceived + begun),
            {
              interval: 1,
              timeout: 10_000,
            },
          );
          await served.close();
          await vi.waitFor(() => expect(lines).not.toEqual([]), { interval: 5, timeout: 10_000 });
          served = await servePty(virtual, { link });
          expect(await work).toEqual(expected);
          expect(await board.health()).toMatchObject({ pulsesApplied: trace.length });
          expect(lines).toEqual([`lost ${link}: the port was unplugged; trying for 30 s to reach it again`]);
          expect(board.counters.sessions).toBe(1);
        },
      );
    });
  });
}

describe('a line that drops, flips, doubles and inserts bytes, each one in 2000', () => {
  test('an array is programmed, and the trace is what the driver believes', { timeout: 60_000 }, async () => {
    const trace: TracedPulse[] = [];
    const virtual = createVirtualBoard({
      profile: 'w-sdc-8x8x4',
      seed: 5,
      trace: (pulse) => trace.push(pulse),
    });
    endings.push(() => virtual.close());
    const served = await serveTcp(virtual);
    endings.push(() => served.close());
    const relay = spawn(
      process.execPath,
      [join(import.meta.dirname, 'relay.mjs'), new URL(served.port).port, '3', '--rate', '5e-4'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    endings.push(() => relay.kill('SIGKILL'));
    const lines = createInterface({ input: relay.stdout! });
    const [port] = await once(lines, 'line');
    const believed: string[] = [];
    const told: string[] = [];
    const board = await connectBoard(await openTransport(`tcp://127.0.0.1:${port}`), {
      link: { handshakeTimeout: 10 },
      emit: (event) => {
        if (event.type !== 'pulses') return;
        told.push(event.status);
        for (const { array, row, column } of event.pulses) believed.push(`${array} ${row} ${column}`);
      },
    });
    endings.push(() => board.close());
    const home = mkdtempSync(join(tmpdir(), 'memloop-'));
    endings.push(() => rmSync(home, { recursive: true }));
    const guarded = guardBoard(board, { home });
    const { low, high } = arrayWindow(guarded.passport.array(1));
    const targets = Float64Array.from({ length: 64 }, (_, i) => low + ((high - low) * ((i * 37) % 64)) / 63);
    const calibrated = new CalibratedBoard(guarded, nominalCalibration(guarded));
    const report = await programArray(calibrated, 1, targets);
    expect(report.inTolerance).toBeGreaterThan(0.8);
    expect(new Set(told)).toEqual(new Set(['applied']));
    // Told as the answers come, which may be in another order than the pulses.
    expect(believed.sort()).toEqual(
      trace.map(({ array, row, column }) => `${array} ${row} ${column}`).sort(),
    );
    expect(report.pulses).toBe(trace.length);
    expect(report.roundTrips).toBeGreaterThan(0);
    expect(board.counters.sessions).toBe(1);
    expect((await stop(relay, lines)).hurt).toBeGreaterThan(20);
  });
});

async function stop(relay: ChildProcess, lines: ReturnType<typeof createInterface>) {
  const last = once(lines, 'line');
  relay.kill('SIGTERM');
  return JSON.parse((await last)[0]) as { passed: number; hurt: number; cuts: number };
}
