/**
 * `npm run bench:remote`: the same commands on the same virtual board on a cable, over the hub, over the hub with added
 * delay, and submitted as a job; and what a board's stream of membrane voltages carries beside raw NATS. All on one machine:
 * board, bench, hub and client share its processor.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect as connectNats } from '@nats-io/transport-node';
import { type Board, connectBoard, openTransport } from '../src/driver/index.js';
import { connectHub, keyPath, openHub, readKey, submitJob, waitFor } from '../src/hub/index.js';
import { Random } from '../src/model/random.js';

const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'memloop-remote-'));
const endings: (() => unknown)[] = [];
/** Added to a round trip between client and hub, ms. */
const DELAYS = [0, 20, 100];
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;

/** Resolves with the first line, which tells that it is ready. */
function serve(words: string[]): Promise<Record<string, string>> {
  const child: ChildProcess = spawn(process.execPath, [main, ...words], {
    env: { ...process.env, MEMLOOP_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  endings.push(
    () =>
      new Promise((done) => {
        child.once('exit', done);
        child.kill('SIGINT');
      }),
  );
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (data: Buffer) => resolve(JSON.parse(data.toString().split('\n')[0])));
    child.once('exit', (code) => reject(new Error(`${words.join(' ')} ended with ${code}`)));
  });
}

