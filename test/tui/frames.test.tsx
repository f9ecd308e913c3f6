import { render } from 'ink-testing-library';
import { afterEach, describe, expect, test } from 'vitest';
import { App } from '../../src/tui/app.js';
import type { Depth } from '../../src/tui/drawing/paint.js';
import { Pictures, PicturesContext, visibleLength } from '../../src/tui/drawing/picture.js';
import { initialView, KEYS, type View } from '../../src/tui/keys.js';
import { PANELS, type Size } from '../../src/tui/layout.js';
import { type DashboardState, initialState, reduce } from '../../src/tui/state.js';
import { syntheticRun } from './synthetic.js';

let cleanup = () => {};
afterEach(() => cleanup());

/** A frame as the terminal gets it. */
function frame(
  state: DashboardState,
  size: Size,
  options: { view?: Partial<View>; depth?: Depth } = {},
): string[] {
  const { view = {}, depth = 1 } = options;
  const pictures = new Pictures();
  const ink = render(
    <PicturesContext value={pictures}>
      <App state={state} view={{ ...initialView, ...view }} size={size} depth={depth} mode="live" />
    </PicturesContext>,
  );
  cleanup = ink.unmount;
  const lines = pictures.compose(ink.lastFrame() ?? '');
  ink.unmount();
  return lines;
}

function stateAt(
  seconds: number,
  geometry: { arrays: number; rows: number; columns: number },
): DashboardState {
  let state = initialState;
  for (const event of syntheticRun({ ...geometry, start: 0 })) {
    if (event.time > seconds) break;
    state = reduce(state, event);
  }
  return state;
}

const SMALL = { arrays: 4, rows: 8, columns: 8 };
const tuning = stateAt(40, SMALL);
const large = stateAt(45, { arrays: 2, rows: 64, columns: 64 });

// ink-testing-library lays out at most 100 columns; wider frames are looked at in terminal.test.ts.
const SIZES: Size[] = [
  { columns: 100, rows: 40 },
  { columns: 80, rows: 24 },
  { columns: 71, rows: 50 },
  { columns: 40, rows: 10 },
  { columns: 39, rows: 30 },
  { columns: 60, rows: 9 },
  { columns: 20, rows: 5 },
  { columns: 1, rows: 1 },
];

describe.each(SIZES)('in $columns×$rows', (size) => {
  const pictures: [string, DashboardState][] = [
    ['before anything', initialState],
    ['while it programs', stateAt(20, SMALL)],
    ['with small arrays', tuning],
    ['with large arrays', large],
    ['at the end', stateAt(1e9, SMALL)],
    [
      'with an error and wide characters',
      reduce(tuning, { type: 'log', time: 99, level: 'error', message: `${'漢字 👩‍🔬 é '.repeat(40)}` }),
    ],
  ];
  const fits = (state: DashboardState, options: Parameters<typeof frame>[2]) => {
    const lines = frame(state, size, options);
    expect(lines.length).toBeLessThanOrEqual(Math.max(1, size.rows - 1));
    for (const line of lines) expect(visibleLength(line)).toBeLessThanOrEqual(size.columns);
  };

  test.each(pictures)('no line is wider than the terminal, the last row stays free: %s', (_, state) => {
    fits(state, { depth: 1 });
    fits(state, { depth: 24 });
  });
  test('nor in help, with a notice, or in any panel alone', () => {
    fits(tuning, { view: { help: true } });
    fits(tuning, { view: { notice: 'x'.repeat(300) } });
    for (const panel of PANELS) fits(tuning, { view: { panel, zoomed: true } });
  });
});

test('without colour no escape code is drawn, with colour some are', () => {
  expect(frame(tuning, { columns: 80, rows: 24 }).join('')).not.toContain('\u001b');
  expect(frame(tuning, { columns: 80, rows: 24 }, { depth: 4 }).join('')).toContain('\u001b[36m');
  expect(frame(tuning, { columns: 80, rows: 24 }, { depth: 8 }).join('')).toContain('\u001b[48;5;');
  expect(frame(tuning, { columns: 80, rows: 24 }, { depth: 24 }).join('')).toContain('\u001b[48;2;');
});

test('a terminal that is too small is told what it needs', () => {
  expect(frame(tuning, { columns: 39, rows: 30 }).join('')).toBe('terminal too small: 39×30, needs 40×10');
  expect(frame(tuning, { columns: 20, rows: 5 })).toEqual([
    'terminal too small:',
    '20×5, needs 40×10',
    '',
    '',
  ]);
});

