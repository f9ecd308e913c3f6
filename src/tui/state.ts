/** What the dashboard shows, made of events alone. */
import type { EventOf, MemloopEvent } from '../shared/events.js';
import { amount, clean, percent } from '../shared/text.js';

export type CellStatus = EventOf<'cell'>['status'];

export interface Cell {
  /** S; null until it is known */
  conductance: number | null;
  target?: number;
  pulses: number;
  /** J */
  energy: number;
  status: CellStatus;
  reason?: string;
}

export interface ArrayState {
  rows: number;
  columns: number;
  cells: readonly (readonly Cell[])[];
  /** Cells by status. */
  counts: Readonly<Record<CellStatus, number>>;
}

export interface LogEntry {
  /** Counts entries from 1. */
  sequence: number;
  time: number;
  level: 'info' | 'warning' | 'error';
  text: string;
}

export interface TrainingPoint {
  phase: 'offline' | 'in-loop';
  epoch: number;
  epochs: number;
  loss: number;
  accuracy?: number;
}

export interface LinkState {
  latest: EventOf<'link'>;
  /** s, newest last */
  roundTrips: readonly number[];
  /** Bytes per second between the last two events. */
  sending: number;
  receiving: number;
}

export interface DashboardState {
  /** Times of the first and the newest event. */
  started?: number;
  now: number;
  run?: EventOf<'run-started'>;
  finished?: EventOf<'run-finished'>;
  /** The last error. */
  error?: string;
  /** What is under way: the last stage announced, or the progress that followed it under another name. */
  stage?: Pick<EventOf<'stage'>, 'stage' | 'detail'>;
  /** Of what is under way; undefined once that has ended. */
  progress?: EventOf<'progress'>;
  /** Name of the progress that belongs to the stage, once there was any. */
  progressName?: string;
  board?: EventOf<'board'>;
  link?: LinkState;
  arrays: readonly ArrayState[];
  /** Lowest and highest conductance seen, S. */
  conductanceRange?: Range;
  membrane?: EventOf<'membrane'>;
  /** Lowest and highest voltage of the last runs, V, newest last: a scale from them all keeps still. */
  membraneRanges: readonly Range[];
  /** Whether the last decisions were right, newest last. */
  decisions: readonly boolean[];
  training: readonly TrainingPoint[];
  accuracies: Readonly<Partial<Record<EventOf<'accuracy'>['stage'], number>>>;
  pulses: Readonly<Record<EventOf<'pulses'>['status'], number>>;
  log: readonly LogEntry[];
}

export type Range = readonly [least: number, most: number];

export const initialState: DashboardState = {
  now: 0,
  arrays: [],
  membraneRanges: [],
  decisions: [],
  training: [],
  accuracies: {},
  pulses: { applied: 0, refused: 0, unknown: 0 },
  log: [],
};

const LOG_LENGTH = 500;
const ROUND_TRIPS = 120;
const DECISIONS = 100;
const MEMBRANE_RANGES = 20;
/** Largest number of log entries for one phase of training, however many epochs it has. */
const EPOCHS_LOGGED = 10;
const TRAINING_POINTS = 1000;

export const STAGE_NAMES = {
  software: 'software',
  programmed: 'programmed',
  finetuned: 'fine-tuned',
} as const;

/** The state after an event. */
export function reduce(state: DashboardState, event: MemloopEvent): DashboardState {
  const next = apply(state, event);
  return { ...next, started: state.started ?? event.time, now: Math.max(state.now, event.time) };
}

function apply(state: DashboardState, event: MemloopEvent): DashboardState {
  switch (event.type) {
    case 'run-started': {
      const facts = [
        `${event.command} with memloop ${event.version}`,
        ...(event.seed === undefined ? [] : [`seed ${event.seed}`]),
        ...(event.backend === undefined ? [] : [`backend ${event.backend}`]),
      ];
      return note({ ...state, run: event }, event, 'info', facts.join(', '));
    }
    case 'run-finished':
      return note({ ...withoutProgress(state), finished: event }, event, 'info', 'finished');
    case 'log': {
      const logged = note(state, event, event.level, event.message);
      return event.level === 'error' ? { ...withoutProgress(logged), error: clean(event.message) } : logged;
    }
    case 'board':
      return note(withBoard(state, event), event, 'info', describeBoard(event));
    case 'link':
      return withLink(state, event);
    case 'stage': {
      const { progressName: _, ...rest } = withoutProgress(state);
      const text = event.detail === undefined ? event.stage : `${event.stage}: ${event.detail}`;
      return note({ ...rest, stage: event }, event, 'info', text);
    }
    case 'progress':
      return withProgress(state, event);
    case 'training':
      return withTraining(state, event);
    case 'accuracy': {
      const text = `${STAGE_NAMES[event.stage]} accuracy ${percent(event.accuracy, 1)} (${amount(event.samples)} samples)`;
      const accuracies = { ...state.accuracies, [event.stage]: event.accuracy };
      return note({ ...withoutProgress(state), accuracies }, event, 'info', text);
    }
    case 'conductance':
      return withConductance(state, event);
    case 'cell':
      return withCell(state, event);
    case 'pulses':
      return withPulses(state, event);
    case 'membrane':
      return withMembrane(state, event);
  }
}

