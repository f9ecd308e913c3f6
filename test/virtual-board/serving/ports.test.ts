import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  createVirtualBoard,
  openPty,
  servePty,
  serveTcp,
  spawnBoard,
} from '../../../src/virtual-board/index.js';
import { type Bytes, Host } from '../host.js';

const folder = mkdtempSync(join(tmpdir(), 'memloop-ports-'));
afterAll(() => rmSync(folder, { recursive: true }));

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const board = (seed = 1) => {
  const created = createVirtualBoard({ profile: 'w-sdc-8x8x4', seed });
  endings.push(() => created.close());
  return created;
};

async function openSerial(path: string): Promise<SerialPort> {
  const port = new SerialPort({ path, baudRate: 921_600, autoOpen: false });
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  endings.push(() => close(port));
  return port;
}

const close = (port: SerialPort) =>
  new Promise<void>((resolve) => (port.isOpen ? port.close(() => resolve()) : resolve()));

/** How a port ends whose device is gone: serialport notices by itself, or at the next write. */
const unplugged = (port: SerialPort) =>
  new Promise<string>((resolve) => {
    port.on('error', () => {});
    port.once('close', () => resolve('unplugged'));
    if (port.isOpen) port.write('x', (error) => error && resolve('unplugged'));
    else resolve('unplugged');
  });

const bytesOf = (port: SerialPort | Socket): Bytes => ({
  write: (bytes) => void port.write(bytes),
  onData: (listener) => void port.on('data', listener),
});

const hasPty = process.platform === 'linux' || process.platform === 'darwin';

/** Every byte value, in changing company. */
const MEGABYTE = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 167 + (i >> 8) * 13 + (i >> 16)) & 0xff);

