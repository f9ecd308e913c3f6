/** What all foreign boards are held to, whatever instrument is behind them. */
import { describe, expect, it } from 'vitest';
import { BARE, ForeignBoard, type Instrument } from '../../src/boards/foreign-board.js';
import type { ForeignOptions } from '../../src/boards/kind.js';
import type { CellOperation, CellOutcome } from '../../src/driver/index.js';
import { openBoard } from '../../src/open-board.js';
import type { EventBody } from '../../src/shared/events.js';
import { scratch } from '../integration/shell.js';

const LIMITS = {
  minVoltage: -1,
  maxVoltage: 1,
  maxReadVoltage: 0.2,
  minWidth: 1e-6,
  maxWidth: 1e-3,
  maxEnergy: 1e-6,
  maxPulses: Number.POSITIVE_INFINITY,
};

/** An instrument that says what it was asked for, and answers each batch by `answer`. */
function instrument(
  answer: (batch: readonly CellOperation[]) => CellOutcome[],
): Instrument & { asked: unknown[] } {
  const asked: unknown[] = [];
  const note = async <T>(what: unknown, result: T) => {
    asked.push(what);
    return result;
  };
  return {
    asked,
    requests: 0,
    description: {
      ...BARE,
      kind: 'test',
      boardSerial: 'T',
      firmwareVersion: '1',
      caveats: [],
      arraySerials: ['T-0'],
      arrays: 1,
      rows: 2,
      columns: 2,
      products: 'analog',
      rowVoltageStep: 1e-3,
      rowVoltageMax: 1,
      currentRanges: [{ step: 1e-9, max: 1e-3 }],
      seriesResistance: 1e4,
      halfSelect: 0,
      linesFloat: false,
      limits: LIMITS,
      widthStep: 1e-7,
      readTime: 1e-3,
    },
    cells: (batch) => note(batch, answer(batch)),
    readRows: () => note('rows', new Float32Array(4)),
    multiply: () => note('products', new Float32Array(2)),
    trace: (_address, samples, rate) => note('trace', { voltage: samples, current: samples, rate }),
    rest: async () => {},
    close: async () => {},
  };
}

const applied = (batch: readonly CellOperation[]): CellOutcome[] => batch.map(() => ({ status: 'applied' }));
const pulse = (column: number, voltage = 0.3, width = 1e-5): CellOperation => ({
  kind: 'pulse',
  array: 0,
  row: 0,
  column,
  voltage,
  width,
});
const statuses = (outcomes: CellOutcome[]) =>
  outcomes.map((one) => (one.status === 'applied' ? 'applied' : `${one.status} ${one.code}`));
const wave = (...samples: number[]) => Float64Array.from(samples);
const CELL = { array: 0, row: 0, column: 0 };

