import { afterEach, describe, expect, test, vi } from 'vitest';
import { encodeFrame, type Frame, FrameDecoder } from '../../../firmware-protocol/frame.js';
import {
  type CellOperation,
  type CellOutcome,
  type ConnectOptions,
  connectBoard,
  inProcessTransport,
  openTransport,
  type ProtocolBoard,
  type Transport,
} from '../../../src/driver/index.js';
import { Random } from '../../../src/model/random.js';
import type { EventBody } from '../../../src/shared/events.js';
import {
  createVirtualBoard,
  servePty,
  serveTcp,
  type TracedPulse,
  type VirtualBoard,
} from '../../../src/virtual-board/index.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

interface Bench {
  virtual: VirtualBoard;
  trace: TracedPulse[];
  transport: Transport;
}

type Serve = (virtual: VirtualBoard) => Promise<Transport>;

const inProcess: Serve = async (virtual) => inProcessTransport('virtual:ideal', virtual);
const overPty: Serve = async (virtual) => {
  const served = await servePty(virtual);
  endings.push(() => served.close());
  return openTransport(served.port);
};
const overTcp: Serve = async (virtual) => {
  const served = await serveTcp(virtual);
  endings.push(() => served.close());
  return openTransport(served.port);
};

async function bench(serve: Serve = inProcess, profile = 'ideal'): Promise<Bench> {
  const trace: TracedPulse[] = [];
  const virtual = createVirtualBoard({ profile, seed: 3, trace: (pulse) => trace.push(pulse) });
  endings.push(() => virtual.close());
  return { virtual, trace, transport: await serve(virtual) };
}

async function connected(
  options: ConnectOptions = {},
  serve: Serve = inProcess,
): Promise<Bench & { board: ProtocolBoard }> {
  const made = await bench(serve);
  const board = await connectBoard(made.transport, options);
  endings.push(() => board.close());
  return { ...made, board };
}

const pulse = (n: number, voltage = 0.5): CellOperation => ({
  kind: 'pulse',
  array: n % 5,
  row: n % 32,
  column: (n * 7) % 32,
  voltage,
  width: 5e-6 + (n % 4000) * 1e-7,
});

const reached = (trace: TracedPulse[], count: number) =>
  vi.waitFor(() => expect(trace.length).toBeGreaterThanOrEqual(count), { interval: 1, timeout: 30_000 });

