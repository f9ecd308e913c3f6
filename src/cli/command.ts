/**
 * What every command shares: global options, the event stream and who listens to it, Ctrl-C, the board behind
 * `--port`, the run folder, and how results and errors reach the shell.
 */
import type { Command } from 'commander';
import type { Observable } from 'rxjs';
import type { GuardedBoard } from '../calibration/index.js';
import type { BoardDescription, BoardHealth } from '../driver/index.js';
import type { OpenOptions } from '../open-board.js';
import { MemloopError } from '../shared/errors.js';
import type { Emit, EventBody, MemloopEvent } from '../shared/events.js';
import { Subject } from '../shared/subject.js';
import type { RunFolder } from '../telemetry/index.js';

export interface GlobalOptions {
  json?: boolean;
  debug?: boolean;
  port?: string;
  run?: string;
  /** No command can pulse. */
  readOnly?: boolean;
  /** Record the bytes of the link in this file. */
  record?: string;
  /** Seconds for which a lost port is tried again. */
  reconnect?: number;
}

/** What a command ends with: the result fields that scripts rely on, and the same for a person. */
export interface Outcome {
  result: Record<string, unknown>;
  /** Printed without `--json`; leave out when the command has printed all there is to say. */
  text?: string;
}

export interface Session {
  readonly global: GlobalOptions;
  readonly emit: Emit;
  readonly events: Observable<MemloopEvent>;
  /** Aborted by Ctrl-C or SIGTERM. Long work checks it and ends with `interrupted`. */
  readonly signal: AbortSignal;
  /** The run folder, where the command has one (`--run`, or its view asks for one). */
  readonly run: RunFolder | undefined;
  /** A line for a person; nothing with `--json`. */
  print(line: string): void;
  /** Whether `--port` or MEMLOOP_PORT names a board. */
  readonly onBoard: boolean;
  /**
   * The board behind `--port` or MEMLOOP_PORT (or the URL given), and its passport; stopped, closed and saved when the
   * command ends.
   */
  board(options?: OpenOptions & { url?: string }): Promise<GuardedBoard>;
  /** What the board behind `--port` or MEMLOOP_PORT says of itself; it is closed again. */
  describe(): Promise<{ description: BoardDescription; health: BoardHealth; trace: boolean }>;
  /** Work to do when the command ends, however it ends; last in, first out. */
  atEnd(work: () => Promise<void> | void): void;
}

export interface View {
  /** `dashboard`: full screen on a terminal, lines elsewhere. `lines`: progress as lines. Default: silent. */
  show?: 'dashboard' | 'lines';
  /** Make a run folder even without `--run`; false: none, `--run` names one to read. */
  run?: boolean;
}

/** The work of a command; its arguments are commander's, options last. */
// biome-ignore lint/suspicious/noExplicitAny: commander hands over untyped arguments
export type Handler = (session: Session, ...args: any[]) => Promise<Outcome | undefined>;

/** How long work that shows its progress waits for a lost port, s; a single question fails at once. */
const RECONNECT = 1.5;

export const isTerminal = () => Boolean(process.stdout.isTTY) && process.env.TERM !== 'dumb';

export const writeLine = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Turns a handler into commander's action. */
export function action(handler: Handler, view: View = {}) {
  return async (...args: unknown[]): Promise<void> => {
    const command = args.at(-1) as Command;
    const global = command.optsWithGlobals<GlobalOptions & { seed?: number }>();
    const started = {
      type: 'run-started' as const,
      command: command.name(),
      version: rootOf(command).version() ?? '',
      ...(global.seed === undefined ? {} : { seed: global.seed }),
    };
    process.exitCode = await runCommand(started, global, view, (session) =>
      handler(session, ...args.slice(0, -1)),
    );
  };
}

const rootOf = (command: Command): Command => (command.parent ? rootOf(command.parent) : command);