describe('limits of the caller', () => {
  const limited = (limits: ForeignOptions['limits']) => {
    const one = instrument(applied);
    return { one, board: new ForeignBoard(one, { limits }) };
  };

  it('hold for pulses, reads, products and traces: nothing beyond them is sent', async () => {
    const { one, board } = limited({
      maxVoltage: 0.4,
      minVoltage: -0.2,
      maxReadVoltage: 0.1,
      maxWidth: 1e-4,
      maxEnergy: 1e-10,
    });
    expect(board.description.limits).toMatchObject({ maxVoltage: 0.4, maxWidth: 1e-4, minWidth: 1e-6 });
    // What the instrument itself goes by.
    expect(one.description.limits).toEqual(board.description.limits);
    const read: CellOperation = { ...CELL, kind: 'read', voltage: 0.15, samples: 1 };
    const limit = { reason: 'limit' };
    for (const bad of [pulse(0, 0.5), pulse(0, -0.3), pulse(0, 0.3, 2e-4), pulse(0, 0.4, 9e-5), read])
      await expect(board.cells([pulse(1), bad])).rejects.toMatchObject(limit);
    await expect(board.readRows(0, 0, 2, 0.15, 1)).rejects.toMatchObject(limit);
    await expect(board.multiply(0, Float32Array.of(0, -0.15))).rejects.toMatchObject(limit);
    await expect(board.trace!(CELL, wave(0.1, 0.5, 0), 1e5)).rejects.toMatchObject(limit);
    await expect(board.trace!(CELL, wave(0.1, -0.3, 0), 1e5)).rejects.toMatchObject(limit);
    // One stretch of 2 ms.
    await expect(board.trace!(CELL, wave(0.1, 0.1), 1e3)).rejects.toMatchObject(limit);
    expect(one.asked).toEqual([]);
    await board.cells([pulse(0, 0.4), { ...read, voltage: 0.1 }]);
    await board.readRows(0, 0, 2, 0.1, 1);
    await board.multiply(0, Float32Array.of(0.1, -0.1));
    await board.trace!(CELL, wave(0.1, 0.3, -0.1), 1e5);
    expect(one.asked).toHaveLength(5);
  });

  it('never loosen those of the board', () => {
    for (const limits of [{ maxVoltage: 1.1 }, { minVoltage: -2 }, { minWidth: 1e-7 }, { maxEnergy: 1 }])
      expect(() => limited(limits)).toThrow(/looser than the board's own/);
  });

  it('count pulses where the board does not: of a batch, of a wave, those of unknown fate too', async () => {
    const { one, board } = limited({ maxPulses: 2 });
    const outcomes = await board.cells([pulse(0), pulse(0), pulse(0), pulse(1)]);
    expect(statuses(outcomes)).toEqual(['applied', 'applied', 'refused LIMIT_PULSES', 'applied']);
    expect(one.asked).toHaveLength(3);
    await expect(board.trace!(CELL, wave(0.1), 1e5)).rejects.toMatchObject({ reason: 'limit' });
    await expect(board.trace!({ ...CELL, column: 1 }, wave(0.1, -0.1), 1e5)).rejects.toMatchObject({
      reason: 'limit',
    });
    await board.trace!({ ...CELL, column: 1 }, wave(0.1), 1e5);
    expect(statuses(await board.cells([pulse(1)]))).toEqual(['refused LIMIT_PULSES']);
    const lost = instrument((batch) =>
      batch.map(() => ({ status: 'unknown', code: 'BOARD_LOST', reason: '' })),
    );
    const other = new ForeignBoard(lost, { limits: { maxPulses: 1 } });
    await other.cells([pulse(0)]);
    expect(statuses(await other.cells([pulse(0)]))).toEqual(['refused LIMIT_PULSES']);
  });

  it('reach a board through openBoard', async () => {
    const options = { home: scratch(), limits: { maxVoltage: 0.4, maxReadVoltage: 0.1 } };
    const board = await openBoard('virtual-ad2:?seed=1', options);
    expect(board.description.limits).toMatchObject({ maxVoltage: 0.4, minVoltage: -1, maxReadVoltage: 0.1 });
    await expect(board.cells([pulse(0, 0.5)])).rejects.toMatchObject({ reason: 'limit' });
    await expect(board.trace!(CELL, new Float64Array(400).fill(0.5), 1e6)).rejects.toMatchObject({
      reason: 'limit',
    });
    await board.close();
    const recorded = openBoard('virtual-ad2:', { home: scratch(), record: 'link.rec' });
    await expect(recorded).rejects.toMatchObject({ reason: 'usage' });
    const open = (limits: ForeignOptions['limits']) => openBoard('virtual-ad2:', { home: scratch(), limits });
    await expect(open({ maxVoltage: 0.9 })).rejects.toMatchObject({ reason: 'limit' });
    // The self-check reads by more.
    await expect(open({ maxReadVoltage: 0.05 })).rejects.toThrow(
      /cannot be kept: this board is read by 0.1 V/,
    );
  });
});

describe('batches', () => {
  it('what is behind one of unknown fate, or behind a stop, is not sent', async () => {
    const fates: CellOutcome[][] = [
      [{ status: 'applied' }],
      [{ status: 'refused', code: 'LIMIT_CURRENT', reason: '' }],
      [{ status: 'unknown', code: 'BOARD_LOST', reason: '' }],
    ];
    const one = instrument(() => fates.shift()!);
    const events: EventBody[] = [];
    const board = new ForeignBoard(one, { emit: (event) => events.push(event) });
    const outcomes = await board.cells([pulse(0), pulse(1), pulse(0), pulse(1)]);
    expect(statuses(outcomes)).toEqual([
      'applied',
      'refused LIMIT_CURRENT',
      'unknown BOARD_LOST',
      'refused NOT_SENT',
    ]);
    expect(one.asked).toHaveLength(3);
    expect(events.map((event) => event.type === 'pulses' && [event.status, event.pulses.length])).toEqual([
      ['applied', 1],
      ['refused', 2],
      ['unknown', 1],
    ]);

    let stopped: Promise<void> | undefined;
    const stopping = instrument((batch) => {
      stopped ??= other.stop();
      return applied(batch);
    });
    const other = new ForeignBoard(stopping);
    expect(statuses(await other.cells([pulse(0), pulse(1), pulse(1)]))).toEqual([
      'applied',
      'refused STOPPED',
      'refused STOPPED',
    ]);
    await stopped;
  });

  it('come in the instrument’s own order, and outcomes in that of the caller', async () => {
    const one = instrument((batch) =>
      batch.map((operation) => ({ status: 'applied', current: operation.voltage })),
    );
    one.batches = () => [[1, 3], [0], [2]];
    const board = new ForeignBoard(one);
    const outcomes = await board.cells([0.1, 0.2, 0.3, 0.4].map((voltage) => pulse(0, voltage)));
    expect(outcomes.map((outcome) => 'current' in outcome && outcome.current)).toEqual([0.1, 0.2, 0.3, 0.4]);
    expect(one.asked).toHaveLength(3);
  });
});
