/**
 * serialport's binding with another way of reading and writing. Its own takes two changes of thread for each,
 * and no terminal gives more than 4 KB at once. Ports never block, so both can as well be done here.
 */
import { readSync, writeSync } from 'node:fs';
import { SerialPort } from 'serialport';

type Binding = typeof SerialPort.binding;
type Port = Awaited<ReturnType<Binding['open']>>;

/** Of libuv's uv_poll_start. */
const FLAG = { readable: 1, writable: 2 };
type Event = keyof typeof FLAG;

const NOT_YET = new Set<string | undefined>(['EAGAIN', 'EWOULDBLOCK', 'EINTR']);

export const binding = {
  ...SerialPort.binding,
  async open(options: unknown): Promise<Port> {
    const port: Port = await SerialPort.binding.open(options as never);
    // Windows has handles in place of descriptors.
    if (!('poller' in port)) return port;
    const { poller } = port;
    const [read, write] = [port.read.bind(port), port.write.bind(port)];
    const waiting = new Set<Event>();
    /** Not by the poller's `once`, which asks the system for this event alone: the other one would never come. */
    const ready = (event: Event) =>
      new Promise<void>((resolve, reject) => {
        waiting.add(event);
        poller.prependOnceListener(event, (error: Error | null) => {
          waiting.delete(event);
          if (error) reject(error);
          else resolve();
        });
        poller.poll([...waiting].reduce((flags, each) => flags | FLAG[each], 0));
      });
    /** The bytes that the system took or gave; undefined where it has to be waited for. */
    const now = (transfer: () => number): number | undefined => {
      try {
        return transfer();
      } catch (error) {
        if (NOT_YET.has((error as NodeJS.ErrnoException).code)) return undefined;
        throw error;
      }
    };

    port.read = async (buffer, offset, length) => {
      for (let fd = port.fd; fd !== null; fd = port.fd) {
        const from = fd;
        const bytesRead = now(() => readSync(from, buffer, offset, length, null));
        if (bytesRead === undefined) {
          await ready('readable');
          continue;
        }
        // Where there is only nothing to read yet, the read fails; the library would ask again and again.
        if (bytesRead === 0) throw new Error('the port hung up');
        // One read each turn of the event loop, or nothing else would get one.
        await new Promise(setImmediate);
        return { buffer, bytesRead };
      }
      return read(buffer, offset, length);
    };
    port.write = async (buffer) => {
      let rest = buffer;
      while (port.fd !== null) {
        const to = port.fd;
        const count = now(() => writeSync(to, rest));
        if (count === undefined) await ready('writable');
        else rest = rest.subarray(count);
        if (rest.length === 0) return;
      }
      return write(rest);
    };
    return port;
  },
};