/** Progress of what has ended, early or not, must not stand beside what comes next. */
function withoutProgress({ progress: _, ...rest }: DashboardState): DashboardState {
  return rest;
}

/** The first progress after a stage belongs to it, whatever its name; progress of another name ends the stage. */
function withProgress(state: DashboardState, event: EventOf<'progress'>): DashboardState {
  const { stage: name } = event;
  const { stage = { stage: name }, progressName = name } = state;
  return {
    ...state,
    stage: progressName === name ? stage : { stage: name },
    progress: event,
    progressName: name,
  };
}

function note(
  state: DashboardState,
  event: MemloopEvent,
  level: LogEntry['level'],
  text: string,
): DashboardState {
  const sequence = (state.log.at(-1)?.sequence ?? 0) + 1;
  const entry = { sequence, time: event.time, level, text: clean(text) };
  return { ...state, log: [...state.log.slice(1 - LOG_LENGTH), entry] };
}

const describeBoard = (board: EventOf<'board'>): string =>
  `board ${board.boardSerial} on ${board.port}: firmware ${board.firmwareVersion}, ${board.arrays} × ${board.rows}×${board.columns} cells, ${board.neurons} neurons`;

const UNTOUCHED: Cell = { conductance: null, pulses: 0, energy: 0, status: 'untouched' };
const NO_CELLS = { untouched: 0, 'in-tolerance': 0, programming: 0, failed: 0 };

function emptyArray(rows: number, columns: number): ArrayState {
  const row: readonly Cell[] = Array.from({ length: columns }, () => UNTOUCHED);
  return {
    rows,
    columns,
    cells: Array.from({ length: rows }, () => row),
    counts: { ...NO_CELLS, untouched: rows * columns },
  };
}

function withBoard(state: DashboardState, event: EventOf<'board'>): DashboardState {
  const known = state.board?.boardSerial === event.boardSerial;
  const arrays = Array.from({ length: event.arrays }, (_, i) => {
    const array = known ? state.arrays[i] : undefined;
    return array?.rows === event.rows && array.columns === event.columns
      ? array
      : emptyArray(event.rows, event.columns);
  });
  return { ...state, board: event, arrays };
}

function replaceArray(state: DashboardState, index: number, array: ArrayState): readonly ArrayState[] {
  const arrays = Array.from(
    { length: Math.max(state.arrays.length, index + 1) },
    (_, i) => state.arrays[i] ?? emptyArray(0, 0),
  );
  arrays[index] = array;
  return arrays;
}

function widen(range: Range | undefined, values: Iterable<number | null>): Range | undefined {
  let [least, most] = range ?? [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || Number.isNaN(value)) continue;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return least <= most ? [least, most] : range;
}

function withRange(state: DashboardState, values: Iterable<number | null>): DashboardState {
  const range = widen(state.conductanceRange, values);
  return range ? { ...state, conductanceRange: range } : state;
}

function withConductance(state: DashboardState, event: EventOf<'conductance'>): DashboardState {
  const old = state.arrays[event.array];
  const same = old?.rows === event.rows && old.columns === event.columns;
  const array = same ? old : emptyArray(event.rows, event.columns);
  const cells = array.cells.map((row, r) =>
    row.map((cell, c) => {
      const measured = event.conductance[r * event.columns + c];
      return typeof measured === 'number' && !Number.isNaN(measured)
        ? { ...cell, conductance: measured }
        : cell;
    }),
  );
  const arrays = replaceArray(state, event.array, { ...array, cells });
  return withRange({ ...state, arrays }, event.conductance);
}

