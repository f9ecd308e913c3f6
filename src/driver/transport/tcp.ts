/** A TCP connection as a transport: `tcp://host:port`, e.g. a virtual board or a serial-port server. */
import { connect, type Socket } from 'node:net';
import { MemloopError } from '../../shared/errors.js';
import type { Transport } from './transport.js';

const CONNECT_TIMEOUT = 2000; // ms

export async function openTcp(url: string): Promise<Transport> {
  const { hostname, port, pathname } = URL.canParse(url)
    ? new URL(url)
    : { hostname: '', port: '', pathname: '' };
  if (!hostname || !port || !(pathname === '' || pathname === '/')) {
    throw new MemloopError('usage', `cannot read the port ${url}; write tcp://HOST:PORT`);
  }
  const socket = await dial(url, hostname.replace(/^\[(.*)\]$/, '$1'), Number(port));
  // Requests are small and answered one by one: waiting to fill a packet would only delay them.
  socket.setNoDelay(true);
  const closed = new Promise<string>((resolve) => {
    socket.on('error', (error) => resolve(`the connection failed: ${error.message}`));
    socket.once('close', () => resolve('the other side closed the connection'));
  });
  return {
    url,
    closed,
    listen: (onBytes) => socket.on('data', onBytes),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    close: () =>
      new Promise((resolve) => {
        if (socket.closed) return resolve();
        socket.once('close', () => resolve());
        socket.destroySoon();
      }),
  };
}

function dial(url: string, host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (why: string) => {
      socket.destroy();
      reject(
        new MemloopError(
          'port-not-found',
          `no connection to ${url}: ${why}; is \`memloop mock --tcp ${host}:${port}\` or your board's server running?`,
        ),
      );
    };
    const timer = setTimeout(() => fail('no answer'), CONNECT_TIMEOUT);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      fail(error.code === 'ECONNREFUSED' ? 'nobody listens there' : error.message);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
