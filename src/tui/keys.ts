/** Every key of the dashboard, in one table: what it does, its help, and why it may not be pressed now. */
import { PANELS, type PanelName } from './layout.js';
import type { ArrayState, DashboardState } from './state.js';

/** What the user has chosen to look at. */
export interface View {
  panel: PanelName;
  zoomed: boolean;
  help: boolean;
  paused: boolean;
  array: number;
  row: number;
  column: number;
  /** Log lines below the bottom of the panel. */
  scroll: number;
  /** Why the last key did nothing. */
  notice?: string;
  quitting: boolean;
}

export const initialView: View = {
  panel: 'conductance',
  zoomed: false,
  help: false,
  paused: false,
  array: 0,
  row: 0,
  column: 0,
  scroll: 0,
  quitting: false,
};

type Enabled = true | string;

export interface Key {
  /** Names as `keyNames` gives them. */
  names: readonly string[];
  /** As written in the help. */
  shown: string;
  help: string;
  /** Key and word for the bottom line; keys without it are in the help only. */
  hint?: readonly [key: string, word: string];
  /** True, or the reason why not. */
  enabled(view: View, state: DashboardState): Enabled;
  act(view: View, state: DashboardState, name: string): View;
  /** The user wants to leave. */
  quits?: true;
}

const always = (): Enabled => true;

const arrayOf = (view: View, state: DashboardState): ArrayState | undefined =>
  state.arrays[Math.min(view.array, state.arrays.length - 1)];

/** The view with its cursor inside the arrays there are. */
export function clamped(view: View, state: DashboardState): View {
  const array = Math.max(0, Math.min(view.array, state.arrays.length - 1));
  const { rows = 1, columns = 1 } = state.arrays[array] ?? {};
  return {
    ...view,
    array,
    row: Math.max(0, Math.min(view.row, rows - 1)),
    column: Math.max(0, Math.min(view.column, columns - 1)),
    scroll: Math.max(0, Math.min(view.scroll, state.log.length - 1)),
  };
}

const MOVES: Record<string, readonly [down: number, right: number]> = {
  up: [-1, 0],
  down: [1, 0],
  left: [0, -1],
  right: [0, 1],
  k: [-1, 0],
  j: [1, 0],
  h: [0, -1],
  l: [0, 1],
};

const turn = (view: View, by: number): View => {
  const at = PANELS.indexOf(view.panel) + by + PANELS.length;
  return { ...view, panel: PANELS[at % PANELS.length] as PanelName };
};

/** The failed cell that follows the cursor, row by row through all arrays. */
function nextFailed(view: View, state: DashboardState): View {
  const { arrays } = state;
  for (let step = 0; step <= arrays.length; step++) {
    const array = (view.array + step) % arrays.length;
    const { columns, cells } = arrays[array] as ArrayState;
    const flat = cells.flat();
    const after = step === 0 ? view.row * columns + view.column : -1;
    const at = flat.findIndex((cell, i) => i > after && cell.status === 'failed');
    if (at >= 0) return { ...view, array, row: Math.floor(at / columns), column: at % columns };
  }
  return view;
}

