/** The firmware on an emulated Cortex-M4, over its UARTs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { CellOp } from '../../firmware-protocol/generated/protocol.js';
import {
  type Board,
  type CellOperation,
  connectBoard,
  inProcessTransport,
  openTransport,
} from '../../src/driver/index.js';
import {
  createVirtualBoard,
  type FrontEndCall,
  loadProfile,
  type QemuBoardOptions,
  servePty,
  startQemuBoard,
  type TracedPulse,
  type VirtualBoard,
} from '../../src/virtual-board/index.js';
import { Host } from '../virtual-board/host.js';
import { buildFirmware, missing, why } from './qemu.js';

const profile = loadProfile('w-sdc-8x8x4');

/** A little of all that a board can do; results that are the same on every board with the same chip. */
async function everything(board: Board) {
  const { firmwareVersion, ...description } = board.description;
  const pulses: CellOperation[] = Array.from({ length: 240 }, (_, n) => ({
    kind: 'pulse',
    ...{ array: n % 4, row: (n >> 2) % 8, column: (n >> 5) % 8 },
    voltage: n % 3 === 0 ? -0.5 : 0.6,
    width: 1e-5 + n * 1e-7,
  }));
  const outcomes = await board.cells(pulses);
  const reads = await board.cells(
    pulses
      .slice(0, 20)
      .map(({ array, row, column }) => ({ kind: 'read', array, row, column, voltage: 0.1, samples: 4 })),
  );
  const rows = await board.readRows(1, 0, 8, 0.1, 4);
  const products = await board.multiply(
    2,
    Float32Array.from({ length: 64 }, (_, i) => 0.02 * (i % 9)),
    { samples: 2 },
  );
  const currents = await board.reference(3, 4, 0, Float32Array.of(-0.1, 0, 0.1));
  const stimuli = [1, 2].map((strength) => ({
    steps: 300,
    decimation: strength,
    pulseSteps: [0, 100],
    drives: Float32Array.from({ length: 20 }, (_, i) => 1e-6 * strength * (i + 1)),
  }));
  const runs = await board.run(stimuli);
  const { pulsesApplied } = await board.health();
  return { description, outcomes, reads, rows, products, currents, runs, pulsesApplied, firmwareVersion };
}

