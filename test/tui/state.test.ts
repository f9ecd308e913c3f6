import { describe, expect, test } from 'vitest';
import type { EventBody, MemloopEvent } from '../../src/shared/events.js';
import { type DashboardState, initialState, reduce } from '../../src/tui/state.js';
import { syntheticRun } from './synthetic.js';

const stateOf = (...events: EventBody[]): DashboardState =>
  events.reduce<DashboardState>((state, body, i) => reduce(state, { ...body, time: 100 + i }), initialState);

const board: EventBody = {
  type: 'board',
  port: '/dev/pts/3',
  boardSerial: 'VB-7',
  firmwareVersion: '1.0',
  arrays: 2,
  rows: 2,
  columns: 3,
  neurons: 10,
};
const cell = (column: number, extra: Partial<Extract<EventBody, { type: 'cell' }>> = {}): EventBody => ({
  type: 'cell',
  array: 1,
  row: 0,
  column,
  conductance: 5e-6,
  pulses: 3,
  energy: 1e-9,
  status: 'in-tolerance',
  ...extra,
});
const link = (extra: Partial<Extract<EventBody, { type: 'link' }>> = {}): EventBody => ({
  type: 'link',
  state: 'connected',
  requests: 1,
  retries: 0,
  crcErrors: 0,
  duplicates: 0,
  lostSamples: 0,
  bytesSent: 0,
  bytesReceived: 0,
  roundTrip: 1e-3,
  inFlight: 0,
  ...extra,
});
const membrane = (run: number, volts: number, label?: number, decision?: number): EventBody => ({
  type: 'membrane',
  run,
  samplePeriod: 1e-6,
  voltages: [[0, null, volts]],
  ...(label === undefined ? {} : { label }),
  ...(decision === undefined ? {} : { decision }),
});
const texts = (state: DashboardState) => state.log.map(({ text }) => text);

describe('the cells', () => {
  test('are unknown when a board comes, and known as cells and maps come', () => {
    const state = stateOf(board, cell(1, { target: 5.5e-6 }), {
      type: 'conductance',
      array: 1,
      rows: 2,
      columns: 3,
      conductance: [1e-6, 2e-6, null, 4e-6, 5e-6, 6e-6],
    });
    expect(state.arrays.map(({ rows, columns }) => [rows, columns])).toEqual([
      [2, 3],
      [2, 3],
    ]);
    expect(state.arrays[0]?.cells[0]?.[0]).toEqual({
      conductance: null,
      pulses: 0,
      energy: 0,
      status: 'untouched',
    });
    expect(state.arrays[1]?.cells[0]?.[1]).toEqual({
      conductance: 2e-6,
      target: 5.5e-6,
      pulses: 3,
      energy: 1e-9,
      status: 'in-tolerance',
    });
    expect(state.arrays[1]?.cells[0]?.[2]?.conductance).toBeNull();
    expect(state.conductanceRange).toEqual([1e-6, 6e-6]);
  });

  test('are counted by status, a cell that changes only once', () => {
    const state = stateOf(board, cell(0), cell(0, { status: 'failed', reason: 'stuck low' }), cell(2));
    expect(state.arrays[1]?.counts).toEqual({ untouched: 4, programming: 0, 'in-tolerance': 1, failed: 1 });
  });

  test('keep what is known when the same board comes back, not when another one does', () => {
    expect(stateOf(board, cell(0), board).arrays[1]?.counts.untouched).toBe(5);
    expect(stateOf(board, cell(0), { ...board, boardSerial: 'VB-8' }).arrays[1]?.counts.untouched).toBe(6);
  });

  test('keep their last conductance when they were not read again', () => {
    const unread = cell(0, { conductance: null as unknown as number, status: 'failed' });
    expect(stateOf(board, cell(0), unread).arrays[1]?.cells[0]?.[0]).toMatchObject({
      conductance: 5e-6,
      status: 'failed',
    });
    expect(stateOf(board, unread).arrays[1]?.cells[0]?.[0]?.conductance).toBeNull();
  });

  test('may come without a board, in any order', () => {
    const state = stateOf(cell(4, { row: 2 }), cell(0));
    expect(state.arrays[1]).toMatchObject({ rows: 3, columns: 5 });
    expect(state.arrays[1]?.counts).toEqual({ untouched: 13, programming: 0, 'in-tolerance': 2, failed: 0 });
    expect(state.arrays[0]).toMatchObject({ rows: 0, columns: 0 });
  });

  test('leave the state before them as it was', () => {
    const before = stateOf(board, cell(0));
    const copy = structuredClone(before);
    reduce(before, { ...cell(0, { status: 'failed' }), time: 200 });
    expect(before).toEqual(copy);
  });
});

