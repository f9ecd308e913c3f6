/** A serial port or pseudo-terminal as a transport, and the list of ports that could have a board. */
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { SerialPort } from 'serialport';
import { MemloopError } from '../../shared/errors.js';
import type { Transport } from './transport.js';

const DEFAULT_BAUD = 921_600;
type PortOptions = ConstructorParameters<typeof SerialPort>[0];

const UNPLUGGED = 'the port was unplugged';

/** `path` or `serial:path?baud=N`. The port is locked: nobody else can open it meanwhile. */
export async function openSerial(url: string): Promise<Transport> {
  const { path, baudRate } = parseSerialUrl(url);
  // serialport is loaded only once a serial port is opened.
  const { binding } = await import('./serial-binding.js');
  const { SerialPort } = await import('serialport');
  const port = new SerialPort({ path, baudRate, lock: true, autoOpen: false, binding } as PortOptions);
  let end: (reason: string) => void;
  const closed = new Promise<string>((resolve) => {
    end = resolve;
    port.once('close', (error?: Error) => resolve(error ? UNPLUGGED : 'the port was closed'));
    port.on('error', (error: Error) => resolve(`the port failed: ${error.message}`));
  });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => {
      if (error) openFailure(path, error).then(reject, reject);
      else resolve();
    });
  });
  return {
    url,
    closed,
    listen: (onBytes) => port.on('data', onBytes),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        // serialport would keep it until the port is opened again.
        if (!port.isOpen) return reject(new Error('the port is closed'));
        port.write(bytes, (error) => {
          if (!error) return resolve();
          end(UNPLUGGED);
          reject(error);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        if (port.isOpen) port.close(() => resolve());
        else resolve();
      }),
  };
}

/** The device path of a serial URL; undefined if it is of another kind. */
export function serialPath(url: string): string | undefined {
  return /^(?!serial:)[a-z][a-z0-9+.-]+:/i.test(url) ? undefined : parseSerialUrl(url).path;
}

function parseSerialUrl(url: string): { path: string; baudRate: number } {
  const [path, query, ...rest] = url.replace(/^serial:(\/\/(?=\/))?/i, '').split('?');
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((key) => key !== 'baud');
  const baudRate = Number(parameters.get('baud') ?? DEFAULT_BAUD);
  if (!path || rest.length > 0 || unknown !== undefined || !Number.isInteger(baudRate) || baudRate < 300) {
    throw new MemloopError('usage', `cannot read the port ${url}; write serial:/dev/ttyACM0?baud=921600`);
  }
  return { path, baudRate };
}

/** The binding gives messages only, no codes. */
async function openFailure(path: string, error: Error): Promise<MemloopError> {
  const options = { cause: error };
  if (/cannot lock port|access denied|resource busy/i.test(error.message)) {
    return new MemloopError('port-in-use', `${path} is used by another program; end that one first`, options);
  }
  if (/permission denied/i.test(error.message)) {
    const message = `no permission to open ${path}; add yourself to its group (\`ls -l ${path}\` names it) and log in again`;
    return new MemloopError('port-not-found', message, options);
  }
  const ports = (await listPorts()).map((port) => port.path).join(', ') || 'none';
  const fault = /no such file|file not found|unknown error code 3\b/i.test(error.message)
    ? `there is no port ${path}`
    : `${path} cannot be opened as a serial port (${error.message.replace(/^Error:? /, '')})`;
  return new MemloopError('port-not-found', `${fault}; \`memloop ports\` finds: ${ports}`, options);
}

export interface PortInfo {
  path: string;
  manufacturer?: string | undefined;
  serialNumber?: string | undefined;
  vendorId?: string | undefined;
  productId?: string | undefined;
}

/** Serial ports of this machine. */
export async function listPorts(): Promise<PortInfo[]> {
  try {
    const { SerialPort } = await import('serialport');
    const ports = await SerialPort.list();
    return ports.map(({ path, manufacturer, serialNumber, vendorId, productId }) => ({
      path,
      manufacturer,
      serialNumber,
      vendorId,
      productId,
    }));
  } catch {
    // On Linux the list comes from udevadm, which containers often lack; the device files are still there.
    return listDeviceFiles();
  }
}

/** USB serial ports by their device files; udev's stable links, where it made them, tell who made a port. */
export async function listDeviceFiles(dev = '/dev'): Promise<PortInfo[]> {
  const names = async (folder: string) => (await readdir(folder).catch(() => [])).sort();
  const links = new Map<string, string>();
  const byId = join(dev, 'serial', 'by-id');
  for (const name of await names(byId)) {
    const target = await realpath(join(byId, name)).catch(() => undefined);
    if (target !== undefined) links.set(target, name);
  }
  const ports: PortInfo[] = [];
  for (const name of await names(dev)) {
    if (!/^tty(ACM|USB|AMA)\d+$/.test(name)) continue;
    const path = join(dev, name);
    ports.push({ path, manufacturer: links.get(await realpath(path)) });
  }
  return ports;
}