describe.skipIf(missing.length > 0)(`a board in QEMU${why}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'memloop-qemu-test-'));
  const firmware = join(folder, 'firmware.elf');
  const endings: (() => unknown)[] = [];
  const start = async (options: Partial<QemuBoardOptions> = {}): Promise<VirtualBoard> => {
    const board = await startQemuBoard({ profile, seed: 3, firmware, ...options });
    endings.push(() => board.close());
    return board;
  };
  const connect = async (virtual: VirtualBoard) => {
    const served = await servePty(virtual);
    endings.push(() => served.close());
    const board = await connectBoard(await openTransport(served.port));
    endings.push(() => board.close());
    return board;
  };

  beforeAll(() => buildFirmware(firmware));
  afterAll(async () => {
    for (const end of endings.reverse()) await end();
    rmSync(folder, { recursive: true });
  });

  test('does over a pseudo-terminal, to the last count, what the virtual board does, on little stack', async () => {
    const traces: TracedPulse[][] = [[], []];
    let stackUsed = 0;
    const qemu = await start({
      trace: (pulse) => traces[0].push(pulse),
      onStackUsed: (bytes) => {
        stackUsed = bytes;
      },
    });
    const virtual = createVirtualBoard({ profile, seed: 3, trace: (pulse) => traces[1].push(pulse) });
    endings.push(() => virtual.close());

    const { firmwareVersion, ...results } = await everything(await connect(qemu));
    const twin = await connectBoard(inProcessTransport('virtual:twin', virtual));
    const { firmwareVersion: other, ...expected } = await everything(twin);

    expect(results).toEqual(expected);
    expect(traces[0]).toEqual(traces[1]);
    expect(results.outcomes).toEqual(results.outcomes.map(() => ({ status: 'applied' })));
    expect(results.runs.map(({ samples, lost }) => [samples, lost])).toEqual([
      [300, 0],
      [150, 0],
    ]);
    expect([firmwareVersion, other]).toEqual(['0.1.0-netduinoplus2', '0.1.0-virtual']);
    // Reported by the board's own clock, which all of the above may have outrun.
    await vi.waitFor(() => expect(stackUsed).toBeGreaterThan(100), { timeout: 10_000 });
    expect(stackUsed, 'of the 4096 bytes that the linker script keeps').toBeLessThan(2048);
  });

  test('refuses by itself what is outside its limits, and nothing of it reaches the physics', async () => {
    const trace: TracedPulse[] = [];
    const qemu = await start({ trace: (pulse) => trace.push(pulse) });
    const host = new Host(qemu);
    await host.hello();
    const { rowVoltsPerCount, maxVoltage, minVoltage, maxWidth, minWidth } = await host.request({
      name: 'Describe',
    });
    const codes = [maxVoltage, minVoltage].map((volts) => Math.round(volts / rowVoltsPerCount));
    const good: CellOp = { kind: 'PULSE', array: 0, row: 0, column: 0, code: 20, width: 1e-5, samples: 1 };
    const { results } = await host.request({
      name: 'Cells',
      ops: [
        { ...good, code: codes[0] + 1 },
        { ...good, code: codes[1] - 1 },
        { ...good, width: maxWidth + 1e-7 },
        { ...good, width: minWidth - 1e-7 },
        { ...good, row: 8 },
        { ...good, kind: 'READ', code: codes[0] },
        good,
      ],
    });
    expect(results.map(({ status }) => status)).toEqual([
      ...['LIMIT_VOLTAGE', 'LIMIT_VOLTAGE', 'LIMIT_WIDTH', 'LIMIT_WIDTH', 'BAD_ADDRESS', 'LIMIT_VOLTAGE'],
      'OK',
    ]);
    expect(trace).toHaveLength(1);
  });

  test('puts its lines to 0 V when the host has been silent for the dead-man time of its own clock', async () => {
    const calls: { call: FrontEndCall; time: number }[] = [];
    const deadManTime = 0.5;
    const qemu = await start({
      profile: { ...profile, deadManTime },
      onCall: (call, time) => calls.push({ call, time }),
    });
    const host = new Host(qemu);
    await host.hello();
    await host.request({ name: 'ReadRows', array: 0, firstRow: 0, rowCount: 1, code: 10, samples: 1 });
    const silentFrom = calls.findLast(({ call }) => call === 'readRow')!.time;
    const before = calls.length;
    await host.notice('DEAD_MAN');
    const zeroed = calls.slice(before).filter(({ call }) => call === 'linesToZero');
    expect(zeroed).toHaveLength(1);
    const silence = ((zeroed[0].time - silentFrom) >>> 0) * 1e-6;
    // The frame came a little before its row was read, and an emulator on a busy machine stumbles.
    expect(silence).toBeGreaterThan(0.8 * deadManTime);
    expect(silence).toBeLessThan(deadManTime + 1);
  });

  test('a call of the front end that is repeated, for its answer is late, is executed once', async () => {
    const trace: TracedPulse[] = [];
    let calls = 0;
    const qemu = await start({
      trace: (pulse) => trace.push(pulse),
      onCall: (call) => {
        if (call === 'pulses') calls++;
      },
    });
    const host = new Host(qemu);
    await host.hello();
    let pulses = 0;
    const repeated = () => calls > pulses;
    // On a busy machine the board may be slower to repeat than we are to answer.
    for (let attempts = 0; attempts < 10 && !repeated(); attempts++) {
      const op: CellOp = { kind: 'PULSE', array: 0, row: 0, column: 0, code: 20, width: 1e-5, samples: 1 };
      const reply = host.request({ name: 'Cells', ops: [op] });
      // Nobody answers the board for longer than it waits.
      for (const end = performance.now() + 1200; performance.now() < end; );
      expect((await reply).results).toEqual([{ status: 'OK', count: 0 }]);
      pulses++;
      await vi.waitFor(() => expect(repeated()).toBe(true), { timeout: 300 }).catch(() => {});
    }
    expect(repeated()).toBe(true);
    expect(trace).toHaveLength(pulses);
  });

  test('a reset ends the session and nothing else: the driver goes on in a new one', async () => {
    const qemu = await start();
    const board = await connect(qemu);
    const pulse: CellOperation = { kind: 'pulse', array: 0, row: 1, column: 1, voltage: 0.6, width: 1e-4 };
    await board.cells([pulse, pulse]);
    const state = Float64Array.from(qemu.frontEnd.crossbars[0].state);
    qemu.reboot();
    await vi.waitFor(async () => expect((await board.health()).pulsesApplied).toBe(0), { timeout: 30_000 });
    expect(qemu.frontEnd.crossbars[0].state).toEqual(state);
    expect(await board.cells([pulse])).toEqual([{ status: 'applied' }]);
  });

  test('a profile with more cells than the microcontroller can count is refused', async () => {
    await expect(start({ profile: 'w-sdc-128x128x15' })).rejects.toThrow('counts the pulses of 16384');
  });
});
