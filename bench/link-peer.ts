/**
 * The other end of the pseudo-terminal in `npm run bench:link`, on a thread of its own. It is in turn a source
 * of raw bytes, an echo, and a virtual board whose neurons cost no physics: what is measured is the link.
 */
import { parentPort } from 'node:worker_threads';
import { createVirtualBoard } from '../src/virtual-board/board.js';
import { loadProfile } from '../src/virtual-board/profile.js';
import { openPty } from '../src/virtual-board/serving/pty.js';

export type Mode = 'raw' | 'echo' | 'board' | 'silent' | 'close';
export type Report = { path: string } | { mode: Mode };

const host = parentPort!;
const pty = openPty();
const ideal = loadProfile('ideal');
const profile = { ...ideal, run: { ...ideal.run, maxSteps: 10_000 } };
const board = createVirtualBoard({ profile, seed: 1 });
board.frontEnd.neuronsSample = (_samples, decimation, counts) => {
  for (let i = 0; i < counts.length; i++) counts[i] = 300 + ((i * decimation) % 2000);
};

const block = Uint8Array.from({ length: 65536 }, (_, i) => (i * 167 + (i >> 8) * 13) & 0xff);
let mode: Mode = 'silent';

const raw = async () => {
  while (mode === 'raw') await pty.write(block);
};

pty.onData((bytes) => {
  if (mode === 'echo') return pty.write(bytes);
  if (mode === 'board') return board.write(bytes);
});
board.onData((bytes) => {
  if (mode === 'board') return pty.write(bytes);
});

host.on('message', async (next: Mode) => {
  mode = next;
  if (mode === 'raw') raw();
  if (mode === 'close') {
    board.close();
    await pty.close();
    host.close();
  }
  host.postMessage({ mode } satisfies Report);
});
host.postMessage({ path: pty.path } satisfies Report);
