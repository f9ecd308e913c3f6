import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { encodeFrame } from '../../firmware-protocol/frame.js';
import { MIF, runMif } from '../../src/model/devices/mif.js';
import {
  createVirtualBoard,
  loadProfile,
  type TracedPulse,
  type VirtualBoard,
  type VirtualBoardOptions,
  withEffects,
} from '../../src/virtual-board/index.js';
import { Host } from './host.js';

const folder = mkdtempSync(join(tmpdir(), 'memloop-board-'));
afterAll(() => rmSync(folder, { recursive: true }));

const boards: VirtualBoard[] = [];
afterEach(() => {
  for (const board of boards.splice(0)) board.close();
});
const create = (options: VirtualBoardOptions) => {
  const board = createVirtualBoard(options);
  boards.push(board);
  return board;
};
const connect = async (options: VirtualBoardOptions) => {
  const board = create(options);
  const host = new Host(board);
  const hello = await host.hello();
  return { board, host, hello };
};

const MICRO = 1e-6;
const pulse = (row: number, column: number, voltage: number, width: number) =>
  ({ kind: 'PULSE', array: 0, row, column, code: Math.round(voltage * 2047), width, samples: 0 }) as const;

describe('a virtual board over its bytes', () => {
  it('awaits only promises of a listener: others may return the boolean of `stream.write`', async () => {
    const board = create({ profile: 'w-sdc-8x8x4' });
    const host = new Host({
      write: (bytes) => board.write(bytes),
      onData: (listener) =>
        board.onData((bytes): never => {
          listener(bytes);
          return true as never;
        }),
    });
    await host.hello();
    expect((await host.request({ name: 'Describe' })).rows).toBe(8);
  });

  it('describes what the profile says', async () => {
    const { host, hello } = await connect({ profile: 'w-sdc-8x8x4', seed: 7 });
    const profile = loadProfile('w-sdc-8x8x4');
    const description = await host.request({ name: 'Describe' });
    expect(description).toMatchObject({ arrays: 4, rows: 8, columns: 8, neurons: 10, maxSteps: 1000 });
    expect(description.rowVoltsPerCount * description.rowMaxCount).toBeCloseTo(1, 5);
    expect(description.seriesResistance).toBe(profile.pulse.seriesResistance);
    expect(Array.from(description.references)).toEqual(profile.references.map(Math.fround));
    const { serial } = await host.request({ name: 'ArrayInfo', array: 3 });
    expect(serial).toBe(`${hello.boardSerial}-A3`);
  });

  it('reads what the crossbar has, through nominal converters', async () => {
    const { board, host } = await connect({ profile: 'ideal' });
    const array = board.frontEnd.crossbars[2];
    array.state.forEach((_, i) => {
      array.state[i] = (i % 97) / 97;
    });
    const code = Math.round(0.05 * 32767);
    const { counts } = await host.request({
      name: 'ReadRows',
      array: 2,
      firstRow: 4,
      rowCount: 3,
      code,
      samples: 4,
    });
    const truth = array.conductances(0.05);
    counts.forEach((count, n) => {
      const current = truth[4 * 32 + n] * (code / 32767);
      expect(Math.abs((count * 20e-6) / 32767 - current)).toBeLessThan(0.51 * (20e-6 / 32767));
    });
    const codes = new Int16Array(32).fill(code);
    const product = await host.request({ name: 'Multiply', array: 2, range: 1, samples: 1, codes });
    for (let c = 0; c < 32; c++) {
      let sum = 0;
      for (let r = 0; r < 32; r++) sum += truth[r * 32 + c] * (code / 32767);
      expect(Math.abs((product.counts[c] * 400e-6) / 32767 - sum)).toBeLessThan(0.51 * (400e-6 / 32767));
    }
  });

  it('shows the same reference resistor through each channel with its own error', async () => {
    const { host } = await connect({ profile: withEffects(loadProfile('w-sdc-8x8x4'), ['converterErrors']) });
    const code = Math.round(0.1 * 2047);
    const read = async (column: number, reference: number) => {
      const codes = Int16Array.of(code, -code, 0);
      const reply = await host.request({
        name: 'Reference',
        row: 0,
        column,
        reference,
        range: 0,
        samples: 8,
        codes,
      });
      return Array.from(reply.counts, (count) => (count * 20e-6) / 8191);
    };
    const gains: number[] = [];
    for (let column = 0; column < 8; column++) {
      const [plus, minus, zero] = await read(column, 3);
      gains.push((plus - minus) / (2 * (0.1 / 15e3)));
      expect(Math.abs(zero)).toBeLessThan(1e-6);
      const open = await read(column, 255);
      expect(open[0]).toBe(open[1]);
    }
    expect(Math.max(...gains) - Math.min(...gains)).toBeGreaterThan(0.02);
    for (const gain of gains) expect(Math.abs(gain - 1)).toBeLessThan(0.25);
  });

  it('streams the membrane voltages that the model computes', async () => {
    const { host } = await connect({ profile: 'ideal' });
    const drives = new Int16Array(20);
    drives[0] = 1000;
    drives[13] = -800;
    const reply = await host.request({
      name: 'Run',
      run: 5,
      steps: 1000,
      decimation: 1,
      frameSamples: 0,
      pulseSteps: Uint16Array.of(0, 400),
      drives,
    });
    expect(reply).toMatchObject({ run: 5, status: 'OK', frames: 10, samples: 1000 });
    const counts = host.events.flatMap((event) => (event.name === 'Samples' ? Array.from(event.counts) : []));
    expect(counts).toHaveLength(10_000);
    const step = 500e-6 / 32767;
    for (const [neuron, jumps] of [
      [0, new Map([[0, 1000 * step]])],
      [3, new Map([[400, -800 * step]])],
      [7, new Map()],
    ] as const) {
      const { states } = runMif(MIF, 'exponential', 1e-5, 1000, jumps);
      for (let n = 0; n < 1000; n += 37) {
        expect((counts[n * 10 + neuron] * 2) / 32767).toBeCloseTo(states[n + 1].v, 4);
      }
    }
  });

  it('takes bytes one by one and all at once', async () => {
    const board = create({ profile: 'w-sdc-8x8x4' });
    const host = new Host({
      onData: (listener) => board.onData(listener),
      write: (bytes) => {
        for (const byte of bytes) board.write(Uint8Array.of(byte));
      },
    });
    await host.hello();
    expect(await host.request({ name: 'Describe' })).toMatchObject({ arrays: 4 });
  });
});

