import { describe, expect, it } from 'vitest';
import { parseAd2Url } from '../../../src/boards/ad2/open.js';
import { guardBoard } from '../../../src/calibration/index.js';
import type { CellOperation } from '../../../src/driver/index.js';
import { Random } from '../../../src/model/random.js';
import type { Ad2Fault } from '../../../src/virtual-board/stand-ins/ad2/faults.js';
import { scratch } from '../../integration/shell.js';
import { CIRCUITS, faultsOf, pulse, simulated } from './shared.js';

describe.each(CIRCUITS)('mode $mode, $series Ω', ({ mode, series }) => {
  it('reads conductances in spite of offsets, inputs and quantisation', async () => {
    const { chip, open } = simulated({ mode, series });
    const board = await open();
    const currents = await board.readRows(0, 0, 8, 0.1, 16);
    const truth = chip.crossbars[0].conductances(0.1);
    truth.forEach((g, cell) => {
      expect(Math.abs(currents[cell] / 0.1 - g)).toBeLessThan(0.15e-6 + 0.01 * g);
    });
    await board.close();
  });

  it('a pulse is the voltage and width that were asked for, on that cell alone', async () => {
    const { chip, received, open } = simulated({ mode, series });
    const board = await open();
    const before = chip.crossbars[0].state.slice();
    received.length = 0;
    expect(await board.cells([pulse(3, 1, 0.5, 50e-6)])).toEqual([{ status: 'applied' }]);
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({ row: 3, column: 1, width: 50e-6 });
    expect(received[0].voltage).toBeCloseTo(0.5 * (1 + series / 1e6), 2);
    const moved = chip.crossbars[0].state.map((x, i) => x - before[i]);
    expect(moved[3 * 2 + 1]).toBeGreaterThan(0.1);
    expect(moved.filter((x) => x !== 0)).toHaveLength(1);
    await board.close();
  });

  it('traces voltage and current of a cell', async () => {
    const { chip, open } = simulated({ mode, series });
    const board = await open();
    const rate = 40_000;
    const wave = Float64Array.from({ length: 400 }, (_, i) => 0.1 * Math.sin((Math.PI * (i + 0.5)) / 400));
    const [g] = chip.crossbars[0].conductances(0.05);
    const { voltage, current } = await board.trace!({ array: 0, row: 0, column: 0 }, wave, rate);
    const sum = (f: (i: number) => number) => voltage.reduce((total, _, i) => total + f(i), 0);
    const slope = sum((i) => current[i] * voltage[i]) / sum((i) => voltage[i] ** 2);
    expect(Math.abs(slope / g - 1)).toBeLessThan(0.03);
    const offset = sum((i) => current[i] - g * voltage[i]) / current.length;
    expect(Math.abs(offset)).toBeLessThan(2e-8);
    await board.close();
  });
});

it('mode 2 sums both columns of eight rows by bit planes; mode 1 says that it has no products', async () => {
  const { chip, open, waited } = simulated({ mode: 2 });
  const board = await open();
  expect(board.description.products).toBe('bit-planes');
  const inputs = Float32Array.from([0.2, -0.05, 0, 0.1, -0.2, 0.03, 0.15, -0.1]);
  waited.seconds = 0;
  const sums = await board.multiply(0, inputs);
  // Both signs are measured, each in up to six planes; what is not waited for are calls over USB.
  const each = board.description.productTime! / (waited.seconds / 2);
  expect(each).toBeGreaterThan(1);
  expect(each).toBeLessThan(2);
  const truth = chip.crossbars[0].conductances(0.05);
  for (const column of [0, 1]) {
    const exact = inputs.reduce((sum, v, row) => sum + v * truth[2 * row + column], 0);
    const size = inputs.reduce((sum, v, row) => sum + Math.abs(v) * truth[2 * row + column], 0);
    expect(Math.abs(sums[column] - exact)).toBeLessThan(0.02 * size);
  }
  await board.close();
  const other = await simulated().open();
  expect(other.description.products).toBe('none');
  await expect(other.multiply(0, inputs)).rejects.toThrow(/no analog products/);
  await other.close();
});