describe.each([
  ['in this process', inProcess],
  ['over a pseudo-terminal with serialport', overPty],
  ['over TCP', overTcp],
])('a board %s', (_, serve) => {
  test('describes itself, is pulsed, read, multiplied, run and stopped', async () => {
    const { board, trace } = await connected({}, serve);
    const { description } = board;
    expect(description).toMatchObject({
      arrays: 5,
      rows: 32,
      columns: 32,
      neurons: 10,
      seriesResistance: 5000,
    });
    expect(description.limits).toMatchObject({ minVoltage: -1, maxVoltage: 0.75, maxWidth: 5e-4 });
    expect(new Set(description.arraySerials).size).toBe(5);

    const before = await board.readRows(2, 0, 32, 0.1, 1);
    const operations = Array.from({ length: 700 }, (_, n) => pulse(n));
    const outcomes = await board.cells(operations);
    expect(outcomes).toEqual(operations.map(() => ({ status: 'applied' })));
    expect(trace).toHaveLength(700);
    for (const [n, applied] of trace.entries()) {
      expect(applied).toMatchObject({ array: n % 5, row: n % 32, column: (n * 7) % 32 });
      expect(applied.voltage).toBeCloseTo(0.5, 4);
      expect(applied.width).toBeCloseTo(5e-6 + n * 1e-7, 9);
    }
    const after = await board.readRows(2, 0, 32, 0.1, 1);
    expect(after).toHaveLength(32 * 32);
    // The 140 pulses on array 2 fell on 32 cells; without half-select disturb no other has moved.
    expect(after.filter((current, i) => current > before[i])).toHaveLength(32);

    const single = await board.cells([
      { kind: 'read', array: 2, row: 2, column: 14, voltage: 0.1, samples: 1 },
    ]);
    expect(single[0].status === 'applied' && single[0].current).toBeCloseTo(after[2 * 32 + 14], 9);

    // One row driven at a time: the product is that row's read, in another range's steps.
    const rows = new Float32Array(32 * 32);
    for (let i = 0; i < 32; i++) rows[i * 32 + i] = 0.1;
    const products = await board.multiply(2, rows);
    const step = description.currentRanges.at(-1)!.step;
    for (let i = 0; i < products.length; i++)
      expect(Math.abs(products[i] - after[i])).toBeLessThan(1.01 * step);

    const stimuli = Array.from({ length: 12 }, (_, i) => ({
      steps: 400,
      decimation: 2,
      pulseSteps: [0, 50],
      drives: Float32Array.from({ length: 20 }, (_, k) => 1e-5 * (i + k)),
    }));
    const frames: { run: number; voltages: number[] }[] = [];
    board.neurons.subscribe(({ run, voltages, lost }) => {
      expect(lost).toBe(0);
      frames.push({ run, voltages: Array.from(voltages) });
    });
    const runs = await board.run(stimuli);
    expect(runs.map(({ samples, lost }) => [samples, lost])).toEqual(stimuli.map(() => [200, 0]));
    for (const { run, voltages } of runs) {
      expect(frames.filter((frame) => frame.run === run).flatMap((frame) => frame.voltages)).toEqual(
        Array.from(voltages),
      );
    }
    // Twice the drive, more depolarised: the stimuli reached their own runs.
    const peak = runs.map(({ voltages }) => Math.max(...voltages));
    expect(peak).toEqual([...peak].sort((a, b) => a - b));

    const resistance = description.references[3];
    const currents = await board.reference(1, 2, 3, Float32Array.of(-0.1, 0, 0.1), { range: 0 });
    expect(currents[2] - currents[0]).toBeCloseTo(0.2 / resistance, 8);
    const [open] = await board.reference(1, 2, undefined, Float32Array.of(0.1));
    expect(Math.abs(open)).toBeLessThan(2 * description.currentRanges[0].step);

    await board.stop();
    expect(await board.health()).toMatchObject({ pulsesApplied: 700, crcErrors: 0 });
  });

  test('a board that vanishes in the middle leaves every pulse applied, refused or unknown', async () => {
    const { board, virtual, transport, trace } = await connected({ link: { lostAfter: 0.3 } }, serve);
    const operations = Array.from({ length: 3000 }, (_, n) => pulse(n));
    const outcomes = board.cells(operations);
    await reached(trace, 500);
    virtual.close();
    const settled = await outcomes;
    const of = (status: CellOutcome['status']) =>
      settled.flatMap((outcome, i) => (outcome.status === status ? [i] : []));
    // Pulses are applied in order, so the trace is the first ones.
    expect(of('applied').filter((i) => i >= trace.length)).toEqual([]);
    expect(of('refused').filter((i) => i < trace.length)).toEqual([]);
    expect(of('applied').length).toBeGreaterThan(0);
    expect(of('unknown').length).toBeGreaterThan(0);
    expect(of('applied').length + of('refused').length + of('unknown').length).toBe(3000);
    const codes = settled.flatMap((outcome) => (outcome.status === 'applied' ? [] : [outcome.code]));
    expect(new Set(codes)).toEqual(new Set(['BOARD_LOST', 'NOT_SENT']));
    await expect(board.health()).rejects.toMatchObject({ reason: 'board-lost', exitCode: 1 });
    await board.close();
    await transport.closed;
  });
});

