/**
 * serialport's binding with another way of reading. Its own takes two changes of thread for every read, and no
 * terminal gives more than 4 KB at once. Ports never block, so a read can as well be made here.
 */
import { readSync } from 'node:fs';
import { SerialPort } from 'serialport';

type Binding = typeof SerialPort.binding;
type Port = Awaited<ReturnType<Binding['open']>>;

const WAIT = new Set<string | undefined>(['EAGAIN', 'EWOULDBLOCK', 'EINTR']);

export const binding = {
  ...SerialPort.binding,
  async open(options: unknown): Promise<Port> {
    const port: Port = await SerialPort.binding.open(options as never);
    // Windows has handles in place of descriptors.
    if (!('poller' in port)) return port;
    const { poller } = port;
    const itself = port.read.bind(port);
    const readable = () =>
      new Promise<void>((resolve, reject) => {
        poller.once('readable', (error: Error | null) => (error ? reject(error) : resolve()));
      });
    port.read = async (buffer, offset, length) => {
      while (port.fd !== null) {
        let bytesRead: number;
        try {
          bytesRead = readSync(port.fd, buffer, offset, length, null);
        } catch (error) {
          if (!WAIT.has((error as NodeJS.ErrnoException).code)) throw error;
          await readable();
          continue;
        }
        // Where there is only nothing to read yet, the read fails; the library would ask again and again.
        if (bytesRead === 0) throw new Error('the port hung up');
        // One read each turn of the event loop, or nothing else would get one.
        await new Promise(setImmediate);
        return { buffer, bytesRead };
      }
      return itself(buffer, offset, length);
    };
    return port;
  },
};
