import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createVirtualBoard,
  type Fault,
  type Faults,
  faultyBoard,
  loadFaults,
  parseFaults,
  type VirtualBoard,
} from '../../../src/virtual-board/index.js';
import { Host } from '../host.js';

const endings: (() => unknown)[] = [];
afterEach(() => {
  for (const end of endings.splice(0).reverse()) end();
});

/** Frames of a board that nobody has to understand: content without zeros between zeros. */
const frames = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => Uint8Array.of(0, 1 + (i % 250), 7, 9, 1 + (i % 3), 0));

/** What reaches a board through the faults, sent in pieces of the given size. */
function through(faults: Faults, piece: number, count = 400): { bytes: number[]; counts: object } {
  const bytes: number[] = [];
  const inner = {
    frontEnd: { pulseListeners: [] },
    write: (given: Uint8Array) => void bytes.push(...given),
    onData: () => {},
    reboot: () => {},
  } as unknown as VirtualBoard;
  const board = faultyBoard(inner, faults);
  const sent = Buffer.concat(frames(count));
  for (let at = 0; at < sent.length; at += piece) board.write(sent.subarray(at, at + piece));
  return { bytes, counts: { ...board.faultCounts } };
}

const schedule = (...faults: Fault[]): Faults => ({ seed: 4, faults });
const way = 'to-board';

describe('a fault schedule', () => {
  it('does the same with the same traffic, however it is cut into pieces', () => {
    const kinds = ['drop', 'flip', 'double', 'insert', 'lose', 'repeat', 'swap', 'stale'] as const;
    const faults = schedule(...kinds.map((kind): Fault => ({ kind, way, every: [1, 60] })));
    const whole = through(faults, 1e6);
    expect(Object.keys(whole.counts)).toHaveLength(kinds.length);
    for (const piece of [1, 7, 64]) expect(through(faults, piece)).toEqual(whole);
    expect(through({ ...faults, seed: 5 }, 64).bytes).not.toEqual(whole.bytes);
  });

  it.each([
    ['drop', -1],
    ['double', 1],
    ['insert', 1],
    ['flip', 0],
  ] as const)('%s: one byte in every ten', (kind, change) => {
    const { bytes, counts } = through(schedule({ kind, way, every: [10, 10] }), 64, 100);
    expect(counts).toEqual({ [kind]: 60 });
    expect(bytes).toHaveLength(600 + 60 * change);
    if (kind === 'flip') {
      const sent = Buffer.concat(frames(100));
      expect(bytes.filter((byte, i) => byte !== sent[i])).toHaveLength(60);
    }
  });

  it.each([
    ['lose', [0, 1, 3, 4]],
    ['repeat', [0, 1, 2, 2, 3, 4]],
    ['swap', [0, 1, 3, 2, 4]],
  ] as const)('%s: the third frame', (kind, order) => {
    const { bytes } = through(schedule({ kind, way, every: [3, 3], times: 1 }), 64, 5);
    expect(bytes.filter((_, i) => i % 6 === 1).map((first) => first - 1)).toEqual(order);
  });

  it('saturates the ADCs for a while', async () => {
    const faults = schedule({ kind: 'saturate', of: 'frames', every: [3, 3], times: 1, frames: 2 });
    const board = createVirtualBoard({ profile: 'ideal', seed: 1, faults });
    endings.push(() => board.close());
    const host = new Host(board);
    await host.hello();
    const read = async () => {
      const row = { name: 'ReadRows' as const, array: 0, firstRow: 0, rowCount: 1, code: 3000, samples: 1 };
      return (await host.request(row)).counts[0];
    };
    const counts = [await read(), await read(), await read(), await read()];
    expect(counts.map((count) => count === 32767)).toEqual([false, true, true, false]);
  });

  it('reboots in the middle of a batch: what came before is applied, what comes after is not', async () => {
    const faults = schedule({ kind: 'reboot', of: 'pulses', every: [5, 5], times: 1 });
    let pulses = 0;
    const board = createVirtualBoard({ profile: 'ideal', seed: 1, faults, trace: () => pulses++ });
    endings.push(() => board.close());
    const host = new Host(board);
    const { bootId } = await host.hello();
    const op = { kind: 'PULSE', array: 0, row: 1, column: 1, code: 900, width: 1e-5, samples: 0 } as const;
    host.request({ name: 'Cells', ops: new Array(20).fill(op) }).catch(() => {});
    while (board.faultCounts?.reboot !== 1) await new Promise((resolve) => setTimeout(resolve, 1));
    expect((await host.hello()).bootId).not.toBe(bootId);
    expect(pulses).toBe(5);
  });
});

describe('a schedule that is wrong is refused in one line', () => {
  const good = { kind: 'lose', way: 'to-host', every: [1, 2] };
  it.each<[string, unknown, RegExp]>([
    ['an unknown field', { ...good, chance: 0.1 }, /unknown field "faults.0.chance"/],
    ['a field missing', { kind: 'late', way: 'to-host', every: [1, 2] }, /field "faults.0.time"/],
    ['an unknown kind', { ...good, kind: 'fire' }, /field "faults.0.kind"/],
    ['gaps the wrong way round', { ...good, every: [3, 2] }, /field "faults.0.every": .*\[lowest, highest\]/],
    ['a gap of nothing', { ...good, every: [0, 2] }, /field "faults.0.every.0"/],
  ])('%s', (_, fault, message) => {
    const parse = () => parseFaults({ seed: 1, faults: [fault] }, 'x.json');
    expect(parse).toThrow(message);
    expect(parse).toThrow(/^fault schedule x.json: [^\n]*$/);
  });

  it('a file that is missing or no JSON', () => {
    const folder = mkdtempSync(join(tmpdir(), 'memloop-'));
    endings.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'faults.json');
    expect(() => loadFaults(path)).toThrow(/faults.json does not exist/);
    writeFileSync(path, '{');
    expect(() => loadFaults(path)).toThrow(/faults.json is not JSON/);
  });
});
