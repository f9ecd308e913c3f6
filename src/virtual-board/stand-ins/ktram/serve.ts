/** A kT-RAM server on a TCP port. */
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemloopError } from '../../../shared/errors.js';
import type { TracedPulse } from '../../physics/front-end.js';
import { loadProfile, type Profile } from '../../profile.js';
import { TraceFile } from '../../trace.js';
import type { BareChip } from '../bare-chip.js';
import type { ServedStandIn, StandInOptions } from '../stand-in.js';
import { GENTLE, KtramDriver, ServerError } from './driver.js';
import { Incidents, type KtramFault, type KtramFaults, loadKtramFaults, NO_FAULTS } from './faults.js';
import { KtramRequests, type Work } from './requests.js';

const BASE = '/kt-ram-server/';
const BODY_MOST = 2 ** 20;
export const USER = 'memloop';

export interface KtramOptions {
  seed: number;
  faults?: KtramFaults | undefined;
  onPulse?: ((pulse: TracedPulse) => void) | undefined;
  /** Default: a free port of this machine. */
  tcp?: { host: string; port: number } | undefined;
}

export interface KtramStandIn extends ServedStandIn {
  environment: { MEMLOOP_KTRAM_USER: string; MEMLOOP_KTRAM_PASSWORD: string };
  readonly chip: BareChip;
  /** How often each fault struck. */
  readonly counts: Readonly<Record<string, number>>;
}

export async function serveKtram(options: StandInOptions): Promise<ServedStandIn> {
  if (!options.tcp || options.link !== undefined)
    throw new MemloopError('usage', '--as ktram is served on a TCP port: give --tcp HOST:PORT');
  const faults = options.faults === undefined ? NO_FAULTS : loadKtramFaults(options.faults);
  const profile = loadProfile(options.profile);
  const trace = options.trace === undefined ? undefined : new TraceFile(options.trace);
  const onPulse =
    trace &&
    ((pulse: TracedPulse) => {
      trace.add(pulse);
      // Whoever kills us must find what the cells have had.
      trace.flush();
    });
  const served = await startKtram(profile, { seed: options.seed, faults, onPulse, tcp: options.tcp });
  return {
    port: served.port,
    environment: served.environment,
    async close() {
      await served.close();
      trace?.close();
    },
  };
}

/** The profile is that of one unit; each module has two. Errors: `usage`, `bad-input`, `port-in-use`. */
export async function startKtram(profile: Profile, options: KtramOptions): Promise<KtramStandIn> {
  const { seed, faults = NO_FAULTS, onPulse, tcp = { host: '127.0.0.1', port: 0 } } = options;
  if (profile.rows > 32 || profile.columns > 32 || profile.arrays > 16)
    throw new MemloopError(
      'usage',
      `a unit of a kT-RAM module has up to 16 arrays of up to 32×32; the profile has ${profile.arrays} of ${profile.rows}×${profile.columns}`,
    );
  const driver = new KtramDriver(profile, faults.modules, { seed, onPulse });
  const login = { user: USER, password: `stand-in-${driver.chip.identity}` };
  const site = new Site(driver, faults, login);
  const { port } = await site.listen(tcp);
  const host = tcp.host.includes(':') ? `[${tcp.host}]` : tcp.host;
  const { certificate } = faults;
  const scheme = certificate === undefined ? 'ktram+http' : 'ktram+https';
  const { readVoltage, readPulseWidth, seriesResistor, gain } = GENTLE;
  const read = `&read=${readVoltage},${readPulseWidth},${seriesResistor},${gain}`;
  const ca = certificate === undefined ? '' : `&ca=${encodeURIComponent(certificate)}`;
  return {
    port: `${scheme}://${host}:${port}${BASE.slice(0, -1)}?series=20000${read}${ca}`,
    environment: { MEMLOOP_KTRAM_USER: login.user, MEMLOOP_KTRAM_PASSWORD: login.password },
    chip: driver.chip,
    counts: site.counts,
    close: () => site.close(),
  };
}

