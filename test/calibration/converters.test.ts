import { describe, expect, test } from 'vitest';
import {
  CalibratedBoard,
  calibrateConverters,
  measureConductance,
  nominalCalibration,
} from '../../src/calibration/index.js';
import { virtualBoard } from './boards.js';

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
  Array.from(truth, (value, i) => Math.abs(measured[i]! / value - 1)).reduce((a, b) => Math.max(a, b));

describe('converter calibration', () => {
  test('reads come out true, which they are not without it', async () => {
    const { board, crossbars } = await converterErrors();
    const truth = crossbars[0]!.conductances(0.05);
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
    const truth = crossbars[0]!.conductances(0.1);
    const voltages = Float32Array.from({ length: 8 }, (_, row) => (row % 2 ? 0.1 : -0.08));
    const currents = await calibrated.multiply(0, voltages);
    for (let column = 0; column < 8; column++) {
      let expected = 0;
      for (let row = 0; row < 8; row++) expected += voltages[row]! * truth[row * 8 + column]!;
      // Half a DAC step on each row and a count of the ADC.
      expect(Math.abs(currents[column]! - expected)).toBeLessThan(8 * 0.25e-3 * 6e-5 + 2e-8);
    }
  });

  test('the stated uncertainties cover the spread of repeated calibrations', async () => {
    const { board } = await virtualBoard();
    const first = await calibrateConverters(board);
    const second = await calibrateConverters(board);
    const deviations = first.columns.flatMap((range, r) =>
      range.map((line, c) => {
        const other = second.columns[r]![c]!;
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