async function runCommand(
  started: Extract<EventBody, { type: 'run-started' }>,
  global: GlobalOptions,
  view: View,
  work: (session: Session) => Promise<Outcome | undefined>,
): Promise<number> {
  const events = new Subject<MemloopEvent>();
  const abort = new AbortController();
  const endings: (() => Promise<void> | void)[] = [];
  const emit: Emit = (body) => events.next({ ...body, time: Date.now() / 1000 });

  const interrupt = () => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort(new MemloopError('interrupted', 'stopped by Ctrl-C'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.on('SIGHUP', interrupt);

  const port = global.port ?? process.env.MEMLOOP_PORT;
  if (process.send && process.env.MEMLOOP_FENCE) serveAgent(events, interrupt);
  let outcome: Outcome | undefined;
  let failure: unknown;
  let closeScreen: (() => Promise<void> | void) | undefined;
  try {
    const run = await openRunFolder(started.command, global, view, { events, emit, abort }, endings);
    closeScreen = await openScreen(global, view, events, interrupt);
    const session: Session = {
      global,
      emit,
      events,
      signal: abort.signal,
      run,
      print: (line) => {
        if (!global.json) writeLine(line);
      },
      atEnd: (ending) => endings.push(ending),
      onBoard: Boolean(port),
      board: (options) => openSessionBoard(options, { global, view, emit, endings, port }),
      describe: async () => {
        const { describeBoard } = await import('../open-board.js');
        const { record, reconnect } = global;
        return describeBoard(urlOf(port), { emit, record, reconnect });
      },
    };
    if (run) emit({ ...started, backend: (await import('../model/index.js')).backendName });
    else if (view.show) emit(started);
    outcome = await work(session);
    if (outcome) emit({ type: 'run-finished', result: outcome.result });
  } catch (error) {
    failure = error;
    // The error is told once, on stderr; the journal keeps it too.
    await closeScreen?.();
    closeScreen = undefined;
    emit({ type: 'log', level: 'error', message: describe(error, global) });
  }
  for (const ending of endings.reverse()) {
    try {
      await ending();
    } catch (error) {
      failure ??= error;
    }
  }
  await closeScreen?.();
  process.off('SIGINT', interrupt);
  process.off('SIGTERM', interrupt);
  process.off('SIGHUP', interrupt);
  if (failure !== undefined) return reportFailure(failure, global);
  if (outcome) {
    if (global.json) writeLine(JSON.stringify({ type: 'result', ...outcome.result }));
    else if (outcome.text !== undefined) writeLine(outcome.text);
  }
  return 0;
}

/** Events on their way to a bench's agent; what does not fit is left out and counted. */
const MOST_ON_THE_WAY = 64;

/** As a job of a bench: the command ends with the bench's agent, and sends it the events while it asks for them. */
function serveAgent(events: Observable<MemloopEvent>, interrupt: () => void): void {
  let watched = false;
  let onTheWay = 0;
  let lost = 0;
  process.once('disconnect', interrupt);
  process.on('message', (message: { watched?: boolean }) => {
    watched = message.watched ?? false;
  });
  process.channel?.unref();
  events.subscribe((event) => {
    if (!watched || !process.connected) return;
    if (onTheWay >= MOST_ON_THE_WAY) {
      lost++;
      return;
    }
    onTheWay++;
    process.send?.({ event, lost }, undefined, undefined, () => {
      onTheWay--;
    });
    lost = 0;
  });
}

async function openSessionBoard(
  options: OpenOptions & { url?: string } = {},
  {
    global,
    view,
    emit,
    endings,
    port,
  }: {
    global: GlobalOptions;
    view: View;
    emit: Emit;
    endings: (() => Promise<void> | void)[];
    port: string | undefined;
  },
): Promise<GuardedBoard> {
  const { openBoard } = await import('../open-board.js');
  const board = await openBoard(urlOf(options.url ?? port), {
    emit,
    record: global.record,
    reconnect: global.reconnect ?? (view.show ? RECONNECT : 0),
    ...options,
    readOnly: (global.readOnly ?? false) || (options.readOnly ?? false),
  });
  endings.push(() => board.close());
  return board;
}

function urlOf(port: string | undefined): string {
  if (port) return port;
  throw new MemloopError(
    'usage',
    'no board named: give --port URL or set MEMLOOP_PORT (`memloop ports` lists serial ports; `--port virtual:w-sdc-8x8x4` needs no hardware)',
  );
}

async function openRunFolder(
  name: string,
  global: GlobalOptions,
  view: View,
  { events, emit, abort }: { events: Observable<MemloopEvent>; emit: Emit; abort: AbortController },
  endings: (() => Promise<void> | void)[],
): Promise<RunFolder | undefined> {
  if (view.run === false || (!global.run && !view.run)) return undefined;
  const { openRun, startInflux } = await import('../telemetry/index.js');
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  const run = await openRun(global.run ?? `runs/${stamp}-${name}`, {
    command: name,
    // Passwords do not belong in a URL, but may be written into one.
    argv: process.argv.slice(2).map((word) => word.replace(/(:\/\/)[^?#\s]*@/g, '$1***@')),
  });
  const journal = events.subscribe((event) => {
    try {
      run.append(event);
    } catch (error) {
      // What cannot be recorded must not go on.
      journal.unsubscribe();
      abort.abort(error);
    }
  });
  endings.push(async () => {
    journal.unsubscribe();
    await run.close();
  });
  const influx = await startInflux(events, run, { emit });
  if (influx) endings.push(() => influx.close());
  return run;
}

/** Whoever shows the events to a person or a script; returns how to end that. */
async function openScreen(
  global: GlobalOptions,
  view: View,
  events: Observable<MemloopEvent>,
  onQuit: () => void,
): Promise<(() => Promise<void> | void) | undefined> {
  if (!global.json && !view.show) return undefined;
  const tui = await import('../tui/index.js');
  if (!global.json && view.show === 'dashboard' && isTerminal()) {
    const dashboard = await tui.startDashboard({ events, onQuit });
    return () => dashboard.stop();
  }
  const lines = (global.json ? tui.jsonLines : tui.plainLines)(events, writeLine);
  return () => lines.unsubscribe();
}

const describe = (error: unknown, global: GlobalOptions): string => {
  if (!(error instanceof Error)) return String(error);
  const text = error instanceof MemloopError ? error.message : `unexpected ${error.name}: ${error.message}`;
  const hint = error instanceof MemloopError || global.debug ? '' : ' (run again with --debug for the stack)';
  return text.replaceAll('\n', ' ') + hint;
};

/** One line on stderr (with `--json` an object on stdout as well); returns the exit code. */
export function reportFailure(error: unknown, global: GlobalOptions): number {
  const message = describe(error, global);
  const reason = error instanceof MemloopError ? error.reason : 'unexpected';
  if (global.json) writeLine(JSON.stringify({ type: 'error', reason, message }));
  process.stderr.write(`memloop: ${message}\n`);
  if (global.debug && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
    // A failed link's cause holds its last frames.
    if (error.cause instanceof Error) process.stderr.write(`cause: ${error.cause.stack}\n`);
  }
  return error instanceof MemloopError ? error.exitCode : 1;
}