describe('before anything is sent', () => {
  test.each<[string, CellOperation, string, RegExp]>([
    [
      'a voltage over the limit',
      { ...pulse(0), voltage: 0.76 } as CellOperation,
      'limit',
      /0.76 V is outside the limits, -1 to 0.75 V/,
    ],
    ['a voltage under the limit', { ...pulse(0), voltage: -1.01 } as CellOperation, 'limit', /-1.01 V/],
    ['no number', { ...pulse(0), voltage: Number.NaN } as CellOperation, 'limit', /NaN/],
    ['a width over the limit', { ...pulse(0), width: 6e-4 } as CellOperation, 'limit', /0.0006 s.*0.0005 s/],
    ['too much energy', { ...pulse(0), voltage: -1, width: 4e-4 } as CellOperation, 'limit', /energy 2e-8 J/],
    [
      'a row that does not exist',
      { ...pulse(0), row: 32 } as CellOperation,
      'bad-input',
      /no row 32: the board has 32/,
    ],
    [
      'a read voltage over the limit',
      { kind: 'read', array: 0, row: 0, column: 0, voltage: 0.3, samples: 1 },
      'limit',
      /read voltage 0.3 V/,
    ],
    [
      'too many samples',
      { kind: 'read', array: 0, row: 0, column: 0, voltage: 0.1, samples: 256 },
      'bad-input',
      /256 is not a whole number from 1 to 255/,
    ],
  ])('%s is refused, and none of the batch is applied', async (_, operation, reason, message) => {
    const { board, trace } = await connected();
    const refused = board.cells([pulse(1), operation]);
    await expect(refused).rejects.toMatchObject({
      reason,
      message: expect.stringMatching(message),
      exitCode: 2,
    });
    expect(trace).toEqual([]);
  });

  test('a value at the limit is applied, whatever 32-bit floats make of it', async () => {
    const { board } = await connected();
    const { maxVoltage, minVoltage, maxWidth, minWidth, maxEnergy } = board.description.limits;
    const longest = (voltage: number) =>
      Math.min(maxWidth, Math.floor(((maxEnergy * 4 * 5000) / voltage ** 2) * 1e7) * 1e-7);
    const operations = [maxVoltage, minVoltage].flatMap((voltage) => [
      { ...pulse(0), voltage, width: minWidth } as CellOperation,
      { ...pulse(0), voltage, width: longest(voltage) } as CellOperation,
    ]);
    expect(await board.cells(operations)).toEqual(operations.map(() => ({ status: 'applied' })));
    const reads = [0.2, -0.2].map(
      (voltage): CellOperation => ({ kind: 'read', array: 0, row: 0, column: 0, voltage, samples: 1 }),
    );
    for (const outcome of await board.cells(reads)) expect(outcome.status).toBe('applied');
  });

  test('a board opened read-only can be read but not pulsed', async () => {
    const { board, trace } = await connected({ readOnly: true });
    await expect(board.cells([pulse(0)])).rejects.toMatchObject({ reason: 'usage' });
    expect(await board.readRows(0, 0, 2, 0.1, 1)).toHaveLength(64);
    expect(trace).toEqual([]);
  });

  test('given limits tighten the board’s own and can never loosen them', async () => {
    const { board } = await connected({ limits: { maxVoltage: 0.4 } });
    await expect(board.cells([pulse(0, 0.5)])).rejects.toMatchObject({ reason: 'limit' });
    const { transport } = await bench();
    await expect(connectBoard(transport, { limits: { maxVoltage: 0.8 } })).rejects.toMatchObject({
      reason: 'limit',
    });
  });

  test('a cell that has had its pulses gets no more, the others of the batch do', async () => {
    const { board, trace } = await connected({ limits: { maxPulses: 2 } });
    const outcomes = await board.cells([pulse(0), pulse(0), pulse(0), pulse(1)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['applied', 'applied', 'refused', 'applied']);
    expect((await board.cells([pulse(0)]))[0].status).toBe('refused');
    expect(trace).toHaveLength(3);
  });

  test.each([
    ['steps', { steps: 1001 }, /steps: 1001 is not a whole number from 1 to 1000/],
    ['a drive over the limit', { drives: new Float32Array(10).fill(1) }, /drive 1 A is outside/],
    [
      'drives that do not fit',
      { drives: new Float32Array(9) },
      /9 drives; 1 input pulses on 10 neurons need 10/,
    ],
    [
      'steps out of order',
      { pulseSteps: [5, 5], drives: new Float32Array(20) },
      /5 is not a whole number from 6/,
    ],
  ])('a stimulus with bad %s is refused', async (_, wrong, message) => {
    const { board } = await connected();
    const stimulus = { steps: 10, decimation: 1, pulseSteps: [0], drives: new Float32Array(10), ...wrong };
    await expect(board.run([stimulus])).rejects.toThrow(message);
  });
});

describe('events', () => {
  test('tell the board, every pulse with its fate, and the link', async () => {
    const events: EventBody[] = [];
    const { board } = await connected({ emit: (event) => events.push(event), limits: { maxPulses: 1 } });
    await board.cells([pulse(0), pulse(0), pulse(1)]);
    await board.close();
    const of = (type: string) => events.filter((event) => event.type === type);
    expect(of('board')).toMatchObject([{ arrays: 5, rows: 32, columns: 32, neurons: 10 }]);
    expect(of('pulses')).toMatchObject([
      { status: 'refused', pulses: [{ voltage: 0.5, reason: expect.stringContaining('pulses') }] },
      { status: 'applied', pulses: [{ row: 0 }, { row: 1 }] },
    ]);
    expect(of('link').map((event) => event.type === 'link' && event.state)).toEqual([
      'connecting',
      'connected',
      'closed',
    ]);
  });
});

/** Frames that pass as `fate` says: 0 lost, 1 as they are, 2 twice. */
function mangled(transport: Transport, fate: (frame: Frame, toBoard: boolean) => number): Transport {
  const [toBoard, toHost] = [new FrameDecoder(), new FrameDecoder()];
  const pass = (frames: Frame[], way: boolean) =>
    Buffer.concat(
      frames.flatMap((frame) => Array.from({ length: fate(frame, way) }, () => encodeFrame(frame))),
    );
  return {
    url: transport.url,
    closed: transport.closed,
    close: () => transport.close(),
    listen: (onBytes) => transport.listen((bytes) => onBytes(pass(toHost.push(bytes), false))),
    write: (bytes) => transport.write(pass(toBoard.push(bytes), true)),
  };
}

test('requests go out in the order of the calls that they serve, one call’s behind another’s', async () => {
  const { transport } = await bench();
  const asked: string[] = [];
  const board = await connectBoard(
    mangled(transport, ({ message }, toBoard) => {
      if (toBoard && ['Multiply', 'Run', 'ReadRows'].includes(message.name)) asked.push(message.name);
      return 1;
    }),
  );
  endings.push(() => board.close());
  const vectors = new Float32Array(700 * 32);
  const stimulus = { steps: 10, decimation: 1, pulseSteps: [0], drives: new Float32Array(10) };
  await Promise.all([
    board.multiply(0, vectors),
    board.run(Array.from({ length: 20 }, () => stimulus)),
    board.multiply(1, vectors),
    board.readRows(0, 0, 1, 0.1, 1),
  ]);
  const calls = asked.filter((name, i) => name !== asked[i - 1]);
  expect(calls).toEqual(['Multiply', 'Run', 'Multiply', 'ReadRows']);
  expect(asked.length).toBeGreaterThan(40);
});

describe('on a bad line', () => {
  test('pulses applied = pulses acknowledged, and a reboot leaves the rest unknown or not sent', async () => {
    const { transport, virtual, trace } = await bench();
    const random = new Random(11);
    const noisy = mangled(transport, () => {
      const luck = random.uniform();
      return luck < 0.1 ? 0 : luck < 0.2 ? 2 : 1;
    });
    const board = await connectBoard(noisy, { link: { minTimeout: 0.01, initialTimeout: 0.02 } });
    endings.push(() => board.close());
    const operations = Array.from({ length: 2000 }, (_, n) => pulse(n));
    expect(await board.cells(operations)).toEqual(operations.map(() => ({ status: 'applied' })));
    expect(trace).toHaveLength(2000);

    trace.length = 0;
    const outcomes = board.cells(operations);
    await reached(trace, 300);
    virtual.reboot();
    const settled = await outcomes;
    // Each pulse has a width of its own.
    const times = Array.from(operations, () => 0);
    for (const { width } of trace) times[Math.round(width * 1e7) - 50]++;
    const timesOf = (status: CellOutcome['status']) =>
      new Set(times.filter((_, i) => settled[i].status === status));
    expect(timesOf('applied')).toEqual(new Set([1]));
    expect(timesOf('refused')).toEqual(new Set([0]));
    expect([...timesOf('unknown')].filter((n) => n > 1)).toEqual([]);
    expect(timesOf('unknown').size).toBeGreaterThan(0);
    // The session after the reboot takes new work.
    expect((await board.cells([pulse(0)]))[0].status).toBe('applied');
  });

  const dropSamples = (transport: Transport, times: number): Transport => {
    let left = times;
    return mangled(transport, ({ message }) => (message.name === 'Samples' && left-- > 0 ? 0 : 1));
  };
  const stimulus = { steps: 1000, decimation: 1, pulseSteps: [0], drives: new Float32Array(10).fill(2e-4) };

  test('a run whose samples were lost is repeated once', async () => {
    const { transport } = await bench();
    const board = await connectBoard(dropSamples(transport, 1));
    endings.push(() => board.close());
    const [run] = await board.run([stimulus]);
    expect(run.lost).toBe(0);
    expect(run.voltages.every(Number.isFinite)).toBe(true);
    expect(board.counters.lostSamples).toBeGreaterThan(0);
  });

  test('samples lost for good are counted and are NaN in their places only', async () => {
    const { transport } = await bench();
    const board = await connectBoard(dropSamples(transport, 1), { repeatRuns: 0 });
    endings.push(() => board.close());
    const gaps: number[] = [];
    board.neurons.subscribe(({ lost }) => gaps.push(lost));
    const [lossy] = await board.run([stimulus]);
    const [whole] = await board.run([stimulus]);
    expect(lossy.lost).toBeGreaterThan(0);
    expect(gaps.reduce((sum, gap) => sum + gap, 0)).toBe(lossy.lost);
    const differing = lossy.voltages.filter((v, i) => !Number.isNaN(v) && v !== whole.voltages[i]);
    expect(differing).toHaveLength(0);
    expect(lossy.voltages.filter(Number.isNaN)).toHaveLength(10 * lossy.lost);
  });
});

describe('an answer that does not fit', () => {
  /** Cuts the last result off the first answer to a batch of so many. */
  const shortened = (transport: Transport, size: number): Transport => {
    const decoder = new FrameDecoder();
    const cut = ({ message, ...header }: Frame): Frame =>
      message.name === 'CellsReply' && message.results.length === size
        ? { ...header, message: { ...message, results: message.results.slice(1) } }
        : { ...header, message };
    return {
      url: transport.url,
      closed: transport.closed,
      close: () => transport.close(),
      write: (bytes) => transport.write(bytes),
      listen: (onBytes) =>
        transport.listen((bytes) => {
          for (const frame of decoder.push(bytes)) onBytes(encodeFrame(cut(frame)));
        }),
    };
  };

  test('leaves its pulses unknown, for they may have been applied, and holds back those behind', async () => {
    const { transport, trace } = await bench();
    const events: EventBody[] = [];
    const board = await connectBoard(shortened(transport, 200), { emit: (event) => events.push(event) });
    endings.push(() => board.close());
    const outcomes = await board.cells(Array.from({ length: 4000 }, (_, n) => pulse(n)));
    const of = (status: string, code: string) =>
      outcomes.filter((outcome) => outcome.status === status && 'code' in outcome && outcome.code === code);
    const unknown = of('unknown', 'PROTOCOL_BREACH').length;
    expect(unknown).toBeGreaterThanOrEqual(200);
    expect(of('refused', 'NOT_SENT')).toHaveLength(4000 - unknown);
    expect(trace).toHaveLength(unknown);
    const told = events.flatMap((event) => (event.type === 'pulses' ? event.pulses : []));
    expect(new Set(told.map(({ code }) => code))).toEqual(new Set(['PROTOCOL_BREACH', 'NOT_SENT']));
    // A batch of another size is answered whole.
    expect(await board.cells([pulse(0)])).toEqual([{ status: 'applied' }]);
  });

  test('of a read is an error with its code', async () => {
    const { transport } = await bench();
    const board = await connectBoard(shortened(transport, 3));
    endings.push(() => board.close());
    const read = (row: number): CellOperation => {
      return { kind: 'read', array: 0, row, column: 0, voltage: 0.1, samples: 1 };
    };
    expect(await board.cells([read(0), read(1), read(2)])).toEqual(
      Array.from({ length: 3 }, () => ({
        status: 'unknown',
        code: 'PROTOCOL_BREACH',
        reason: expect.stringContaining('2 of 3'),
      })),
    );
  });
});

describe('on a line that hurts bytes', () => {
  /** Drops, flips, doubles and inserts bytes, each at `rate`, both ways. */
  const noisy = (transport: Transport, rate: number, sizes: number[] = []): Transport => {
    const random = new Random(5);
    const hurt = (bytes: Uint8Array): Uint8Array => {
      const out: number[] = [];
      for (const byte of bytes) {
        const kind = Math.floor(random.uniform() / rate);
        if (kind === 0) continue;
        out.push(kind === 1 ? byte ^ (1 << random.integer(8)) : byte);
        if (kind === 2) out.push(byte);
        if (kind === 3) out.push(random.integer(256));
      }
      return Uint8Array.from(out);
    };
    const decoder = new FrameDecoder();
    return {
      url: transport.url,
      closed: transport.closed,
      close: () => transport.close(),
      listen: (onBytes) => transport.listen((bytes) => onBytes(hurt(bytes))),
      write: (bytes) => {
        for (const { message } of decoder.push(bytes))
          if (message.name === 'Cells') sizes.push(message.ops.length);
        return transport.write(hurt(bytes));
      },
    };
  };
  /** Bytes are hurt once the board is known. */
  const later = async (rate: number, sizes: number[] = []) => {
    const { transport, trace } = await bench();
    const board = await connectBoard(noisy(transport, rate, sizes));
    endings.push(() => board.close());
    return { board, trace };
  };

  test('nothing is hurt: batches are as large as the protocol allows', async () => {
    const sizes: number[] = [];
    const { board } = await later(1e-300, sizes);
    await board.cells(Array.from({ length: 1000 }, (_, n) => pulse(n)));
    expect(sizes).toEqual([200, 200, 200, 200, 200]);
    expect(board.counters).toMatchObject({ retries: 0, withdrawn: 0, byteLoss: 0 });
  });

  test('one byte in 500: batches shrink, all pulses are applied once, reads and products are right', async () => {
    const sizes: number[] = [];
    const { board, trace } = await later(5e-4, sizes);
    const clean = await connected();
    const operations = Array.from({ length: 3000 }, (_, n) => pulse(n));
    await clean.board.cells(operations);
    expect(await board.cells(operations)).toEqual(operations.map(() => ({ status: 'applied' })));
    expect(trace.map(({ width }) => Math.round(width * 1e7))).toEqual(operations.map((_, n) => 50 + n));
    expect(board.counters.byteLoss).toBeGreaterThan(2e-4);
    expect(Math.max(...sizes.slice(-30))).toBeLessThan(60);
    for (const array of [0, 3]) {
      expect(await board.readRows(array, 0, 32, 0.1, 1)).toEqual(
        await clean.board.readRows(array, 0, 32, 0.1, 1),
      );
      const vectors = Float32Array.from({ length: 64 * 32 }, (_, i) => 0.001 * (i % 100));
      expect(await board.multiply(array, vectors)).toEqual(await clean.board.multiply(array, vectors));
    }
  }, 20_000);

  test('a large read on a line of which nothing is known yet is withdrawn and asked in pieces', async () => {
    const { board } = await later(2e-3);
    const rows = await board.readRows(0, 0, 32, 0.1, 1);
    const clean = await connected();
    expect(rows).toEqual(await clean.board.readRows(0, 0, 32, 0.1, 1));
    expect(board.counters.withdrawn).toBeGreaterThan(0);
  }, 20_000);

  test('runs come in shorter frames, and what one lost is taken from its repeat', async () => {
    const { board } = await later(2e-4);
    // The line shows what it is.
    await board.cells(Array.from({ length: 2000 }, (_, n) => pulse(n)));
    const frames: number[] = [];
    board.neurons.subscribe(({ voltages }) => frames.push(voltages.length));
    const stimulus = { steps: 500, decimation: 1, pulseSteps: [0], drives: new Float32Array(10).fill(2e-4) };
    const [run] = await board.run([stimulus]);
    const clean = await connected();
    const [whole] = await clean.board.run([stimulus]);
    expect(Math.max(...frames)).toBeLessThan(500);
    expect(run.lost).toBeLessThan(25);
    expect(run.voltages.filter(Number.isNaN)).toHaveLength(10 * run.lost);
    expect(run.voltages.filter((v, i) => !Number.isNaN(v) && v !== whole.voltages[i])).toHaveLength(0);
  }, 20_000);
});

describe('reconnection', () => {
  test('a cable pulled out and put back: the session goes on, nothing is unknown, nothing twice', async () => {
    const { virtual, trace } = await bench(async () => ({}) as Transport);
    let served = await serveTcp(virtual);
    const { port } = served;
    const events: EventBody[] = [];
    const board = await connectBoard(await openTransport(port), {
      reconnect: {},
      emit: (event) => events.push(event),
    });
    endings.push(() => served.close());
    endings.push(() => board.close());
    const operations = Array.from({ length: 4000 }, (_, n) => pulse(n));
    const outcomes = board.cells(operations);
    await reached(trace, 300);
    await served.close();
    served = await serveTcp(virtual, { port: Number(new URL(port).port) });
    expect(await outcomes).toEqual(operations.map(() => ({ status: 'applied' })));
    expect(trace).toHaveLength(4000);
    const states = events.flatMap((event) => (event.type === 'link' ? [event.state] : []));
    expect(states).toContain('reconnecting');
    expect(states.at(-1)).toBe('connected');
  });

  test('a board that does not come back in time is lost', async () => {
    const { virtual } = await bench(async () => ({}) as Transport);
    const served = await serveTcp(virtual);
    const board = await connectBoard(await openTransport(served.port), { reconnect: { within: 0.3 } });
    endings.push(() => board.close());
    await served.close();
    await expect(board.health()).rejects.toMatchObject({
      reason: 'board-lost',
      exitCode: 1,
      message: expect.stringMatching(/^lost tcp:.*not back within 0.3 s$/),
    });
    expect((await board.cells([pulse(0)]))[0].status).toBe('refused');
  });

  test('another board behind the port is not taken for the one that was lost', async () => {
    const { virtual } = await bench(async () => ({}) as Transport);
    let served = await serveTcp(virtual);
    const board = await connectBoard(await openTransport(served.port), { reconnect: { within: 0.5 } });
    endings.push(() => served.close());
    endings.push(() => board.close());
    const other = createVirtualBoard({ profile: 'ideal', seed: 99 });
    endings.push(() => other.close());
    await served.close();
    served = await serveTcp(other, { port: Number(new URL(served.port).port) });
    await expect(board.health()).rejects.toThrow(/another board answers/);
  });
});

test('what the dead-man cuts short while the host is busy is measured again', async () => {
  const { board, virtual } = await connected();
  const expected = await board.multiply(0, new Float32Array(32).fill(0.1));
  // In the middle of the work the board's clock leaps, as it does for a host that was too busy to speak.
  const { frontEnd } = virtual;
  const multiply = frontEnd.multiply.bind(frontEnd);
  let leaps = 2;
  frontEnd.multiply = (...work) => {
    if (leaps-- > 0) virtual.elapse(10);
    multiply(...work);
  };
  const events = board.counters.requests;
  const products = board.multiply(0, new Float32Array(32 * 200).fill(0.1));
  const all = await products;
  for (let i = 0; i < all.length; i++) expect(all[i]).toBe(expected[i % 32]);
  expect(board.counters.requests - events).toBeGreaterThan(Math.ceil(200 / 31));
});

test('stop ends the runs that are under way or waiting', async () => {
  const { board } = await connected();
  const stimuli = Array.from({ length: 200 }, () => ({
    steps: 1000,
    decimation: 1,
    pulseSteps: [0],
    drives: new Float32Array(10).fill(1e-5),
  }));
  const runs = board.run(stimuli);
  const failed = expect(runs).rejects.toThrow(/Stop/);
  await board.stop();
  await failed;
});

test('stop refuses the pulses that were not sent yet; those asked for later are applied', async () => {
  const { board, trace } = await connected();
  const operations = Array.from({ length: 3000 }, (_, n) => pulse(n));
  const under = board.cells(operations);
  await board.stop();
  const outcomes = await under;
  const applied = outcomes.filter(({ status }) => status === 'applied');
  expect(applied).toHaveLength(trace.length);
  expect(applied.length).toBeLessThan(3000);
  expect(outcomes.at(-1)).toMatchObject({ status: 'refused', reason: expect.stringContaining('Stop') });
  expect(await board.cells([pulse(1)])).toEqual([{ status: 'applied' }]);
});
