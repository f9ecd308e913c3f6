/**
 * Benches, jobs and leases while agents are killed, the hub is killed or loses its disk, lines are cut or slow, messages
 * come twice and clients leave; judged by the pulses that the boards' cells got. The schedule is decided by the seed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  addUser,
  auditHub,
  connectHub,
  type HubConnection,
  isOver,
  keyPath,
  readKey,
  type ServedHub,
  type State,
  serveHub,
  stateOf,
  submitJob,
} from '../../src/hub/index.js';
import { encode } from '../../src/hub/refusal.js';
import { ulid } from '../../src/hub/ulid.js';
import { Random } from '../../src/model/index.js';
import { type SpawnedBoard, spawnBoard } from '../../src/virtual-board/index.js';
import { MAIN } from '../integration/shell.js';

export interface ChaosOptions {
  seed: number;
  benches: number;
  jobs: number;
  leases: number;
  /** Mean time between two faults, s. */
  pause: number;
  folder: string;
  log?: (line: string) => void;
}

export interface Verdict {
  /** Jobs by their end. */
  ends: Record<string, number>;
  faults: Record<string, number>;
  leases: number;
  pulses: number;
  /** What must not have happened. */
  violations: string[];
}

const CELLS = 256;
/** Board time of a pulse, s. */
const WIDTH = '1e-4';

interface Bench {
  name: string;
  board: string;
  served: SpawnedBoard;
  trace: string;
  line: Line;
  home: string;
  child: ChildProcess | undefined;
}

interface Sent {
  id: string;
  bench: Bench;
  cell: number;
  count: number;
}

