/** The vendor's read calibration, R(v), which may be chosen instead of straight lines. */
import { levenbergMarquardt } from 'ml-levenberg-marquardt';
import type { Board } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import type { ReadCurve, ReadProfile } from './types.js';

/** ADC samples averaged at each resistor. */
const SAMPLES = 64;
/** Readings above this share of the range are taken for saturated. */
const SATURATED = 0.95;
/** A curve has three parameters. */
const RESISTORS_MIN = 4;
/** Relative residual above which a curve is refused. */
const RESIDUAL_MAX = 0.1;

/** Ω; infinite where nothing flows. */
export const resistanceAt = (
  { scale, exponent, offset }: Omit<ReadCurve, 'residual'>,
  reading: number,
): number => (reading > 0 ? scale * reading ** -exponent + offset : Infinity);

/** Fits R(v) to known resistors, in relative error as the vendor does. */
export function fitReadCurve(readings: readonly number[], resistances: readonly number[]): ReadCurve {
  const typical = Math.exp(resistances.reduce((sum, r) => sum + Math.log(r), 0) / resistances.length);
  const start = readings.map((v, i) => Math.log(v * resistances[i])).sort((a, b) => a - b);
  const curve = ([logScale, exponent, offset]: readonly number[]): Omit<ReadCurve, 'residual'> => ({
    scale: Math.exp(logScale!),
    exponent: exponent!,
    offset: offset! * typical,
  });
  const relative = (of: Omit<ReadCurve, 'residual'>, i: number) =>
    resistanceAt(of, readings[i]) / resistances[i];
  const { parameterValues } = levenbergMarquardt(
    { x: readings.map((_, i) => i), y: readings.map(() => 1) },
    (q) => (i) => relative(curve(q), i),
    {
      initialValues: [start[Math.floor(start.length / 2)], 1, 0],
      minValues: [Math.log(1e-3), 0.2, -10],
      maxValues: [Math.log(1e12), 5, 10],
      gradientDifference: 1e-6,
      maxIterations: 200,
      errorTolerance: 1e-14,
    },
  );
  const fitted = curve(parameterValues);
  const squares = readings.reduce((sum, _, i) => sum + (relative(fitted, i) - 1) ** 2, 0);
  return { ...fitted, residual: Math.sqrt(squares / readings.length) };
}

/** Measures R(v) of every column at this voltage, V, on the board's reference resistors through row 0. Throws `calibration`. */
export async function measureReadProfile(
  board: Board,
  voltage: number,
  { emit, signal }: { emit?: Emit | undefined; signal?: AbortSignal | undefined } = {},
): Promise<ReadProfile> {
  const { columns, currentRanges, references, boardSerial } = board.description;
  const { max } = currentRanges[0];
  const progress = progressOf(emit, 'calibrate reads', 'columns', columns);
  const curves: ReadCurve[] = [];
  for (let column = 0; column < columns; column++) {
    signal?.throwIfAborted();
    const measured = await Promise.all(
      references.map(async (resistance, reference) => {
        const [current] = await board.reference(0, column, reference, Float32Array.of(voltage), {
          range: 0,
          samples: SAMPLES,
        });
        return { resistance, reading: current! / max };
      }),
    );
    const used = measured.filter(({ reading }) => reading > 0 && reading < SATURATED);
    if (used.length < RESISTORS_MIN)
      throw new MemloopError(
        'calibration',
        `only ${used.length} reference resistors of board ${boardSerial} can be read at ${voltage} V, R(v) needs ${RESISTORS_MIN}: calibrate without --read-profile`,
      );
    const curve = fitReadCurve(
      used.map(({ reading }) => reading),
      used.map(({ resistance }) => resistance),
    );
    if (!(curve.residual < RESIDUAL_MAX))
      throw new MemloopError(
        'calibration',
        `R(v) of column ${column} of board ${boardSerial} misses its reference resistors by ${(100 * curve.residual).toFixed(0)} %: check that line and the resistors`,
      );
    curves.push(curve);
    progress.step();
  }
  return { voltage, columns: curves };
}
