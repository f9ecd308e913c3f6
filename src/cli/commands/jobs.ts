import { type Command, InvalidArgumentError } from 'commander';
import type { State, Target } from '../../hub/index.js';
import { action, isTerminal, type Outcome, type Session } from '../command.js';
import { boardOf, type HubOptions, hubOf, showEvents, withHub } from '../hub.js';
import { decimal, wholeNumber } from '../numbers.js';

interface SubmitOptions extends HubOptions {
  on: string;
  budgetPulses?: number;
  budgetEnergy?: number;
  deadline?: string;
  id?: string;
  wait?: boolean;
}

/** An ISO 8601 time, or hours from now: `36h`. */
const deadlineOf = (text: string): string => {
  const hours = /^(\d+(?:\.\d+)?)h$/.exec(text)?.[1];
  const time = hours === undefined ? Date.parse(text) : Date.now() + Number(hours) * 3_600_000;
  if (!Number.isFinite(time))
    throw new InvalidArgumentError('Give a time such as 2030-01-31T08:00Z, or 36h.');
  return new Date(time).toISOString();
};

const idOf = (text: string): string => {
  if (!/^[0-9A-HJKMNP-TV-Z]{26}$/.test(text))
    throw new InvalidArgumentError('An id has 26 letters and digits; `memloop jobs list` shows them.');
  return text;
};

export function register(program: Command): void {
  const jobs = program.command('jobs').description('commands that run at benches of a hub');
  withHub(jobs.command('submit'))
    .description(
      'send a command to a bench: finetune, program, eval, read, pulse, sweep, calibrate, maintain, info',
    )
    .argument('<command...>', 'as for memloop, in one word or several; files that it names are sent with it')
    .requiredOption('--on <board>', 'BENCH/BOARD (BENCH alone where it has one board), or pool:KIND')
    .option('--budget-pulses <n>', 'most pulses that it may apply', wholeNumber(0, 1e12))
    .option('--budget-energy <J>', 'most energy that they may take', decimal)
    .option(
      '--deadline <time>',
      'it fails if it is not done by then: an ISO 8601 time, or hours from now (36h)',
      deadlineOf,
    )
    .option('--id <id>', 'of a job that may have been submitted before: it is done once', idOf)
    .option('--wait', 'until it is over')
    .action(action(submit, { run: false }));
  withHub(jobs.command('list'))
    .description('the newest jobs and leases')
    .action(action(list, { run: false }));
  withHub(jobs.command('watch'))
    .description('follow a job from its beginning until it is over')
    .argument('<id>', '', idOf)
    .action(action(watch, { run: false }));
  withHub(jobs.command('cancel'))
    .description('end a job')
    .argument('<id>', '', idOf)
    .action(action(cancel, { run: false }));
  withHub(jobs.command('fetch'))
    .description('the run folder of a job that is over, into --run DIR (default: runs/ID)')
    .argument('<id>', '', idOf)
    .action(action(fetchJob, { run: false }));
}

/** What scripts get of a job. */
const resultOf = ({ id, state, exitCode, result, reason, message, bench, board }: State) => ({
  id,
  state,
  exitCode: exitCode ?? null,
  result: result ?? null,
  bench,
  board,
  ...(reason !== undefined && { reason, message }),
});

const lineOf = ({ id, state, bench, board, user, kind, job, message }: State): string =>
  [
    id,
    state.padEnd(9),
    `${bench}/${board}`,
    user,
    kind === 'lease'
      ? 'lease'
      : [job?.command, ...(job?.arguments ?? []).map((w) => (typeof w === 'string' ? w : w.name))].join(' '),
    ...(message === undefined ? [] : [`(${message})`]),
  ].join('  ');

async function submit(session: Session, words: string[], options: SubmitOptions): Promise<Outcome> {
  const { submitJob, stateOf, waitFor } = await import('../../hub/index.js');
  const [command, ...rest] = words.length === 1 ? words[0].trim().split(/\s+/) : words;
  const hub = await hubOf(session, options);
  const pool = /^pool:([\w-]+)$/.exec(options.on)?.[1];
  let target: Target;
  if (pool === undefined) {
    const { bench, board } = await boardOf(hub, options.on);
    target = { bench, board };
  } else target = { pool };
  const { budgetPulses: pulses, budgetEnergy: energy, deadline, id: given } = options;
  const budget = { ...(pulses !== undefined && { pulses }), ...(energy !== undefined && { energy }) };
  const id = await submitJob(hub, { target, command, words: rest, budget, deadline, id: given });
  if (!options.wait) {
    const state = await stateOf(hub, id).catch(() => undefined);
    const result = state ? resultOf(state) : { id, state: 'queued', exitCode: null, result: null };
    return { result, text: `${id} is submitted: \`memloop jobs watch ${id}\` follows it` };
  }
  const state = await waitFor(hub, id, session.signal);
  return { result: resultOf(state), text: textOf(state) };
}

const textOf = (state: State): string =>
  [
    lineOf(state),
    ...Object.entries(state.result ?? {}).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
  ].join('\n');

async function list(session: Session, options: HubOptions): Promise<Outcome> {
  const hub = await hubOf(session, options);
  const { jobs } = await hub.ask('jobs', {});
  return {
    result: { jobs: jobs.map(resultOf) },
    text: jobs.length === 0 ? 'no jobs yet: `memloop jobs submit` sends one' : jobs.map(lineOf).join('\n'),
  };
}

async function watch(session: Session, id: string, options: HubOptions): Promise<Outcome> {
  const { stateOf, watchJob } = await import('../../hub/index.js');
  const hub = await hubOf(session, options);
  await stateOf(hub, id);
  await showEvents(session, watchJob(hub, id));
  if (session.global.json || !isTerminal()) session.signal.throwIfAborted();
  const state = await stateOf(hub, id);
  return { result: resultOf(state), text: textOf(state) };
}

async function cancel(session: Session, id: string, options: HubOptions): Promise<Outcome> {
  const { cancelJob } = await import('../../hub/index.js');
  const hub = await hubOf(session, options);
  const state = await cancelJob(hub, id);
  return { result: resultOf(state), text: `${id}: its bench is asked to end it` };
}

async function fetchJob(session: Session, id: string, options: HubOptions): Promise<Outcome> {
  const { fetchRun, stateOf } = await import('../../hub/index.js');
  const hub = await hubOf(session, options);
  const state = await stateOf(hub, id);
  const run = session.global.run ?? `runs/${id}`;
  const files = await fetchRun(hub, state, run);
  return {
    result: { ...resultOf(state), run, files },
    text: `${run}: ${files.length} files; \`memloop dashboard ${run}\` shows it`,
  };
}
