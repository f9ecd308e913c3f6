/** The generalised MSS model fitted to measured I–V loops. */
import { levenbergMarquardt } from 'ml-levenberg-marquardt';
import { Random } from '../../model/random.js';
import { MemloopError } from '../../shared/errors.js';
import {
  COORDINATES,
  coordinatesOf,
  drivenBy,
  type Measured,
  measuredBy,
  rangeOf,
  SEARCHED,
  type Searched,
  simulate,
  stepping,
} from './fit-model.js';
import { type Fit, fitReport } from './fit-report.js';
import { type MeasuredLoop, steadyLoop } from './loop-model.js';

const SAMPLES_MIN = 50;
const CANDIDATES = 240;
const STARTS = 6;

const { log } = Math;

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
 * Fits one device to one loop, or one parameter set to several loops of a device. Starting points are drawn
 * from the loops (seeded), the best are refined by Levenberg–Marquardt. Uncertainties are those of the linearised model,
 * with the size and the correlation that the residuals have. Throws `bad-input` for loops that cannot be fitted.
 */
export function fitLoops(loops: readonly MeasuredLoop[], options: FitOptions = {}): Fit {
  for (const loop of loops) checkLoop(loop);
  const { from, ownThresholds = false } = options;
  const measured = measuredBy(loops, ownThresholds);
  const conductances = conductancesOf(loops);
  const starts = from
    ? [[...coordinatesOf(from), ...noShifts(measured)]]
    : startsOf(measured, conductances, options);
  const [best] = starts
    .map((theta) => end(refined(theta, measured, 35), measured))
    .sort((a, b) => a.cost - b.cost);
  return fitReport(measured, polished(best, measured).theta);
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

/** Conductances (S) that the loops show, sorted. */
function conductancesOf(loops: readonly MeasuredLoop[]): number[] {
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
  return conductances;
}

const noShifts = ({ steps }: Measured): number[] => new Array<number>(steps.length - SEARCHED.length).fill(0);

/** The best of many starting points. */
function startsOf(
  measured: Measured,
  conductances: readonly number[],
  { seed = 1, candidates = CANDIDATES, starts = STARTS }: FitOptions,
): number[][] {
  const { loops } = measured;
  const random = new Random(seed);
  const frequency = Math.exp(loops.reduce((sum, loop) => sum + log(loop.frequency), 0) / loops.length);
  return Array.from({ length: candidates }, () => [
    ...draw(random, conductances, frequency),
    ...noShifts(measured),
  ])
    .map((theta) => end(theta, measured))
    .sort((a, b) => a.cost - b.cost)
    .slice(0, starts)
    .map(({ theta }) => theta);
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

/** Where a search stands, and the sum of squares there. */
interface End {
  theta: number[];
  cost: number;
}

function end(theta: number[], measured: Measured): End {
  const model = simulate(theta, measured);
  return { theta, cost: model.reduce((sum, value, i) => sum + (value - measured.currents[i]) ** 2, 0) };
}

/** Levenberg–Marquardt, in natural steps. */
function refined(theta: readonly number[], measured: Measured, iterations: number, damping = 1e-3): number[] {
  const { currents: y, steps, low, high } = measured;
  const scaled = (values: readonly number[]) => values.map((value, i) => value / steps[i]);
  const unscaled = (q: readonly number[]) => q.map((value, i) => value * steps[i]);
  const { parameterValues } = levenbergMarquardt(
    { x: y.map((_, i) => i), y },
    (q) => {
      const model = simulate(unscaled(q), measured);
      return (i) => model[i];
    },
    {
      initialValues: scaled(theta),
      minValues: scaled(low),
      maxValues: scaled(high),
      damping,
      gradientDifference: 1e-3,
      maxIterations: iterations,
      errorTolerance: 1e-12,
    },
  );
  return unscaled(parameterValues);
}

/** The optimiser gives up steps that help little: it is started again with other dampings from where it stopped. */
function polished(start: End, measured: Measured): End {
  let best = start;
  for (let round = 0; round < 4; round++) {
    const before = best.cost;
    for (const damping of [1e-3, 1e-6, 1e-1]) {
      const next = end(refined(best.theta, measured, 15, damping), measured);
      if (next.cost < best.cost) best = next;
    }
    if (best.cost > before * (1 - 1e-3)) break;
  }
  return best;
}

/**
 * NRMSE with which a fit predicts the steady cycle of a loop that it may not have seen. With `ownThresholds` the two
 * thresholds are fitted to the loop, and all else is predicted.
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
