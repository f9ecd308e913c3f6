/** Events as lines, where there is no terminal to draw on. No escape codes. */
import type { Observable, Subscription } from 'rxjs';
import type { MemloopEvent } from '../shared/events.js';
import { amount, duration, percent } from '../shared/text.js';
import { type DashboardState, initialState, type LinkState, reduce, STAGE_NAMES } from './state.js';

/** s between two lines of progress */
const PROGRESS_PERIOD = 5;
/** Time between two JSON lines of a kind that comes often, s. */
const JSON_PERIOD = 1;

const isTrouble = (link: LinkState | undefined): boolean =>
  link?.latest.state === 'lost' || link?.latest.state === 'reconnecting';

/** Not worth a line while all goes well; the journal and the dashboard have it. */
function isRoutine(event: MemloopEvent, before: DashboardState, now: DashboardState): boolean {
  if (event.type === 'link') return !isTrouble(before.link) && !isTrouble(now.link);
  return event.type === 'run-started' || event.type === 'run-finished' || event.type === 'board';
}

/**
 * One line for everything a person wants to know; progress every few seconds. Subscribes to the events at once; what a
 * hot source emitted before is not written. Ends with the source, or when the returned subscription is unsubscribed.
 */
export function plainLines(events: Observable<MemloopEvent>, write: (line: string) => void): Subscription {
  let state = initialState;
  let told = 0;
  let quietSince = -Infinity;
  return events.subscribe((event) => {
    const before = state;
    state = reduce(state, event);
    const entry = state.log.at(-1);
    if (entry && entry.sequence > told) {
      told = entry.sequence;
      if (isRoutine(event, before, state)) return;
      write(entry.level === 'info' ? entry.text : `${entry.level}: ${entry.text}`);
      quietSince = event.time;
    } else if (event.type === 'progress' && event.rate > 0 && event.time - quietSince >= PROGRESS_PERIOD) {
      const { stage, done, total, units, rate, timeLeft } = event;
      const share = total > 0 ? `${Math.floor((done / total) * 100)} %, ` : '';
      const pace = `${amount(rate)}/s, ${duration(timeLeft)} left`;
      write(`${stage}: ${share}${amount(done)} of ${amount(total)} ${units}, ${pace}`);
      quietSince = event.time;
    }
  });
}

/**
 * One JSON object per line: every event but the bulky ones, which the journal has (`membrane`, `conductance`,
 * `cell`, applied `pulses`), and `run-finished`, which is the command's last line. `link` and `progress` come
 * at most once a second, a change of the link's state always. Subscribes and ends as `plainLines` does.
 */
export function jsonLines(events: Observable<MemloopEvent>, write: (line: string) => void): Subscription {
  const last = new Map<string, MemloopEvent>();
  const isDue = (event: MemloopEvent): boolean => {
    switch (event.type) {
      case 'membrane':
      case 'conductance':
      case 'cell':
      case 'run-finished':
        return false;
      case 'pulses':
        return event.status !== 'applied';
      case 'link':
      case 'progress': {
        const before = last.get(event.type);
        const turned = event.type === 'link' && before?.type === 'link' && before.state !== event.state;
        return !before || turned || event.time - before.time >= JSON_PERIOD;
      }
      default:
        return true;
    }
  };
  return events.subscribe((event) => {
    if (!isDue(event)) return;
    last.set(event.type, event);
    write(JSON.stringify(event));
  });
}

/** What stays in the scrollback when the dashboard has gone. */
export function summary(state: DashboardState): string[] {
  const elapsed = duration(state.now - (state.started ?? state.now));
  const accuracies = Object.entries(STAGE_NAMES).flatMap(([stage, name]) => {
    const accuracy = state.accuracies[stage as keyof typeof STAGE_NAMES];
    return accuracy === undefined ? [] : [`${name} ${percent(accuracy, 1)}`];
  });
  const warnings = state.log.filter(({ level }) => level === 'warning');
  return [
    `memloop ${state.run?.command ?? ''} ${state.finished ? 'finished in' : 'ended after'} ${elapsed}`,
    // A finished command prints its result itself.
    ...(state.finished || accuracies.length === 0 ? [] : [`  accuracy: ${accuracies.join(', ')}`]),
    ...warnings.slice(-5).map(({ text }) => `  warning: ${text}`),
    ...(warnings.length > 5 ? [`  and ${warnings.length - 5} warnings before`] : []),
  ];
}
