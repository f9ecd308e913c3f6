/** What a search has found: parameters, their uncertainty, and how well they explain the loops. */
import { CholeskyDecomposition, inverse, Matrix } from 'ml-matrix';
import type { MemristorParameters } from '../../model/devices/memristor.js';
import { W_SDC_PRIOR } from '../devices/prior.js';
import type { FailureReason } from '../programming/report.js';
import { classify } from './classify.js';
import {
  COORDINATES,
  drivenBy,
  type Measured,
  OFFSETS,
  PHI,
  parametersFrom,
  parametersOfLoop,
  SEARCHED,
  simulate,
  stepping,
} from './fit-model.js';
import { type LoopResponse, type MeasuredLoop, steadyLoop } from './loop-model.js';

/** What is fitted: the device, and the offsets of the oscilloscope that measured the loop. */
export const FITTED = [
  'ron',
  'roff',
  'von',
  'voff',
  'tau',
  'vt',
  'alpha',
  'beta',
  'voltageOffset',
  'currentOffset',
] as const;
export type FittedName = (typeof FITTED)[number];

export interface Fit {
  loops: string[];
  /** phi is held at 0.88: only (1 - phi)·alpha and phi/ron, phi/roff can be told from a loop. */
  parameters: MemristorParameters;
  /** Of the oscilloscope, V and A. */
  offsets: { voltage: number; current: number };
  /** One standard deviation, in the parameter's unit. */
  uncertainty: Record<FittedName, number>;
  /** RMS error of the current over its range, of each loop. */
  nrmse: number[];
  /** Of each loop, V: the loop's own where `ownThresholds` was set, else those of the device. */
  thresholds: { von: number; voff: number }[];
  class: 'pass' | FailureReason;
  /** Small-signal conductances at the loop's lowest and highest state, S. */
  window: { low: number; high: number };
  /** Of the first loop, for plots. */
  response: LoopResponse;
}

/** Thresholds are never known better than this share of the voltage step between two samples. */
const RESOLUTION = 0.08;
/** Samples are means over their time, and the model moves in half samples: no time is known better than this share of one. */
const TIMING = 0.25;
/** What the corners of a wave between two samples do to vt, relative. */
const CORNERS = 0.01;
/** Of an oscilloscope, relative. */
const GAIN = 5e-3;
/** In units of vt: the voltages over which a cell switches. */
const SWITCHING = 3;
/** By this share a rate is changed to see what that does. */
const RATE_STEP = 0.02;
/** Samples on either side over which the size of residuals is averaged. */
const AROUND = 4;

/** @param theta coordinates at which the search has ended */
export function fitReport(measured: Measured, theta: readonly number[]): Fit {
  const { loops } = measured;
  const model = simulate(theta, measured);
  const residuals = model.map((value, i) => value - measured.currents[i]).subarray(0, -theta.length);
  const parameters = parametersFrom(theta);
  const offsets = { voltage: theta[OFFSETS[0]], current: theta[OFFSETS[1]] };
  const response = steadyLoop(
    parametersOfLoop(theta, 0),
    drivenBy(loops[0], offsets.voltage, offsets.current),
    stepping(loops[0]),
  );
  const window = windowOf(parameters, response);
  return {
    loops: loops.map(({ name }) => name),
    parameters,
    offsets,
    uncertainty: widened(
      spreadOf(theta, measured, deviations(theta, measured, residuals)),
      parameters,
      loops,
    ),
    nrmse: nrmseOf(loops, residuals),
    thresholds: loops.map((_, l) => {
      const { von, voff } = parametersOfLoop(theta, l);
      return { von, voff };
    }),
    class: classify(loops[0], window.low, window.high),
    window,
    response,
  };
}

function nrmseOf(loops: readonly MeasuredLoop[], residuals: Float64Array): number[] {
  let at = 0;
  return loops.map(({ current }) => {
    const part = residuals.subarray(at, at + current.length);
    at += current.length;
    return Math.sqrt(part.reduce((sum, r) => sum + r * r, 0) / part.length);
  });
}

/** Small-signal conductances at the lowest and the highest state of a loop, S. */
function windowOf(p: MemristorParameters, { state }: LoopResponse): { low: number; high: number } {
  const conductance = (x: number) => PHI * (x / p.ron + (1 - x) / p.roff) + (1 - PHI) * 2 * p.alpha * p.beta;
  return {
    low: conductance(state.reduce((a, b) => Math.min(a, b))),
    high: conductance(state.reduce((a, b) => Math.max(a, b))),
  };
}

/**
 * How far the coordinates may be off, in their natural steps: a matrix whose columns are one deviation along independent
 * directions (the covariance is this times its transpose). From the model linearised at `theta` and the residuals.
 */
function deviations(theta: readonly number[], measured: Measured, residuals: Float64Array): Matrix {
  const { local, variance } = scatterOf(residuals, theta.length);
  // In natural steps, so that the normal matrix is well conditioned.
  const jacobian = theta.map((_, i) => {
    const delta = 1e-3 * measured.steps[i];
    const plus = simulate(theta.with(i, theta[i] + delta), measured);
    const minus = simulate(theta.with(i, theta[i] - delta), measured);
    return Array.from(plus, (value, k) => ((value - minus[k]) / (2 * delta)) * measured.steps[i]);
  });
  const j = new Matrix(jacobian);
  const weighted = new Matrix(
    jacobian.map((row) => row.map((value, i) => value * Math.sqrt(Math.max(1, local[i] ?? 1)))),
  );
  const precision = inverse(j.mmul(j.transpose()));
  const spreading = precision.mmul(weighted);
  const covariance = spreading.mmul(spreading.transpose()).mul(variance);
  for (const half of halves(theta, measured)) {
    const moved = precision.mmul(j).mmul(half);
    covariance.add(moved.mmul(moved.transpose()));
  }
  covariance.add(covariance.transpose()).mul(0.5);
  return new CholeskyDecomposition(covariance).lowerTriangularMatrix;
}