describe('a chip', () => {
  const measured = async (options: VirtualBoardOptions) => {
    const { host, hello } = await connect(options);
    const ops = Array.from({ length: 20 }, (_, n) =>
      pulse(n % 8, (n * 3) % 8, n % 2 ? 0.3 : -0.15, 20 * MICRO),
    );
    await host.request({ name: 'Cells', ops });
    const rows = await host.request({
      name: 'ReadRows',
      array: 0,
      firstRow: 0,
      rowCount: 8,
      code: 102,
      samples: 2,
    });
    return { serial: hello.boardSerial, bootId: hello.bootId, counts: Array.from(rows.counts) };
  };

  it('is the same, noise and all, for the same profile and seed', async () => {
    const first = await measured({ profile: 'w-sdc-8x8x4', seed: 3 });
    const second = await measured({ profile: 'w-sdc-8x8x4', seed: 3 });
    expect(second.counts).toEqual(first.counts);
    expect(second.serial).toBe(first.serial);
    expect(second.bootId).not.toBe(first.bootId);
  });

  it('is another for another seed or profile', async () => {
    const serials = new Set<string>();
    for (const profile of ['w-sdc-8x8x4', 'w-sdc-32x32x5']) {
      for (const seed of [1, 2]) serials.add(create({ profile, seed }).frontEnd.boardSerial);
    }
    expect(serials.size).toBe(4);
  });

  it('boots with the same id when asked to', async () => {
    const ids = [5, 5, 6].map(async (boot) => (await connect({ profile: 'ideal', boot })).hello.bootId);
    const [a, b, c] = await Promise.all(ids);
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });

  it('keeps its state over a power cycle, which ends the session', async () => {
    const { board, host, hello } = await connect({ profile: 'ideal' });
    await host.request({ name: 'Cells', ops: [{ ...pulse(0, 0, 0, 50 * MICRO), code: 11000 }] });
    const state = board.frontEnd.crossbars[0].state.slice();
    expect(state[0]).toBeGreaterThan(0.1);
    board.reboot();
    await host.notice('BOOTED');
    await expect(host.request({ name: 'Ping' })).rejects.toThrow(/NO_SESSION/);
    expect((await host.hello()).bootId).not.toBe(hello.bootId);
    expect(board.frontEnd.crossbars[0].state).toEqual(state);
  });
});

