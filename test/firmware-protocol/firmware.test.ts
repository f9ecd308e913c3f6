/** The rules of README.md, driven through the firmware that ships. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type CellOp,
  MESSAGE_ID,
  type Message,
  PROTOCOL_HASH,
  PROTOCOL_VERSION,
  WINDOW,
} from '../../firmware-protocol/generated/protocol.js';
import { cellCount, DESCRIPTION, membraneCount, type RecordingFrontEnd, TestBoard } from './board.js';
import { rawFrame } from './raw.js';

const pulse = (change: Partial<CellOp> = {}): CellOp => ({
  kind: 'PULSE',
  array: 0,
  row: 0,
  column: 0,
  code: 500,
  width: 1e-4,
  samples: 0,
  ...change,
});
const read = (change: Partial<CellOp> = {}): CellOp => ({
  ...pulse({ kind: 'READ', code: 100, samples: 1 }),
  ...change,
});
const cells = (...ops: CellOp[]): Message => ({ name: 'Cells', ops });
const run = (steps: number, change: object = {}): Message => ({
  name: 'Run',
  run: 7,
  steps,
  decimation: 1,
  frameSamples: 0,
  pulseSteps: new Uint16Array(),
  drives: new Int16Array(),
  ...change,
});
const refused = (status: string, detail: unknown = expect.anything()) => ({
  name: 'Refused',
  status,
  detail,
});
const opened = (frontEnd?: RecordingFrontEnd): TestBoard => {
  const board = new TestBoard(frontEnd);
  board.hello();
  board.take();
  return board;
};

describe('sessions', () => {
  test('a board that starts says so, with its boot id', () => {
    const board = new TestBoard().settle();
    expect(board.take('Notice')).toEqual([{ name: 'Notice', code: 'BOOTED', detail: 0xb0070000 }]);
    expect(board.frontEnd.calls.linesToZero).toBe(1);
  });

  test('Hello opens a session; every later one has another number, never 0', () => {
    const board = new TestBoard();
    const sessions = Array.from({ length: 500 }, () => board.hello().session);
    expect(new Set(sessions).size).toBe(500);
    expect(sessions).not.toContain(0);
  });

  test('sessions of earlier boots do not come again, even when boot ids are only counted', () => {
    const board = new TestBoard();
    const sessions = new Set<number>();
    for (let boot = 0; boot < 30; boot++) {
      for (let i = 0; i < 30; i++) sessions.add(board.hello().session);
      board.firmware.boot();
    }
    expect(sessions.size).toBe(900);
  });

  test('Hello with the nonce of the running session leaves it as it is', () => {
    const board = opened();
    const { session } = board.hello(42);
    board.ask(cells(pulse()));
    expect(board.hello(42).session).toBe(session);
    expect(board.ask({ name: 'Ping' }).name).toBe('PingReply');
  });

  test('a late copy of the Hello of an ended session does not end the running one', () => {
    const board = opened();
    board.hello(41);
    board.hello(42);
    expect(() => board.hello(41)).toThrow('no HelloReply');
    expect(board.ask({ name: 'Ping' }).name).toBe('PingReply');
  });

  test('a host of another protocol is told ours, gets no session and disturbs none', () => {
    const board = opened();
    const foreign = { name: 'Hello' as const, nonce: 9, protocolVersion: 99, protocolHash: 1 };
    board.send(foreign, 0, 0);
    expect(board.settle().take('HelloReply')).toEqual([
      {
        name: 'HelloReply',
        nonce: 9,
        protocolVersion: PROTOCOL_VERSION,
        protocolHash: PROTOCOL_HASH,
        bootId: 0xb0070000,
        session: 0,
        firmwareVersion: 'test 1',
        boardSerial: 'board-β',
      },
    ]);
    board.send({ name: 'Ping' }, board.session, 1);
    expect(board.settle().take('PingReply')).toHaveLength(1);
  });

  test('a request of no session or of another is not executed, and the answer names the boot', () => {
    const board = new TestBoard();
    const answers = (session: number, sequence: number): unknown[] => {
      board.settle().take();
      board.send(cells(pulse()), session, sequence);
      return board.settle().take();
    };
    const answer = (session: number, sequence: number) => ({
      session,
      sequence,
      message: refused('NO_SESSION', 0xb0070000),
    });
    expect(answers(0, 1)).toEqual([answer(0, 1)]);
    expect(answers(12345, 9)).toEqual([answer(12345, 9)]);
    const old = board.hello().session;
    board.hello();
    expect(answers(old, 1)).toEqual([answer(old, 1)]);
    expect(board.frontEnd.pulses).toEqual([]);
  });

  test('a reboot ends the session', () => {
    const board = opened();
    board.ask(cells(pulse()));
    board.firmware.boot();
    expect(board.ask(cells(pulse()))).toEqual(refused('NO_SESSION', 0xb0070001));
    expect(board.frontEnd.pulses).toHaveLength(1);
  });

  test('what was asked in an ended session is dropped', () => {
    const board = opened();
    board.send(run(60000));
    board.send(cells(pulse()));
    for (let i = 0; i < 10; i++) board.firmware.poll();
    board.hello();
    board.take();
    board.settle();
    expect(board.take()).toEqual([]);
    expect(board.frontEnd.pulses).toEqual([]);
  });
});

describe('sequence numbers', () => {
  test('a request repeated within the window gets the same answer and is not executed again', () => {
    const board = opened();
    const sequences = Array.from({ length: WINDOW }, (_, i) =>
      board.send(cells(pulse(), read({ row: i % 4 }))),
    );
    board.settle();
    const first = board.take();
    for (const sequence of sequences) board.send(cells(pulse()), board.session, sequence);
    expect(board.settle().take()).toEqual(first);
    expect(board.frontEnd.pulses).toHaveLength(WINDOW);
    expect(board.ask({ name: 'Ping' })).toMatchObject({ duplicates: WINDOW, pulsesApplied: WINDOW });
  });

  test('a request repeated while it waits or is under way is told that it is, and executed once', () => {
    const board = opened();
    const sequences = [1, 2].map(() => board.send(cells(pulse(), pulse(), pulse())));
    for (let i = 0; i < 3; i++) board.firmware.poll();
    expect(board.frontEnd.pulses.length).toBeLessThan(3);
    for (const sequence of sequences) board.send(cells(pulse()), board.session, sequence);
    const frames = board.settle().take();
    expect(frames.map(({ sequence, message }) => [sequence, message.name])).toEqual([
      [1, 'Refused'],
      [2, 'Refused'],
      [1, 'CellsReply'],
      [2, 'CellsReply'],
    ]);
    expect(frames[0].message).toEqual(refused('BUSY'));
    expect(board.frontEnd.pulses).toHaveLength(6);
  });

  test('an older one is refused as expired', () => {
    const board = opened();
    for (let i = 0; i <= WINDOW; i++) board.ask(cells(pulse()));
    board.send(cells(pulse()), board.session, 1);
    board.send(cells(pulse()), board.session, 0);
    expect(board.settle().take('Refused')).toEqual([refused('EXPIRED'), refused('EXPIRED')]);
    expect(board.frontEnd.pulses).toHaveLength(WINDOW + 1);
  });

  test('a request before which another is missing is not executed; the answer names the missing one', () => {
    const board = opened();
    board.send(cells(pulse()), board.session, 2);
    expect(board.settle().take('Refused')).toEqual([refused('OUT_OF_ORDER', 1)]);
    board.send(cells(pulse()), board.session, 1);
    board.send(cells(pulse()), board.session, 2);
    expect(board.settle().take('CellsReply')).toHaveLength(2);
    expect(board.frontEnd.pulses).toHaveLength(2);
  });

  test('more than a window of unanswered requests is refused as busy', () => {
    const board = opened();
    for (let i = 0; i < WINDOW + 2; i++) board.send(cells(pulse()));
    board.settle();
    expect(board.take('Refused')).toEqual([refused('BUSY'), refused('OUT_OF_ORDER', WINDOW + 1)]);
    expect(board.frontEnd.pulses).toHaveLength(WINDOW);
  });

  test('an answer waits for room on the wire and is sent in pieces', () => {
    const board = opened();
    board.space = 0;
    board.send(cells(...Array.from({ length: 200 }, () => read())));
    board.settle();
    expect(board.take()).toEqual([]);
    for (let i = 0; i < 400 && board.inbox.length === 0; i++) {
      board.space = 5;
      board.settle();
    }
    expect(board.take('CellsReply')[0].results).toHaveLength(200);
  });

  test('a request of an unknown kind or a malformed one is refused and takes its number', () => {
    const board = opened();
    const answer = (id: number, sequence: number, ...payload: number[]): unknown => {
      board.firmware.receive(rawFrame({ id, session: board.session, sequence, payload }));
      return board.settle().take().at(0)?.message;
    };
    expect(answer(100, 1)).toEqual(refused('UNSUPPORTED'));
    expect(answer(0, 2)).toEqual(refused('UNSUPPORTED'));
    expect(answer(MESSAGE_ID.Ping, 3, 1)).toEqual(refused('BAD_REQUEST'));
    expect(answer(MESSAGE_ID.Cells, 4, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0)).toEqual(refused('BAD_REQUEST'));
    expect(answer(MESSAGE_ID.Ping, 5)).toMatchObject({ name: 'PingReply', framesReceived: 6 });
  });

  test('a board that hears its own frames takes them for noise', () => {
    const board = opened();
    board.send({
      name: 'PingReply',
      uptime: 0,
      framesReceived: 0,
      crcErrors: 0,
      duplicates: 0,
      pulsesApplied: 0,
    });
    board.send({ name: 'StopReply' }, board.session, 1);
    expect(board.settle().take()).toEqual([]);
  });

  test('every golden frame passes the board’s framing', () => {
    const golden: { hex: string; message: { name: string } }[] = JSON.parse(
      readFileSync(new URL('../../firmware-protocol/generated/golden.json', import.meta.url), 'utf8'),
    );
    const board = opened();
    for (const { hex } of golden) board.firmware.receive(Buffer.from(hex, 'hex'));
    board.settle().take();
    // Those from host to board are counted: all requests, and the Hello and this Ping of ours.
    const requests = golden.filter(({ message }) => !/Reply$|Samples|Notice|Refused/.test(message.name));
    expect(board.ask({ name: 'Ping' })).toMatchObject({ crcErrors: 0, framesReceived: requests.length + 2 });
  });
});

describe('operations', () => {
  test('Describe gives what the front end has', () => {
    const reply = opened().ask({ name: 'Describe' });
    const { ampsPerCount, references, ...rest } = DESCRIPTION;
    for (const [key, value] of Object.entries(rest))
      expect(reply[key as keyof typeof reply], key).toBeCloseTo(value as number, 7);
    expect(reply).toMatchObject({ ampsPerCount, references });
  });

  test('ArrayInfo gives serial numbers', () => {
    const board = opened();
    expect(board.ask({ name: 'ArrayInfo', array: 1 })).toEqual({ name: 'ArrayInfoReply', serial: 'array-1' });
    expect(board.ask({ name: 'ArrayInfo', array: 2 })).toEqual(refused('BAD_ADDRESS'));
  });

  test('Cells does its operations in order, refusing each by itself', () => {
    const board = opened();
    const reply = board.ask(
      cells(
        pulse({ column: 1, code: -900, width: 5e-5 }),
        read({ array: 1, row: 3, column: 2 }),
        pulse({ row: 4 }),
        read({ code: 201 }),
        read({ samples: 0 }),
      ),
    );
    expect(reply).toEqual({
      name: 'CellsReply',
      results: [
        { status: 'OK', count: 0 },
        { status: 'OK', count: cellCount(1, 3, 2, 100) },
        { status: 'BAD_ADDRESS', count: 0 },
        { status: 'LIMIT_VOLTAGE', count: 0 },
        { status: 'BAD_REQUEST', count: 0 },
      ],
    });
    expect(board.frontEnd.pulses).toEqual([{ array: 0, row: 0, column: 1, code: -900, width: 500 }]);
  });

  test('ReadRows, Multiply and Reference give counts in their order', () => {
    const board = opened();
    expect(board.ask({ name: 'ReadRows', array: 1, firstRow: 1, rowCount: 2, code: 50, samples: 3 })).toEqual(
      {
        name: 'ReadRowsReply',
        counts: Int16Array.from(
          [1, 2].flatMap((row) => [0, 1, 2].map((column) => cellCount(1, row, column, 50))),
        ),
      },
    );
    const codes = Int16Array.of(1, 2, 3, 4, -1, 0, 0, 0);
    expect(board.ask({ name: 'Multiply', array: 0, range: 1, samples: 1, codes })).toEqual({
      name: 'MultiplyReply',
      counts: Int16Array.of(30, 40, 50, -1, -2, -3),
    });
    const reference = { name: 'Reference' as const, row: 3, column: 2, reference: 1, range: 1, samples: 1 };
    expect(board.ask({ ...reference, codes: Int16Array.of(-5, 6) })).toEqual({
      name: 'ReferenceReply',
      counts: Int16Array.of(1118, 1129),
    });
  });

  test.each<[string, Message]>([
    ['BAD_ADDRESS', { name: 'ReadRows', array: 2, firstRow: 0, rowCount: 1, code: 0, samples: 1 }],
    ['BAD_ADDRESS', { name: 'ReadRows', array: 0, firstRow: 3, rowCount: 2, code: 0, samples: 1 }],
    ['BAD_REQUEST', { name: 'ReadRows', array: 0, firstRow: 0, rowCount: 0, code: 0, samples: 1 }],
    ['BAD_REQUEST', { name: 'ReadRows', array: 0, firstRow: 0, rowCount: 1, code: 0, samples: 0 }],
    ['LIMIT_VOLTAGE', { name: 'ReadRows', array: 0, firstRow: 0, rowCount: 1, code: -201, samples: 1 }],
    ['BAD_ADDRESS', { name: 'Multiply', array: 0, range: 2, samples: 1, codes: new Int16Array(4) }],
    ['BAD_REQUEST', { name: 'Multiply', array: 0, range: 0, samples: 1, codes: new Int16Array(5) }],
    ['BAD_REQUEST', { name: 'Multiply', array: 0, range: 0, samples: 1, codes: new Int16Array(0) }],
    [
      'LIMIT_VOLTAGE',
      { name: 'Multiply', array: 0, range: 0, samples: 1, codes: Int16Array.of(0, 0, 0, 201) },
    ],
    [
      'BAD_ADDRESS',
      { name: 'Reference', row: 0, column: 0, reference: 2, range: 0, samples: 1, codes: Int16Array.of(1) },
    ],
    [
      'LIMIT_VOLTAGE',
      {
        name: 'Reference',
        row: 0,
        column: 0,
        reference: 255,
        range: 0,
        samples: 1,
        codes: Int16Array.of(-32768),
      },
    ],
    ['BAD_REQUEST', run(60001)],
    ['BAD_REQUEST', run(0)],
    ['BAD_REQUEST', run(100, { decimation: 0 })],
    ['BAD_REQUEST', run(100, { pulseSteps: Uint16Array.of(5, 5), drives: new Int16Array(4) })],
    ['BAD_REQUEST', run(100, { pulseSteps: Uint16Array.of(100), drives: new Int16Array(2) })],
    ['BAD_REQUEST', run(100, { pulseSteps: Uint16Array.of(5), drives: new Int16Array(3) })],
    ['LIMIT_VOLTAGE', run(100, { pulseSteps: Uint16Array.of(5), drives: Int16Array.of(0, -1001) })],
  ])('%s for %j, and the lines stay as they are', (status, message) => {
    const board = opened();
    const before = { ...board.frontEnd.calls };
    expect(board.ask(message)).toEqual(refused(status));
    expect(board.frontEnd.calls).toEqual(before);
  });
});

describe('a run', () => {
  test('streams all samples, then answers', () => {
    const board = opened();
    board.send(run(5000, { decimation: 3 }));
    const frames = board.settle().take();
    const reply = frames.pop()?.message;
    expect(reply).toEqual({ name: 'RunReply', run: 7, status: 'OK', frames: 4, samples: 1666 });
    const counts: number[] = [];
    frames.forEach(({ message, session, sequence }, index) => {
      if (message.name !== 'Samples') throw new Error(message.name);
      expect({ session, sequence }).toEqual({ session: board.session, sequence: 1 });
      expect(message).toMatchObject({
        run: 7,
        frame: index,
        step: (counts.length / 2 + 1) * 3,
        decimation: 3,
      });
      counts.push(...message.counts);
    });
    expect(counts).toEqual(
      Array.from({ length: 1666 }, (_, i) => [0, 1].map((n) => membraneCount(3 * (i + 1), n))).flat(),
    );
  });

  test('sends shorter frames where the host asks for them, with the same samples', () => {
    const countsOf = (frameSamples: number) => {
      const board = opened();
      board.send(run(1000, { decimation: 3, frameSamples }));
      const frames = board.settle().take('Samples');
      return frames.map((frame) => (frame.name === 'Samples' ? [frame.step, ...frame.counts] : []));
    };
    const long = countsOf(0);
    const short = countsOf(7);
    expect(short).toHaveLength(Math.ceil(333 / 7));
    expect(short.every(({ length }) => length <= 1 + 2 * 7)).toBe(true);
    expect(short.map(([step]) => step)).toEqual(short.map((_, i) => 3 * (7 * i + 1)));
    const counts = (frames: number[][]) => frames.flatMap((frame) => frame.slice(1));
    expect(counts(short)).toEqual(counts(long));
    // More than a frame holds is as many as it holds.
    expect(countsOf(60_000)).toEqual(long);
  });

  test('samples no further than the wire takes them', () => {
    const board = opened();
    board.space = 3000;
    board.send(run(60000));
    board.settle();
    expect(board.frontEnd.calls.neuronsSample).toBe(2);
    board.space = 1e9;
    board.settle();
    expect(board.take('Samples')).toHaveLength(120);
  });

  test('ends at once when Stop arrives, whatever waits before it, and the lines go to 0 V', () => {
    const board = opened();
    board.send(run(60000));
    board.send(cells(pulse()));
    board.send({ name: 'Ping' });
    for (let i = 0; i < 20; i++) board.firmware.poll();
    const zeroed = board.frontEnd.calls.linesToZero;
    board.send({ name: 'Stop' });
    expect(board.frontEnd.calls.linesToZero).toBe(zeroed + 1);
    const sampled = board.frontEnd.calls.neuronsSample;
    const answers = board
      .settle()
      .take()
      .filter(({ message }) => message.name !== 'Samples');
    expect(answers.map(({ sequence, message }) => [sequence, message])).toEqual([
      [1, { name: 'RunReply', run: 7, status: 'STOPPED', frames: sampled, samples: 500 * sampled }],
      [2, refused('STOPPED')],
      [3, expect.objectContaining({ name: 'PingReply' })],
      [4, { name: 'StopReply' }],
    ]);
    expect(board.frontEnd.pulses).toEqual([]);
    expect(sampled).toBeLessThan(30);
    board.ask(cells(pulse()));
    expect(board.frontEnd.pulses).toHaveLength(1);
  });

  test('ends even when a request before the Stop was lost', () => {
    const board = opened();
    board.send(run(60000));
    for (let i = 0; i < 5; i++) board.firmware.poll();
    board.send({ name: 'Stop' }, board.session, 3);
    board.settle();
    expect(board.take('RunReply')).toMatchObject([{ status: 'STOPPED' }]);
    expect(board.frontEnd.calls.neuronsSample).toBeLessThan(10);
  });

  test('a late copy of a Stop stops nothing', () => {
    const board = opened();
    board.ask({ name: 'Stop' });
    board.send(run(5000));
    board.firmware.poll();
    board.send({ name: 'Stop' }, board.session, 1);
    expect(board.settle().take('RunReply')).toMatchObject([{ status: 'OK' }]);
  });

  test('a batch cut short by Stop says which operations were done', () => {
    const board = opened();
    board.send(cells(...Array.from({ length: 100 }, () => pulse())));
    for (let i = 0; i < 40; i++) board.firmware.poll();
    board.send({ name: 'Stop' });
    const [reply] = board.settle().take('CellsReply');
    const done = reply.results.filter(({ status }) => status === 'OK').length;
    expect(done).toBe(board.frontEnd.pulses.length);
    expect(done).toBeGreaterThan(0);
    expect(reply.results.slice(done).every(({ status }) => status === 'STOPPED')).toBe(true);
    expect(reply.results).toHaveLength(100);
  });
});

describe('the dead-man', () => {
  const second = 1e6;

  test('puts the lines to 0 V and ends a run when the host is silent, and says so once', () => {
    const board = opened();
    board.space = 3000;
    board.send(run(60000));
    board.settle();
    board.take();
    board.frontEnd.time += 0.99 * second;
    board.settle();
    const zeroed = board.frontEnd.calls.linesToZero;
    board.frontEnd.time += 0.02 * second;
    board.settle();
    expect(board.frontEnd.calls.linesToZero).toBe(zeroed + 1);
    board.space = 1e9;
    board.settle();
    expect(
      board
        .take()
        .map(({ message }) => message)
        .filter(({ name }) => name !== 'Samples'),
    ).toEqual([
      { name: 'Notice', code: 'DEAD_MAN', detail: 0 },
      { name: 'RunReply', run: 7, status: 'STOPPED', frames: 2, samples: 1000 },
    ]);
    board.frontEnd.time += 10 * second;
    board.settle();
    expect(board.frontEnd.calls.linesToZero).toBe(zeroed + 1);
  });

  test('is fed by any valid frame, and not by noise', () => {
    const board = opened();
    const notices = (): unknown[] => board.settle().take('Notice');
    board.frontEnd.time += 0.9 * second;
    board.send({ name: 'Ping' });
    board.frontEnd.time += 0.9 * second;
    expect(notices()).toEqual([]);
    board.firmware.receive(Uint8Array.of(0, 1, 2, 3, 0));
    board.send({ name: 'StopReply' }, board.session, 9);
    board.frontEnd.time += 0.2 * second;
    expect(notices()).toEqual([{ name: 'Notice', code: 'DEAD_MAN', detail: 0 }]);
  });

  test('leaves the session: the host may come back', () => {
    const board = opened();
    board.frontEnd.time += 2 * second;
    board.settle().take();
    expect(board.ask(cells(pulse()))).toEqual({ name: 'CellsReply', results: [{ status: 'OK', count: 0 }] });
    board.frontEnd.time += 2 * second;
    expect(board.settle().take('Notice')).toHaveLength(1);
  });

  test('holds when the clock wraps', () => {
    const board = new TestBoard();
    board.frontEnd.time = 2 ** 32 - 0.5 * second;
    board.settle();
    board.hello();
    board.frontEnd.time += 0.9 * second;
    expect(board.settle().take('Notice')).toEqual([]);
    board.frontEnd.time += 0.2 * second;
    expect(board.settle().take('Notice')).toHaveLength(1);
  });
});

describe('a fault of the front end', () => {
  test('ends what is under way, keeps the lines at 0 V while it lasts, and is told once', () => {
    const board = opened();
    board.send(cells(...Array.from({ length: 10 }, () => pulse())));
    for (let i = 0; i < 6; i++) board.firmware.poll();
    const applied = board.frontEnd.pulses.length;
    expect(applied).toBeGreaterThan(0);
    board.frontEnd.faultCode = 77;
    board.settle();
    expect(board.frontEnd.pulses).toHaveLength(applied);
    const frames = board.take();
    expect(frames.map(({ message }) => message)).toEqual(
      expect.arrayContaining([{ name: 'Notice', code: 'FAULT', detail: 77 }]),
    );
    expect(board.ask(cells(pulse()))).toEqual(refused('STOPPED'));
    expect(board.ask({ name: 'Ping' }).name).toBe('PingReply');
    board.frontEnd.faultCode = 0;
    expect(board.ask(cells(pulse()))).toMatchObject({ results: [{ status: 'OK' }] });
  });
});
