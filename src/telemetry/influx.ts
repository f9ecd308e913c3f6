/**
 * Events to InfluxDB (version 1), where MEMLOOP_INFLUX_URL names one. Points go to a spool on disk first and
 * from there in order to the server, so an absent server costs nothing but a warning.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import envPaths from 'env-paths';
import { InfluxDB, type IPoint } from 'influx';
import type { Observable } from 'rxjs';
import { z } from 'zod';
import { MemloopError } from '../shared/errors.js';
import type { Emit, MemloopEvent } from '../shared/events.js';
import { pointsOf } from './points.js';
import type { RunFolder } from './run-folder.js';
import { Spool } from './spool.js';

export interface InfluxOptions {
  /** Told of a server that is away or back, and of points dropped. */
  emit?: Emit;
  /** Default process.env. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Where points wait; default in the user's data folder. */
  stateDir?: string;
  /** Bytes that may wait; points beyond it are dropped with a warning. Default 64 MiB. */
  maxBytes?: number;
  /** s: between two deliveries, first and longest wait for an absent server, patience at start and at the end. */
  times?: Partial<typeof TIMES>;
}

export interface InfluxSink {
  /** Delivers what it can; the rest stays on disk for the next run. */
  close(): Promise<void>;
}

const TIMES = { period: 1, retry: 1, maxRetry: 30, start: 2, close: 3, request: 10 };
const BATCH = 5000;
const MAX_BYTES = 64 * 2 ** 20;

interface Server {
  protocol: 'http' | 'https';
  host: string;
  port: number;
  database: string;
  username?: string;
  password?: string;
  /** For messages: without credentials. */
  name: string;
}

/**
 * Sends a run's events from now on. Undefined when MEMLOOP_INFLUX_URL is not set; throws `bad-input` when it
 * is wrong or the server refuses the credentials. A server that is away is a warning.
 */
export async function startInflux(
  events: Observable<MemloopEvent>,
  run: Pick<RunFolder, 'dir'>,
  options: InfluxOptions = {},
): Promise<InfluxSink | undefined> {
  const server = serverOf(options.env ?? process.env);
  if (!server) return undefined;
  const delivery = new Delivery(server, options);
  await delivery.start();
  const stamp = new Stamp();
  const name = basename(run.dir);
  const subscription = events.subscribe((event) => {
    delivery.add(
      pointsOf(event)
        .filter(({ fields }) => Object.keys(fields).length > 0)
        .map((point) => ({
          ...point,
          tags: { run: name, ...point.tags },
          timestamp: stamp.next(event.time),
        })),
    );
  });
  return {
    close: async () => {
      subscription.unsubscribe();
      await delivery.close();
    },
  };
}

function serverOf(env: Readonly<Record<string, string | undefined>>): Server | undefined {
  const text = env.MEMLOOP_INFLUX_URL;
  if (!text) return undefined;
  const wrong = (what: string) =>
    new MemloopError(
      'bad-input',
      `MEMLOOP_INFLUX_URL: ${what}; it should look like http://127.0.0.1:8086/memloop`,
    );
  if (!URL.canParse(text)) throw wrong('not a URL');
  const url = new URL(text);
  const protocol = url.protocol.slice(0, -1);
  if (protocol !== 'http' && protocol !== 'https') throw wrong(`'${protocol}' is not http or https`);
  const database = decodeURIComponent(url.pathname.slice(1));
  if (!/^[^/]+$/.test(database)) throw wrong('it does not name a database');
  const username = env.MEMLOOP_INFLUX_USERNAME || decodeURIComponent(url.username);
  const password = env.MEMLOOP_INFLUX_PASSWORD || decodeURIComponent(url.password);
  return {
    protocol,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || 8086,
    database,
    ...(username ? { username, password } : {}),
    name: `${url.protocol}//${url.host}/${database}`,
  };
}

/**
 * InfluxDB keeps one point for each series and time: no two points of a run may share one, and a point that
 * is sent twice must have the same one.
 */
class Stamp {
  #last = 0n;
  next(time: number): string {
    const now = BigInt(Math.round(time * 1e6)) * 1000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    return this.#last.toString();
  }
}

class Delivery {
  #client: InfluxDB;
  #agent: HttpAgent | HttpsAgent;
  #spool: Spool;
  #emit: Emit;
  #times: typeof TIMES;
  #ready = false;
  #away = false;
  #wait: number;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  /** Points dropped since the server was last there. */
  #dropped = 0;

  readonly #server: Server;

