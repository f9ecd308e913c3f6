/** The generalised MSS model fitted to measured I–V loops. */
import { levenbergMarquardt } from 'ml-levenberg-marquardt';
import { CholeskyDecomposition, inverse, Matrix } from 'ml-matrix';
import { type MemristorParameters, sigmoid, W_SDC } from '../../model/devices/memristor.js';
import { Random } from '../../model/random.js';
import { MemloopError } from '../../shared/errors.js';
import { W_SDC_PRIOR } from '../programming/prior.js';
import type { FailureReason } from '../programming/report.js';
import { type LoopDrive, type LoopResponse, steadyLoop } from './loop-model.js';

/** One period of a periodic measurement, evenly spaced in time. */
export interface MeasuredLoop {
  name: string;
  /** Across the memristor, V. */
  voltage: Float64Array;
  /** A */
  current: Float64Array;
  /** Ω in series */
  resistance: number;
  /** Hz */
  frequency: number;
  /**
   * A loop of pulses, such as `sweep` measures: each sample is the end of a voltage held since the one before, and no
   * oscilloscope's offset is in it.
   */
  pulsed?: boolean;
}

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
  /** The scope's, V and A. */
  offsets: { voltage: number; current: number };
  /** One standard deviation, in the parameter's unit. */
  uncertainty: Record<FittedName, number>;
  /** RMS error of the current over its range, of each loop. */
  nrmse: number[];
  /** Of each loop, V: those of the device, or the loop's own where it was given any. */
  thresholds: { von: number; voff: number }[];
  class: 'pass' | FailureReason;
  /** Conductances at 0.1 V at the loop's least and greatest state, S. */
  window: { low: number; high: number };
  /** Of the first loop, for plots. */
  response: LoopResponse;
}

/**
 * Coordinates of the search. Off and on conductance and the Schottky path's share of the former are told well by a
 * loop; ron, roff and alpha themselves are strongly correlated, and follow from these.
 */
const SEARCHED = [
  'span',
  'off',
  'share',
  'beta',
  'von',
  'voff',
  'tau',
  'vt',
  'voltageOffset',
  'currentOffset',
] as const;
type Searched = (typeof SEARCHED)[number];

interface Coordinate {
  low: number;
  high: number;
  /** Weak belief that keeps what a loop does not show near the centre. */
  centre: number;
  width: number;
  /** A natural step. */
  step: number;
}

const { log } = Math;
const COORDINATES: Record<Searched, Coordinate> = {
  /** ln of phi (1/ron - 1/roff), S */
  span: { low: log(1e-6), high: log(2e-2), centre: log(2e-4), width: 2, step: 0.3 },
  /** ln of the small-signal conductance with all switches off, S */
  off: { low: log(1e-8), high: log(1e-3), centre: log(5e-6), width: 2, step: 0.3 },
  /** Logit of the Schottky path's share in it */
  share: { low: -5, high: 5, centre: 0, width: 2, step: 0.5 },
  beta: { low: 0.5, high: 20, centre: 5, width: 3, step: 1 },
  von: { low: 0, high: 0.8, centre: 0.25, width: 0.15, step: 0.02 },
  voff: { low: 0, high: 0.8, centre: 0.15, width: 0.15, step: 0.02 },
  /** ln */
  tau: { low: log(1e-7), high: log(20), centre: log(1e-3), width: 4, step: 0.5 },
  /** ln */
  vt: { low: log(1e-3), high: log(0.2), centre: log(0.03), width: 1, step: 0.2 },
  voltageOffset: { low: -0.015, high: 0.015, centre: 0, width: 0.004, step: 0.003 },
  currentOffset: { low: -5e-7, high: 5e-7, centre: 0, width: 2e-7, step: 1e-7 },
};
/** Weight of the beliefs: one width off counts as one sample off by this share of the range. */
const BELIEF = 0.001;
/** In loops of pulses, which have none of an oscilloscope's errors. */
const BELIEF_PULSED = 1e-4;
/** Thresholds differ from loop to loop by this deviation (V), as measured on W+SDC devices (`W_SDC_PRIOR`). */
const SHIFT = 0.035;
const SHIFT_BELIEF = 0.02;
const SHIFT_MOST = 0.3;
const PHI = W_SDC.phi;
const SAMPLES_MIN = 50;
/** Thresholds are told no better than this share of the voltage step between two samples. */
const RESOLUTION = 0.08;
/** In units of vt: the voltages over which a cell switches. */
const SWITCHING = 3;
/** Samples on either side that tell the size of residuals around one. */
const AROUND = 4;
const CANDIDATES = 240;
const STARTS = 6;

