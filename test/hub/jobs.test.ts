/** Jobs on real benches: virtual boards behind TCP, agents and commands as processes of their own. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import {
  auditHub,
  connectHub,
  type HubConnection,
  readKey,
  type State,
  stateOf,
  submitJob,
  waitFor,
} from '../../src/hub/index.js';
import { encode } from '../../src/hub/refusal.js';
import { ulid } from '../../src/hub/ulid.js';
import { createVirtualBoard, serveTcp } from '../../src/virtual-board/index.js';
import { expectOneLine } from '../cli/shared.js';
import { memloop, scratch, start } from '../integration/shell.js';
import { NO_SERVER, startHub, type TestHub } from './shared.js';

const EXAMPLE = new URL('../../examples/hub-client.mjs', import.meta.url).pathname;

/** A virtual board that outlives its bench's agent, and the file of the pulses that its cells got. */
async function startBoard(seed: number, realTime = false): Promise<{ port: string; pulses: () => string[] }> {
  const trace = join(scratch(), 'trace');
  const board = createVirtualBoard({ profile: 'w-sdc-8x8x4', seed, trace, realTime });
  const served = await serveTcp(board, { host: '127.0.0.1', port: 0 });
  onTestFinished(async () => {
    await served.close();
    await board.close();
  });
  const pulses = () => (existsSync(trace) ? readFileSync(trace, 'utf8').split('\n').filter(Boolean) : []);
  return { port: served.port, pulses };
}

async function startBench(
  test: TestHub,
  port: string,
  name = 'bench',
  home = scratch(),
  words: string[] = [],
) {
  const environment = {
    MEMLOOP_HOME: home,
    MEMLOOP_HUB_KEY: test.keyFile(name, 'bench'),
    MEMLOOP_HUB: test.hub.url,
  };
  const child = start(['bench', 'serve', '--port', port, ...words], environment);
  let stderr = '';
  child.stderr!.on('data', (data) => {
    stderr += data;
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', resolve);
    child.once('close', () => reject(new Error(`the bench ended: ${stderr}`)));
  });
  return { child, home, board: JSON.parse(line).board as string };
}

const pulse = (count: number, width = '1e-4') => [
  '--row',
  '1',
  '--column',
  '2',
  '--voltage',
  '0.4',
  '--width',
  width,
  '--count',
  String(count),
];

/** Until the bench has told the hub of a job. */
async function announced(hub: HubConnection, id: string): Promise<void> {
  while (!(await stateOf(hub, id).catch(() => undefined))) await sleep(100);
}

const submit = (hub: HubConnection, board: string, words: string[], more = {}) =>
  submitJob(hub, { target: { bench: 'bench', board }, command: 'pulse', words, ...more });

