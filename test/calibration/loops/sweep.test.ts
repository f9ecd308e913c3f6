import { describe, expect, test } from 'vitest';
import {
  driveCell,
  formCell,
  measureEndurance,
  measureRetention,
  waveSteps,
} from '../../../src/calibration/index.js';
import { calibratedBoard } from '../boards.js';

const cell = { array: 0, row: 2, column: 3 };

describe('a sweep', () => {
  test('is one wave: right length, both polarities, its amplitude', async () => {
    const { calibrated } = await calibratedBoard();
    const { limits } = calibrated.description;
    for (const waveform of ['triangle', 'sine'] as const) {
      const steps = waveSteps(limits, { waveform, amplitude: 0.4, frequency: 100, points: 200 });
      expect(steps.reduce((sum, { width }) => sum + width, 0)).toBeCloseTo(0.01, 9);
      expect(Math.max(...steps.map(({ voltage }) => voltage))).toBeCloseTo(0.4, 2);
      expect(Math.min(...steps.map(({ voltage }) => voltage))).toBeCloseTo(-0.4, 2);
    }
    // A step longer than the longest pulse is split.
    expect(waveSteps(limits, { amplitude: 0.4, frequency: 10, points: 100 })).toHaveLength(200);
    expect(() => waveSteps(limits, { amplitude: 2, frequency: 10, points: 100 })).toThrow(
      /amplitude 2 V is outside/,
    );
    expect(() => waveSteps(limits, { amplitude: 0.4, frequency: 10e3, points: 100 })).toThrow(
      /shortest is 2.50 µs/,
    );
  });

  test('shows a pinched loop: no current at no voltage, on above the threshold, off below', async () => {
    const { calibrated } = await calibratedBoard({ effects: ['deviceSpread'] });
    const steps = waveSteps(calibrated.description.limits, { amplitude: 0.4, frequency: 100, points: 200 });
    const samples = await driveCell(calibrated, cell, steps, { budget: 200 });
    const at = (share: number) => samples[Math.round(share * 199)].conductance;
    expect(at(0.3)).toBeGreaterThan(3 * at(0.05));
    expect(at(0.8)).toBeLessThan(at(0.5) / 5);
    for (const { voltage, current } of samples) expect(voltage * current).toBeGreaterThanOrEqual(0);
  });

  test('asks for its budget first, and refuses cells and pulses that are not there', async () => {
    const { calibrated, trace } = await calibratedBoard();
    const step = { voltage: 0.3, width: 1e-4 };
    await expect(driveCell(calibrated, cell, [step])).rejects.toThrow(
      /needs 1 pulses on the cell: allow them with --budget 1/,
    );
    await expect(driveCell(calibrated, { ...cell, row: 8 }, [step], { budget: 1 })).rejects.toThrow(
      /no cell at row 8/,
    );
    await expect(driveCell(calibrated, cell, [{ voltage: 0.9, width: 1e-4 }], { budget: 1 })).rejects.toThrow(
      /over the board's limits/,
    );
    await expect(
      driveCell(
        calibrated,
        cell,
        Array.from({ length: 5001 }, () => step),
        { budget: 1e6 },
      ),
    ).rejects.toThrow(/board allows 5000/);
    expect(trace).toHaveLength(0);
  });

  test('endurance gives the window of each cycle, forming ends as soon as the cell answers', async () => {
    const { calibrated, passport, trace } = await calibratedBoard({ effects: ['deviceSpread'] });
    const pulse = (voltage: number) => ({ voltage, width: 3e-4 });
    const found = await measureEndurance(calibrated, cell, 5, {
      write: pulse(0.45),
      erase: pulse(-0.35),
      budget: 10,
    });
    expect(found.high).toHaveLength(5);
    for (const [i, high] of found.high.entries()) expect(high).toBeGreaterThan(5 * found.low[i]);
    expect(found.failedAfter).toBeUndefined();
    const before = trace.length;
    const { formed } = await formCell(calibrated, { ...cell, row: 5 }, { budget: 14 });
    expect(formed).toBe(true);
    expect(trace.length - before).toBeLessThan(14);
    expect(passport.array(0).tables.pulses.reduce((a, b) => a + b)).toBe(trace.length);
  });

  test('retention reads the array at the times asked for, without pulses', async () => {
    const { calibrated, trace, virtual } = await calibratedBoard({
      effects: ['drift'],
      change: (profile) => {
        profile.effects.drift = { enabled: true, exponent: 0.05, deviation: 0, time: 1 };
      },
    });
    const reads = await measureRetention(calibrated, 0, [0, 10, 1000], {
      wait: async (seconds) => virtual.elapse(seconds),
    });
    const mean = reads.map(({ conductance }) => conductance.reduce((a, b) => a + b) / 64);
    expect(mean[1]).toBeLessThan(0.95 * mean[0]);
    expect(mean[2]).toBeLessThan(0.9 * mean[1]);
    expect(trace).toHaveLength(0);
  });
});