const OFFSETS = [SEARCHED.indexOf('voltageOffset'), SEARCHED.indexOf('currentOffset')] as const;

function parametersFrom(theta: readonly number[]): MemristorParameters {
  const at = (name: Searched) => theta[SEARCHED.indexOf(name)];
  const off = Math.exp(at('off'));
  const schottky = off * sigmoid(at('share'));
  const beta = at('beta');
  return {
    ron: PHI / (off - schottky + Math.exp(at('span'))),
    roff: PHI / (off - schottky),
    von: at('von'),
    voff: at('voff'),
    tau: Math.exp(at('tau')),
    vt: Math.exp(at('vt')),
    phi: PHI,
    alpha: schottky / (2 * (1 - PHI) * beta),
    beta,
  };
}

/** The inverse of `parametersFrom`. */
function coordinatesOf({ parameters: p, offsets }: Fit): number[] {
  const schottky = 2 * (1 - PHI) * p.alpha * p.beta;
  const off = PHI / p.roff + schottky;
  const values: Record<Searched, number> = {
    span: log(PHI / p.ron - PHI / p.roff),
    off: log(off),
    share: log(schottky / (off - schottky)),
    beta: p.beta,
    von: p.von,
    voff: p.voff,
    tau: log(p.tau),
    vt: log(p.vt),
    voltageOffset: offsets.voltage,
    currentOffset: offsets.current,
  };
  return SEARCHED.map((name) => values[name]);
}

const rangeOf = (values: Float64Array): number =>
  values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));

/** RMS step of the source's voltage from sample to sample, V. */
function stepOf({ voltage, current, resistance }: MeasuredLoop): number {
  const source = voltage.map((v, i) => v + current[i] * resistance);
  const squares = source.reduce((sum, v, i) => sum + (v - source.at(i - 1)!) ** 2, 0);
  return Math.sqrt(squares / source.length);
}

function drivenBy(loop: MeasuredLoop, voltageOffset: number, currentOffset: number): LoopDrive {
  const { voltage, current, resistance, frequency } = loop;
  const offset = loop.pulsed ? 0 : voltageOffset + currentOffset * resistance;
  return {
    applied: voltage.map((v, i) => v + current[i] * resistance + offset),
    samplePeriod: 1 / frequency / voltage.length,
    resistance,
    held: loop.pulsed ?? false,
  };
}

/** Pulses jump from voltage to voltage: they need finer steps than a wave. */
const stepping = ({ pulsed }: MeasuredLoop) => ({ periods: 4, substeps: pulsed ? 8 : 2 });

/** The device as loop `l` saw it: behind the shared coordinates, `theta` may hold two shifts of the thresholds a loop. */
function parametersOfLoop(theta: readonly number[], l: number): MemristorParameters {
  const p = parametersFrom(theta);
  const at = SEARCHED.length + 2 * l;
  return theta.length > SEARCHED.length ? { ...p, von: p.von + theta[at], voff: p.voff + theta[at + 1] } : p;
}

/** Simulated minus measured current over its range, loop after loop, then the beliefs. */
function simulate(
  theta: readonly number[],
  loops: readonly MeasuredLoop[],
  ranges: readonly number[],
): Float64Array {
  const parts = loops.map((loop, l) => {
    const p = parametersOfLoop(theta, l);
    const response = steadyLoop(p, drivenBy(loop, theta[OFFSETS[0]], theta[OFFSETS[1]]), stepping(loop));
    const offset = loop.pulsed ? 0 : theta[OFFSETS[1]];
    return response.current.map((current) => (current - offset) / ranges[l]);
  });
  const samples = parts.reduce((sum, part) => sum + part.length, 0);
  const result = new Float64Array(samples + theta.length);
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  const belief = loops.some(({ pulsed }) => pulsed) ? BELIEF_PULSED : BELIEF;
  SEARCHED.forEach((name, i) => {
    const { centre, width } = COORDINATES[name];
    result[at + i] = (belief * (theta[i] - centre)) / width;
  });
  for (let i = SEARCHED.length; i < theta.length; i++) result[at + i] = (SHIFT_BELIEF * theta[i]) / SHIFT;
  return result;
}

