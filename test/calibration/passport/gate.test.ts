import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type GateOptions, guardBoard, Passport } from '../../../src/calibration/index.js';
import type { Board, CellOperation, CellOutcome } from '../../../src/driver/board/board.js';
import { connectBoard, inProcessTransport } from '../../../src/driver/index.js';
import { openBoard } from '../../../src/open-board.js';
import { MemloopError } from '../../../src/shared/errors.js';
import type { EventBody } from '../../../src/shared/events.js';
import { createVirtualBoard } from '../../../src/virtual-board/board.js';
import type { TracedPulse } from '../../../src/virtual-board/physics/front-end.js';
import { temporaryHome } from '../boards.js';

const pulse = (column: number, array = 0): CellOperation => ({
  kind: 'pulse',
  array,
  row: 0,
  column,
  voltage: 0.2,
  width: 1e-5,
});
const pulses = (columns: readonly number[], array = 0) => columns.map((column) => pulse(column, array));
const read: CellOperation = { kind: 'read', array: 0, row: 0, column: 0, voltage: 0.05, samples: 1 };

async function chip() {
  const trace: TracedPulse[] = [];
  const virtual = createVirtualBoard({
    profile: 'w-sdc-8x8x4',
    seed: 1,
    trace: (one) => trace.push(one),
  });
  const port: Board = await connectBoard(inProcessTransport('virtual:', virtual));
  onTestFinished(() => port.close());
  const home = temporaryHome();
  const events: EventBody[] = [];
  /** The board as another process finds it. */
  const open = (options: GateOptions = {}, board = port) =>
    guardBoard(board, { home, emit: (event) => events.push(event), ...options });
  const passport = (array = 0) => Passport.open(port.description, home).array(array);
  const applied = (array: number) => {
    const counts = new Float64Array(64);
    for (const one of trace) if (one.array === array) counts[one.row * 8 + one.column] += 1;
    return [...counts];
  };
  return { virtual, port, home, trace, events, open, passport, applied };
}

