import type { MemloopEvent } from '../shared/events.js';
import { initialView, press, type View } from './keys.js';
import type { Size } from './layout.js';
import { type DashboardState, initialState, reduce } from './state.js';

/** What is on the screen. */
export interface Shown {
  state: DashboardState;
  view: View;
  size: Size;
}

/** State and view of the dashboard, of which the screen shows a snapshot; React is told when that changes. */
export class Store {
  #listeners = new Set<() => void>();
  #latest = initialState;
  #shown: Shown;

  constructor(size: Size) {
    this.#shown = { state: initialState, view: initialView, size };
  }

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly shown = () => this.#shown;

  /** Takes the event in; `show` puts it on the screen. */
  add(event: MemloopEvent): void {
    this.#latest = reduce(this.#latest, event);
  }
  get latest(): DashboardState {
    return this.#latest;
  }

  /** Presses keys, in order; true if the user wants to leave. */
  press(names: readonly string[]): boolean {
    let { view } = this.#shown;
    let quit = false;
    for (const name of names) {
      const pressed = press(name, view, this.#shown.state);
      view = pressed.view;
      quit ||= pressed.quit;
    }
    this.show({ view });
    return quit;
  }

  /** Puts the newest state on the screen, unless the display is held. */
  show(change: { view?: View; size?: Size } = {}): void {
    const view = change.view ?? this.#shown.view;
    const state = view.paused ? this.#shown.state : this.#latest;
    this.#shown = { ...this.#shown, ...change, view, state };
    for (const listener of this.#listeners) listener();
  }
}
