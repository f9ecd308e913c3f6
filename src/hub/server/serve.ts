/** `memloop hub serve`: nats-server with our configuration, its streams, and the library that answers. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { readJson } from '../../shared/json.js';
import { connectHub, type HubConnection } from '../connection.js';
import { LOG, PID, type ServerSettings, writeConfig } from './config.js';
import { Library } from './library.js';
import { addUser, ownKey, readUsers } from './users.js';

export interface ServeOptions {
  /** Keys, users, configuration, streams and logs. */
  folder: string;
  host: string;
  /** 0: a free one. */
  port: number;
  /** PEM files: certificate, key, and the authority's certificate where it is one's own. */
  tls?: { certificate: string; key: string; ca?: string | undefined } | undefined;
  /** Bytes on disk. */
  storage: number;
  /** A server that runs already, with the configuration that was written. */
  url?: string | undefined;
  log: (line: string) => void;
}

export interface ServedHub {
  readonly url: string;
  /** The server's process; undefined where it was not started here. */
  readonly pid: number | undefined;
  close(): Promise<void>;
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;
const FIRST = [
  { name: 'operator', role: 'operator' },
  { name: 'bench', role: 'bench' },
  { name: 'me', role: 'user' },
] as const;
const GET_IT =
  'nats-server is not installed: on Debian or Ubuntu `apt install nats-server`, elsewhere https://nats.io/download, or give --url of one that runs';

/** What `hub user` must know of the server. */
const settingsSchema = z.object({
  url: z.string(),
  ca: z.string().optional(),
  settings: z.custom<ServerSettings>(),
});
const settingsPath = (folder: string) => join(folder, 'server.json');

/**
 * Serves until `close`. At the first start it makes the keys `operator`, `bench` and `me`. Errors: `usage` for an address
 * that others reach without TLS; `service` where there is no nats-server, or it does not start.
 */
export async function serveHub(options: ServeOptions): Promise<ServedHub> {
  const { host, port, tls, storage, log } = options;
  if (!LOOPBACK.test(host) && !tls)
    throw new MemloopError(
      'usage',
      `others reach ${host} in the clear: give --tls-cert and --tls-key, or serve on 127.0.0.1`,
    );
  if (!options.url && spawnSync('nats-server', ['--version']).error)
    throw new MemloopError('service', GET_IT);
  const folder = resolve(options.folder);
  makeFolder(folder);
  const ca = tls?.ca === undefined ? undefined : readFileSync(tls.ca, 'utf8');
  const settings: ServerSettings = {
    folder,
    host,
    port: port === 0 ? await freePort(host) : port,
    storage,
    ...(tls && { tls: { certificate: resolve(tls.certificate), key: resolve(tls.key) } }),
  };
  const publicKey = ownKey(folder, '').publicKey;
  let server: Server | undefined;
  try {
    let { url } = options;
    if (url === undefined) {
      server = new Server(settings, () => writeConfig(settings, readUsers(folder), publicKey), log);
      await server.start();
      url = `${tls ? 'tls' : 'nats'}://${host}:${settings.port}`;
    }
    writeAtomically(settingsPath(folder), JSON.stringify({ url, ca, settings }));
    if (readUsers(folder).length === 0) for (const user of FIRST) addUser(folder, { ...user, url, ca });
    reload(folder);
    const hub = await connected({ ...ownKey(folder, url).key, ...(ca !== undefined && { ca }) });
    await Library.open(hub.nats, log);
    const started = server;
    return {
      url,
      get pid() {
        return started?.pid;
      },
      close: async () => {
        await hub.nats.close();
        await started?.stop();
      },
    };
  } catch (error) {
    await server?.stop();
    throw error;
  }
}

/** The hub's own connection: the server may need a moment to load what it keeps. */
async function connected(key: Parameters<typeof connectHub>[0]): Promise<HubConnection> {
  for (let left = 40; ; left--) {
    try {
      return await connectHub(key, { forever: false });
    } catch (error) {
      if (left === 0) throw error;
      await sleep(250);
    }
  }
}

/** Writes the configuration anew after a change of the users, and tells a running server. Returns the hub's URL. */
export function reload(folder: string): { url: string; ca?: string | undefined; running: boolean } {
  const { url, ca, settings } = readJson(settingsPath(folder), settingsSchema, {
    hint: 'run `memloop hub serve` on this machine once',
  });
  writeConfig(settings, readUsers(folder), ownKey(folder, url).publicKey);
  const pid = Number(existsSync(join(folder, PID)) ? readFileSync(join(folder, PID), 'utf8') : Number.NaN);
  let running = false;
  try {
    running = pid > 0 && process.kill(pid, 'SIGHUP');
  } catch {
    // It runs no more, or elsewhere.
  }
  return { url, ca, running };
}

/** A nats-server that is started again when it ends. */
class Server {
  #child: ChildProcess | undefined;
  #stopped = false;
  readonly #settings: ServerSettings;
  readonly #configure: () => string;
  readonly #log: (line: string) => void;

  constructor(settings: ServerSettings, configure: () => string, log: (line: string) => void) {
    this.#settings = settings;
    this.#configure = configure;
    this.#log = log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const { folder, host, port } = this.#settings;
    rmSync(join(folder, PID), { force: true });
    const child = spawn('nats-server', ['-c', this.#configure()], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said = (said + data).slice(-2000);
    });
    let over = false;
    const ended = new Promise<void>((done) => child.once('close', () => done()));
    for (let left = 100; left > 0 && !over; left--) {
      if (existsSync(join(folder, PID)) && (await listens(host, port))) {
        void ended.then(() => this.#again());
        return;
      }
      await Promise.race([ended, sleep(100)]);
      over = child.exitCode !== null;
    }
    this.#stopped = true;
    child.kill();
    const why = said.trim().split('\n').at(-1) || lastLine(join(folder, LOG));
    throw new MemloopError('service', `nats-server does not start on port ${port}: ${why}`);
  }

  #again(): void {
    if (this.#stopped) return;
    this.#log('nats-server ended: it is started again');
    setTimeout(() => {
      if (!this.#stopped) this.start().catch((error) => this.#log((error as Error).message));
    }, 500);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((done) => child.once('close', () => done()));
    child.kill('SIGTERM');
    await ended;
  }
}

/** A port that nobody listens on. */
const freePort = (host: string): Promise<number> =>
  new Promise((done, fail) => {
    const probe = createServer().once('error', fail);
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });

const listens = (host: string, port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      done(true);
    }).once('error', () => done(false));
  });

const lastLine = (path: string): string =>
  existsSync(path) ? (readFileSync(path, 'utf8').trim().split('\n').at(-1) ?? '') : `see ${path}`;
