import { render, useInput, useStdin } from 'ink';
import { useSyncExternalStore } from 'react';
import { audit, fromEvent, merge, type Observable, Subject, timer } from 'rxjs';
import type { MemloopEvent } from '../shared/events.js';
import { App } from './app.js';
import type { Depth } from './drawing/paint.js';
import { PicturesContext } from './drawing/picture.js';
import { initialView, keyNames, press, type View } from './keys.js';
import type { Size } from './layout.js';
import { summary } from './lines.js';
import { Screen } from './screen.js';
import { type DashboardState, initialState, reduce } from './state.js';

export interface DashboardOptions {
  events: Observable<MemloopEvent>;
  /** The user wants to leave (`q`, Ctrl-C): end the job safely, then call `stop`. May be called again. */
  onQuit(): void;
  /** Leave at the first `q` instead of waiting for `stop`: for a replay or somebody else's run. */
  watching?: boolean;
  /** Shown beside the time: 'live' (default), 'replay ×10'. */
  mode?: string;
  stdout?: NodeJS.WriteStream;
  stdin?: NodeJS.ReadStream;
}

export interface Dashboard {
  /** Settles when the dashboard has left the screen; rejects when it or the events failed. */
  readonly done: Promise<void>;
  /** Gives the terminal back and prints the summary. */
  stop(): Promise<void>;
}

/** Least ms between two pictures of the state. */
const FRAME = 100;
/** Times as long as drawing took: the job has the processor, not its picture. */
const REST = 8;

/** What the picture is made of; changes are told to React. */
class Store {
  #listeners = new Set<() => void>();
  #latest = initialState;
  #picture: { state: DashboardState; view: View; size: Size };

  constructor(size: Size) {
    this.#picture = { state: initialState, view: initialView, size };
  }

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly picture = () => this.#picture;

  /** Takes the event in; `show` draws. */
  add(event: MemloopEvent): void {
    this.#latest = reduce(this.#latest, event);
  }
  get latest(): DashboardState {
    return this.#latest;
  }

  show(change: { view?: View; size?: Size } = {}): void {
    const view = change.view ?? this.#picture.view;
    const state = view.paused ? this.#picture.state : this.#latest;
    this.#picture = { ...this.#picture, ...change, view, state };
    for (const listener of this.#listeners) listener();
  }
}

/** Draws the events on a terminal until the run ends or the user leaves. */
export function openDashboard(options: DashboardOptions): Dashboard {
  const {
    events,
    onQuit,
    watching = false,
    mode = 'live',
    stdout = process.stdout,
    stdin = process.stdin,
  } = options;
  const depth = stdout.getColorDepth() as Depth;
  const printed = new Subject<MemloopEvent>();
  const tell = (message: string, level: 'info' | 'warning') =>
    printed.next({ type: 'log', time: Date.now() / 1000, level, message });
  const screen = new Screen(stdout, stdin, tell, onQuit);
  const store = new Store(screen.size);
  let finish = () => {};
  let fail: (error: unknown) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // Whoever does not wait for `done` learns of a failure from `stop`.
  done.catch(() => {});

  const onKeys = (names: readonly string[]) => {
    const { state } = store.picture();
    let { view } = store.picture();
    let quit = false;
    for (const name of names) {
      const pressed = press(name, view, state);
      view = pressed.view;
      quit ||= pressed.quit;
    }
    store.show({ view });
    if (!quit) return;
    onQuit();
    if (watching) void stop();
  };
  const root = (
    <PicturesContext value={screen.pictures}>
      <Root store={store} depth={depth} mode={mode} onKeys={onKeys} />
    </PicturesContext>
  );
  const ink = render(root, {
    stdout: screen as unknown as NodeJS.WriteStream,
    stdin,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  const leave = (error?: unknown) => {
    for (const subscription of subscriptions) subscription.unsubscribe();
    ink.unmount();
    screen.leave();
    if (error !== undefined) fail(error);
    else {
      stdout.write(`${summary(store.latest).join('\n')}\n`);
      finish();
    }
  };
  let left = false;
  const stop = async (): Promise<void> => {
    if (!left) {
      left = true;
      leave();
    }
    return done;
  };

  ink.waitUntilExit().catch((error) => leave(error));
  const told = new Subject<void>();
  let cost = 0;
  const subscriptions = [
    merge(events, printed).subscribe({
      next: (event) => {
        store.add(event);
        told.next();
      },
      error: (error) => {
        left = true;
        leave(error);
      },
    }),
    told.pipe(audit(() => timer(Math.max(FRAME, REST * cost)))).subscribe(() => {
      const start = performance.now();
      store.show();
      cost = performance.now() - start;
    }),
    fromEvent(stdout, 'resize').subscribe(() => {
      screen.clear();
      store.show({ size: screen.size });
    }),
  ];
  return { done, stop };
}

interface RootProps {
  store: Store;
  depth: Depth;
  mode: string;
  onKeys(names: readonly string[]): void;
}

function Root({ store, depth, mode, onKeys }: RootProps) {
  const { isRawModeSupported } = useStdin();
  const picture = useSyncExternalStore(store.subscribe, store.picture);
  useInput((input, key) => onKeys(keyNames(input, key)), { isActive: isRawModeSupported });
  return <App {...picture} depth={depth} mode={mode} />;
}