describe('board time', () => {
  it('is the sum of what the operations took, whatever the wall says', async () => {
    const { board, host } = await connect({ profile: 'w-sdc-8x8x4' });
    const { readTime } = board.profile.read;
    await host.request({
      name: 'Cells',
      ops: [pulse(0, 0, 0.1, 500 * MICRO), pulse(1, 1, 0.1, 2.5 * MICRO)],
    });
    await host.request({ name: 'ReadRows', array: 0, firstRow: 0, rowCount: 8, code: 102, samples: 10 });
    await host.request({
      name: 'Run',
      run: 1,
      steps: 500,
      decimation: 5,
      frameSamples: 0,
      pulseSteps: new Uint16Array(),
      drives: new Int16Array(),
    });
    expect(board.frontEnd.time).toBeCloseTo(500e-6 + 2.5e-6 + 80 * readTime + 5e-3, 9);
  });

  it('can be let pass: cells relax', async () => {
    const profile = structuredClone(loadProfile('ideal'));
    Object.assign(profile.effects.relaxation, { enabled: true, share: 0.2, time: 1 });
    const { board, host } = await connect({ profile });
    await host.request({ name: 'Cells', ops: [{ ...pulse(0, 0, 0, 50 * MICRO), code: 11000 }] });
    const [written] = board.frontEnd.crossbars[0].state;
    board.elapse(3600);
    expect(board.frontEnd.crossbars[0].state[0]).toBeCloseTo(written - 0.2 * (written - 0.05), 6);
  });

  it('runs with the wall for the dead-man: a silent host is noticed', async () => {
    const profile = { ...loadProfile('ideal'), deadManTime: 0.05 };
    const { host } = await connect({ profile });
    await host.notice('DEAD_MAN');
  });

  it('real time: an answer does not come before its operation has taken its time', async () => {
    const { host } = await connect({ profile: 'w-sdc-8x8x4', realTime: true });
    const start = performance.now();
    await host.request({
      name: 'Cells',
      ops: Array.from({ length: 100 }, () => pulse(0, 0, 0.1, 500 * MICRO)),
    });
    expect(performance.now() - start).toBeGreaterThanOrEqual(100 * 0.5);
  });
});

describe('the trace', () => {
  it('has each pulse that was applied, and none that was refused', async () => {
    const pulses: TracedPulse[] = [];
    const { host } = await connect({ profile: 'w-sdc-8x8x4', trace: (p) => pulses.push(p) });
    const ops = [
      pulse(1, 2, 0.25, 10 * MICRO),
      pulse(0, 0, 0.9, 10 * MICRO),
      pulse(3, 4, -0.2, 5 * MICRO),
      pulse(9, 0, 0.1, 5 * MICRO),
    ];
    const { results } = await host.request({ name: 'Cells', ops });
    expect(results.map((result) => result.status)).toEqual(['OK', 'LIMIT_VOLTAGE', 'OK', 'BAD_ADDRESS']);
    expect(pulses).toHaveLength(2);
    expect(pulses[0]).toMatchObject({ time: 0, array: 0, row: 1, column: 2 });
    expect(pulses[0].voltage).toBeCloseTo(0.25, 3);
    expect(pulses[1].width).toBeCloseTo(5e-6, 12);
    expect(pulses[1].time).toBeCloseTo(10e-6, 12);
  });

  it('is on disk before the host hears of a pulse', async () => {
    const path = join(folder, 'trace.ndjson');
    const { host } = await connect({ profile: 'w-sdc-8x8x4', trace: path });
    for (let n = 1; n <= 5; n++) {
      await host.request({
        name: 'Cells',
        ops: [pulse(n, n, 0.2, 10 * MICRO), pulse(0, n, 0.2, 10 * MICRO)],
      });
      const lines = readFileSync(path, 'utf8').trim().split('\n');
      expect(lines).toHaveLength(2 * n);
      expect(JSON.parse(lines.at(-1)!)).toMatchObject({ row: 0, column: n });
    }
  });

  it('that cannot be written is told at once', () => {
    expect(() => create({ profile: 'ideal', trace: join(folder, 'no', 'such') })).toThrow(
      /cannot write the trace/,
    );
  });
});

describe('a slow host', () => {
  it('holds the board back instead of filling memory, and loses nothing', async () => {
    const board = create({ profile: 'w-sdc-8x8x4' });
    let release: (() => void) | undefined;
    let held = 0;
    let deliver: (bytes: Uint8Array) => void = () => {};
    board.onData((bytes) => {
      held = Math.max(held, bytes.length);
      deliver(bytes);
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    const host = new Host({
      write: (bytes) => board.write(bytes),
      onData: (listener) => {
        deliver = listener;
      },
    });
    const timer = setInterval(() => release?.(), 1);
    try {
      await host.hello();
      const drives = new Int16Array();
      for (let run = 0; run < 10; run++) {
        await host.request({
          name: 'Run',
          run,
          steps: 1000,
          decimation: 1,
          frameSamples: 0,
          pulseSteps: new Uint16Array(),
          drives,
        });
      }
    } finally {
      clearInterval(timer);
    }
    expect(host.events.filter((event) => event.name === 'Samples')).toHaveLength(100);
    expect(held).toBeLessThanOrEqual(65536);
  });

  it('a fast one is told to wait when the board is behind', async () => {
    const board = create({ profile: 'ideal' });
    board.onData(() => {});
    const frame = encodeFrame({ message: { name: 'Ping' }, session: 1, sequence: 1 });
    let waits = 0;
    for (let n = 0; n < 10_000; n++) {
      const taken = board.write(frame);
      if (taken) waits++;
      await taken;
    }
    expect(waits).toBeGreaterThan(0);
  });
});