describe('opening', () => {
  it.each([
    [{ mode: 2 as const, seed: 1, faults: [] }, /slide switch is at mode 2.*write mode=2/],
    [{ suppliesOff: true, seed: 1, faults: [] }, /no memristor conducts.*supplies/],
    [{ inUse: true, seed: 1, faults: [] }, /close WaveForms/],
    [{ absent: true, seed: 1, faults: [] }, /no Analog Discovery is plugged in/],
    [{ leak: 2e-6, seed: 1, faults: [] }, /a switch leaks/],
  ])('%o is one line with the remedy', async (faults, message) => {
    const { open } = simulated({ faults });
    await expect(open('mode=1&series=10000')).rejects.toThrow(message);
  });

  it('finds mode 1 where the URL says mode 2', async () => {
    await expect(simulated().open('mode=2&series=20000')).rejects.toThrow(/is at mode 1/);
  });

  it('asks for a serial number that is there', async () => {
    const { library, open } = simulated();
    const { serial } = library;
    const board = await open();
    expect(board.description.boardSerial).toBe(serial.replace('SN:', ''));
    await board.close();
    const { openAd2 } = await import('../../../src/boards/ad2/open.js');
    await expect(openAd2(library, parseAd2Url('ad2:210999?mode=1'))).rejects.toThrow(
      /no Analog Discovery 210999/,
    );
  });

  it.each(['ad2:?mode=3', 'ad2:?series=1', 'ad2:?max=5', 'ad2:?volts=1', 'ad2:?chip=a b', 'ad2:a/b'])(
    '%s is refused',
    (url) => {
      expect(() => parseAd2Url(url)).toThrow(/write ad2:/);
    },
  );
});

it('all switches are open after every call, when it is stopped, and when it is closed', async () => {
  const { library, open } = simulated();
  const board = await open();
  expect(library.closed).toBe(0);
  await board.cells([pulse(0, 0, 0.3)]);
  expect(library.closed).toBe(0);
  await board.readRows(0, 0, 8, 0.05, 1);
  expect(library.closed).toBe(0);
  const working = board.cells(Array.from({ length: 50 }, () => pulse(0, 0, 0.2)));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await board.stop();
  const outcomes = await working;
  expect(outcomes.at(-1)).toMatchObject({ status: 'refused' });
  expect(library.closed).toBe(0);
  await board.close();
  expect(library.closed).toBe(0);
});

it('each fault leaves a pulse applied, refused or unknown as it was, and the next one works', async () => {
  const kinds: Ad2Fault[] = [
    ...(['no-trigger', 'no-start', 'fail-before', 'fail-after', 'cut', 'weak', 'late'] as const).map(
      (kind) => ({
        kind,
        every: [1, 1] as [number, number],
        times: 1,
      }),
    ),
    { kind: 'unplug', after: true, calls: 2, every: [1, 1], times: 1 },
    { kind: 'unplug', after: false, calls: 2, every: [1, 1], times: 1 },
    { kind: 'supplies-off', calls: 3, every: [1, 1], times: 1 },
  ];
  for (const fault of kinds) {
    // The self-check has some runs: the fault meets the first pulse after it.
    const { received, open } = simulated({ faults: faultsOf({ ...fault, every: [10, 10] }) });
    const board = await open('mode=1&series=10000', 1);
    received.length = 0;
    const [outcome] = await board.cells([pulse(2, 0, 0.4)]);
    const given = received.filter(({ voltage }) => Math.abs(voltage) > 0.3).length;
    expect([fault.kind, outcome.status]).toEqual([fault.kind, 'unknown']);
    expect(given).toBeLessThanOrEqual(1);
    let next = await board.cells([pulse(2, 0, 0.4)]);
    // Supplies come back after a while.
    for (let i = 0; i < 3 && next[0].status === 'refused'; i++) next = await board.cells([pulse(2, 0, 0.4)]);
    expect([fault.kind, ...next]).toEqual([fault.kind, { status: 'applied' }]);
    await board.close();
  }
});