/** A board whose pulses are answered by `cells`; all else is the board's. */
const withCells = (board: Board, cells: Board['cells']): Board =>
  new Proxy(board, {
    get: (target, key) => {
      if (key === 'cells') return cells;
      const value = target[key as keyof Board] as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

/** A call with pulses of a host that dies when the board has got so many of them: it never learns of any. */
const dieAfter = (count: number, { open, port }: Awaited<ReturnType<typeof chip>>) =>
  new Promise<void>((died, failed) => {
    const dying = withCells(port, async (operations) => {
      if (count > 0) await port.cells(operations.slice(0, count));
      died();
      return new Promise<CellOutcome[]>(() => {});
    });
    open({}, dying)
      .cells(pulses([0, 1, 2, 3]))
      .catch(failed);
  });

const UNKNOWN: CellOutcome = { status: 'unknown', code: 'BOARD_LOST', reason: 'lost' };
const codes = (outcomes: readonly CellOutcome[]) =>
  outcomes.map((outcome) => (outcome.status === 'applied' ? 'applied' : outcome.code));

describe('the gate', () => {
  test('lets no pulse pass to a quarantined cell or over a budget, and serves the rest of the call', async () => {
    const { open, trace, passport, applied, events } = await chip();
    const board = open();
    const known = board.passport.array(0);
    known.setHealth(3, 'quarantined');
    known.budget = 2;
    const outcomes = await board.cells([...pulses([0, 3, 0]), read, ...pulses([0, 1])]);
    expect(codes(outcomes)).toEqual(['applied', 'QUARANTINED', 'applied', 'applied', 'BUDGET', 'applied']);
    expect(outcomes[3]).toHaveProperty('current');
    expect(codes(await board.cells(pulses([0, 1, 1])))).toEqual(['BUDGET', 'applied', 'BUDGET']);
    expect(trace.map(({ column }) => column)).toEqual([0, 0, 1, 1]);
    const refused = events.flatMap((event) =>
      event.type === 'pulses' && event.status === 'refused' ? event.pulses : [],
    );
    expect(refused.map(({ column }) => column)).toEqual([3, 0, 0, 1]);

    known.setHealth(3, undefined);
    known.budget = undefined;
    expect(codes(await board.cells(pulses([3, 0])))).toEqual(['applied', 'applied']);
    board.save(0);
    expect([...passport().tables.pulses]).toEqual(applied(0));
  });

  test('names the cell and the remedy to work on single cells, and once those left out of a whole array', async () => {
    const { open, events } = await chip();
    const board = open();
    const known = board.passport.array(1);
    known.setHealth(3 * 8 + 4, 'quarantined');
    known.budget = 5;
    known.tables.pulses[2] = 4;
    expect(() => board.checkCell({ array: 1, row: 3, column: 4 }, 1)).toThrow(
      /^array 1 row 3 column 4 is quarantined.*`memloop passport --array 1 --forgive 3,4`/,
    );
    expect(() => board.checkCell({ array: 1, row: 0, column: 2 }, 2)).toThrow(
      /^array 1 row 0 column 2 has had 4 of the 5 pulses.*`memloop passport --array 1 --budget 6`/,
    );
    expect(() => board.checkCell({ array: 1, row: 0, column: 2 }, 1)).not.toThrow();
    expect([...board.leaveOut(1, 2)]).toEqual([28, 2]);
    expect([...board.leaveOut(1)]).toEqual([28]);
    expect(events).toEqual([
      {
        type: 'log',
        level: 'warning',
        message: 'array 1: 1 quarantined cell is left out: row 3 column 4',
      },
      {
        type: 'log',
        level: 'warning',
        message:
          'array 1: 1 cell is left out, as the budget of 5 pulses per cell does not allow 2 more (`memloop passport --array 1 --budget N` changes it): row 0 column 2',
      },
    ]);
    for (let cell = 0; cell < 7; cell++) board.passport.array(2).setHealth(cell, 'quarantined');
    board.leaveOut(2);
    expect(events.at(-1)).toMatchObject({
      message: expect.stringMatching(/^array 2: 7 quarantined cells are left out: .*column 4, and 2 more$/),
    });
  });

  test('refuses the whole call before anything is sent: read-only, dry run, an operation out of bounds', async () => {
    const { open, trace } = await chip();
    for (const [options, message] of [
      [{ readOnly: true }, /opened read-only/],
      [{ dryRun: true }, /dry run/],
    ] as const) {
      const board = open(options);
      await expect(board.cells([read, pulse(0)])).rejects.toMatchObject({
        reason: 'usage',
        message: expect.stringMatching(message),
      });
      expect(codes(await board.cells([read]))).toEqual(['applied']);
    }
    const board = open();
    const many = Array.from({ length: 1700 }, () => pulse(1));
    await expect(board.cells([...many, { ...pulse(2), row: 8 }])).rejects.toMatchObject({
      reason: 'bad-input',
    });
    await expect(board.cells([...many, { ...pulse(2), voltage: 3 } as CellOperation])).rejects.toMatchObject({
      reason: 'limit',
    });
    expect(trace).toHaveLength(0);
    expect(board.passport.array(0).tables.pulses.every((count) => count === 0)).toBe(true);
  });

  test('of openBoard is that of the library too: what a program pulses is in the passport when it closes', async () => {
    const home = temporaryHome();
    const board = await openBoard('virtual:w-sdc-8x8x4?seed=3', { home, limits: { maxVoltage: 0.3 } });
    await board.cells([...pulses([1, 1, 2]), ...pulses([4], 2)]);
    await expect(board.cells([{ ...pulse(0), voltage: 0.4 } as CellOperation])).rejects.toMatchObject({
      reason: 'limit',
    });
    await board.close();
    const kept = Passport.open(board.description, home);
    expect([...kept.array(0).tables.pulses.subarray(0, 4)]).toEqual([0, 2, 1, 0]);
    expect(kept.array(2).tables.pulses[4]).toBe(1);
    // Nobody said what a pulse costs: it is estimated.
    expect(kept.array(0).tables.energy[1]).toBeGreaterThan(kept.array(0).tables.energy[2]);
    expect(kept.array(0).tables.energy[2]).toBeGreaterThan(0);
  });

  test('books nothing of a recording that is played again', async () => {
    const home = temporaryHome();
    const record = join(home, 'link.rec');
    const first = await openBoard('virtual:w-sdc-8x8x4?seed=3', { home, record });
    expect(codes(await first.cells(pulses([1, 2])))).toEqual(['applied', 'applied']);
    await first.close();
    const again = await openBoard(`replay:${record}`, { home });
    expect(codes(await again.cells(pulses([1, 2])))).toEqual(['applied', 'applied']);
    expect([...again.passport.array(0).tables.pulses.subarray(0, 3)]).toEqual([0, 2, 2]);
    await again.close();
    expect([...Passport.open(first.description, home).array(0).tables.pulses.subarray(0, 3)]).toEqual([
      0, 1, 1,
    ]);
  });

  test('keeps calls in order, and stops between two of them', async () => {
    const { open, trace, port } = await chip();
    const board = open();
    let begun = 0;
    let atSecond = () => {};
    const second = new Promise<void>((resolve) => {
      atSecond = resolve;
    });
    const slow = open(
      {},
      withCells(port, (operations) => {
        begun++;
        if (begun === 2) atSecond();
        return port.cells(operations);
      }),
    );
    const first = slow.cells(pulses([0, 1]));
    const currents = slow.readRows(0, 0, 1, 0.05, 1).then(() => trace.length);
    await first;
    expect(await currents).toBe(2);
    const under = slow.cells(Array.from({ length: 1601 }, () => pulse(2)));
    const waiting = slow.cells(pulses([3]));
    const reading = slow.readRows(0, 0, 1, 0.05, 1);
    reading.catch(() => {});
    await second;
    await slow.stop();
    expect((await under).at(-1)).toMatchObject({ code: 'STOPPED' });
    expect(codes(await waiting)).toEqual(['STOPPED']);
    await expect(reading).rejects.toMatchObject({ reason: 'board-refused' });
    expect(begun).toBe(2);
    expect(codes(await board.cells(pulses([4])))).toEqual(['applied']);
  });

  test('ends between two stretches by a signal, with what was sent booked', async () => {
    const { open, port, passport, applied } = await chip();
    const abort = new AbortController();
    const board = open(
      {},
      withCells(port, async (operations) => {
        abort.abort(new MemloopError('interrupted', 'enough'));
        return port.cells(operations);
      }),
    );
    const many = Array.from({ length: 2000 }, (_, i) => pulse(i % 8));
    await expect(board.cells(many, { signal: abort.signal })).rejects.toMatchObject({
      reason: 'interrupted',
    });
    await board.close();
    expect([...passport().tables.pulses]).toEqual(applied(0));
    expect(applied(0).reduce((a, b) => a + b)).toBe(1600);
  });
});

describe('the books', () => {
  test.each([0, 1, 3, 4])(
    'settle a kill after %i of 4 pulses by the count of the board, other arrays first or not',
    async (arrived) => {
      const made = await chip();
      const { open, passport, applied, events } = made;
      await open().cells(pulses([5]));
      await dieAfter(arrived, made);
      // Another process, which does not come to this array at first.
      await open().cells(pulses([6, 6], 1));
      const third = open();
      await third.cells(pulses([7]));
      await third.close();
      expect([...passport(0).tables.pulses]).toEqual(applied(0));
      expect([...passport(1).tables.pulses]).toEqual(applied(1));
      expect(events.filter(({ type }) => type === 'log')).toEqual([]);
    },
  );

  test('count as applied what a rebooted board cannot tell, and say so', async () => {
    const made = await chip();
    const { virtual, open, port, events } = made;
    await port.cells(pulses([5, 5]));
    await dieAfter(0, made);
    virtual.reboot();
    const next = await connectBoard(inProcessTransport('virtual:', virtual));
    const board = open({}, next);
    await board.settle();
    expect([...board.passport.array(0).tables.pulses.subarray(0, 6)]).toEqual([1, 1, 1, 1, 0, 0]);
    expect(events.at(-1)).toMatchObject({
      message: expect.stringMatching(/^array 0: 4 pulses of an interr/),
    });
  });

  test('settle unknown outcomes by the count, send nothing after them, and go on', async () => {
    const { open, port, passport, applied, trace } = await chip();
    let lossy = true;
    const board = open(
      {},
      withCells(port, async (operations) => {
        if (!lossy) return port.cells(operations);
        lossy = false;
        // The board refuses one, applies the next two, and is lost for all others: one of them has arrived.
        const outcomes = await port.cells(operations.slice(1, 4));
        const refused: CellOutcome = { status: 'refused', code: 'LIMIT_PULSES', reason: 'no' };
        return [refused, outcomes[0], outcomes[1], ...operations.slice(3).map(() => UNKNOWN)];
      }),
    );
    const outcomes = await board.cells(Array.from({ length: 1700 }, (_, i) => pulse(i % 8)));
    expect(codes(outcomes.slice(0, 4))).toEqual(['LIMIT_PULSES', 'applied', 'applied', 'BOARD_LOST']);
    expect(new Set(codes(outcomes.slice(1600)))).toEqual(new Set(['NOT_SENT']));
    expect(trace).toHaveLength(3);
    expect(codes(await board.cells(pulses([7])))).toEqual(['applied']);
    await board.close();
    expect([...passport().tables.pulses]).toEqual(applied(0));
  });

  test('stay open while the board is gone for good, for the next process to settle', async () => {
    const { open, port, passport, applied } = await chip();
    let gone = false;
    const lost = new MemloopError('board-lost', 'gone');
    const board = open(
      {},
      new Proxy(
        withCells(port, async (operations) => {
          gone = true;
          await port.cells(operations.slice(0, 2));
          return operations.map(() => UNKNOWN);
        }),
        {
          get: (target, key) => {
            if (key === 'health' && gone) return () => Promise.reject(lost);
            if (key === 'close') return async () => {};
            return target[key as keyof Board];
          },
        },
      ),
    );
    expect(codes(await board.cells(pulses([0, 1, 2])))).toEqual(['BOARD_LOST', 'BOARD_LOST', 'BOARD_LOST']);
    expect(codes(await board.cells([...pulses([0]), read]))).toEqual(['NOT_SENT', 'NOT_SENT']);
    board.save(0);
    await board.close();
    expect(passport().tables.pulses.every((count) => count === 0)).toBe(true);
    const next = open();
    await next.settle();
    expect([...passport().tables.pulses]).toEqual(applied(0));
    expect(applied(0)[1]).toBe(1);
  });

  test('forget a line torn by a kill, whose pulses were never sent, and refuse any other damage', async () => {
    const { open, passport, trace, home, port } = await chip();
    await open().cells(pulses([0, 1, 3]));
    const path = passport().path.replace('.json', '.pulses.ndjson');
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(2);
    appendFileSync(path, '{"sequence":2,"ti');
    const next = open();
    await next.settle();
    expect([...passport().tables.pulses.subarray(0, 4)]).toEqual([1, 1, 0, 1]);
    expect(statSync(path).size).toBe(0);
    // Nothing but a torn line: it must not stay in front of what is written next.
    writeFileSync(path, '{"seq');
    await open().cells(pulses([0]));
    await open().settle();
    expect(passport().tables.pulses[0]).toBe(2);
    writeFileSync(path, 'not a log\n');
    await expect(open().cells(pulses([0]))).rejects.toThrow(/is damaged in line 1/);
    expect(trace).toHaveLength(4);
    // Reading needs no books.
    expect(await guardBoard(port, { home }).readRows(0, 0, 1, 0.05, 1)).toHaveLength(8);
    expect(existsSync(path)).toBe(true);
  });
});