/**
 * Each half of a wave is a pulse, whose rate differs from that of others: by how much a deviation of it changes the currents,
 * one column a half. A fit takes that for a change of its parameters.
 */
function halves(theta: readonly number[], measured: Measured): Matrix[] {
  const nominal = simulate(theta, measured);
  return measured.loops.flatMap(({ pulsed }, l) =>
    pulsed
      ? []
      : [0, 1].map((half) => {
          const rates = measured.loops.map((_, k): [number, number] => {
            const faster = k === l ? 1 + RATE_STEP : 1;
            return half === 0 ? [faster, 1] : [1, faster];
          });
          const changed = simulate(theta, measured, rates);
          const share = W_SDC_PRIOR.pulseSigma / RATE_STEP;
          return Matrix.columnVector(Array.from(changed, (value, i) => share * (value - nominal[i])));
        }),
  );
}

/** Variance of one residual, and the square of each over the average, smoothed. */
function scatterOf(residuals: Float64Array, parameters: number): { local: Float64Array; variance: number } {
  const samples = residuals.length;
  let square = 0;
  let neighbours = 0;
  for (let i = 0; i < samples; i++) {
    square += residuals[i] ** 2;
    if (i > 0) neighbours += residuals[i] * residuals[i - 1];
  }
  // Residuals of neighbouring samples resemble each other: they are worth fewer samples than they are.
  const correlation = Math.min(0.95, Math.max(0, neighbours / square));
  // Residuals are larger where the loop switches, which is where it tells most parameters: each sample counts with the
  // size of the residuals around it, where that is above the average.
  const local = residuals.map((_, i) => {
    const around = residuals.subarray(Math.max(0, i - AROUND), Math.min(samples, i + AROUND + 1));
    return around.reduce((sum, r) => sum + r * r, 0) / around.length / (square / samples);
  });
  // As many samples as these are worth, they leave so many degrees of freedom.
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const independent = (1 - correlation) / (1 + correlation);
  const worth = (independent * sum(local) ** 2) / sum(local.map((value) => value ** 2));
  const freedom = Math.max(worth - parameters, worth / 4);
  return { local, variance: (square / samples / independent) * (worth / freedom) };
}

/** What is reported follows from the coordinates; its uncertainty from points one deviation away (unscented). */
function spreadOf(theta: readonly number[], { steps }: Measured, root: Matrix): Record<FittedName, number> {
  const reported = (coordinates: readonly number[]): number[] => {
    const q = parametersFrom(coordinates);
    return FITTED.map((name) =>
      name === 'voltageOffset' || name === 'currentOffset' ? coordinates[SEARCHED.indexOf(name)] : q[name],
    );
  };
  const centre = reported(theta);
  const spread = new Float64Array(FITTED.length);
  const reach = Math.sqrt(theta.length);
  theta.forEach((_, column) => {
    for (const sign of [1, -1]) {
      const point = theta.slice(0, SEARCHED.length).map((value, i) => {
        const { low, high } = COORDINATES[SEARCHED[i]];
        return Math.min(high, Math.max(low, value + sign * reach * root.get(i, column) * steps[i]));
      });
      reported(point).forEach((value, k) => {
        spread[k] += (value - centre[k]) ** 2 / (2 * theta.length);
      });
    }
  });
  return Object.fromEntries(FITTED.map((name, k) => [name, Math.sqrt(spread[k])])) as Record<
    FittedName,
    number
  >;
}

/**
 * Widens an uncertainty by what residuals do not show: the steps of the voltage, the spread from pulse to pulse in a loop of
 * pulses, and the gains of an oscilloscope. An error of the rate is one of the thresholds by the same share of vt, and the
 * other way round.
 */
function widened(
  uncertainty: Record<FittedName, number>,
  { ron, roff, tau, vt }: MemristorParameters,
  loops: readonly MeasuredLoop[],
): Record<FittedName, number> {
  const step = Math.min(...loops.map(stepOf));
  const wider = { ...uncertainty };
  const widen = (name: FittedName, by: number) => {
    wider[name] = Math.hypot(wider[name], by);
  };
  widen('von', RESOLUTION * step);
  widen('voff', RESOLUTION * step);
  if (loops.some((loop) => loop.pulsed)) {
    // A cell switches in a few pulses.
    const pulses = Math.max(1, (SWITCHING * vt) / step) * loops.length;
    const share = W_SDC_PRIOR.pulseSigma / Math.sqrt(pulses);
    widen('tau', share * tau);
    for (const name of ['von', 'voff', 'vt'] as const) widen(name, share * vt);
    return wider;
  }
  widen('von', TIMING * step);
  widen('voff', TIMING * step);
  const late = TIMING * Math.min(...loops.map((loop) => 1 / loop.frequency / loop.voltage.length));
  widen('tau', Math.hypot(late, Math.min(1, (TIMING * step) / vt) * tau));
  widen('von', vt * Math.log1p(late / tau));
  widen('voff', vt * Math.log1p(late / tau));
  widen('vt', CORNERS * vt);
  widen('ron', GAIN * ron);
  widen('roff', GAIN * roff);
  return wider;
}

/** RMS step of the source's voltage from sample to sample, V. */
function stepOf({ voltage, current, resistance }: MeasuredLoop): number {
  const source = voltage.map((v, i) => v + current[i] * resistance);
  const squares = source.reduce((sum, v, i) => sum + (v - source.at(i - 1)!) ** 2, 0);
  return Math.sqrt(squares / source.length);
}
