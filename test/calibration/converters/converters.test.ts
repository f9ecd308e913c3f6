import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitReadCurve, resistanceAt } from '../../../src/calibration/converters/read-profile.js';
import {
  CalibratedBoard,
  calibrateConverters,
  measureConductance,
  nominalCalibration,
  Passport,
} from '../../../src/calibration/index.js';
import { temporaryHome, virtualBoard } from '../boards.js';

/** Errors of the converters and nothing else, several times what the profile has. */
const converterErrors = () =>
  virtualBoard({
    effects: ['deviceSpread', 'converterErrors'],
    change: (profile) => {
      profile.effects.converterErrors.rowOffset = 0.002;
      profile.effects.converterErrors.rowGain = 0.03;
      profile.effects.converterErrors.rowNonlinearity = 0;
    },
  });

const largestError = (measured: ArrayLike<number>, truth: ArrayLike<number>): number =>
  Array.from(truth, (value, i) => Math.abs(measured[i] / value - 1)).reduce((a, b) => Math.max(a, b));

describe('converter calibration', () => {
  test('reads come out true, which they are not without it', async () => {
    const { board, crossbars } = await converterErrors();
    const truth = crossbars[0].conductances(0.05);
    const nominal = await measureConductance(new CalibratedBoard(board, nominalCalibration(board)), 0);
    expect(largestError(nominal, truth)).toBeGreaterThan(0.05);
    const calibrated = await measureConductance(
      new CalibratedBoard(board, await calibrateConverters(board)),
      0,
    );
    // A count of the ADC is 2.4 nA, or 1.6 % of the least current read here.
    expect(largestError(calibrated, truth)).toBeLessThan(0.02);
  });

  test('products come out true: voltages asked for, currents in amperes', async () => {
    const { board, crossbars } = await converterErrors();
    const calibrated = new CalibratedBoard(board, await calibrateConverters(board));
    const truth = crossbars[0].conductances(0.1);
    const voltages = Float32Array.from({ length: 8 }, (_, row) => (row % 2 ? 0.1 : -0.08));
    const currents = await calibrated.multiply(0, voltages);
    for (let column = 0; column < 8; column++) {
      let expected = 0;
      for (let row = 0; row < 8; row++) expected += voltages[row] * truth[row * 8 + column];
      // Half a DAC step on each row and a count of the ADC.
      expect(Math.abs(currents[column] - expected)).toBeLessThan(8 * 0.25e-3 * 6e-5 + 2e-8);
    }
  });

  test('the stated uncertainties cover the spread of repeated calibrations', async () => {
    const { board } = await virtualBoard();
    const first = await calibrateConverters(board);
    const second = await calibrateConverters(board);
    const deviations = first.columns.flatMap((range, r) =>
      range.map((line, c) => {
        const other = second.columns[r][c];
        return (line.gain - other.gain) / Math.hypot(line.gainSigma, other.gainSigma);
      }),
    );
    const within = deviations.filter((z) => Math.abs(z) < 3).length / deviations.length;
    expect(within).toBeGreaterThanOrEqual(0.9);
  });

  test('a calibration of another board, of another size or too old is refused', async () => {
    const { board } = await virtualBoard();
    const calibration = nominalCalibration(board);
    expect(() => new CalibratedBoard(board, { ...calibration, boardSerial: 'VB-other' })).toThrow(
      /is of board VB-other, this is VB-.*memloop calibrate/,
    );
    expect(() => new CalibratedBoard(board, { ...calibration, rows: calibration.rows.slice(1) })).toThrow(
      /does not fit its 8 rows/,
    );
    const later = new Date(Date.parse(calibration.measured) + 31 * 86400e3);
    expect(() => new CalibratedBoard(board, calibration, later)).toThrow(/31 days old/);
  });

  test('a reference that is not there is named', async () => {
    const { board } = await virtualBoard({ change: (profile) => profile.references.splice(0) });
    await expect(calibrateConverters(board)).rejects.toThrow(/has no reference resistor/);
  });
});

describe("the vendor's R(v)", () => {
  test('a curve of that form is found back from a few resistors', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.8, max: 1.2, noNaN: true }),
        fc.double({ min: -200, max: 200, noNaN: true }),
        (exponent, offset) => {
          const truth = { scale: 2500, exponent, offset, residual: 0 };
          const readings = [0.005, 0.02, 0.08, 0.3, 0.7];
          const fit = fitReadCurve(
            readings,
            readings.map((v) => resistanceAt(truth, v)),
          );
          expect(fit.residual).toBeLessThan(1e-4);
          for (const v of [0.01, 0.05, 0.5])
            expect(resistanceAt(fit, v) / resistanceAt(truth, v)).toBeCloseTo(1, 3);
        },
      ),
    );
  });

  test('arrays read by it come out near the truth, nearer than without calibration', async () => {
    const { board, crossbars } = await converterErrors();
    const truth = crossbars[0].conductances(0.05);
    const calibration = await calibrateConverters(board, { readProfile: 'vendor' });
    const home = temporaryHome();
    Passport.open(board.description, home).saveConverters(calibration);
    const kept = Passport.open(board.description, home).converters!;
    expect(kept).toEqual(calibration);
    const error = (g: Float64Array) =>
      Math.hypot(...truth.map((value, i) => g[i] / value - 1)) / Math.sqrt(truth.length);
    const [curve, line, nominal] = await Promise.all(
      [kept, { ...kept, reads: undefined }, nominalCalibration(board)].map(async (by) =>
        error(await measureConductance(new CalibratedBoard(board, by), 0)),
      ),
    );
    expect(nominal).toBeGreaterThan(0.1);
    expect(curve).toBeLessThan(0.05);
    expect(line).toBeLessThan(0.01);
    // Its own voltage is the only one that it holds at.
    const other = await new CalibratedBoard(board, kept).conductances(0, { voltage: 0.1 });
    expect(error(other)).toBeLessThan(0.05);
  });

  test('too few resistors, and a curve of another size, are refused', async () => {
    const { board } = await virtualBoard({ change: (profile) => profile.references.splice(3) });
    await expect(calibrateConverters(board, { readProfile: 'vendor' })).rejects.toThrow(
      /R\(v\) needs 4: calibrate without --read-profile/,
    );
    const whole = await virtualBoard();
    const { reads, ...lines } = await calibrateConverters(whole.board, { readProfile: 'vendor' });
    const short = { ...reads!, columns: reads!.columns.slice(1) };
    expect(() => new CalibratedBoard(whole.board, { ...lines, reads: short })).toThrow(/does not fit/);
  });
});
