import { expect, test } from 'vitest';
import { calibrateNeurons } from '../../../src/calibration/index.js';
import { twinTraining } from '../../../src/loop/index.js';
import { networkSpec } from '../../../src/model/index.js';
import { calibratedBoard } from '../../calibration/boards.js';

/** One tile of 8 inputs to 3 outputs, then 3 to 2. */
const spec = networkSpec([8, 3, 2], { steps: 50 });

test('a weight is limited to what its pair of cells can still do', async () => {
  const { board, calibrated, passport } = await calibratedBoard({
    change: (profile) => {
      profile.neurons = 2;
    },
  });
  expect(() => twinTraining(passport, spec)).toThrow(/neurons of board VB-.* are not calibrated/);
  passport.saveConverters(calibrated.calibration);
  passport.saveNeurons(await calibrateNeurons(board));
  const chip = passport.array(0);
  const span = { low: 4e-6, high: 44e-6 };
  for (const array of [0, 1]) {
    passport.array(array).window = span;
    // Most cells reach a fifth beyond the window.
    passport.array(array).tables.windowHigh.fill((span.low + 1.2 * (span.high - span.low)) / 0.95);
  }
  const stuck = (row: number, column: number, share: number) => {
    chip.setHealth(row * 8 + column, share > 0.5 ? 'stuck high' : 'stuck low');
    chip.tables.conductance[row * 8 + column] = span.low + share * (span.high - span.low);
  };
  // Weight (output j, input i) has its plus cell in row i, column 2j.
  stuck(1, 0, 1);
  stuck(2, 3, 0.9);
  stuck(3, 4, 0.1);
  stuck(3, 5, 0.7);
  const { twin, settings } = twinTraining(passport, spec);
  const limits = (j: number, i: number) => [twin.limits[0].low[j * 8 + i], twin.limits[0].high[j * 8 + i]];
  const expectLimits = (j: number, i: number, low: number, high: number) => {
    expect(limits(j, i)[0]).toBeCloseTo(low, 5);
    expect(limits(j, i)[1]).toBeCloseTo(high, 5);
  };
  expectLimits(0, 0, -1, 1);
  expectLimits(0, 1, -0.2, 1);
  expectLimits(1, 2, -0.9, 0.3);
  expectLimits(2, 3, -0.6, -0.6);
  expect(twin.neurons).toHaveLength(2);
  expect(settings.weightNoise).toBeGreaterThan(0.01);
  expect(settings.sumNoise).toBeGreaterThan(1e-3);
  expect(settings.sumNoise).toBeLessThan(0.3);

  const later = new Date(Date.now() + 31 * 86400e3);
  expect(() => twinTraining(passport, spec, undefined, later)).toThrow(/31 days old/);
});