it.skipIf(NO_SERVER)(
  'a job, its budget, its files, its doubles; what is wrong with a job is its end',
  { timeout: 120_000 },
  async () => {
    const test = await startHub();
    const chip = await startBoard(3);
    const { board } = await startBench(test, chip.port, 'bench', scratch(), ['--max-pulses', '50']);
    const me = await test.as('me', 'user');
    const id = await submit(me, board, pulse(3), { budget: { pulses: 3 } });
    const done = await waitFor(me, id);
    expect(done).toMatchObject({ state: 'done', exitCode: 0, user: 'me' });
    expect(done.after!.pulses - done.before!.pulses).toBe(3);
    expect(chip.pulses()).toHaveLength(3);

    // Sent again, with the same id and without the hub's own check for doubles; and by another user.
    const other = await test.as('bob', 'user');
    for (const [hub, who] of [
      [me, 'me'],
      [other, 'bob'],
    ] as const)
      await hub.store(`ml.job.bench.${board}.${who}`, encode(done.job!));

    const ends: Record<string, Partial<State>> = {};
    const end = async (what: string, promise: Promise<string>) => {
      ends[what] = await waitFor(me, await promise);
    };
    await end('over its budget', submit(me, board, pulse(3), { budget: { pulses: 2 } }));
    await end('asks for too much', submit(me, board, pulse(3), { budget: { pulses: 51 } }));
    await end('too late', submit(me, board, pulse(3), { deadline: new Date(0).toISOString() }));
    await end('a path', submit(me, board, [...pulse(3), '--out', '/nowhere/x']));
    await end('no command', submitJob(me, { target: { bench: 'bench', board }, command: 'mock', words: [] }));
    await end('no such board', submit(me, 'nowhere', pulse(3)));
    await end(
      'bad arguments',
      submit(me, board, ['--row', '99', '--column', '0', '--voltage', '1', '--width', '1e-4']),
    );
    const lie = { name: 'net.safetensors', by: 'me', sha256: 'b'.repeat(64), size: 4 };
    await me.store(`ml.file.me.${lie.sha256}.0`, Buffer.from('lies'));
    const bad = {
      v: 1,
      id: ulid(),
      command: 'eval',
      arguments: ['--model', lie],
      budget: {},
      submitted: new Date().toISOString(),
    };
    await me.store(`ml.job.bench.${board}.me`, encode(bad));
    await end('a wrong hash', Promise.resolve(bad.id));
    const reasons = Object.fromEntries(
      Object.entries(ends).map(([what, { state, reason }]) => [what, `${state} ${reason}`]),
    );
    expect(reasons).toEqual({
      'over its budget': 'failed limit',
      'asks for too much': 'failed over-budget',
      'too late': 'failed too-late',
      'a path': 'failed bad-command',
      'no command': 'failed bad-command',
      'no such board': 'failed unknown-board',
      'bad arguments': expect.stringMatching(/^failed (usage|bad-input|limit)$/),
      'a wrong hash': 'failed bad-artefact',
    });
    for (const { message } of Object.values(ends)) expect(message).not.toContain('\n');
    // Another tool's way in: the public client alone.
    const env = { ...process.env, MEMLOOP_HUB_KEY: test.keyFile('me', 'user') };
    const { stdout } = await promisify(execFile)(process.execPath, [EXAMPLE, 'bench', board], { env });
    expect(stdout).toMatch(/^done/m);
    expect(stdout).toMatch(/^first row, S: \d\.\d\de-/m);
    expect(stdout).toMatch(/^event 0: run-started/m);

    // None of them pulsed, and the doubles did nothing.
    expect(chip.pulses()).toHaveLength(3);
    expect(await auditHub(me)).toMatchObject({ pulses: 3, differences: [] });
  },
);

