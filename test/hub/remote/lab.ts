/** A real nats-server, an agent beside a virtual board, and people with keys. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectBoard, openTransport, registerTransport, type Transport } from '../../../src/driver/index.js';
import {
  addUser,
  BenchAgent,
  carrierOf,
  connectHub,
  type HubConnection,
  type HubKey,
  keyPath,
  kindOfBoard,
  openHub,
  type Role,
  readKey,
  reload,
  serveHub,
  tokenOf,
} from '../../../src/hub/index.js';
import { Random } from '../../../src/model/random.js';
import {
  createVirtualBoard,
  serveTcp,
  type TracedPulse,
  type VirtualBoard,
} from '../../../src/virtual-board/index.js';

/** Why the tests are skipped, or undefined. */
export const NO_SERVER = spawnSync('nats-server', ['--version']).error
  ? 'no nats-server: apt install nats-server'
  : undefined;

export interface Lab {
  url: string;
  /** Of the virtual board, beside the bench. */
  cable: string;
  board: string;
  virtual: VirtualBoard;
  trace: TracedPulse[];
  /** What the agent has said. */
  said: string[];
  key(name: string, role?: Role): HubKey;
  connect(name: string, role?: Role): Promise<HubConnection>;
}

/** `atEnd` takes what is to be done at the end, last things first. */
export async function startLab(atEnd: (end: () => unknown) => void, profile = 'ideal'): Promise<Lab> {
  const home = mkdtempSync(join(tmpdir(), 'memloop-lab-'));
  atEnd(() => rmSync(home, { recursive: true, force: true }));
  const folder = join(home, 'hub');
  const said: string[] = [];
  const log = (line: string) => void said.push(line);
  const hub = await serveHub({ folder, host: '127.0.0.1', port: 0, storage: 1e9, log: () => {} });
  atEnd(() => hub.close());
  for (const [name, role] of [
    ['anna', 'user'],
    ['ben', 'user'],
    ['eve', 'viewer'],
  ] as const)
    addUser(folder, { name, role, url: hub.url });
  reload(folder);
  const key = (name: string) => readKey({ file: keyPath(folder, name), home, name, env: {} });
  const trace: TracedPulse[] = [];
  const virtual = createVirtualBoard({ profile, seed: 3, trace: (pulse) => trace.push(pulse) });
  atEnd(() => virtual.close());
  const served = await serveTcp(virtual);
  atEnd(() => served.close());
  const board = await connectBoard(await openTransport(served.port));
  const { boardSerial, arraySerials, rows, columns, neurons, firmwareVersion, deadManTime } =
    board.description;
  const description = {
    board: tokenOf(boardSerial),
    serial: boardSerial,
    kind: kindOfBoard(board.description),
    arraySerials,
    rows,
    columns,
    neurons,
    firmwareVersion,
    caveats: [],
    deadManTime,
    memloop: 'test',
  };
  await board.close();
  const counts = async () => ({
    counts: { pulses: trace.length, energy: 0, counter: trace.length, uptime: 1 },
    passports: [],
  });
  const agent = await BenchAgent.start({
    key: key('bench'),
    folder: join(home, 'agent'),
    boards: [{ url: served.port, description }],
    access: { main: '', count: counts },
    carrier: (connection) => carrierOf(connection, log),
    log,
  });
  atEnd(() => agent.close());
  const connect = async (name: string) => {
    const connection = await patiently(() => connectHub(key(name)));
    atEnd(() => connection.close());
    return connection;
  };
  await connect('ben');
  const { url } = hub;
  return { url, cable: served.port, board: description.board, virtual, trace, said, key, connect };
}

/** The server takes a moment to learn of a new key. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 30; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(100);
    }
  }
}

/** What befalls a message: chances of each, and the longest delay, s. */
export interface Weather {
  lost: number;
  doubled: number;
  late: number;
  delay: number;
}

/** A port over the hub whose messages are lost, come twice or come late, both ways; `scheme` is new each time. */
export function throughWeather(scheme: string, key: HubKey, weather: Weather, seed: number): string {
  const random = new Random(seed).fork('weather');
  const befall = (deliver: () => void) => {
    const luck = random.uniform();
    if (luck < weather.lost) return;
    deliver();
    if (luck < weather.lost + weather.doubled) deliver();
  };
  const sometimesLate = (deliver: () => void) => {
    if (random.uniform() >= weather.late) return befall(deliver);
    const pause = random.uniform() * weather.delay * 1000;
    setTimeout(() => befall(deliver), pause);
  };
  registerTransport(scheme, async (url): Promise<Transport> => {
    const port = await openHub(url.replace(scheme, 'hub'), key);
    return {
      url,
      closed: port.closed,
      claim: port.claim,
      listen: (onBytes) => port.listen((bytes) => sometimesLate(() => onBytes(bytes))),
      write: async (bytes) => sometimesLate(() => void port.write(bytes).catch(() => {})),
      close: () => port.close(),
    };
  });
  return scheme;
}