/** Checks what a fit needs of a loop. Throws `bad-input`. */
function checkLoop(loop: MeasuredLoop): void {
  if (loop.voltage.length < SAMPLES_MIN) {
    throw new MemloopError(
      'bad-input',
      `${loop.name} has ${loop.voltage.length} samples: a fit needs one whole period of at least ${SAMPLES_MIN}`,
    );
  }
  const low = loop.voltage.reduce((a, b) => Math.min(a, b));
  const high = loop.voltage.reduce((a, b) => Math.max(a, b));
  if (!(low < -0.02 && high > 0.02)) {
    throw new MemloopError(
      'bad-input',
      `${loop.name} runs from ${low.toPrecision(3)} to ${high.toPrecision(3)} V: a loop must go through both polarities`,
    );
  }
  if (!(rangeOf(loop.current) > 0)) {
    throw new MemloopError(
      'bad-input',
      `the current of ${loop.name} is constant: is the memristor connected?`,
    );
  }
}

/** Starting points from the loop itself: its extreme conductances, and thresholds within the voltages it reached. */
function draw(random: Random, conductances: readonly number[], frequency: number): number[] {
  const at = (share: number) => conductances[Math.floor(share * (conductances.length - 1))];
  const start: Record<Searched, number> = {
    span: log(at(0.9 + 0.1 * random.uniform())) + 2 * random.uniform(),
    off: log(at(0.02 + 0.3 * random.uniform())),
    share: 4 * random.uniform() - 2,
    beta: 3 + 5 * random.uniform(),
    von: 0.05 + 0.4 * random.uniform(),
    voff: 0.02 + 0.3 * random.uniform(),
    tau: -log(frequency) - 8 * random.uniform(),
    vt: log(0.005) + log(12) * random.uniform(),
    voltageOffset: 0,
    currentOffset: 0,
  };
  return SEARCHED.map((name) =>
    Math.min(COORDINATES[name].high, Math.max(COORDINATES[name].low, start[name])),
  );
}

export interface FitOptions {
  seed?: number;
  /** Starting points drawn, and how many of the best are refined. */
  candidates?: number;
  starts?: number;
  /** Start here instead. */
  from?: Fit;
  /** Each loop has thresholds of its own around those of the device. */
  ownThresholds?: boolean;
}

/**
 * Fits one device to one loop, or one parameter set to several loops of a device. Starting points are found by
 * themselves (seeded), the best are refined by Levenberg-Marquardt. Uncertainties are those of the linearised model
 * with the residuals' own size, where they are, and correlation. Throws `bad-input` for loops that cannot be fitted.
 */