describe('the log', () => {
  test('tells stages, accuracies, the board and what was printed, without control characters', () => {
    const state = stateOf(
      { type: 'run-started', command: 'demo', version: '0.1.0', seed: 3 },
      { type: 'stage', stage: 'training', detail: 'digits' },
      { type: 'accuracy', stage: 'finetuned', accuracy: 0.9642, samples: 1360 },
      { type: 'log', level: 'warning', message: 'a\u001b[31mred\u001b[0m\nline\u0007\ue001' },
    );
    expect(texts(state)).toEqual([
      'demo with memloop 0.1.0, seed 3',
      'training: digits',
      'fine-tuned accuracy 96.4 % (1,360 samples)',
      'ared line',
    ]);
    expect(state.log.at(-1)).toMatchObject({ level: 'warning', sequence: 4 });
  });

  test('tells pulses that were refused or whose fate is unknown, not those that were applied', () => {
    const pulse = { array: 0, row: 0, column: 0, voltage: 1, width: 1e-4 };
    const state = stateOf(
      { type: 'pulses', status: 'applied', pulses: [pulse] },
      { type: 'pulses', status: 'refused', pulses: [{ ...pulse, reason: 'LIMIT_ENERGY' }] },
      { type: 'pulses', status: 'unknown', pulses: [pulse, pulse] },
    );
    expect(texts(state)).toEqual([
      '1 pulse refused by the board (LIMIT_ENERGY)',
      '2 pulses of unknown fate: their cells are read again',
    ]);
    expect(state.pulses).toEqual({ applied: 1, refused: 1, unknown: 2 });
  });

  test('tells changes of the link alone', () => {
    const state = stateOf(link(), link(), link({ state: 'lost' }), link({ state: 'lost' }), link());
    expect(texts(state)).toEqual(['link connected', 'link lost', 'link connected']);
  });

  test('tells at most ten times of a long training, and each phase', () => {
    const epochs = (phase: 'offline' | 'in-loop', count: number): EventBody[] =>
      Array.from({ length: count * 4 }, (_, i) => ({
        type: 'training',
        phase,
        epoch: (i + 1) / 4,
        epochs: count,
        loss: 1,
      }));
    const lines = texts(stateOf(...epochs('offline', 60), ...epochs('in-loop', 3)));
    expect(lines.filter((line) => line.startsWith('offline'))).toHaveLength(11);
    expect(lines.filter((line) => line.startsWith('in-loop'))).toHaveLength(4);
  });

  test('is bounded', () => {
    const state = stateOf(...Array.from({ length: 1000 }, (): EventBody => ({ type: 'stage', stage: 's' })));
    expect(state.log).toHaveLength(500);
    expect(state.log.at(-1)?.sequence).toBe(1000);
  });
});

test('the link has a history of round trips and rates from its counters', () => {
  const state = stateOf(link(), link({ roundTrip: 2e-3, bytesSent: 300, bytesReceived: 4000 }));
  expect(state.link).toMatchObject({ roundTrips: [1e-3, 2e-3], sending: 300, receiving: 4000 });
});

test('the membrane has a scale from the last runs and the share of right decisions', () => {
  const runs = Array.from({ length: 200 }, (_, i) => membrane(i, i === 0 ? 9 : 1, 4, i % 4 === 0 ? 4 : 5));
  const state = stateOf(...runs, membrane(200, 2));
  expect(state.membraneRanges.every(([least, most]) => least === 0 && most <= 2)).toBe(true);
  expect(state.decisions).toHaveLength(100);
  expect(state.decisions.filter(Boolean)).toHaveLength(25);
});

test('training curves stay bounded and keep their ends', () => {
  const state = stateOf(
    ...Array.from(
      { length: 5000 },
      (_, i): EventBody => ({
        type: 'training',
        phase: 'offline',
        epoch: i,
        epochs: 5000,
        loss: 1 / (i + 1),
      }),
    ),
  );
  expect(state.training.length).toBeLessThanOrEqual(1000);
  expect(state.training[0]?.epoch).toBe(0);
  expect(state.training.at(-1)?.epoch).toBe(4999);
});

describe('the headline', () => {
  const progress = (stage: string, done = 98): EventBody => ({
    type: 'progress',
    stage,
    done,
    total: 100,
    units: 'batches',
    rate: 1,
    timeLeft: 1,
  });
  const training = (phase: 'offline' | 'in-loop', epoch = 1): EventBody => ({
    type: 'training',
    phase,
    epoch,
    epochs: 6,
    loss: 1,
  });
  const headline = (...events: EventBody[]) => {
    const state = stateOf(...events);
    return [state.stage?.stage, state.stage?.detail, state.progress?.done];
  };
  const adapt: EventBody = { type: 'stage', stage: 'adapt', detail: 'offline' };

  test('is a stage, with the progress that follows it whatever its name', () => {
    expect(headline(adapt, progress('train', 97), progress('train'))).toEqual(['adapt', 'offline', 98]);
  });

  test('is progress alone where no stage was announced', () => {
    expect(headline(progress('train'))).toEqual(['train', undefined, 98]);
  });

  test.each<[string, EventBody, [string, string | undefined, number | undefined]]>([
    ['a stage', { type: 'stage', stage: 'fine-tune' }, ['fine-tune', undefined, undefined]],
    ['another kind of progress', progress('calibrate neurons', 1), ['calibrate neurons', undefined, 1]],
    ['training of another phase', training('in-loop'), ['adapt', 'offline', undefined]],
    ['the last epoch', training('offline', 6), ['adapt', 'offline', undefined]],
    [
      'an accuracy',
      { type: 'accuracy', stage: 'software', accuracy: 1, samples: 1 },
      ['adapt', 'offline', undefined],
    ],
    ['an error', { type: 'log', level: 'error', message: 'lost' }, ['adapt', 'offline', undefined]],
    ['the end of the run', { type: 'run-finished', result: {} }, ['adapt', 'offline', undefined]],
  ])('does not keep progress that ended early: %s ends it', (_, event, expected) => {
    expect(headline(training('offline'), adapt, progress('train'), event)).toEqual(expected);
  });

  test('keeps its progress while the same thing goes on', () => {
    const log: EventBody = { type: 'log', level: 'warning', message: 'a retry' };
    expect(headline(training('offline'), adapt, progress('train'), training('offline'), log, link())).toEqual(
      ['adapt', 'offline', 98],
    );
  });
});

test('a whole run ends with its three accuracies', () => {
  let state = initialState;
  for (const event of syntheticRun({ arrays: 2, rows: 8, columns: 8 }))
    state = reduce(state, event as MemloopEvent);
  expect(state.accuracies).toEqual({ software: 0.972, programmed: 0.414, finetuned: 0.964 });
  expect(state.finished?.result).toMatchObject({ finetunedAccuracy: 0.964 });
});
