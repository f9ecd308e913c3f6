/**
 * Pulses under faults of all kinds, compared with what the cells really received. MEMLOOP_SOAK_PULSES: how many; 20,000
 * take some minutes.
 */
import { expect, it } from 'vitest';
import type { CellOperation } from '../../../src/driver/index.js';
import { Random } from '../../../src/model/random.js';
import type { KtramFault } from '../../../src/virtual-board/stand-ins/ktram/faults.js';
import { faultsOf, simulated } from './shared.js';

const PULSES = Number(process.env.MEMLOOP_SOAK_PULSES ?? 1500);

const faults: KtramFault[] = [
  ...(['none', 'half', 'all'] as const).flatMap((done): KtramFault[] => [
    { kind: 'close', done, on: 'write', every: [30, 100] },
    { kind: 'error', done, on: 'write', every: [60, 120] },
    { kind: 'false', done, on: 'write', every: [60, 180] },
    { kind: 'restart', done, time: 0.05, on: 'any', every: [100, 200] },
  ]),
  { kind: 'silent', done: 'half', on: 'write', every: [60, 200] },
  { kind: 'slow', time: 0.3, on: 'write', every: [60, 200] },
  { kind: 'slow', time: 0.05, on: 'any', every: [40, 160] },
  { kind: 'cut', on: 'any', every: [30, 100] },
  { kind: 'torn', on: 'any', every: [30, 100] },
  { kind: 'deny', on: 'write', every: [60, 120] },
  { kind: 'close', done: 'half', on: 'read', every: [20, 40] },
];

it(`of ${PULSES} pulses under faults none is believed that was not applied, none is given twice`, {
  timeout: 60_000 + PULSES * 100,
}, async () => {
  const { server, received, open } = await simulated(faultsOf(faults));
  const board = await open('&timeout=0.2', 20);
  const random = new Random(7);
  const drawn = (): CellOperation => ({
    kind: 'pulse',
    array: random.integer(8),
    row: random.integer(8),
    column: random.integer(8),
    voltage: 0.05 + 0.005 * random.integer(2),
    width: 2.5e-6 * (1 + random.integer(2)),
  });
  const key = (one: { array: number; row: number; column: number; voltage: number; width: number }) =>
    `${one.array} ${one.row} ${one.column} ${Math.round(one.voltage * 1e3)} ${Math.round(one.width * 1e7)}`;
  const count = { applied: 0, refused: 0, unknown: 0, given: 0 };
  for (let asked = 0; asked < PULSES; ) {
    const operations = Array.from({ length: Math.min(1 + random.integer(80), PULSES - asked) }, drawn);
    asked += operations.length;
    const outcomes = await board.cells(operations);
    const row = random.integer(8);
    // Queued behind whatever the server still does.
    await board.readRows(0, row, 1, 0.1, 1);
    const given = new Map<string, number>();
    for (const one of received.splice(0)) {
      given.set(key(one), (given.get(key(one)) ?? 0) + 1);
      count.given++;
    }
    const least = new Map<string, number>();
    const most = new Map<string, number>();
    for (const [i, { status }] of outcomes.entries()) {
      count[status]++;
      const name = key(operations[i] as Parameters<typeof key>[0]);
      least.set(name, (least.get(name) ?? 0) + (status === 'applied' ? 1 : 0));
      most.set(name, (most.get(name) ?? 0) + (status === 'refused' ? 0 : 1));
    }
    for (const name of new Set([...given.keys(), ...most.keys()])) {
      expect(given.get(name) ?? 0, name).toBeGreaterThanOrEqual(least.get(name) ?? 0);
      expect(given.get(name) ?? 0, name).toBeLessThanOrEqual(most.get(name) ?? 0);
    }
  }
  expect(count.given).toBeGreaterThanOrEqual(count.applied);
  expect(count.given).toBeLessThanOrEqual(count.applied + count.unknown);
  expect(count.applied).toBeGreaterThan(PULSES / 3);
  expect(count.unknown).toBeGreaterThan(0);
  console.info(`kT-RAM: ${JSON.stringify({ ...count, faults: server.counts })}`);
});
