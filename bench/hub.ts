/**
 * `npm run bench:hub [-- BENCHES]`: simulated benches on one machine, each with the real agent, a board that is a name and a
 * command that does nothing; in one process, beside one nats-server.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  addUsers,
  BenchAgent,
  connectHub,
  HUB_VERSION,
  type HubConnection,
  keyPath,
  liveMessageSchema,
  readKey,
  reload,
  serveHub,
  subjects,
  submitJob,
  waitFor,
} from '../src/hub/index.js';

const benches = Number(process.argv[2] ?? 1000);
const JOBS = 50;
/** s, and bytes of an event, about those of one run's membrane voltages. */
const STREAM = { seconds: 5, bytes: 1600 };

const home = mkdtempSync(join(tmpdir(), 'memloop-hub-'));
const folder = join(home, 'hub');
const say = (what: string, value: string) => console.log(`${what.padEnd(52)} ${value}`);
const percentile = (all: number[], share: number) =>
  all.sort((a, b) => a - b)[Math.min(all.length - 1, Math.floor(share * all.length))];
const ms = (value: number) => `${value.toFixed(1)} ms`;
const residentOf = (pid: number) =>
  `${Math.round(Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)])) / 1024)} MB`;
const processorOf = (pid: number) =>
  execFileSync('ps', ['-o', 'time=', '-p', String(pid)])
    .toString()
    .trim();

const hub = await serveHub({ folder, host: '127.0.0.1', port: 0, storage: 4e9, log: () => {} });
const keyOf = (name: string) => readKey({ file: keyPath(folder, name), home, name, env: {} });
const names = Array.from({ length: benches }, (_, i) => `b${i}`);
const agents: BenchAgent[] = [];
try {
  addUsers(
    folder,
    names.map((name) => ({ name, role: 'bench' as const, url: hub.url })),
  );
  reload(folder);
  await sleep(2000);
  const main = join(home, 'command.mjs');
  writeFileSync(main, 'console.log(JSON.stringify({ type: "result", ok: true }));\n');
  const counts = { pulses: 0, energy: 0, counter: 0, uptime: 1 };
  const access = { main, count: async () => ({ counts, passports: [] }) };
  const start = performance.now();
  for (let first = 0; first < benches; first += 20)
    agents.push(
      ...(await Promise.all(
        names.slice(first, first + 20).map((name) => {
          const path = join(home, 'bench', name);
          mkdirSync(path, { recursive: true });
          return BenchAgent.start({
            key: keyOf(name),
            folder: path,
            boards: [boardOf(name)],
            access,
            log: () => {},
          });
        }),
      )),
    );
  say(`${benches} benches connected, boards claimed`, `${((performance.now() - start) / 1000).toFixed(1)} s`);
  const me = await connectHub(keyOf('me'));
  const pid = hub.pid as number;
  say('memory of nats-server', residentOf(pid));
  say('its processor time until then', processorOf(pid));
  await sleep(10_000);
  say('and after 10 s of heartbeats and waiting pulls', processorOf(pid));
  const asked = performance.now();
  const { boards } = await me.ask('boards', {});
  say(
    `\`benches\`: ${boards.filter(({ present }) => present).length} of ${boards.length} boards present`,
    ms(performance.now() - asked),
  );
  await latencies(me);
  await stream(me);
  say('memory of nats-server at the end', residentOf(pid));
} finally {
  await Promise.all(agents.map((agent) => agent.close()));
  await hub.close();
  rmSync(home, { recursive: true, force: true });
}

function boardOf(name: string) {
  const serial = `S-${name}`;
  return {
    url: 'none',
    description: {
      board: serial,
      serial,
      kind: 'simulated',
      arraySerials: [`${serial}-0`],
      rows: 32,
      columns: 32,
      neurons: 10,
      firmwareVersion: 'none',
      caveats: [],
      deadManTime: 1,
      memloop: 'bench',
    },
  };
}

async function latencies(me: HubConnection): Promise<void> {
  const accepted: number[] = [];
  const done: number[] = [];
  for (let k = 0; k < JOBS; k++) {
    const name = names[(k * 37) % benches];
    const target = { bench: name, board: `S-${name}` };
    const began = performance.now();
    let first: () => void = () => {};
    const taken = new Promise<void>((resolve) => {
      first = resolve;
    });
    const news = me.nats.subscribe(`ml.state.${name}.*`, { callback: () => first() });
    await me.nats.flush();
    const id = await submitJob(me, { target, command: 'info', words: [] });
    await taken;
    accepted.push(performance.now() - began);
    await waitFor(me, id);
    done.push(performance.now() - began);
    news.unsubscribe();
  }
  say(
    `job taken by its bench (${JOBS} jobs): median, 95 %`,
    `${ms(percentile(accepted, 0.5))}, ${ms(percentile(accepted, 0.95))}`,
  );
  say(
    'job done, its process and files included',
    `${ms(percentile(done, 0.5))}, ${ms(percentile(done, 0.95))}`,
  );
}

/** One bench sends as fast as it can; raw NATS beside it. */
async function stream(me: HubConnection): Promise<void> {
  const bench = await connectHub(keyOf(names[0]));
  const subject = subjects.live(names[0], 'S');
  const event = { type: 'membrane', text: 'x'.repeat(STREAM.bytes - 40) };
  for (const kind of ['raw', 'live'] as const) {
    let got = 0;
    let bytes = 0;
    let lost = 0;
    let next = 0;
    const subscription = me.nats.subscribe(subject, {
      callback: (_, message) => {
        got++;
        bytes += message.data.length;
        if (kind === 'raw') return;
        const { n } = liveMessageSchema.parse(message.json());
        lost += n - next;
        next = n + 1;
      },
    });
    await me.nats.flush();
    const until = performance.now() + STREAM.seconds * 1000;
    for (let n = 0; performance.now() < until; ) {
      for (let k = 0; k < 200; k++, n++)
        bench.nats.publish(subject, JSON.stringify({ v: HUB_VERSION, n, lost: 0, event }));
      await bench.nats.flush();
    }
    await sleep(300);
    const rate = `${Math.round(got / STREAM.seconds)} messages/s, ${(bytes / STREAM.seconds / 1e6).toFixed(1)} MB/s`;
    say(
      `stream, ${kind === 'raw' ? 'unchecked' : 'each message checked'}`,
      kind === 'raw' ? rate : `${rate}, ${lost} lost`,
    );
    subscription.unsubscribe();
  }
  await bench.close();
}