function withCell(state: DashboardState, event: EventOf<'cell'>): DashboardState {
  let array = state.arrays[event.array] ?? emptyArray(0, 0);
  if (event.row >= array.rows || event.column >= array.columns) {
    array = grown(array, Math.max(array.rows, event.row + 1), Math.max(array.columns, event.column + 1));
  }
  const row = array.cells[event.row] as readonly Cell[];
  const old = row[event.column] as Cell;
  const { conductance, pulses, energy, status, target, reason } = event;
  const cell: Cell = {
    conductance: conductance ?? old.conductance,
    pulses,
    energy,
    status,
    ...(target === undefined ? {} : { target }),
    ...(reason === undefined ? {} : { reason: clean(reason) }),
  };
  const counts = { ...array.counts };
  counts[old.status] -= 1;
  counts[status] += 1;
  const cells = array.cells.with(event.row, row.with(event.column, cell));
  const arrays = replaceArray(state, event.array, { ...array, cells, counts });
  return withRange({ ...state, arrays }, [conductance]);
}

function grown(array: ArrayState, rows: number, columns: number): ArrayState {
  const empty = emptyArray(rows, columns);
  const cells = empty.cells.map((row, r) => row.map((cell, c) => array.cells[r]?.[c] ?? cell));
  const untouched = array.counts.untouched + rows * columns - array.rows * array.columns;
  return { ...empty, cells, counts: { ...array.counts, untouched } };
}

function withPulses(state: DashboardState, event: EventOf<'pulses'>): DashboardState {
  const { status } = event;
  const pulses = { ...state.pulses, [status]: state.pulses[status] + event.pulses.length };
  const next = { ...state, pulses };
  if (status === 'applied') return next;
  const reasons = [...new Set(event.pulses.flatMap(({ reason }) => reason ?? []))].join(', ');
  const what = status === 'refused' ? 'refused by the board' : 'of unknown fate: their cells are read again';
  const number = event.pulses.length === 1 ? '1 pulse' : `${amount(event.pulses.length)} pulses`;
  return note(next, event, 'warning', `${number} ${what}${reasons && ` (${reasons})`}`);
}

function withMembrane(state: DashboardState, event: EventOf<'membrane'>): DashboardState {
  const range = widen(undefined, event.voltages.flat());
  const membraneRanges = range
    ? [...state.membraneRanges.slice(1 - MEMBRANE_RANGES), range]
    : state.membraneRanges;
  const judged = event.label !== undefined && event.decision !== undefined;
  const decisions = judged
    ? [...state.decisions.slice(1 - DECISIONS), event.label === event.decision]
    : state.decisions;
  return { ...state, membrane: event, decisions, membraneRanges };
}

function withLink(state: DashboardState, event: EventOf<'link'>): DashboardState {
  const before = state.link?.latest;
  const elapsed = before ? event.time - before.time : 0;
  const rate = (now: number, then: number | undefined) =>
    elapsed > 0 ? Math.max(0, now - (then ?? 0)) / elapsed : 0;
  const link: LinkState = {
    latest: event,
    roundTrips: [...(state.link?.roundTrips ?? []).slice(1 - ROUND_TRIPS), event.roundTrip],
    sending: rate(event.bytesSent, before?.bytesSent),
    receiving: rate(event.bytesReceived, before?.bytesReceived),
  };
  const next = { ...state, link };
  if (event.state === before?.state) return next;
  const level = event.state === 'lost' || event.state === 'reconnecting' ? 'warning' : 'info';
  return note(next, event, level, `link ${event.state}`);
}

function withTraining(state: DashboardState, event: EventOf<'training'>): DashboardState {
  const { phase, epoch, epochs, loss } = event;
  const accuracy = event.validationAccuracy ?? event.trainAccuracy;
  const point: TrainingPoint = {
    phase,
    epoch,
    epochs,
    loss,
    ...(accuracy === undefined ? {} : { accuracy }),
  };
  const before = state.training.at(-1);
  const kept =
    state.training.length < TRAINING_POINTS ? state.training : state.training.filter((_, i) => i % 2 === 0);
  // Another phase has begun, or this one has ended: progress that came before is not its own.
  const goesOn = (before?.phase ?? phase) === phase && epoch < epochs;
  const next = { ...(goesOn ? state : withoutProgress(state)), training: [...kept, point] };
  const part = (at: number) => Math.floor(epochs > EPOCHS_LOGGED ? (at / epochs) * EPOCHS_LOGGED : at);
  if (before?.phase === phase && part(before.epoch) === part(epoch)) return next;
  const known = [
    `loss ${loss.toPrecision(3)}`,
    ...(accuracy === undefined ? [] : [`accuracy ${percent(accuracy, 1)}`]),
    ...(event.pulses === undefined ? [] : [`${amount(event.pulses)} pulses`]),
  ];
  return note(next, event, 'info', `${phase} epoch ${amount(epoch)}/${epochs}: ${known.join(', ')}`);
}
