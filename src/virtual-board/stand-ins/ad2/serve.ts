/**
 * The simulated device in this process, for a WaveForms library in another: chip and switches outlive whoever opens it.
 * The library (`libdwf.c`) sends each call over a Unix socket:
 *
 *     call:   u32 length of the name, u32 count of numbers, name, numbers (float64)
 *     answer: u32 1 or 0, u32 length of the text, u32 count of numbers, text, numbers (float64)
 *
 * in the machine's own byte order. The text is what the library gives as a string, or the message of a call that failed.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MemloopError } from '../../../shared/errors.js';
import { TraceFile } from '../../trace.js';
import type { ServedStandIn, StandInOptions } from '../stand-in.js';
import { loadFaults } from './faults.js';
import { simulatedWaveForms } from './virtual.js';
import type { SimulatedWaveForms } from './waveforms.js';

/** Functions that take a list of numbers last, after so many others. */
const LISTS: Readonly<Record<string, number>> = { analogOutNodeDataSet: 3 };

/** Built by `build.sh` beside this file. */
export const LIBRARY = fileURLToPath(
  new URL(`../../../../libdwf.${process.platform === 'darwin' ? 'dylib' : 'so'}`, import.meta.url),
);

export async function serveWaveForms(options: StandInOptions): Promise<ServedStandIn> {
  const { profile, seed, trace, faults, tcp, link } = options;
  if (tcp)
    throw new MemloopError('usage', '--as waveforms is served on a socket: give --link SOCKET, not --tcp');
  if (!existsSync(LIBRARY))
    throw new MemloopError(
      'usage',
      'the stand-in for the WaveForms library is not built: `npm run build:waveforms` does it (it needs a C compiler, cc); `--port virtual-ad2:?seed=1` needs none',
    );
  const schedule = faults === undefined ? undefined : loadFaults(faults);
  const file = trace === undefined ? undefined : new TraceFile(trace);
  const onPulse = file && ((pulse: Parameters<TraceFile['add']>[0]) => file.add(pulse));
  const mode = schedule?.mode ?? 1;
  const { library } = simulatedWaveForms({
    profile,
    seed,
    mode,
    series: mode === 1 ? 10e3 : 20e3,
    faults: schedule,
    onPulse,
  });
  const folder = link === undefined ? mkdtempSync(join(tmpdir(), 'memloop-')) : undefined;
  const path = link ?? join(folder!, 'waveforms.sock');
  const server = createServer((socket) => serveCalls(socket, library, () => file?.flush()));
  await listen(server, path);
  return {
    port: `ad2:?mode=${mode}&series=${mode === 1 ? 10000 : 20000}`,
    environment: { MEMLOOP_LIBDWF: LIBRARY, MEMLOOP_DWF_SOCKET: path },
    close: async () => {
      server.close();
      file?.close();
      if (folder) rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } catch (error) {
    throw new MemloopError(
      'port-in-use',
      `cannot serve on ${path}: ${(error as Error).message}; remove it, or give another --link`,
      { cause: error },
    );
  }
}

/** One connection is one process that has loaded the library. */
function serveCalls(socket: Socket, library: SimulatedWaveForms, flush: () => void): void {
  let waiting = Buffer.alloc(0);
  let last: Promise<void> = Promise.resolve();
  let opened = 0;
  socket.on('data', (bytes) => {
    waiting = Buffer.concat([waiting, bytes]);
    for (let call = takeCall(waiting); call; call = takeCall(waiting)) {
      waiting = waiting.subarray(call.length);
      const { name, numbers } = call;
      last = last.then(async () => {
        const answer = await answerTo(library, name, numbers);
        if (name === 'deviceOpen' && answer.good) opened = answer.numbers[0];
        if (name === 'deviceClose' && answer.good) opened = 0;
        // The trace is on disk before anybody hears of the pulse.
        flush();
        if (!socket.destroyed) socket.write(packed(answer));
      });
    }
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    last = last.then(() => {
      if (opened !== 0) library.abandon(opened);
    });
  });
}

interface Answer {
  good: boolean;
  text: string;
  numbers: ArrayLike<number>;
}

function takeCall(bytes: Buffer): { length: number; name: string; numbers: number[] } | undefined {
  if (bytes.length < 8) return undefined;
  const [named, count] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
  const length = 8 + named + 8 * count;
  if (bytes.length < length) return undefined;
  const name = bytes.toString('latin1', 8, 8 + named);
  const numbers = Array.from({ length: count }, (_, i) => bytes.readDoubleLE(8 + named + 8 * i));
  return { length, name, numbers };
}

async function answerTo(
  library: SimulatedWaveForms,
  name: string,
  numbers: readonly number[],
): Promise<Answer> {
  const functions = library as unknown as Record<
    string,
    ((...values: unknown[]) => Promise<unknown>) | undefined
  >;
  try {
    const before = LISTS[name];
    const values =
      before === undefined
        ? numbers
        : [...numbers.slice(0, before), Float64Array.from(numbers.slice(before))];
    const result = await functions[name]?.(...values);
    if (typeof result === 'string') return { good: true, text: result, numbers: [] };
    if (typeof result === 'number') return { good: true, text: '', numbers: [result] };
    return { good: true, text: '', numbers: result instanceof Float64Array ? result : [] };
  } catch (error) {
    return { good: false, text: (error as Error).message, numbers: [] };
  }
}

function packed({ good, text, numbers }: Answer): Buffer {
  const bytes = Buffer.alloc(12 + text.length + 8 * numbers.length);
  bytes.writeUInt32LE(good ? 1 : 0, 0);
  bytes.writeUInt32LE(text.length, 4);
  bytes.writeUInt32LE(numbers.length, 8);
  bytes.write(text, 12, 'latin1');
  for (let i = 0; i < numbers.length; i++) bytes.writeDoubleLE(numbers[i], 12 + text.length + 8 * i);
  return bytes;
}
