import { describe, expect, test } from 'vitest';
import type { MemloopEvent } from '../../src/shared/events.js';
import { initialView, KEYS, keyNames, press, type View } from '../../src/tui/keys.js';
import { type DashboardState, initialState, reduce } from '../../src/tui/state.js';

const board = (arrays: number): MemloopEvent => ({
  type: 'board',
  time: 1,
  port: 'p',
  boardSerial: 's',
  firmwareVersion: 'f',
  arrays,
  rows: 4,
  columns: 5,
  neurons: 1,
});
const failed = (array: number, row: number, column: number): MemloopEvent => ({
  type: 'cell',
  time: 1,
  array,
  row,
  column,
  conductance: 1e-6,
  pulses: 9,
  energy: 0,
  status: 'failed',
});
const state = (...events: MemloopEvent[]): DashboardState => events.reduce(reduce, initialState);
const type = (keys: string[], on: DashboardState, view: View = initialView): View =>
  keys.reduce((at, key) => press(key, at, on).view, view);

test('no two keys have the same name', () => {
  const names = KEYS.flatMap((key) => key.names);
  expect(new Set(names).size).toBe(names.length);
});

test('an unknown key does nothing', () => {
  expect(press('x', initialView, initialState)).toEqual({ view: initialView, quit: false });
});

describe('a key that cannot do anything', () => {
  test.each([
    ['f', initialState, 'no cell has failed'],
    [']', state(board(1)), 'this board has one array'],
    ['[', initialState, 'no board yet'],
    ['up', initialState, 'no board yet'],
    ['escape', initialState, 'nothing to leave'],
    ['space', state({ type: 'run-finished', time: 1, result: {} }), 'the run has finished'],
  ])('%s gives the reason and changes nothing', (key, on, notice) => {
    const { view, quit } = press(key, initialView, on);
    expect(view).toEqual({ ...initialView, notice });
    expect(quit).toBe(false);
    expect(press('?', view, on).view.notice).toBeUndefined();
  });
});

describe('the cursor', () => {
  const on = state(board(2));
  test('moves by arrows and letters and stays inside the array', () => {
    expect(type(['down', 'j', 'right', 'l', 'l', 'up', 'left'], on)).toMatchObject({ row: 1, column: 2 });
    expect(type(['k', 'h'], on)).toMatchObject({ row: 0, column: 0 });
    expect(type(Array(9).fill('down').concat(Array(9).fill('right')), on)).toMatchObject({
      row: 3,
      column: 4,
    });
  });
  test('keeps its place from array to array, round the end', () => {
    expect(type(['j', ']'], on)).toMatchObject({ array: 1, row: 1 });
    expect(type([']', ']'], on)).toMatchObject({ array: 0 });
    expect(type(['['], on)).toMatchObject({ array: 1 });
  });
  test('goes from failed cell to failed cell through all arrays and begins again', () => {
    const marked = state(board(3), failed(0, 1, 2), failed(0, 3, 0), failed(2, 0, 0));
    const seen = [1, 2, 3, 4].map((n) => {
      const { array, row, column } = type(Array(n).fill('f'), marked);
      return [array, row, column];
    });
    expect(seen).toEqual([
      [0, 1, 2],
      [0, 3, 0],
      [2, 0, 0],
      [0, 1, 2],
    ]);
  });
  test('of a lone failed cell stays on it', () => {
    expect(type(['f', 'f'], state(board(1), failed(0, 1, 1)))).toMatchObject({ row: 1, column: 1 });
  });
});

test('panels go round, by number, and zoom', () => {
  expect(type(['tab', 'tab'], initialState).panel).toBe('curves');
  expect(type(['shift-tab'], initialState).panel).toBe('log');
  expect(type(['4', 'z'], initialState)).toMatchObject({ panel: 'link', zoomed: true });
  expect(type(['4', 'z', 'escape'], initialState)).toMatchObject({ panel: 'link', zoomed: false });
  expect(type(['?', 'z', 'escape'], initialState)).toMatchObject({ help: false, zoomed: true });
});

test('the log scrolls up to its first line and back', () => {
  const on = state(board(1), board(1), board(1));
  expect(type(['5', 'up', 'up', 'up', 'up', 'up'], on).scroll).toBe(2);
  expect(type(['5', 'up', 'down', 'down'], on).scroll).toBe(0);
});

test('q and Ctrl-C leave, nothing else does', () => {
  const names = KEYS.flatMap((key) => key.names);
  expect(names.filter((name) => press(name, initialView, initialState).quit)).toEqual(['q', 'ctrl-c']);
});

test('keys pressed faster than they are read are all there', () => {
  const none = {
    upArrow: false,
    downArrow: false,
    leftArrow: false,
    rightArrow: false,
    return: false,
    escape: false,
    ctrl: false,
    shift: false,
    tab: false,
  };
  expect(keyNames('jj l', none)).toEqual(['j', 'j', 'space', 'l']);
  expect(keyNames('c', { ...none, ctrl: true })).toEqual(['ctrl-c']);
  expect(keyNames('', { ...none, tab: true, shift: true })).toEqual(['shift-tab']);
});
