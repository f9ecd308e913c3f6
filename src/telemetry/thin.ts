/**
 * Keeps a journal small. Bulky events (`link`, `membrane`, `conductance` of each array) are stored at most
 * once in their period; in between only the newest is kept in memory, and it is stored ahead of the next
 * `stage`, `accuracy` or `run-finished` event and when the journal is closed. A change of the link's state
 * is always stored. What is stored is rounded: conductances to 4 significant digits, membrane voltages to
 * 10 µV and at most 200 samples per neuron (every n-th, `samplePeriod` grows with it). No other event is
 * touched.
 */
import type { EventOf, MemloopEvent } from '../shared/events.js';

type Bulky = EventOf<'link'> | EventOf<'membrane'> | EventOf<'conductance'>;

/** s */
const PERIOD = { link: 1, membrane: 5, conductance: 5 } as const;
const MAX_SAMPLES = 200;
const SIGNIFICANT_DIGITS = 4;
/** Steps of 1 / 1e5 V. */
const VOLTAGE_STEPS = 1e5;

export class Thinner {
  #stored = new Map<string, Bulky>();
  #withheld = new Map<string, Bulky>();

  /** What to store, in order, now that `event` happened. */
  push(event: MemloopEvent): MemloopEvent[] {
    switch (event.type) {
      case 'link':
      case 'membrane':
      case 'conductance':
        return this.#bulky(event);
      case 'cell':
        this.#updateWithheld(event);
        return [event];
      case 'stage':
      case 'accuracy':
      case 'run-finished':
        return [...this.drain(), event];
      default:
        return [event];
    }
  }

  /** The events still withheld, for the end of the journal. */
  drain(): MemloopEvent[] {
    const events = [...this.#withheld.values()];
    for (const [key, event] of this.#withheld) this.#stored.set(key, event);
    this.#withheld.clear();
    return events.map(reduce);
  }

  #bulky(event: Bulky): MemloopEvent[] {
    const key = event.type === 'conductance' ? `conductance ${event.array}` : event.type;
    const last = this.#stored.get(key);
    const due = !last || event.time - last.time >= PERIOD[event.type];
    const turned = event.type === 'link' && last?.type === 'link' && event.state !== last.state;
    this.#withheld.delete(key);
    if (!due && !turned) {
      this.#withheld.set(key, event);
      return [];
    }
    this.#stored.set(key, event);
    return [reduce(event)];
  }

  /** A withheld map must not bring back what a cell was before a later `cell` event. */
  #updateWithheld(cell: EventOf<'cell'>): void {
    const key = `conductance ${cell.array}`;
    const withheld = this.#withheld.get(key);
    if (withheld?.type !== 'conductance') return;
    const conductance = [...withheld.conductance];
    if (cell.conductance !== null) conductance[cell.row * withheld.columns + cell.column] = cell.conductance;
    this.#withheld.set(key, { ...withheld, conductance });
  }
}

function reduce(event: Bulky): MemloopEvent {
  if (event.type === 'conductance') {
    const conductance = event.conductance.map((g) =>
      g === null || Number.isNaN(g) ? null : Number(g.toPrecision(SIGNIFICANT_DIGITS)),
    );
    return { ...event, conductance };
  }
  if (event.type === 'membrane') {
    const samples = Math.max(0, ...event.voltages.map((trace) => trace.length));
    const stride = Math.max(1, Math.ceil(samples / MAX_SAMPLES));
    const round = (v: number | null) => (v === null ? null : Math.round(v * VOLTAGE_STEPS) / VOLTAGE_STEPS);
    const voltages = event.voltages.map((trace) => trace.filter((_, i) => i % stride === 0).map(round));
    return { ...event, samplePeriod: event.samplePeriod * stride, voltages };
  }
  return event;
}