export function fitLoops(
  loops: readonly MeasuredLoop[],
  { seed = 1, candidates: drawn = CANDIDATES, starts = STARTS, from, ownThresholds = false }: FitOptions = {},
): Fit {
  for (const loop of loops) checkLoop(loop);
  const ranges = loops.map(({ current }) => rangeOf(current));
  const samples = loops.reduce((sum, loop) => sum + loop.voltage.length, 0);
  const own = ownThresholds ? 2 * loops.length : 0;
  const y = new Float64Array(samples + SEARCHED.length + own);
  let at = 0;
  loops.forEach((loop, l) => {
    y.set(
      loop.current.map((current) => current / ranges[l]),
      at,
    );
    at += loop.current.length;
  });
  const x = Float64Array.from(y, (_, i) => i);
  const squares = (theta: readonly number[]) => {
    const model = simulate(theta, loops, ranges);
    return model.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0);
  };

  const random = new Random(seed);
  const conductances = loops
    .flatMap(({ voltage, current }) =>
      Array.from(voltage, (v, i) => (Math.abs(v) > 0.03 ? current[i] / v : 0)),
    )
    .filter((g) => g > 0)
    .sort((a, b) => a - b);
  if (conductances.length < SAMPLES_MIN / 2) {
    throw new MemloopError(
      'bad-input',
      `${loops[0].name}: current and voltage have opposite signs; check the columns`,
    );
  }
  const frequency = Math.exp(loops.reduce((sum, loop) => sum + log(loop.frequency), 0) / loops.length);
  const shifts = new Array<number>(own).fill(0);
  const candidates = from
    ? [{ theta: [...coordinatesOf(from), ...shifts] }]
    : Array.from({ length: drawn }, () => [...draw(random, conductances, frequency), ...shifts])
        .map((theta) => ({ theta, cost: squares(theta) }))
        .sort((a, b) => a.cost - b.cost)
        .slice(0, starts);

  const steps = [...SEARCHED.map((name) => COORDINATES[name].step), ...shifts.map(() => 0.01)];
  const bounds = (side: 'low' | 'high') => [
    ...SEARCHED.map((name) => COORDINATES[name][side]),
    ...shifts.map(() => (side === 'low' ? -SHIFT_MOST : SHIFT_MOST)),
  ];
  const scaled = (theta: readonly number[]) => theta.map((value, i) => value / steps[i]);
  const unscaled = (q: readonly number[]) => q.map((value, i) => value * steps[i]);
  const refine = (theta: readonly number[], iterations: number, damping = 1e-3): number[] => {
    const { parameterValues } = levenbergMarquardt(
      { x, y },
      (q) => {
        const model = simulate(unscaled(q), loops, ranges);
        return (i) => model[i];
      },
      {
        initialValues: scaled(theta),
        minValues: scaled(bounds('low')),
        maxValues: scaled(bounds('high')),
        damping,
        gradientDifference: 1e-3,
        maxIterations: iterations,
        errorTolerance: 1e-12,
      },
    );
    return unscaled(parameterValues);
  };
  const refined = candidates
    .map(({ theta }) => refine(theta, 35))
    .map((theta) => ({ theta, cost: squares(theta) }))
    .sort((a, b) => a.cost - b.cost);
  let best = refined[0];
  // The optimiser keeps no step that helps little: fresh dampings go on where one has come to rest.
  for (let round = 0; round < 4; round++) {
    const before = best.cost;
    for (const damping of [1e-3, 1e-6, 1e-1]) {
      const theta = refine(best.theta, 15, damping);
      const cost = squares(theta);
      if (cost < best.cost) best = { theta, cost };
    }
    if (best.cost > before * (1 - 1e-3)) break;
  }
  return report(loops, ranges, best.theta, y);
}