  constructor(server: Server, options: InfluxOptions) {
    this.#server = server;

    this.#times = { ...TIMES, ...options.times };
    this.#wait = this.#times.retry;
    this.#emit = options.emit ?? (() => {});
    const stateDir = options.stateDir ?? envPaths('memloop', { suffix: '' }).data;
    const place = `${server.host}_${server.port}_${server.database}`.replace(/[^\w.-]/g, '_');
    this.#spool = openSpool(join(stateDir, 'influx', place), options.maxBytes ?? MAX_BYTES);
    const { protocol, host, port, database } = server;
    this.#agent = new (protocol === 'https' ? HttpsAgent : HttpAgent)({ keepAlive: true });
    // The client's own retries would reorder points and keep the process alive: this class retries.
    const none = { getDelay: () => 0, next: () => none, reset: () => none };
    this.#client = new InfluxDB({
      database,
      username: server.username ?? '',
      password: server.password ?? '',
      hosts: [{ protocol, host, port, options: { agent: this.#agent } }],
      pool: { maxRetries: 0, requestTimeout: this.#times.request * 1000, backoff: none },
    });
  }

  /** Waits a moment for the server, so that wrong credentials are told before the work begins. */
  async start(): Promise<void> {
    const attempt = this.#prepare().catch((error) => {
      // A server that is away is told of at the first delivery, when there is somebody to hear it.
      if (statusOf(error) !== 401) return;
      this.#release();
      throw new MemloopError(
        'bad-input',
        `InfluxDB at ${this.#server.name} refuses the credentials; check MEMLOOP_INFLUX_USERNAME and MEMLOOP_INFLUX_PASSWORD`,
        { cause: error },
      );
    });
    await Promise.race([attempt, sleep(this.#times.start * 1000, undefined, { ref: false })]);
    this.#schedule(this.#times.period);
  }

  add(points: readonly IPoint[]): void {
    this.#spool.add(points.map((point) => JSON.stringify(point)));
    const dropped = this.#spool.takeDropped();
    if (dropped === 0) return;
    const first = this.#dropped === 0;
    this.#dropped += dropped;
    if (first) this.#warn(`no room left for points that wait in ${this.#spool.dir}: new ones are dropped`);
  }

  async close(): Promise<void> {
    const patience = sleep(this.#times.close * 1000, undefined, { ref: false });
    await Promise.race([this.#deliver(), patience]);
    this.#stopped = true;
    if (this.#spool.waiting > 0) {
      this.#warn(
        `points for InfluxDB at ${this.#server.name} wait in ${this.#spool.dir}; the next run delivers them`,
      );
    }
    this.#release();
  }

  #release(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#agent.destroy();
    this.#spool.close();
  }

  /** Creates the database; without the right to, it must be there already. */
  async #prepare(): Promise<void> {
    try {
      await this.#client.createDatabase(this.#server.database);
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
    }
    this.#ready = true;
  }

  #schedule(seconds: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      await this.#deliver();
      this.#schedule(this.#away ? this.#wait : this.#times.period);
    }, seconds * 1000);
    this.#timer.unref();
  }

  /** Sends batches until none waits or one fails. One delivery at a time. */
  #deliver(): Promise<void> {
    this.#working ??= this.#sendAll().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      if (this.#stopped) return;
      const batch = this.#spool.next(BATCH);
      if (!batch) return;
      try {
        if (!this.#ready) await this.#prepare();
        await this.#client.writePoints(this.#parse(batch.lines));
      } catch (error) {
        if (this.#stopped) return;
        const status = statusOf(error);
        if (status === 404) this.#ready = false;
        if (status === undefined || status === 401 || status === 403 || status === 404) {
          this.#absent(error);
          return;
        }
        this.#warn(`InfluxDB at ${this.#server.name} refuses some points: ${oneLine(error)}`);
      }
      if (this.#stopped) return;
      batch.done();
      this.#present();
    }
  }

  #parse(lines: readonly string[]): IPoint[] {
    const points = lines.flatMap((line) => parsePoint(line) ?? []);
    const damaged = lines.length - points.length;
    if (damaged > 0) this.#warn(`${damaged} damaged lines in ${this.#spool.dir} were skipped`);
    return points;
  }

  #absent(error: unknown): void {
    if (this.#away) this.#wait = Math.min(this.#wait * 2, this.#times.maxRetry);
    else
      this.#warn(
        `InfluxDB at ${this.#server.name} cannot be reached (${oneLine(error)}): points are kept on disk`,
      );
    this.#away = true;
  }

  #present(): void {
    this.#wait = this.#times.retry;
    if (this.#dropped > 0)
      this.#warn(`${this.#dropped} points for InfluxDB were dropped while it could not be reached`);
    this.#dropped = 0;
    if (!this.#away) return;
    this.#away = false;
    this.#emit({ type: 'log', level: 'info', message: `InfluxDB at ${this.#server.name} is back` });
  }

  #warn(message: string): void {
    this.#emit({ type: 'log', level: 'warning', message });
  }
}

function openSpool(dir: string, maxBytes: number): Spool {
  try {
    return new Spool(dir, maxBytes);
  } catch (error) {
    throw new MemloopError(
      'disk',
      `${dir}: points for InfluxDB cannot be kept here (${(error as Error).message})`,
      {
        cause: error,
      },
    );
  }
}

const pointSchema = z.object({
  measurement: z.string(),
  tags: z.record(z.string(), z.string()),
  fields: z.record(z.string(), z.union([z.number(), z.string()])),
  timestamp: z.string().regex(/^\d+$/),
});

function parsePoint(line: string): z.infer<typeof pointSchema> | undefined {
  try {
    return pointSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

const statusOf = (error: unknown): number | undefined =>
  (error as { res?: { statusCode?: number } }).res?.statusCode;

const oneLine = (error: unknown): string =>
  (error as Error).message.replace(/\s+/g, ' ').trim().slice(0, 200);
