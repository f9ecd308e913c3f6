/** Hosts that claim, on one board: each is a cable to it. */
import { afterEach, expect, test } from 'vitest';
import {
  type Claim,
  connectBoard,
  inProcessTransport,
  type ProtocolBoard,
} from '../../../src/driver/index.js';
import type { MemloopError } from '../../../src/shared/errors.js';
import { createVirtualBoard } from '../../../src/virtual-board/index.js';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function cables() {
  const pulses: unknown[] = [];
  const virtual = createVirtualBoard({ profile: 'ideal', seed: 3, trace: (pulse) => pulses.push(pulse) });
  endings.push(() => virtual.close());
  const listeners = new Set<(bytes: Uint8Array) => void>();
  virtual.onData((bytes) => {
    for (const listener of listeners) listener(bytes);
  });
  const connect = async (claim?: Claim): Promise<ProtocolBoard> => {
    const device = {
      write: (bytes: Uint8Array) => virtual.write(bytes),
      onData: (listener: (bytes: Uint8Array) => void) => void listeners.add(listener),
    };
    const board = await connectBoard(inProcessTransport('cable', device), { claim });
    endings.push(() => board.close());
    return board;
  };
  return { virtual, pulses, connect };
}

const pulse = (board: ProtocolBoard) =>
  board.cells([{ kind: 'pulse', array: 0, row: 0, column: 0, voltage: 0.5, width: 1e-5 }]);
const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: MemloopError) => error.reason,
  );

test('an older holder cannot pulse, nor can one without a token; a newer one takes over', async () => {
  const { connect, pulses } = cables();
  const older = await connect(5n);
  expect(await pulse(older)).toEqual([{ status: 'applied' }]);
  const newer = await connect(6n);
  expect(await pulse(newer)).toEqual([{ status: 'applied' }]);
  // It wakes up: its session has ended, so what it sends is not done, which it cannot know.
  expect(await pulse(older)).toMatchObject([{ status: 'unknown' }]);
  expect(await reasonOf(connect(5n))).toBe('fenced');
  const stranger = await connect();
  expect(await pulse(stranger)).toMatchObject([{ status: 'refused', code: 'FENCED' }]);
  expect(pulses).toHaveLength(2);
});

test('a token stands for the boot in which the board was opened; a function is asked again', async () => {
  const { connect, virtual, pulses } = cables();
  const fixed = await connect(5n);
  virtual.reboot();
  await fixed.health().catch(() => {});
  expect(await reasonOf(fixed.health())).toBe('fenced');

  const boots: number[] = [];
  const asks = await connect(async (bootId) => {
    boots.push(bootId);
    return 7n;
  });
  virtual.reboot();
  await asks.health();
  expect(await pulse(asks)).toEqual([{ status: 'applied' }]);
  expect(new Set(boots).size).toBe(2);
  expect(pulses).toHaveLength(1);
});

test('a holder that is told that it is none does not claim', async () => {
  const { connect, pulses } = cables();
  const refusing = () => Promise.reject(new Error('the lease has ended'));
  expect(await reasonOf(connect(refusing))).toBe('board-lost');
  expect(pulses).toEqual([]);
});
