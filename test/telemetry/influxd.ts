/** A real InfluxDB 1 server on a free loopback port with everything of its own in a temporary folder. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const hasInfluxd = (() => {
  try {
    execFileSync('influxd', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

export class Influxd {
  readonly dir = mkdtempSync(join(tmpdir(), 'memloop-influxd-'));
  #child: ChildProcess | undefined;

  private constructor(readonly port: number) {}

  /** Picks a port; nothing listens there before `start`. */
  static async create(options: { auth?: boolean } = {}): Promise<Influxd> {
    const server = new Influxd(await freePort());
    writeFileSync(
      join(server.dir, 'influxdb.conf'),
      `reporting-disabled = true
bind-address = "127.0.0.1:${await freePort()}"
[meta]
  dir = "${server.dir}/meta"
[data]
  dir = "${server.dir}/data"
  wal-dir = "${server.dir}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:${server.port}"
  auth-enabled = ${options.auth ?? false}
  log-enabled = false
`,
    );
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/memloop`;
  }

  /** Does nothing while the server runs. */
  async start(): Promise<void> {
    if (this.#child) return;
    const child = spawn('influxd', ['-config', join(this.dir, 'influxdb.conf')], { stdio: 'ignore' });
    this.#child = child;
    for (;;) {
      const up = await fetch(`http://127.0.0.1:${this.port}/ping`).then(
        (response) => response.ok,
        () => false,
      );
      if (up) return;
      if (child.exitCode !== null) throw new Error('influxd ended at its start');
      await sleep(20);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true });
  }

  /** Rows of an InfluxQL query, one list of values each. */
  async query(q: string, user?: { name: string; password: string }): Promise<unknown[][]> {
    const login = user && { authorization: `Basic ${btoa(`${user.name}:${user.password}`)}` };
    const response = await fetch(`http://127.0.0.1:${this.port}/query`, {
      method: 'POST',
      body: new URLSearchParams({ q, db: 'memloop', epoch: 'ns' }),
      ...(login ? { headers: login } : {}),
    });
    type Answer = { error?: string; results?: { series?: { values: unknown[][] }[] }[] };
    const answer = (await response.json()) as Answer;
    if (answer.error) throw new Error(answer.error);
    return answer.results?.[0]?.series?.flatMap((series) => series.values) ?? [];
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
