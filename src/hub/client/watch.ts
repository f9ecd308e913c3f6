/** Views: the events of a job from its beginning, and those of a board as they happen. */
import { Observable } from 'rxjs';
import { eventSchema, type MemloopEvent } from '../../shared/events.js';
import type { HubConnection } from '../connection.js';
import { eventMessageSchema, isOver, liveMessageSchema, stateSchema, subjects, TIMES } from '../messages.js';
import { decode } from '../refusal.js';
import { stateOf } from './jobs.js';

/** What a view has missed. */
export interface Gaps {
  /** Events that the bench left out, or that did not arrive. */
  lost: number;
}

/** What happens at a board from now on. The bench sends only while somebody watches; gaps are counted. */
export function watchBoard(
  hub: HubConnection,
  board: { bench: string; board: string },
  gaps: Gaps = { lost: 0 },
): Observable<MemloopEvent> {
  return new Observable((subscriber) => {
    let next: number | undefined;
    const subscription = hub.nats.subscribe(subjects.live(board.bench, board.board), {
      callback: (error, message) => {
        if (error) return;
        const { n, lost, event } = decode(message.data, liveMessageSchema, 'a live event');
        // Numbers that begin again: the bench was ended and began anew.
        if (next !== undefined && n > next) gaps.lost += n - next;
        gaps.lost += lost;
        next = n + 1;
        const checked = eventSchema.safeParse(event);
        if (checked.success) subscriber.next(checked.data as MemloopEvent);
      },
    });
    const ask = () => void hub.call(board, 'live', {}).catch((error) => subscriber.error(error));
    ask();
    const timer = setInterval(ask, (TIMES.live * 1000) / 3);
    return () => {
      clearInterval(timer);
      subscription.unsubscribe();
    };
  });
}

/** Every event of a job's journal in order, each once; completes when the job is over and all of them are here. */
export function watchJob(hub: HubConnection, id: string): Observable<MemloopEvent> {
  return new Observable((subscriber) => {
    const view = new JobView(hub, id, (event) => subscriber.next(event));
    view.follow().then(
      () => subscriber.complete(),
      (error) => subscriber.error(error),
    );
    return () => view.close();
  });
}

class JobView {
  readonly #hub: HubConnection;
  readonly #id: string;
  readonly #next: (event: MemloopEvent) => void;
  /** Events that came before those before them. */
  readonly #early = new Map<number, Record<string, unknown>>();
  #n = 0;
  #cursor = 0;
  #closed = false;
  #wake: () => void = () => {};

  constructor(hub: HubConnection, id: string, next: (event: MemloopEvent) => void) {
    this.#hub = hub;
    this.#id = id;
    this.#next = next;
  }

  async follow(): Promise<void> {
    let total: number | undefined;
    const told = this.#hub.nats.subscribe(subjects.event('*', '*', this.#id), {
      callback: (_, message) => this.#take(decode(message.data, eventMessageSchema, 'an event')),
    });
    const ended = this.#hub.nats.subscribe(subjects.state('*', this.#id), {
      callback: (_, message) => {
        const state = decode(message.data, stateSchema, 'a state');
        if (isOver(state.state)) total = state.events ?? 0;
        this.#wake();
      },
    });
    try {
      const state = await stateOf(this.#hub, this.#id);
      if (isOver(state.state)) total = state.events ?? 0;
      while (!this.#closed) {
        await this.#page();
        if (total !== undefined && this.#n >= total) return;
        await new Promise<void>((done) => {
          this.#wake = done;
          setTimeout(done, 2000);
        });
      }
    } finally {
      told.unsubscribe();
      ended.unsubscribe();
    }
  }

  /** What the hub has stored and we have not seen. */
  async #page(): Promise<void> {
    for (let more = true; more && !this.#closed; ) {
      const page = await this.#hub.ask('events', { job: this.#id, from: this.#cursor });
      for (const message of page.events) this.#take(message);
      this.#cursor = page.next;
      more = page.more;
    }
  }

  #take({ n, event }: { n: number; event: Record<string, unknown> }): void {
    if (n >= this.#n) this.#early.set(n, event);
    for (let due = this.#early.get(this.#n); due; due = this.#early.get(this.#n)) {
      this.#early.delete(this.#n++);
      const checked = eventSchema.safeParse(due);
      if (checked.success) this.#next(checked.data as MemloopEvent);
    }
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }
}