it.skipIf(NO_SERVER)('bad input ends in one line', { timeout: 120_000 }, async () => {
  const test = await startHub();
  const chip = await startBoard(4);
  const { board, home } = await startBench(test, chip.port);
  const me = {
    MEMLOOP_HOME: scratch(),
    MEMLOOP_HUB_KEY: test.keyFile('me', 'user'),
    MEMLOOP_HUB: test.hub.url,
  };
  const run = (words: string[], env = {}) => memloop(words, { ...me, ...env });
  const onBench = ['jobs', 'submit', 'info', '--on'];
  expectOneLine(await run([...onBench, 'nowhere']), /^memloop: there is no bench nowhere; there are: bench$/);
  expectOneLine(await run(['jobs', 'watch', 'x']), /An id has 26/);
  expectOneLine(
    await run([...onBench, 'bench'], { MEMLOOP_HUB_KEY: test.keyFile('eve', 'viewer') }),
    /does not allow this to eve, who is viewer/,
    1,
  );
  expectOneLine(
    await run(['bench', 'serve', '--port', chip.port], { MEMLOOP_HUB_KEY: test.keyFile('thief', 'bench') }),
    /is at the bench bench: end that one first/,
  );
  expectOneLine(
    await run(['bench', 'serve', '--port', chip.port], {
      MEMLOOP_HUB_KEY: test.keyFile('bench', 'bench'),
      MEMLOOP_HOME: home,
    }),
    /another agent serves this bench/,
  );

  // The same without a process for each.
  const key = readKey({ file: test.keyFile('me', 'user'), home, name: 'me', env: {} });
  const to = (url: string) => connectHub({ ...key, url });
  await expect(to('nats://127.0.0.1:1')).rejects.toThrow(
    /^no hub at nats:\/\/127\.0\.0\.1:1 .*memloop hub serve/,
  );
  await expect(to('nats://hub.example:4222')).rejects.toThrow(/in the clear: use tls:/);
  expect(() => readKey({ home: '/nowhere', name: 'me', env: {} })).toThrow(
    /^no key for a hub: give --hub-key/,
  );
  expect(() => readKey({ file: '/nowhere', home, name: 'me', env: {} })).toThrow(/hub key \/nowhere: ENOENT/);
  const inline = JSON.stringify({ ...key, seed: 'SUxx' });
  const unreadable = () => readKey({ home, name: 'me', env: { MEMLOOP_HUB_KEY: inline } });
  expect(unreadable).toThrow(/MEMLOOP_HUB_KEY: field "seed": is no nkey seed/);
  expect(unreadable).not.toThrow(/SUxx/);
  const hub = await test.as('me', 'user');
  const newer = await hub.nats.request(`ml.hub.jobs.me`, encode({ v: 2 }));
  expect(newer.json()).toMatchObject({
    refused: { code: 'newer-schema', message: expect.stringMatching(/version 2.*reads version 1/) },
  });
  const none = await hub.nats.request(`ml.rpc.bench.${board}.renew.me`, encode({ v: 1, lease: ulid() }));
  expect(none.json()).toMatchObject({ refused: { code: 'no-lease' } });
});

it.skipIf(NO_SERVER)(
  'hub gone, its disk lost, agent killed: nothing is missing and nothing done twice',
  { timeout: 180_000 },
  async () => {
    const test = await startHub();
    const chip = await startBoard(5, true);
    const home = scratch();
    const bench = await startBench(test, chip.port, 'bench', home);
    const me = await test.as('me', 'user');
    const first = await submit(me, bench.board, pulse(2));
    await waitFor(me, first);
    // Cut off while it pulses: it is not begun again, and what it gave is booked.
    const cut = await submit(me, bench.board, pulse(5000, '5e-4'));
    while (chip.pulses().length < 10) await sleep(50);
    const waiting = await submit(me, bench.board, pulse(4));
    while ((await stateOf(me, waiting)).state === 'queued') await sleep(50);
    bench.child.kill('SIGKILL');
    // The hub loses its disk meanwhile.
    await test.hub.close();
    rmSync(join(test.folder, 'streams'), { recursive: true });
    const { serveHub } = await import('../../src/hub/index.js');
    const port = Number(new URL(test.hub.url).port);
    const again = await serveHub({
      folder: test.folder,
      host: '127.0.0.1',
      port,
      storage: 1e9,
      log: () => {},
    });
    onTestFinished(() => again.close());
    await startBench(test, chip.port, 'bench', home);
    const you = await test.as('me', 'user');
    const ended = await Promise.all(
      [first, cut, waiting].map((id) => announced(you, id).then(() => waitFor(you, id))),
    );
    expect(ended.map(({ state, reason }) => [state, reason])).toEqual([
      ['done', undefined],
      ['failed', 'cut-off'],
      ['done', undefined],
    ]);
    const audit = await auditHub(you);
    expect(audit).toMatchObject({ jobs: 3, differences: [] });
    expect(audit.pulses).toBe(chip.pulses().length);
    // The journal of the job that was done before is there again.
    const { events } = await you.ask('events', { job: first, from: 0 });
    expect(events.map(({ n }) => n)).toEqual([...events.keys()]);
    expect(events.length).toBe((await stateOf(you, first)).events);
  },
);
