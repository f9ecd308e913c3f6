import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { connectBoard, openTransport } from '../../../src/driver/index.js';
import { sameDevice } from '../../../src/driver/link/reconnect.js';
import { listDeviceFiles } from '../../../src/driver/transport/ports.js';
import { openPty } from '../../../src/virtual-board/index.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function pty() {
  const port = openPty();
  endings.push(() => port.close());
  return port;
}

const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), 'memloop-'));
  endings.push(() => rmSync(folder, { recursive: true }));
  return folder;
};

describe('a port that cannot be opened is named in one line', () => {
  test('one that does not exist, with what there is', async () => {
    const failure = openTransport('/dev/ttyNONE7');
    await expect(failure).rejects.toMatchObject({
      reason: 'port-not-found',
      exitCode: 2,
      message: expect.stringMatching(/^there is no port \/dev\/ttyNONE7; `memloop ports` finds: /),
    });
  });

  test('one that is in use', async () => {
    const { path } = pty();
    const first = await openTransport(path);
    endings.push(() => first.close());
    await expect(openTransport(path)).rejects.toMatchObject({
      reason: 'port-in-use',
      exitCode: 2,
      message: expect.stringContaining(path),
    });
  });

  test('a file', async () => {
    const path = join(temporary(), 'board');
    writeFileSync(path, '');
    await expect(openTransport(path)).rejects.toMatchObject({
      reason: 'port-not-found',
      message: expect.stringContaining('cannot be opened as a serial port'),
    });
  });

  test('a TCP port where nobody listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    await expect(openTransport(`tcp://127.0.0.1:${port}`)).rejects.toMatchObject({
      reason: 'port-not-found',
      message: expect.stringContaining('nobody listens there'),
    });
  });

  test.each([
    'ftp://x',
    'serial:',
    'serial:/dev/ttyACM0?baud=fast',
    'serial:/dev/ttyACM0?bits=8',
    'tcp://host',
    'tcp://host:1/x',
  ])('a URL of no kind that we know: %s', async (url) => {
    await expect(openTransport(url)).rejects.toMatchObject({
      reason: 'usage',
      message: expect.stringContaining(url),
    });
  });
});

describe('a device that is no board', () => {
  const link = { handshakeTimeout: 0.3 };

  test('echoes', async () => {
    const echo = pty();
    echo.onData((bytes) => echo.write(bytes));
    await expect(connectBoard(await openTransport(echo.path), { link })).rejects.toMatchObject({
      reason: 'not-a-board',
      exitCode: 2,
      message: expect.stringContaining('echoes'),
    });
  });

  test('is silent', async () => {
    await expect(connectBoard(await openTransport(pty().path), { link })).rejects.toMatchObject({
      reason: 'not-a-board',
      message: expect.stringContaining('no memloop board answers'),
    });
  });

  test('talks of other things; the port is free afterwards', async () => {
    const device = pty();
    const talk = setInterval(() => device.write(Buffer.from('T=23.5 C\r\n')), 10);
    endings.push(() => clearInterval(talk));
    await expect(connectBoard(await openTransport(device.path), { link })).rejects.toMatchObject({
      reason: 'not-a-board',
      message: expect.stringMatching(/sends \d+ bytes, but no frame/),
    });
    await (await openTransport(device.path)).close();
  });

  test('goes away during the handshake', async () => {
    const device = openPty();
    const transport = await openTransport(device.path);
    const connecting = connectBoard(transport, { link: { handshakeTimeout: 30 } });
    const failed = expect(connecting).rejects.toMatchObject({ reason: 'board-lost' });
    await device.close();
    await failed;
  });
});

describe('bytes', () => {
  test('pass a pseudo-terminal unchanged, all 256 values, however large the piece', async () => {
    const device = pty();
    const transport = await openTransport(`serial:${device.path}?baud=115200`);
    endings.push(() => transport.close());
    const sent = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
    const received: Uint8Array[] = [];
    const whole = new Promise<void>((resolve) => {
      transport.listen((bytes) => {
        received.push(Uint8Array.from(bytes));
        if (received.reduce((sum, { length }) => sum + length, 0) === sent.length) resolve();
      });
    });
    device.onData((bytes) => device.write(bytes));
    await transport.write(sent);
    await whole;
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  test('are still written when the terminal was full and the board has spoken meanwhile', async () => {
    const device = pty();
    const transport = await openTransport(device.path);
    endings.push(() => transport.close());
    const much = new Uint8Array(100_000);
    let written: Promise<void> | undefined;
    transport.listen(() => {
      written ??= transport.write(much);
    });
    let received = 0;
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    device.onData((bytes) => {
      received += bytes.length;
      return held;
    });
    await device.write(Uint8Array.of(1));
    const pause = (time: number) => new Promise((resolve) => setTimeout(resolve, time));
    while (received === 0) await pause(1);
    await pause(50);
    release();
    await written;
    while (received < much.length) await pause(1);
    expect(received).toBe(much.length);
  }, 10_000);

  test('a pulled port says so without being written to, and then cannot be written to', async () => {
    const device = openPty();
    const transport = await openTransport(device.path);
    transport.listen(() => {});
    await device.close();
    expect(await transport.closed).toBe('the port was unplugged');
    await expect(transport.write(Uint8Array.of(1))).rejects.toThrow('the port is closed');
    await transport.close();
  });
});

describe('the list of ports', () => {
  test('comes from the device files where udevadm is missing', async () => {
    const dev = temporary();
    for (const name of ['ttyACM0', 'ttyUSB1', 'ttyS0', 'tty1', 'null']) writeFileSync(join(dev, name), '');
    mkdirSync(join(dev, 'serial/by-id'), { recursive: true });
    symlinkSync('../../ttyACM0', join(dev, 'serial/by-id/usb-ST_Nucleo_0123-if02'));
    const ports = await listDeviceFiles(dev);
    expect(ports.map(({ path }) => path)).toEqual([join(dev, 'ttyACM0'), join(dev, 'ttyUSB1')]);
    expect(ports[0].manufacturer).toBe('usb-ST_Nucleo_0123-if02');
    expect(await listDeviceFiles(join(dev, 'nothing'))).toEqual([]);
  });

  test('finds a device again under another path by its USB identity, or as what is new', () => {
    const usb = (path: string, serialNumber: string) => ({
      path,
      vendorId: '0483',
      productId: '374b',
      serialNumber,
    });
    const before = [usb('/dev/ttyACM0', 'A'), usb('/dev/ttyACM1', 'B')];
    const now = [usb('/dev/ttyACM1', 'B'), usb('/dev/ttyACM2', 'A')];
    expect(sameDevice('/dev/ttyACM0', before, now)?.path).toBe('/dev/ttyACM2');
    expect(sameDevice('/dev/ttyACM0', before, [usb('/dev/ttyACM1', 'B')])).toBeUndefined();
    const plain = (path: string) => ({ path });
    expect(sameDevice('/dev/ttyUSB0', [plain('/dev/ttyUSB0')], [plain('/dev/ttyUSB1')])?.path).toBe(
      '/dev/ttyUSB1',
    );
    expect(sameDevice('/dev/ttyUSB0', [plain('/dev/ttyUSB0')], [])).toBeUndefined();
  });
});