export async function chaos(options: ChaosOptions): Promise<Verdict> {
  const run = new Chaos(options);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class Chaos {
  readonly #options: ChaosOptions;
  readonly #random: Random;
  readonly #benches: Bench[] = [];
  readonly #sent: Sent[] = [];
  readonly #faults: Record<string, number> = {};
  #hub: ServedHub | undefined;
  #port = 0;
  #me: HubConnection | undefined;
  #leases = 0;
  #over = false;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  #log(line: string): void {
    this.#options.log?.(`${new Date().toISOString()} ${line}`);
  }

  #pick(n: number): number {
    return Math.floor(this.#random.uniform() * n);
  }

  async run(): Promise<Verdict> {
    const { benches, jobs, leases } = this.#options;
    await this.#startHub();
    for (let i = 0; i < benches; i++) this.#benches.push(await this.#startBench(i));
    this.#me = await connectHub(this.#key('me'), { forever: true });
    const mischief = this.#mischief();
    const people = [this.#submitAll(jobs), this.#leaseAll(leases)];
    await Promise.all(people);
    this.#over = true;
    await mischief;
    this.#log('no more faults: waiting for the ends');
    const states = await this.#ends();
    return this.#judge(states);
  }

  #key(name: string) {
    const folder = join(this.#options.folder, 'hub');
    return readKey({ file: keyPath(folder, name), home: folder, name, env: {} });
  }

  async #startHub(): Promise<void> {
    const folder = join(this.#options.folder, 'hub');
    const log = (line: string) => this.#log(`hub: ${line}`);
    this.#hub = await serveHub({ folder, host: '127.0.0.1', port: this.#port, storage: 4e9, log });
    this.#port = Number(new URL(this.#hub.url).port);
  }

  async #startBench(i: number): Promise<Bench> {
    const name = `b${i}`;
    const hubFolder = join(this.#options.folder, 'hub');
    if (!existsSync(keyPath(hubFolder, name)))
      addUser(hubFolder, { name, role: 'bench', url: `nats://127.0.0.1:${this.#port}` });
    const { reload } = await import('../../src/hub/index.js');
    reload(hubFolder);
    const home = join(this.#options.folder, name);
    mkdirSync(home, { recursive: true });
    const trace = join(home, 'trace');
    const served = await spawnBoard({
      profile: 'w-sdc-8x8x4',
      seed: this.#options.seed * 1000 + i,
      trace,
      tcp: { host: '127.0.0.1', port: 0 },
      realTime: true,
    });
    const line = await Line.open(() => this.#port);
    const bench: Bench = { name, board: '', served, trace, line, home, child: undefined };
    await this.#startAgent(bench);
    return bench;
  }

  async #startAgent(bench: Bench): Promise<void> {
    const env = {
      ...process.env,
      MEMLOOP_HOME: bench.home,
      MEMLOOP_HUB: `nats://127.0.0.1:${bench.line.port}`,
      MEMLOOP_HUB_KEY: keyPath(join(this.#options.folder, 'hub'), bench.name),
    };
    const child = spawn(process.execPath, [MAIN, 'bench', 'serve', '--port', bench.served.port], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    bench.child = child;
    child.stderr.on('data', (data: Buffer) => this.#log(`${bench.name}: ${String(data).trim()}`));
    const ready = await new Promise<string | undefined>((done) => {
      createInterface({ input: child.stdout }).once('line', done);
      child.once('close', () => done(undefined));
    });
    if (ready !== undefined) bench.board = JSON.parse(ready).board;
  }

  async #submitAll(jobs: number): Promise<void> {
    for (let k = 0; k < jobs; k++) {
      const bench = this.#benches[k % this.#benches.length];
      const cell = Math.floor(k / this.#benches.length) % CELLS;
      const sent = { id: ulid(), bench, cell, count: 1 + this.#pick(40) };
      this.#sent.push(sent);
      await this.#submit(sent).catch((error) => this.#log(`${sent.id} not sent: ${error.message}`));
      const chance = this.#random.uniform();
      if (chance < 0.2) await this.#double(sent).catch(() => {});
      else if (chance < 0.25) await this.#cancel(sent).catch(() => {});
      // A queue that is never empty, and never long.
      while (k % 10 === 9 && this.#sent.length - (await this.#done()) > 4 * this.#benches.length)
        await sleep(500);
    }
  }

  async #done(): Promise<number> {
    const { jobs } = await (this.#me as HubConnection).ask('jobs', {}).catch(() => ({ jobs: [] as State[] }));
    const over = new Set(jobs.filter(({ state }) => isOver(state)).map(({ id }) => id));
    return (
      Math.max(0, this.#sent.length - 200) + this.#sent.slice(-200).filter(({ id }) => over.has(id)).length
    );
  }

  #submit({ id, bench, cell, count }: Sent): Promise<string> {
    const [array, rest] = [Math.floor(cell / 64), cell % 64];
    const words = Object.entries({
      array,
      row: Math.floor(rest / 8),
      column: rest % 8,
      voltage: 0.4,
      width: WIDTH,
      count,
    }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const target = { bench: bench.name, board: bench.board };
    return submitJob(this.#me as HubConnection, {
      id,
      target,
      command: 'pulse',
      words,
      budget: { pulses: count },
    });
  }

  /** The same message again, without what lets the hub see that it is one. */
  async #double({ id, bench }: Sent): Promise<void> {
    this.#count('message doubled');
    const me = this.#me as HubConnection;
    const { job } = await stateOf(me, id);
    if (job) await me.store(`ml.job.${bench.name}.${bench.board}.me`, encode(job));
  }

  async #cancel({ id, bench }: Sent): Promise<void> {
    this.#count('job cancelled');
    await (this.#me as HubConnection).store(
      `ml.job.${bench.name}.${bench.board}.me`,
      encode({ v: 1, cancel: id }),
    );
  }

  /** People who lease a board and release it, or leave without a word. */
  async #leaseAll(leases: number): Promise<void> {
    for (let k = 0; k < leases; k++) {
      await sleep(this.#options.pause * 500);
      const bench = this.#benches[this.#pick(this.#benches.length)];
      const target = { bench: bench.name, board: bench.board };
      const me = this.#me as HubConnection;
      try {
        const { lease } = await me.call(target, 'acquire', {});
        this.#leases++;
        if (this.#random.uniform() < 0.2) this.#count('client left');
        else await me.call(target, 'release', { lease });
      } catch {
        // Busy, or not to be reached.
      }
    }
  }

  #count(what: string): void {
    this.#faults[what] = (this.#faults[what] ?? 0) + 1;
  }

  async #mischief(): Promise<void> {
    while (!this.#over) {
      await sleep(this.#options.pause * 1000 * (0.5 + this.#random.uniform()));
      const bench = this.#benches[this.#pick(this.#benches.length)];
      const chance = this.#random.uniform();
      if (chance < 0.45) await this.#killAgent(bench);
      else if (chance < 0.7) this.#cut(bench, 1000 + this.#pick(8000));
      else if (chance < 0.85) this.#slow(bench, 50 + this.#pick(400));
      else if (chance < 0.95) this.#killHub();
      else await this.#loseDisk();
    }
    for (const { line } of this.#benches) line.mend();
  }

  async #killAgent(bench: Bench): Promise<void> {
    this.#count('agent killed');
    this.#log(`${bench.name} killed`);
    bench.child?.kill('SIGKILL');
    await sleep(this.#pick(2000));
    await this.#startAgent(bench);
  }

  #cut({ name, line }: Bench, ms: number): void {
    this.#count('line cut');
    this.#log(`${name} cut off for ${ms} ms`);
    line.cut(ms);
  }

  #slow({ line }: Bench, ms: number): void {
    this.#count('line slow');
    line.delay = ms;
    setTimeout(() => {
      line.delay = 0;
    }, 5000).unref();
  }

  #killHub(): void {
    this.#count('hub killed');
    this.#log('hub killed');
    if (this.#hub?.pid) process.kill(this.#hub.pid, 'SIGKILL');
  }

  async #loseDisk(): Promise<void> {
    this.#count("hub's disk lost");
    this.#log("hub's disk lost");
    await this.#hub?.close();
    rmSync(join(this.#options.folder, 'hub', 'streams'), { recursive: true, force: true });
    await this.#startHub();
  }

  /** Every job's end. One that the hub does not know was lost with its disk, or never came: its client sends it again. */
  async #ends(): Promise<State[]> {
    for (const bench of this.#benches)
      if (bench.child === undefined || bench.child.exitCode !== null) await this.#startAgent(bench);
    const me = this.#me as HubConnection;
    const ends = new Map<string, State>();
    for (let left = 600; ends.size < this.#sent.length && left > 0; left--) {
      for (const sent of this.#sent) {
        if (ends.has(sent.id)) continue;
        const state = await stateOf(me, sent.id).catch(() => undefined);
        if (state && isOver(state.state)) ends.set(sent.id, state);
        else if (!state && left % 10 === 0) await this.#submit(sent).catch(() => {});
      }
      await sleep(1000);
    }
    return [...ends.values()];
  }

  async #judge(states: readonly State[]): Promise<Verdict> {
    const violations: string[] = [];
    const ends: Record<string, number> = {};
    const by = new Map(states.map((state) => [state.id, state]));
    const traces = new Map(this.#benches.map((bench) => [bench, pulsesOf(bench.trace)]));
    // Cells are used again after CELLS jobs of a bench: pulses are judged by the cell's whole account.
    const account = new Map<string, { atMost: number; atLeast: number }>();
    for (const { id, bench, cell, count } of this.#sent) {
      const state = by.get(id);
      const end = state ? `${state.state}${state.reason ? ` ${state.reason}` : ''}` : 'no end';
      ends[end] = (ends[end] ?? 0) + 1;
      if (!state) violations.push(`${id} has no end`);
      const key = `${bench.name} ${cell}`;
      const sum = account.get(key) ?? { atMost: 0, atLeast: 0 };
      sum.atMost += count;
      if (state?.state === 'done') sum.atLeast += count;
      account.set(key, sum);
    }
    let pulses = 0;
    for (const bench of this.#benches) {
      const trace = traces.get(bench) ?? new Map<number, number>();
      for (const [cell, n] of trace) {
        pulses += n;
        const { atMost = 0, atLeast = 0 } = account.get(`${bench.name} ${cell}`) ?? {};
        if (n > atMost || n < atLeast)
          violations.push(`${bench.name} cell ${cell}: ${n} pulses, ${atLeast} to ${atMost} expected`);
      }
      const got = [...trace.values()].reduce((a, b) => a + b, 0);
      const booked = bookedOf(bench.home);
      if (booked !== got) violations.push(`${bench.name}: ${booked} pulses booked, ${got} given`);
    }
    const audit = await auditHub(this.#me as HubConnection);
    for (const difference of audit.differences) violations.push(`audit: ${JSON.stringify(difference)}`);
    return { ends, faults: this.#faults, leases: this.#leases, pulses, violations };
  }

  async close(): Promise<void> {
    this.#over = true;
    for (const { child, line, served } of this.#benches) {
      child?.kill('SIGKILL');
      line.close();
      await served.close();
    }
    await this.#me?.nats.close();
    await this.#hub?.close();
  }
}

/** Pulses by cell, array x 64 + row x 8 + column. */
function pulsesOf(trace: string): Map<number, number> {
  const counts = new Map<number, number>();
  if (!existsSync(trace)) return counts;
  for (const line of readFileSync(trace, 'utf8').split('\n').filter(Boolean)) {
    const { array, row, column } = JSON.parse(line) as { array: number; row: number; column: number };
    const cell = array * 64 + row * 8 + column;
    counts.set(cell, (counts.get(cell) ?? 0) + 1);
  }
  return counts;
}

/** Pulses in the last counts of the bench's own journal. */
function bookedOf(home: string): number {
  const [name] = readdirOf(join(home, 'bench'));
  const folder = join(home, 'bench', name ?? '', 'jobs');
  let booked = 0;
  for (const id of readdirOf(folder)) {
    const path = join(folder, id, 'record.json');
    if (!existsSync(path)) continue;
    const { state } = JSON.parse(readFileSync(path, 'utf8')) as { state: State };
    booked = Math.max(booked, state.after?.pulses ?? 0, state.before?.pulses ?? 0);
  }
  return booked;
}

const readdirOf = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);

/** A line to the hub that can be cut or slowed. */
class Line {
  delay = 0;
  #cutUntil = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer();

  static open(target: () => number): Promise<Line> {
    const line = new Line();
    line.#server.on('connection', (here) => line.#carry(here, target()));
    return new Promise((done) => line.#server.listen(0, '127.0.0.1', () => done(line)));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  #carry(here: Socket, port: number): void {
    if (Date.now() < this.#cutUntil) return void here.destroy();
    const there = connect({ host: '127.0.0.1', port });
    for (const [from, to] of [
      [here, there],
      [there, here],
    ]) {
      this.#sockets.add(from);
      let due = 0;
      from.on('data', (data) => {
        // In order, whatever the delay was when they came.
        due = Math.max(due, Date.now() + this.delay);
        setTimeout(() => to.destroyed || to.write(data), due - Date.now());
      });
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  cut(ms: number): void {
    this.#cutUntil = Date.now() + ms;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#cutUntil = 0;
    this.delay = 0;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