function report(
  loops: readonly MeasuredLoop[],
  ranges: readonly number[],
  theta: number[],
  y: Float64Array,
): Fit {
  const model = simulate(theta, loops, ranges);
  const residuals = model.map((value, i) => value - y[i]);
  let at = 0;
  const nrmse = loops.map(({ current }) => {
    const part = residuals.subarray(at, at + current.length);
    at += current.length;
    return Math.sqrt(part.reduce((sum, r) => sum + r * r, 0) / part.length);
  });
  const samples = at;

  // In natural steps, so that the normal matrix is well conditioned.
  const steps = theta.map((_, i) => (i < SEARCHED.length ? COORDINATES[SEARCHED[i]].step : 0.01));
  const jacobian = theta.map((_, i) => {
    const delta = 1e-3 * steps[i];
    const plus = simulate(theta.with(i, theta[i] + delta), loops, ranges);
    const minus = simulate(theta.with(i, theta[i] - delta), loops, ranges);
    return Array.from(plus, (value, k) => ((value - minus[k]) / (2 * delta)) * steps[i]);
  });
  const j = new Matrix(jacobian);
  let square = 0;
  let neighbours = 0;
  for (let i = 0; i < samples; i++) {
    square += residuals[i] ** 2;
    if (i > 0) neighbours += residuals[i] * residuals[i - 1];
  }
  // Residuals of neighbouring samples resemble each other: they are worth fewer samples than they are.
  const correlation = Math.min(0.95, Math.max(0, neighbours / square));
  // Where the loop switches, residuals are larger than elsewhere, and it is there that most parameters are told: each
  // sample counts with the size of the residuals around it, where that is above the average.
  const local = residuals.subarray(0, samples).map((_, i) => {
    const around = residuals.subarray(Math.max(0, i - AROUND), Math.min(samples, i + AROUND + 1));
    return around.reduce((sum, r) => sum + r * r, 0) / around.length / (square / samples);
  });
  // As many samples as these are worth, they leave so many degrees of freedom.
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const independent = (1 - correlation) / (1 + correlation);
  const worth = (independent * sum(local) ** 2) / sum(local.map((value) => value ** 2));
  const variance = (square / samples / independent) * (worth / Math.max(worth - theta.length, worth / 4));
  const weighted = new Matrix(
    jacobian.map((row) => row.map((value, i) => value * Math.sqrt(Math.max(1, local[i] ?? 1)))),
  );
  const precision = inverse(j.mmul(j.transpose()));
  const spreading = precision.mmul(weighted);
  const covariance = spreading.mmul(spreading.transpose()).mul(variance);
  covariance.add(covariance.transpose()).mul(0.5);
  // Its columns are one deviation along independent directions: the covariance is this times its transpose.
  const root = new CholeskyDecomposition(covariance).lowerTriangularMatrix;
  const parameters = parametersFrom(theta);
  // What is reported follows from the coordinates; its uncertainty from points one deviation away (unscented).
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
  const uncertainty = Object.fromEntries(FITTED.map((name, k) => [name, Math.sqrt(spread[k])])) as Record<
    FittedName,
    number
  >;

  const step = Math.min(...loops.map(stepOf));
  const resolution = RESOLUTION * step;
  uncertainty.von = Math.hypot(uncertainty.von, resolution);
  uncertainty.voff = Math.hypot(uncertainty.voff, resolution);
  if (loops.some(({ pulsed }) => pulsed)) {
    // Each pulse differs from the mean, and it is a few in which the cell switches: an error of the rate, of the voltage
    // by as much of vt, and of the width of the switching.
    const pulses = Math.max(1, (SWITCHING * parameters.vt) / step) * loops.length;
    const share = W_SDC_PRIOR.pulseSigma / Math.sqrt(pulses);
    uncertainty.tau = Math.hypot(uncertainty.tau, share * parameters.tau);
    for (const name of ['von', 'voff', 'vt'] as const)
      uncertainty[name] = Math.hypot(uncertainty[name], share * parameters.vt);
  }

  const offsets = { voltage: theta[OFFSETS[0]], current: theta[OFFSETS[1]] };
  const response = steadyLoop(
    parametersOfLoop(theta, 0),
    drivenBy(loops[0], offsets.voltage, offsets.current),
    stepping(loops[0]),
  );
  const conductance = (x: number) =>
    PHI * (x / parameters.ron + (1 - x) / parameters.roff) +
    (1 - PHI) * 2 * parameters.alpha * parameters.beta;
  const low = conductance(response.state.reduce((a, b) => Math.min(a, b)));
  const high = conductance(response.state.reduce((a, b) => Math.max(a, b)));
  return {
    loops: loops.map(({ name }) => name),
    parameters,
    offsets,
    uncertainty,
    nrmse,
    thresholds: loops.map((_, l) => {
      const { von, voff } = parametersOfLoop(theta, l);
      return { von, voff };
    }),
    class: classify(loops[0], low, high),
    window: { low, high },
    response,
  };
}

/**
 * NRMSE with which a fit predicts a loop that it may not have seen, in its steady cycle. With `ownThresholds` the loop's two
 * thresholds are found from the loop itself, and all else is predicted.
 */
