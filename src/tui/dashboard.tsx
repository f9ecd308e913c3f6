import { type Instance, render, useInput, useStdin } from 'ink';
import { useSyncExternalStore } from 'react';
import { audit, fromEvent, merge, type Observable, Subject, Subscription, timer } from 'rxjs';
import type { MemloopEvent } from '../shared/events.js';
import { App } from './app.js';
import type { Depth } from './drawing/paint.js';
import { PicturesContext } from './drawing/picture.js';
import { keyNames } from './keys.js';
import { summary } from './lines.js';
import { Screen } from './screen.js';
import { Store } from './store.js';

export interface DashboardOptions {
  /**
   * What happens, in order. The dashboard subscribes once, when it opens, and unsubscribes when it closes; what a hot
   * source emitted before is not drawn. When the source completes, the last picture stays on the screen; its error
   * closes the dashboard and rejects `done`.
   */
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
  /** Gives the terminal back and prints the summary; may be called again. Settles as `done` does. */
  stop(): Promise<void>;
}

/** Shortest time between two pictures of the state, ms. */
const FRAME = 100;
/** Pause after drawing, in multiples of the time that it took: the job has the processor, not its picture. */
const REST = 8;

/** Draws the events on a terminal until the run ends or the user leaves. */
export const openDashboard = (options: DashboardOptions): Dashboard => new TerminalDashboard(options);

class TerminalDashboard implements Dashboard {
  readonly done: Promise<void>;
  readonly #options: DashboardOptions;
  readonly #stdout: NodeJS.WriteStream;
  readonly #screen: Screen;
  readonly #store: Store;
  readonly #ink: Instance;
  readonly #subscriptions = new Subscription();
  #settle: (error?: unknown) => void = () => {};
  #left = false;

  constructor(options: DashboardOptions) {
    this.#options = options;
    const { onQuit, stdout = process.stdout, stdin = process.stdin } = options;
    const printed = new Subject<MemloopEvent>();
    this.#stdout = stdout;
    this.#screen = new Screen(
      stdout,
      stdin,
      (message, level) => printed.next({ type: 'log', time: Date.now() / 1000, level, message }),
      onQuit,
    );
    this.#store = new Store(this.#screen.size);
    this.done = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    // Whoever does not wait for `done` learns of a failure from `stop`.
    this.done.catch(() => {});
    this.#ink = this.#render(stdin);
    this.#ink.waitUntilExit().catch((error) => this.#leave(error));
    this.#follow(printed);
  }

  async stop(): Promise<void> {
    this.#leave();
    return this.done;
  }

  #render(stdin: NodeJS.ReadStream): Instance {
    const root = (
      <PicturesContext value={this.#screen.pictures}>
        <Root
          store={this.#store}
          depth={this.#stdout.getColorDepth() as Depth}
          mode={this.#options.mode ?? 'live'}
          onKeys={this.#press}
        />
      </PicturesContext>
    );
    return render(root, {
      stdout: this.#screen as unknown as NodeJS.WriteStream,
      stdin,
      debug: true,
      exitOnCtrlC: false,
      patchConsole: false,
    });
  }

  readonly #press = (names: readonly string[]): void => {
    if (!this.#store.press(names)) return;
    this.#options.onQuit();
    if (this.#options.watching) this.#leave();
  };

  /** Takes events in as they come, and draws them as often as leaves the processor to the job. */
  #follow(printed: Observable<MemloopEvent>): void {
    const changed = new Subject<void>();
    let cost = 0;
    this.#subscriptions.add(
      changed.pipe(audit(() => timer(Math.max(FRAME, REST * cost)))).subscribe(() => {
        const start = performance.now();
        this.#store.show();
        cost = performance.now() - start;
      }),
    );
    this.#subscriptions.add(
      fromEvent(this.#stdout, 'resize').subscribe(() => {
        this.#screen.clear();
        this.#store.show({ size: this.#screen.size });
      }),
    );
    this.#subscriptions.add(
      merge(this.#options.events, printed).subscribe({
        next: (event) => {
          this.#store.add(event);
          changed.next();
        },
        error: (error) => this.#leave(error),
      }),
    );
  }

  #leave(error?: unknown): void {
    if (this.#left) return;
    this.#left = true;
    this.#subscriptions.unsubscribe();
    this.#ink.unmount();
    this.#screen.leave();
    if (error === undefined) this.#stdout.write(`${summary(this.#store.latest).join('\n')}\n`);
    this.#settle(error);
  }
}

interface RootProps {
  store: Store;
  depth: Depth;
  mode: string;
  onKeys(names: readonly string[]): void;
}

function Root({ store, depth, mode, onKeys }: RootProps) {
  const { isRawModeSupported } = useStdin();
  const shown = useSyncExternalStore(store.subscribe, store.shown);
  useInput((input, key) => onKeys(keyNames(input, key)), { isActive: isRawModeSupported });
  return <App {...shown} depth={depth} mode={mode} />;
}