describe.skipIf(!hasPty)('a pseudo-terminal (skipped where the system has none)', () => {
  it('carries a megabyte unchanged from the other side', async () => {
    const pty = openPty();
    endings.push(() => pty.close());
    const port = await openSerial(pty.path);
    const got = new Uint8Array(MEGABYTE.length);
    let length = 0;
    const all = new Promise<void>((resolve) => {
      pty.onData((bytes) => {
        got.set(bytes, length);
        length += bytes.length;
        if (length === got.length) resolve();
      });
    });
    port.write(MEGABYTE);
    await all;
    expect(Buffer.compare(got, MEGABYTE)).toBe(0);
  });

  it('carries a megabyte unchanged to the other side, also to one that pauses', async () => {
    const pty = openPty();
    endings.push(() => pty.close());
    const port = await openSerial(pty.path);
    const pieces: Buffer[] = [];
    let length = 0;
    const all = new Promise<void>((resolve) => {
      port.on('data', (bytes: Buffer) => {
        pieces.push(bytes);
        length += bytes.length;
        if (pieces.length === 5) {
          port.pause();
          setTimeout(() => port.resume(), 150);
        }
        if (length >= MEGABYTE.length) resolve();
      });
    });
    let written = false;
    const writing = pty.write(MEGABYTE).then(() => {
      written = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(written).toBe(false);
    await Promise.all([all, writing]);
    expect(Buffer.compare(Buffer.concat(pieces), MEGABYTE)).toBe(0);
  });

  it('stays when the other side closes, and serves the next', async () => {
    const pty = openPty();
    endings.push(() => pty.close());
    pty.onData((bytes) => pty.write(bytes));
    for (const text of ['first', 'second']) {
      const port = await openSerial(pty.path);
      const echo = new Promise<string>((resolve) =>
        port.once('data', (bytes: Buffer) => resolve(String(bytes))),
      );
      port.write(text);
      expect(await echo).toBe(text);
      await close(port);
    }
  });

  it('closing it is an unplugged port to the other side', async () => {
    const pty = openPty();
    const port = await openSerial(pty.path);
    await pty.close();
    expect(await unplugged(port)).toBe('unplugged');
    expect(existsSync(pty.path)).toBe(false);
    // A board that still sends does not notice.
    await pty.write(Uint8Array.of(1, 2, 3));
    await pty.close();
  });
});

describe.skipIf(!hasPty)('a board on a pseudo-terminal (skipped where the system has none)', () => {
  it('answers serialport through a link that goes when it goes', async () => {
    const link = join(folder, 'board');
    const served = await servePty(board(), { link });
    expect(served.port).toBe(link);
    expect(readlinkSync(link)).toMatch(/^\/dev\//);
    const host = new Host(bytesOf(await openSerial(link)));
    await host.hello();
    expect(await host.request({ name: 'Describe' })).toMatchObject({ arrays: 4, rows: 8 });
    await served.close();
    expect(existsSync(link)).toBe(false);
  });

  it('takes over the link that a killed board left behind', async () => {
    const link = join(folder, 'stale');
    symlinkSync('/dev/pts/no-such', link);
    const served = await servePty(board(), { link });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readlinkSync(link)).not.toContain('no-such');
    await served.close();
  });

  it('leaves a link alone that another board has taken over', async () => {
    const link = join(folder, 'shared');
    const first = await servePty(board(1), { link });
    const second = await servePty(board(2), { link });
    await first.close();
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    await second.close();
    expect(existsSync(link)).toBe(false);
  });

  it('never overwrites a file', async () => {
    const link = join(folder, 'precious');
    writeFileSync(link, 'mine');
    await expect(servePty(board(), { link })).rejects.toMatchObject({ reason: 'bad-input' });
    await expect(servePty(board(), { link: join(folder, 'no', 'way') })).rejects.toMatchObject({
      reason: 'bad-input',
    });
  });
});

describe('a board on TCP', () => {
  const open = async (url: string): Promise<Socket> => {
    const { hostname, port } = new URL(url);
    const socket = connectTcp({ host: hostname, port: Number(port) });
    endings.push(() => socket.destroy());
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return socket;
  };

  it('answers one host after the other, and turns a second one away meanwhile', async () => {
    const served = await serveTcp(board());
    endings.push(() => served.close());
    expect(served.port).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    const first = await open(served.port);
    const host = new Host(bytesOf(first));
    await host.hello();
    expect(await host.request({ name: 'Describe' })).toMatchObject({ rows: 8 });

    const second = await open(served.port);
    await new Promise((resolve) => second.once('close', resolve));
    expect(await host.request({ name: 'Ping' })).toMatchObject({ crcErrors: 0 });

    await new Promise((resolve) => first.once('close', resolve).destroy());
    let reply: unknown;
    while (!reply) {
      // The server may not have seen the first host leave yet.
      const third = await open(served.port);
      const next = new Host(bytesOf(third));
      const gone = new Promise<undefined>((resolve) => third.once('close', () => resolve(undefined)));
      reply = await Promise.race([next.hello(), gone]);
    }
    expect(reply).toMatchObject({ name: 'HelloReply' });
  });

  it('says when the port is taken', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    endings.push(() => blocker.close());
    const { port } = blocker.address() as { port: number };
    await expect(serveTcp(board(), { port })).rejects.toMatchObject({ reason: 'port-in-use' });
  });
});

const built = existsSync(new URL('../../../dist/src/virtual-board/serving/worker.js', import.meta.url));

describe.skipIf(!built || !hasPty)('a board on its own thread (skipped without `npm run build`)', () => {
  it('serves a pseudo-terminal until it is closed', async () => {
    const link = join(folder, 'spawned');
    const spawned = await spawnBoard({ profile: 'w-sdc-8x8x4', seed: 3, link });
    expect(spawned.port).toBe(link);
    const port = await openSerial(link);
    const host = new Host(bytesOf(port));
    const first = await host.hello();
    spawned.reboot();
    await host.notice('BOOTED');
    await expect(host.request({ name: 'Ping' })).rejects.toThrow(/NO_SESSION/);
    const second = await host.hello();
    expect(second.boardSerial).toBe(first.boardSerial);
    expect(second.bootId).not.toBe(first.bootId);
    await spawned.close();
    expect(await unplugged(port)).toBe('unplugged');
    expect(existsSync(link)).toBe(false);
  });

  it('tells what is wrong as the board itself would', async () => {
    await expect(spawnBoard({ profile: 'no-such-profile' })).rejects.toMatchObject({ reason: 'bad-input' });
  });
});