class Site {
  readonly counts: Record<string, number> = {};
  readonly #server: http.Server;
  readonly #requests: KtramRequests;
  readonly #incidents: Incidents;
  readonly #authorization: Buffer;
  #address: { host: string; port: number } = { host: '', port: 0 };
  /** Requests are served one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  #back: NodeJS.Timeout | undefined;

  constructor(
    driver: KtramDriver,
    faults: KtramFaults,
    { user, password }: { user: string; password: string },
  ) {
    this.#requests = new KtramRequests(driver, faults.calibrated);
    this.#incidents = new Incidents(faults);
    this.#authorization = Buffer.from(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`);
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      this.#last = this.#last.then(() => this.#serve(request, response)).catch(() => response.destroy());
    };
    this.#server = createServer(faults, answer);
    this.#server.keepAliveTimeout = 5000;
  }

  async listen(tcp: { host: string; port: number }): Promise<{ port: number }> {
    try {
      this.#server.listen(tcp.port, tcp.host);
      await once(this.#server, 'listening');
    } catch (error) {
      throw new MemloopError(
        'port-in-use',
        `cannot serve on ${tcp.host}:${tcp.port}: ${(error as Error).message}; give another --tcp`,
        { cause: error },
      );
    }
    const { port } = this.#server.address() as AddressInfo;
    this.#address = { host: tcp.host, port };
    return { port };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#back);
    this.#server.closeAllConnections();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const given = Buffer.from(request.headers.authorization ?? '');
    const known = this.#authorization;
    if (given.length !== known.length || !timingSafeEqual(given, known)) return deny(response);
    const path = new URL(request.url ?? '/', 'http://host').pathname;
    if (!path.startsWith(BASE)) return send(response, 404, '<html><body>Not Found</body></html>');
    const parts = path.slice(BASE.length).split('/').filter(Boolean).map(decodeURIComponent);
    try {
      const work = this.#requests.work(request.method ?? '', parts, body);
      if (!work) return send(response, 404, '<html><body>Not Found</body></html>');
      const fault = this.#incidents.next(work.kind);
      if (fault) {
        this.counts[fault.kind] = (this.counts[fault.kind] ?? 0) + 1;
        return await this.#fail(fault, work, response);
      }
      finish(response, work);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      fail500(response, error.message);
    }
  }

  async #fail(fault: KtramFault, work: Work, response: ServerResponse): Promise<void> {
    const { steps } = work;
    if ('done' in fault) {
      const most = { none: 0, half: Math.floor(steps.length / 2), all: steps.length }[fault.done];
      for (const step of steps.slice(0, most)) step();
    }
    switch (fault.kind) {
      case 'slow':
        await sleep(fault.time * 1000);
        return finish(response, work);
      case 'silent':
        return;
      case 'close':
        response.destroy();
        return;
      case 'cut': {
        const text = run(work);
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
        response.write(text.slice(0, Math.floor(text.length / 2)), () => response.destroy());
        return;
      }
      case 'torn': {
        const text = run(work);
        return send(response, 200, text.slice(0, Math.floor(text.length / 2)));
      }
      case 'deny':
        return deny(response);
      case 'error':
        return fail500(response, 'Driver communication failed');
      case 'false':
        return send(response, 200, 'false');
      case 'restart':
        return this.#restart(fault.time);
    }
  }

  #restart(time: number): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#back = setTimeout(() => {
      if (!this.#closed) this.#server.listen(this.#address.port, this.#address.host);
    }, time * 1000);
  }
}

function createServer(
  { certificate, key }: KtramFaults,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): http.Server {
  if (certificate === undefined && key === undefined) return http.createServer(answer);
  const pem = (path: string | undefined): Buffer => {
    if (path === undefined) throw new MemloopError('bad-input', 'for TLS give both certificate and key');
    try {
      return readFileSync(path);
    } catch (error) {
      throw new MemloopError('bad-input', `cannot read ${path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };
  return https.createServer({ cert: pem(certificate), key: pem(key) }, answer);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > BODY_MOST) throw new Error('too long');
    parts.push(part);
  }
  try {
    return length === 0 ? undefined : JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Does all of the work; returns the answer. */
function run({ steps, answer }: Work): string {
  for (const step of steps) step();
  const value = answer();
  return value === undefined ? '' : JSON.stringify(value);
}

function finish(response: ServerResponse, work: Work): void {
  const text = run(work);
  send(response, text === '' ? 204 : 200, text);
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': text.startsWith('<') ? 'text/html' : 'application/json' });
  response.end(text === '' ? undefined : text);
}

const fail500 = (response: ServerResponse, message: string): void =>
  send(
    response,
    500,
    JSON.stringify({ code: 500, message: `javax.ws.rs.WebApplicationException: ${message}` }),
  );

function deny(response: ServerResponse): void {
  response.setHeader('www-authenticate', 'Basic realm="kT-RAM"');
  send(response, 401, '<html><body>Unauthorized</body></html>');
}
