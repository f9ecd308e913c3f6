/** A serial port or pseudo-terminal as a transport. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { SerialPort } from 'serialport';
import { MemloopError } from '../../shared/errors.js';
import { listPorts } from './ports.js';
import { binding } from './serial-binding.js';
import { parseSerialUrl } from './serial-url.js';
import type { Transport } from './transport.js';

type PortOptions = ConstructorParameters<typeof SerialPort>[0];

const UNPLUGGED = 'the port was unplugged';

/** `path` or `serial:path?baud=N&parity=even`. The port is locked: nobody else can open it meanwhile. */
export async function openSerial(url: string): Promise<Transport> {
  const { path, baudRate, parity } = parseSerialUrl(url);
  const port = new SerialPort({
    path,
    baudRate,
    parity,
    lock: true,
    autoOpen: false,
    binding,
  } as PortOptions);
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

/**
 * The binding gives messages only, so the system is asked for its code. That the port is locked it does not tell: the
 * lock is advisory, and Node has no flock.
 */
async function openFailure(path: string, error: Error): Promise<MemloopError> {
  const options = { cause: error };
  const code = await systemCode(path);
  if (IN_USE.has(code) || /cannot lock port/i.test(error.message))
    return new MemloopError('port-in-use', `${path} is used by another program; end that one first`, options);
  if (code === 'EACCES') {
    const message = `no permission to open ${path}; add yourself to its group (\`ls -l ${path}\` names it) and log in again`;
    return new MemloopError('port-not-found', message, options);
  }
  const ports = (await listPorts()).map((port) => port.path).join(', ') || 'none';
  const fault =
    code === 'ENOENT' || code === 'ENXIO'
      ? `there is no port ${path}`
      : `${path} cannot be opened as a serial port (${error.message.replace(/^Error:? /, '')})`;
  return new MemloopError('port-not-found', `${fault}; \`memloop ports\` finds: ${ports}`, options);
}

/** EPERM: so Windows says that a port is open elsewhere. */
const IN_USE = new Set<string | undefined>(['EBUSY', 'EPERM']);

/** Why the system does not open the path; undefined if it does. */
async function systemCode(path: string): Promise<string | undefined> {
  const { O_RDWR, O_NOCTTY = 0, O_NONBLOCK = 0 } = constants;
  const file = process.platform === 'win32' ? `\\\\.\\${path}` : path;
  try {
    await (await open(file, O_RDWR | O_NOCTTY | O_NONBLOCK)).close();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
