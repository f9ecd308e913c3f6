/** What benches booked against what the boards' own counters say. */
import type { HubConnection } from '../connection.js';
import { isOver, type State } from '../messages.js';

export interface Difference {
  bench: string;
  board: string;
  /** The job or lease, or the two between which it happened. */
  id: string;
  /** Pulses by the passports, and by the board. */
  booked: number;
  counted: number;
  what: string;
}

export interface Audit {
  jobs: number;
  boards: number;
  pulses: number;
  /** Jobs of which the board's counter tells nothing: it does not count, or was rebooted meanwhile. */
  unchecked: number;
  differences: Difference[];
}

/** Every job and lease that is over. */
export async function auditHub(hub: HubConnection): Promise<Audit> {
  const { jobs, more } = await hub.ask('jobs', {});
  if (more) jobs.push(...(await olderThan(hub, jobs)));
  return audit(jobs);
}

async function olderThan(hub: HubConnection, newest: readonly State[]): Promise<State[]> {
  const all: State[] = [];
  for (let last = newest.at(-1)?.id, more = true; more && last !== undefined; ) {
    const page = await hub.ask('jobs', { before: last });
    all.push(...page.jobs);
    more = page.more;
    last = page.jobs.at(-1)?.id;
  }
  return all;
}

export function audit(states: readonly State[]): Audit {
  const result: Audit = { jobs: 0, boards: 0, pulses: 0, unchecked: 0, differences: [] };
  for (const list of groupBy(states).values()) {
    result.boards++;
    auditBoard(
      list.filter(({ state, before }) => isOver(state) && before).sort((a, b) => order(a) - order(b)),
      result,
    );
  }
  return result;
}

/** By the pulses that were booked before, which only grow. */
const order = ({ before }: State): number => before?.pulses ?? 0;

function groupBy(states: readonly State[]): Map<string, State[]> {
  const groups = new Map<string, State[]>();
  for (const state of states) groups.set(state.board, [...(groups.get(state.board) ?? []), state]);
  return groups;
}

function auditBoard(states: readonly State[], result: Audit): void {
  let last: State | undefined;
  for (const state of states) {
    result.jobs++;
    if (last) compare(last.after, state.before, { state, what: `between ${last.id} and it` }, result);
    const checked = compare(state.before, state.after, { state, what: `during the ${state.kind}` }, result);
    if (!checked) result.unchecked++;
    result.pulses += (state.after?.pulses ?? state.before?.pulses ?? 0) - (state.before?.pulses ?? 0);
    last = state;
  }
}

/** Whether the counter could tell. */
function compare(
  from: State['before'],
  to: State['after'],
  { state, what }: { state: State; what: string },
  { differences }: Audit,
): boolean {
  if (!from || !to || from.counter === null || to.counter === null) return false;
  const rebooted = to.uptime < from.uptime || to.counter < from.counter;
  if (rebooted) return false;
  const booked = to.pulses - from.pulses;
  const counted = to.counter - from.counter;
  const { bench, board, id } = state;
  if (booked !== counted) differences.push({ bench, board, id, booked, counted, what });
  return true;
}
