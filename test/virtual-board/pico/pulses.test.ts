/** Pulses as they are on the bus: every edge, every line, every cell. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CellOperation } from '../../../src/driver/index.js';
import { cellsAt, type Moment, openPico, STEP, watchLines } from './shared.js';

type Pulse = Extract<CellOperation, { kind: 'pulse' }>;

const pulse = fc
  .record({
    row: fc.integer({ min: 0, max: 7 }),
    column: fc.integer({ min: 0, max: 7 }),
    code: fc.integer({ min: -13107, max: 9830 }),
    width: fc.oneof(fc.integer({ min: 100, max: 400 }), fc.integer({ min: 100, max: 65_000 })),
  })
  .filter(({ code, width }) => code !== 0 && (code * STEP) ** 2 * width * 1e-7 <= 1e-8 * 4 * 1000)
  .map(({ row, column, code, width }): Pulse => {
    return { kind: 'pulse', array: 0, row, column, voltage: code * STEP, width: width * 1e-7 };
  });

const signed = (value: number, like: number) => (like < 0 ? -value : value);

/** Asserts one pulse on the lines between two rests; `tolerance` of its width, s. */
function assertPulse(moments: readonly Moment[], { row, column, voltage, width }: Pulse, tolerance: number) {
  const code = Math.round(voltage / STEP);
  expect(moments.map(({ by }) => by)).toEqual(['switches', 'load', 'row', 'row', 'reset']);
  const [closed, biased, plateau, after, rest] = moments;
  // Switches close while all lines are at 0 V, and open with the DACs at the end.
  expect(cellsAt(closed).every((v) => v === 0)).toBe(true);
  expect(rest.switches.every((byte) => byte === 0)).toBe(true);
  // The selected row is behind its resistor, the others are not, and no column has its meter.
  expect(closed.switches.slice(0, 4)).toEqual([0, 255, 255 & ~(1 << row), 1 << row]);
  // Each edge moves the selected row and nothing else.
  for (const moment of [plateau, after]) {
    expect(moment.columns).toEqual(biased.columns);
    expect(moment.rows.filter((_, r) => r !== row)).toEqual(biased.rows.filter((_, r) => r !== row));
  }
  expect(after.rows).toEqual(biased.rows);
  expect(Math.abs(plateau.to - plateau.from - width)).toBeLessThan(tolerance);
  // No line goes beyond the voltage asked for, nor the other way.
  for (const { rows, columns } of moments)
    for (const line of [...rows, ...columns]) {
      expect(signed(line, code)).toBeGreaterThanOrEqual(0);
      expect(signed(line, code)).toBeLessThanOrEqual(Math.abs(code));
    }
  // The cell sees the voltage. Those of its column see a part of it, and while it lasts those of its row too; the others what
  // the parts leave, the other way round. All within a step.
  const part = code / (code > 0 ? 2 : 3);
  for (const moment of [biased, plateau, after])
    cellsAt(moment).forEach((v, i) => {
      const here = [moment === plateau && Math.floor(i / 8) === row, i % 8 === column];
      if (here[0] && here[1]) expect(v).toBe(code);
      else expect(Math.abs(v - (here[0] || here[1] ? part : 2 * part - code))).toBeLessThanOrEqual(1);
    });
  // The bias has settled before the edge, and lasts no longer than it must.
  for (const { from, to } of [biased, after]) {
    expect(to - from).toBeGreaterThan(10e-6);
    expect(to - from).toBeLessThan(40e-6);
  }
}

/** The moments of each pulse, from one rest to the next. */
function byPulse(moments: readonly Moment[]): Moment[][] {
  const pulses: Moment[][] = [[]];
  for (const moment of moments) {
    pulses.at(-1)?.push(moment);
    if (moment.by === 'reset') pulses.push([]);
  }
  return pulses.filter((list) => list.some(({ by }) => by === 'load'));
}

describe.each([
  // The clock of microseconds and the frames' time are exact there.
  ['wasm', 8, 1e-9],
  // The whole firmware, with the core's cycles: well within the ±1 µs that is asked for.
  ['emulator', 1, 0.1e-6],
] as const)('%s', (runs, numRuns, tolerance) => {
  test('every pulse has its width and its voltages, on every line and over every cell', async () => {
    const { board, virtual } = await openPico({ runs });
    const moments = watchLines(virtual);
    const batches = fc.array(pulse, { minLength: 20, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(batches, async (pulses) => {
        moments.length = 0;
        const outcomes = await board.cells(pulses);
        expect(outcomes.map(({ status }) => status)).toEqual(pulses.map(() => 'applied'));
        const seen = byPulse(moments);
        expect(seen).toHaveLength(pulses.length);
        for (const [n, lines] of seen.entries()) assertPulse(lines, pulses[n], tolerance);
      }),
      { numRuns, seed: 5, endOnFailure: true },
    );
    await board.close();
  });

  test('at every cell, from the shortest to the longest', async () => {
    const { board, virtual } = await openPico({ runs });
    const moments = watchLines(virtual);
    const widths = [1e-5, 9.99e-5, 1.203e-4, 1e-3, 6.5e-3];
    const pulses = Array.from({ length: 64 }, (_, i): Pulse => {
      const width = widths[i % widths.length];
      return {
        kind: 'pulse',
        array: 0,
        row: i >> 3,
        column: i & 7,
        voltage: width > 9e-4 ? (i % 3 ? -0.07 : 0.07) : i % 3 ? -0.5 : 0.5,
        width,
      };
    }).map((p) => ({ ...p, voltage: Math.round(p.voltage / STEP) * STEP }));
    await board.cells(pulses);
    const seen = byPulse(moments);
    expect(seen).toHaveLength(64);
    for (const [n, lines] of seen.entries()) assertPulse(lines, pulses[n], tolerance);
    await board.close();
  });
});