export function predictionError(
  { parameters, offsets }: Fit,
  loop: MeasuredLoop,
  { ownThresholds = false }: { ownThresholds?: boolean } = {},
): number {
  const range = rangeOf(loop.current);
  const offset = loop.pulsed ? 0 : offsets.current;
  const miss = ([von, voff]: readonly number[]): Float64Array => {
    const p = { ...parameters, von: parameters.von + von!, voff: parameters.voff + voff! };
    const { current } = steadyLoop(p, drivenBy(loop, offsets.voltage, offsets.current), stepping(loop));
    return current.map((value, i) => (value - offset - loop.current[i]) / range);
  };
  const error = (shifts: readonly number[]) =>
    Math.sqrt(miss(shifts).reduce((sum, value) => sum + value * value, 0) / loop.current.length);
  if (!ownThresholds) return error([0, 0]);
  // Two numbers: a coarse grid, made finer around its best point.
  let best = { shifts: [0, 0], error: error([0, 0]) };
  for (let step = 0.06; step > 2e-3; step /= 2.5) {
    const { shifts: centre } = best;
    for (let i = -2; i <= 2; i++) {
      for (let j = -2; j <= 2; j++) {
        const shifts = [centre[0] + i * step, centre[1] + j * step];
        const found = error(shifts);
        if (found < best.error) best = { shifts, error: found };
      }
    }
  }
  return best.error;
}

/** Parameters with their uncertainties, a fit a block. */
export function fitTable(fits: readonly Fit[]): string {
  const units: Record<FittedName, [scale: number, unit: string]> = {
    ron: [1e-3, 'kΩ'],
    roff: [1e-3, 'kΩ'],
    von: [1e3, 'mV'],
    voff: [1e3, 'mV'],
    tau: [1e6, 'µs'],
    vt: [1e3, 'mV'],
    alpha: [1e9, 'nA'],
    beta: [1, '1/V'],
    voltageOffset: [1e3, 'mV'],
    currentOffset: [1e9, 'nA'],
  };
  return fits
    .map((fit) => {
      const values: Record<FittedName, number> = {
        ...fit.parameters,
        voltageOffset: fit.offsets.voltage,
        currentOffset: fit.offsets.current,
      };
      const each = FITTED.map((name) => {
        const [scale, unit] = units[name];
        return `${name} ${Number((values[name] * scale).toPrecision(4))} ± ${Number((fit.uncertainty[name] * scale).toPrecision(2))} ${unit}`;
      });
      return [
        ...fit.loops.map(
          (name, i) =>
            `${name}: NRMSE ${(100 * fit.nrmse[i]).toFixed(2)} %${i === 0 ? `, ${fit.class}` : ''}`,
        ),
        `  ${each.slice(0, 6).join(', ')}`,
        `  ${each.slice(6).join(', ')}`,
      ].join('\n');
    })
    .concat(
      `median NRMSE ${(100 * median(fits.flatMap(({ nrmse }) => nrmse))).toFixed(2)} %, largest ${(100 * Math.max(...fits.flatMap(({ nrmse }) => nrmse))).toFixed(2)} %`,
    )
    .join('\n');
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/**
 * Health of the device as one loop shows it. Stuck: no hysteresis (high and low conductance within 20 %), low below
 * 10 µS. Write fails: it closes only in part (high below 10 µS although erasing works); erase fails: low above a third of high.
 */
export function classify(
  loop: Pick<MeasuredLoop, 'voltage' | 'current'>,
  low: number,
  high: number,
): Fit['class'] {
  const { lobeOn, lobeOff } = lobes(loop);
  if (lobeOn < 0.05 && lobeOff < 0.05) return high < 1e-5 ? 'stuck low' : 'stuck high';
  if (high < 5e-6) return 'write fails';
  if (low > high / 1.5) return 'erase fails';
  return 'pass';
}

/** Area of the loop in each polarity over the rectangle around that polarity: 0 for a resistor. */
export function lobes({ voltage, current }: Pick<MeasuredLoop, 'voltage' | 'current'>): {
  lobeOn: number;
  lobeOff: number;
} {
  const area = { on: 0, off: 0 };
  const n = voltage.length;
  for (let i = 0; i < n; i++) {
    const j = (i + 1) % n;
    const part = ((current[i] + current[j]) / 2) * (voltage[j] - voltage[i]);
    if (voltage[i] + voltage[j] > 0) area.on += part;
    else area.off += part;
  }
  const most = (values: Float64Array, sign: number) =>
    values.reduce((m, value) => Math.max(m, sign * value), 0);
  const rectangle = (sign: number) => most(voltage, sign) * most(current, sign) || 1;
  return { lobeOn: Math.abs(area.on) / rectangle(1), lobeOff: Math.abs(area.off) / rectangle(-1) };
}