describe('80×24', () => {
  const size = { columns: 80, rows: 24 };
  const text = frame(tuning, size, { view: { row: 2, column: 3 } }).join('\n');

  test('shows all panels, the stage, the accuracies, the progress and the board', () => {
    for (const shown of [
      'memloop demo  fine-tuning  in the loop',
      'software 97.2 %   programmed 41.4 %   fine-tuned –',
      'VB-0007 on /dev/pts/3',
      /━━─+ {2}40 % {2}121\/300 images {2}10\/s {2}0:18 left/,
      '─ 1 conductance 1/4, 8×8 ─',
      '─ 2 membrane run 121,',
      '─ 3 training epoch 2.4/6, in-loop ─',
      '─ 4 link ─',
      '─ 5 log ─',
      'accuracy 92.',
      'loss 0.3',
      '● connected  round trip 9',
      'retries 1  bad CRC 0  lost samples 0',
      '! column 17 of array 1 saturat',
      ' q quit  ? help  space pause  tab panel  z zoom  ←↓↑→ move  [ ] array  f failed',
    ]) {
      expect(text).toMatch(shown);
    }
  });

  test("shows the record of the cursor's cell and points at it", () => {
    const lines = text.split('\n');
    expect(text).toMatch(/row 2 column 3 /);
    expect(text).toMatch(/ \d\d\.\d µS /);
    expect(text).toMatch(/target \d\d\.\d µS/);
    expect(text).toMatch(/\d+ pulses/);
    expect(text).toMatch(/ \d+(\.\d+)? [pn]J/);
    expect(text).toMatch(/in-tolerance/);
    expect(lines.find((line) => line.startsWith('▶'))).toMatch(/^▶.{6}\[\]/);
  });

  test('shows why a cell failed', () => {
    const failed = reduce(tuning, {
      type: 'cell',
      time: 50,
      array: 0,
      row: 0,
      column: 0,
      conductance: 2.2e-6,
      target: 3e-5,
      pulses: 60,
      energy: 3e-8,
      status: 'failed',
      reason: 'stuck low',
    });
    const drawn = frame(failed, size, { view: { row: 5 } }).join('\n');
    expect(drawn).toContain('××');
    expect(drawn).toMatch(/\d failed {2}2\.\d µS ░▒▓█ 7\d µS/);
    expect(frame(failed, size).join('\n')).toMatch(/failed.*\n.*stuck low/);
  });

  test('tells neurons apart without colour, and marks the decision', () => {
    const decision = String(tuning.membrane?.decision);
    const legend = text.split('\n').find((line) => line.includes('0  1  2') || line.includes('0◀'));
    expect(legend).toContain(`${decision}◀`);
    expect(text.split(decision).length).toBeGreaterThan(20);
  });

  test('puts keys that do nothing now in brackets, and why into the help', () => {
    const early = frame(initialState, { columns: 100, rows: 24 });
    expect(early.at(-1)).toContain('(f failed)');
    const help = frame(initialState, { columns: 100, rows: 24 }, { view: { help: true } }).join('\n');
    expect(help).toContain('put the cursor on the next failed cell (not now: no cell has failed)');
  });

  test('has every key in its help', () => {
    const help = frame(tuning, size, { view: { help: true } }).join('\n');
    for (const key of KEYS)
      expect(help.match(/^│ .*│$/gm)?.map((line) => line.replace(/ +/g, ' '))).toContain(
        `│ ${key.shown} ${key.help} │`,
      );
  });

  test('shows the reason why a key did nothing', () => {
    expect(frame(tuning, size, { view: { notice: 'this board has one array' } }).at(-1)).toBe(
      ' this board has one array',
    );
  });

  test('tells that it is held, that it is stopping, and how a run ended', () => {
    expect(frame(tuning, size, { view: { paused: true } })[0]).toMatch(/display held 0:40 *$/);
    expect(frame(tuning, size, { view: { quitting: true } })[0]).toMatch(/stopping 0:40 *$/);
    expect(frame(stateAt(1e9, SMALL), size)[0]).toMatch(/finished 0:58 *$/);
    const failed = reduce(tuning, { type: 'log', time: 41, level: 'error', message: 'board lost' });
    expect(frame(failed, size)[0]).toMatch(/failed 0:41 *$/);
  });
});

test('a large array is shrunk to the room there is and says so', () => {
  expect(frame(large, { columns: 80, rows: 24 }).join('\n')).toMatch(/64×64, dot \d+×\d ─/);
  expect(frame(large, { columns: 100, rows: 74 }, { view: { zoomed: true } }).join('\n')).toMatch(
    /1 conductance 1\/2, 64×64 ─/,
  );
});

test('a narrow terminal shows one panel at a time', () => {
  const size = { columns: 60, rows: 18 };
  expect(frame(tuning, size).join('\n')).not.toContain('4 link');
  expect(frame(tuning, size, { view: { panel: 'link' } }).join('\n')).toMatch(
    /4 link[\s\S]*unknown pulses 0/,
  );
});

test('the log scrolls', () => {
  const size = { columns: 80, rows: 24 };
  const scrolled = frame(tuning, size, { view: { panel: 'log', zoomed: true, scroll: 3 } }).join('\n');
  expect(scrolled).toContain('3 newer below');
  expect(scrolled).not.toContain('saturates');
  expect(frame(tuning, size, { view: { panel: 'log', zoomed: true } }).join('\n')).toContain('saturates');
});