async function run(words: string[], env: NodeJS.ProcessEnv): Promise<{ time: number; last: string }> {
  const start = performance.now();
  const child = spawn(process.execPath, [main, ...words, '--json'], {
    env: { ...process.env, MEMLOOP_HOME: mkdtempSync(join(home, 'client-')), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  const code = await new Promise((done) => child.once('close', done));
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${text}`);
  return { time: performance.now() - start, last: text.trim().split('\n').at(-1) ?? '' };
}

/** A port through which all comes later, in order: half of `delay` (ms) each way. */
async function delayed(url: string, delay: number): Promise<string> {
  const { hostname, port } = new URL(url);
  const later = (from: Socket, to: Socket) => {
    from.on('data', (data) => setTimeout(() => to.write(data), delay / 2));
    from.on('close', () => setTimeout(() => to.destroy(), delay / 2));
    from.on('error', () => {});
  };
  const server = createServer((client) => {
    const hub = connect(Number(port), hostname);
    for (const socket of [client, hub]) socket.setNoDelay(true);
    later(client, hub);
    later(hub, client);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  endings.push(() => server.close());
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Conductances inside the window of the chip, S. */
function targetFile(seed: number): string {
  const random = new Random(seed);
  const row = () => Array.from({ length: 32 }, () => 5e-6 + 4e-5 * random.uniform());
  const file = join(home, `target-${seed}.json`);
  writeFileSync(file, JSON.stringify(Array.from({ length: 32 }, row)));
  return file;
}

const mock = async (seed: number) =>
  (await serve(['mock', '--profile', 'w-sdc-32x32x5', '--seed', String(seed), '--tcp', '127.0.0.1:0'])).port;

/** Bytes of membrane voltages a second that `board` gives, 2 bytes a sample. */
async function streamed(board: Board): Promise<number> {
  const { neurons, maxSteps } = board.description;
  const stimulus = {
    steps: maxSteps,
    decimation: 1,
    pulseSteps: [0],
    drives: new Float32Array(neurons).fill(board.description.driveMax / 4),
  };
  const stimuli = Array.from({ length: 200 }, () => stimulus);
  await board.run(stimuli.slice(0, 20));
  const start = performance.now();
  const runs = await board.run(stimuli);
  const lost = runs.reduce((sum, each) => sum + each.lost, 0);
  if (lost > 0) console.log(`${lost} samples were lost`);
  return (2 * neurons * maxSteps * stimuli.length) / ((performance.now() - start) / 1000);
}

/** Bytes a second from one client to another through a server of its own that asks nobody for a key. */
async function raw(size: number): Promise<number> {
  const port = await freePort();
  const server = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  endings.push(() => server.kill());
  const options = { servers: `127.0.0.1:${port}`, waitOnFirstConnect: true, maxReconnectAttempts: -1 };
  const [from, to] = [await connectNats(options), await connectNats(options)];
  const count = 100_000;
  let got = 0;
  const all = new Promise<void>((done) => {
    to.subscribe('raw', { callback: () => void (++got === count && done()) });
  });
  await to.flush();
  const data = new Uint8Array(size);
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    from.publish('raw', data);
    if (i % 500 === 0) await from.flush();
  }
  await all;
  const rate = (count * size) / ((performance.now() - start) / 1000);
  await Promise.all([from.close(), to.close()]);
  return rate;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Fields of two results that differ, the time taken aside. */
const differing = (a: string, b: string): string[] => {
  const [x, y] = [JSON.parse(a), JSON.parse(b)];
  return Object.keys(x).filter(
    (name) => name !== 'seconds' && JSON.stringify(x[name]) !== JSON.stringify(y[name]),
  );
};

try {
  const { url } = await serve(['hub', 'serve', '--listen', '0']);
  const [cabled, fresh] = [await mock(1), await mock(1)];
  const { board } = await serve(['bench', 'serve', '--port', fresh, '--hub', url]);
  const keyFile = keyPath(join(home, 'hub'), 'me');
  const port = `hub:bench/${board}`;
  const first = ['program', '--target', targetFile(1)];
  const onCable = await run([...first, '--port', cabled], {});
  const onHub = await run([...first, '--port', port], { MEMLOOP_HUB_KEY: keyFile });
  const different = differing(onCable.last, onHub.last);
  console.log(
    `32 x 32 cells from new, on a cable and over the hub: ${different.length === 0 ? 'the same result' : `not the same: ${different.join(', ')}`}`,
  );
  if (different.length > 0) console.log(`${onCable.last}\n${onHub.last}`);

  const urls = await Promise.all(DELAYS.map((delay) => (delay > 0 ? delayed(url, delay) : url)));
  let seed = 2;
  const commands: [string, () => string[]][] = [
    ['info', () => ['info']],
    ['read', () => ['read', '--array', '0']],
    ['program', () => ['program', '--target', targetFile(seed++)]],
  ];
  const hub = await connectHub({ ...readKey({ file: keyFile, home, name: 'me', env: {} }), url });
  for (const [name, words] of commands) {
    const times = [seconds((await run([...words(), '--port', cabled], {})).time)];
    for (const hubUrl of urls) {
      const env = { MEMLOOP_HUB_KEY: keyFile, MEMLOOP_HUB: hubUrl };
      times.push(seconds((await run([...words(), '--port', port], env)).time));
    }
    const start = performance.now();
    const [command, ...rest] = words();
    const id = await submitJob(hub, { target: { bench: 'bench', board }, command, words: rest });
    const { state, message } = await waitFor(hub, id);
    times.push(state === 'done' ? seconds(performance.now() - start) : `${state}: ${message}`);
    console.log(
      `${name.padEnd(8)} cable ${times[0]}, hub ${times[1]}, + 20 ms ${times[2]}, + 100 ms ${times[3]}, as a job ${times[4]}`,
    );
  }
  await hub.close();

  const mega = (rate: number) => `${(rate / 1e6).toFixed(2)} MB/s`;
  for (const [name, open] of [
    ['on a cable', () => openTransport(cabled)],
    ['over the hub', () => openHub(port, readKey({ file: keyFile, home, name: 'me', env: {} }))],
  ] as const) {
    const there = await connectBoard(await open());
    console.log(`membrane voltages ${name}: ${mega(await streamed(there))}`);
    await there.close();
  }
  console.log(`raw NATS, messages of 2 kB: ${mega(await raw(2048))}`);
} finally {
  for (const end of endings.reverse()) await end();
  rmSync(home, { recursive: true, force: true });
}