it('no pulse is believed that was not applied, none is given twice, whatever goes wrong', async () => {
  const total = Number(process.env.MEMLOOP_SOAK_PULSES ?? 500);
  const gap: [number, number] = [50, 300];
  const { received, open } = simulated({
    seed: 7,
    faults: {
      seed: 7,
      faults: [
        ...(['no-trigger', 'no-start', 'fail-before', 'fail-after', 'cut', 'weak', 'late'] as const).map(
          (kind): Ad2Fault => ({ kind, every: gap }),
        ),
        { kind: 'unplug', after: true, calls: 3, every: [200, 600] },
        { kind: 'unplug', after: false, calls: 3, every: [200, 600] },
        { kind: 'supplies-off', calls: 4, every: [200, 600] },
      ],
    },
  });
  const board = await open('mode=1&series=10000', 1);
  const random = new Random(3);
  const counts = { applied: 0, refused: 0, unknown: 0, read: 0, wrong: 0 };
  for (let asked = 0; asked < total; ) {
    const batch: CellOperation[] = Array.from({ length: 8 }, () =>
      pulse(
        random.integer(8),
        random.integer(2),
        (random.uniform() < 0.5 ? -1 : 1) * (0.2 + 0.5 * random.uniform()),
      ),
    );
    asked += batch.length;
    received.length = 0;
    const outcomes = await board.cells(batch);
    const given = received.filter(({ voltage }) => Math.abs(voltage) > 0.15 || voltage < 0);
    outcomes.forEach((outcome, i) => {
      counts[outcome.status]++;
      const one = batch[i] as CellOperation & { kind: 'pulse' };
      const mine = (p: (typeof given)[number]) => p.row === one.row && p.column === one.column;
      const exact = (p: (typeof given)[number]) =>
        mine(p) && Math.abs(p.voltage / one.voltage - 1) < 0.03 && Math.abs(p.width / one.width - 1) < 0.03;
      if (outcome.status === 'applied') {
        expect(given.length > 0 && exact(given[0]), JSON.stringify({ batch, outcomes, received })).toBe(true);
        given.shift();
      } else if (outcome.status === 'unknown' && given.length > 0 && mine(given[0])) {
        if (!exact(given[0])) counts.wrong++;
        given.shift();
      }
    });
    expect(given).toEqual([]);
    if (outcomes.every(({ status }) => status === 'applied')) continue;
    // What cannot be known is read again.
    await board.readRows(0, 0, 8, 0.05, 1).then(
      () => counts.read++,
      () => {},
    );
  }
  if (process.env.MEMLOOP_SOAK_PULSES) console.log(counts);
  expect(counts.applied).toBeGreaterThan(total / 2);
  expect(counts.unknown).toBeGreaterThan(total / 200);
  await board.close();
}, 3_600_000);

it('a trace passes the gate: each half of a period is a pulse, counted before it is sent', async () => {
  const { received, open } = simulated();
  const home = scratch();
  const events: { type: string }[] = [];
  const board = guardBoard(await open(), { home, emit: (event) => events.push(event) });
  const address = { array: 0, row: 4, column: 1 };
  const wave = Float64Array.from({ length: 400 }, (_, i) => 0.4 * Math.sin((4 * Math.PI * (i + 0.5)) / 400));
  received.length = 0;
  await board.trace!(address, wave, 40_000);
  const { pulses, energy } = board.passport.array(0).tables;
  expect(pulses[4 * 2 + 1]).toBe(4);
  expect(received).toHaveLength(4);
  expect(energy[4 * 2 + 1]).toBeGreaterThan(1e-10);
  expect(events).toContainEqual(expect.objectContaining({ type: 'pulses', status: 'applied' }));
  await expect(
    board.trace!(
      address,
      wave.map((v) => 5 * v),
      40_000,
    ),
  ).rejects.toMatchObject({ reason: 'limit' });
  board.passport.array(0).setHealth(4 * 2 + 1, 'quarantined');
  await expect(board.trace!(address, wave, 40_000)).rejects.toMatchObject({ reason: 'limit' });
  expect(received).toHaveLength(4);
  await board.close();
  const readOnly = guardBoard(await open(), { home, readOnly: true });
  await expect(readOnly.trace!({ ...address, row: 0 }, wave, 40_000)).rejects.toMatchObject({
    reason: 'usage',
  });
  await readOnly.close();
});