export const KEYS: readonly Key[] = [
  {
    names: ['q', 'ctrl-c'],
    shown: 'q',
    hint: ['q', 'quit'],
    help: 'quit; a job that is under way stops safely first',
    enabled: always,
    act: (view) => ({ ...view, quitting: true }),
    quits: true,
  },
  {
    names: ['?'],
    shown: '?',
    hint: ['?', 'help'],
    help: 'show or hide this help',
    enabled: always,
    act: (view) => ({ ...view, help: !view.help }),
  },
  {
    names: ['space'],
    shown: 'space',
    hint: ['space', 'pause'],
    help: 'hold or resume the display; the job does not stop',
    enabled: (_, state) => !state.finished || 'the run has finished',
    act: (view) => ({ ...view, paused: !view.paused }),
  },
  {
    names: ['tab', 'shift-tab'],
    shown: 'tab',
    hint: ['tab', 'panel'],
    help: 'next panel; with shift the one before',
    enabled: always,
    act: (view, _, name) => turn(view, name === 'tab' ? 1 : -1),
  },
  {
    names: PANELS.map((_, i) => String(i + 1)),
    shown: `1–${PANELS.length}`,
    help: `panel by number: ${PANELS.join(', ')}`,
    enabled: always,
    act: (view, _, name) => ({ ...view, panel: PANELS[Number(name) - 1] as PanelName }),
  },
  {
    names: ['z', 'return'],
    shown: 'z enter',
    hint: ['z', 'zoom'],
    help: 'give the panel the whole screen or put it back',
    enabled: always,
    act: (view) => ({ ...view, zoomed: !view.zoomed }),
  },
  {
    names: Object.keys(MOVES),
    shown: '←↓↑→ hjkl',
    hint: ['←↓↑→', 'move'],
    help: 'move the cursor in conductance, scroll in log',
    enabled: (view, state) => {
      if (view.panel === 'log') return state.log.length > 0 || 'the log is empty';
      if (view.panel !== 'conductance') return 'nothing to move here: go to conductance (1) or log (5)';
      return arrayOf(view, state) ? true : 'no board yet';
    },
    act: (view, _, name) => {
      const [down, right] = MOVES[name] ?? [0, 0];
      if (view.panel === 'log') return { ...view, scroll: view.scroll - down };
      return { ...view, row: view.row + down, column: view.column + right };
    },
  },
  {
    names: ['[', ']'],
    shown: '[ ]',
    hint: ['[ ]', 'array'],
    help: 'array before, next array',
    enabled: (_, { arrays }) =>
      arrays.length > 1 || (arrays.length === 1 ? 'this board has one array' : 'no board yet'),
    act: (view, { arrays }, name) => ({
      ...view,
      array: (view.array + (name === ']' ? 1 : arrays.length - 1)) % arrays.length,
    }),
  },
  {
    names: ['f'],
    shown: 'f',
    hint: ['f', 'failed'],
    help: 'put the cursor on the next failed cell',
    enabled: (_, state) => state.arrays.some(({ counts }) => counts.failed > 0) || 'no cell has failed',
    act: (view, state) => ({ ...nextFailed(view, state), panel: 'conductance' }),
  },
  {
    names: ['escape'],
    shown: 'esc',
    help: 'leave help or zoom',
    enabled: (view) => view.help || view.zoomed || 'nothing to leave',
    act: (view) => (view.help ? { ...view, help: false } : { ...view, zoomed: false }),
  },
];

/** The view after a key was pressed, and whether the user wants to leave. */
export function press(name: string, view: View, state: DashboardState): { view: View; quit: boolean } {
  const { notice, ...rest } = clamped(view, state);
  const key = KEYS.find(({ names }) => names.includes(name));
  if (!key) return { view: rest, quit: false };
  const enabled = key.enabled(rest, state);
  if (enabled !== true) return { view: { ...rest, notice: enabled }, quit: false };
  return { view: clamped(key.act(rest, state, name), state), quit: key.quits ?? false };
}

/** The flags that Ink gives with an input, as far as they matter here. */
export interface InkKey {
  upArrow: boolean;
  downArrow: boolean;
  leftArrow: boolean;
  rightArrow: boolean;
  return: boolean;
  escape: boolean;
  ctrl: boolean;
  shift: boolean;
  tab: boolean;
}

/** Names of the keys in one input of Ink, which holds several when they were pressed faster than it reads. */
export function keyNames(input: string, key: InkKey): string[] {
  if (key.upArrow) return ['up'];
  if (key.downArrow) return ['down'];
  if (key.leftArrow) return ['left'];
  if (key.rightArrow) return ['right'];
  if (key.return) return ['return'];
  if (key.escape) return ['escape'];
  if (key.tab) return [key.shift ? 'shift-tab' : 'tab'];
  if (key.ctrl) return [`ctrl-${input}`];
  return [...input].map((character) => (character === ' ' ? 'space' : character));
}
