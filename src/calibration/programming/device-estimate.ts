/**
 * What write-verify believes of each cell, how it aims a pulse with it and what it learns from the answer. All
 * of it is the device's rate equation, read as the time a pulse needs from one state to another:
 * t(x0 → x1) = ∫ dx / (dX/dt)(x, v(x)), with v(x) from the divider of series resistor and cell.
 */
import {
  dividedVoltage,
  type MemristorParameters,
  memristorCurrent,
  readConductance,
  stateDerivative,
  stateOfConductance,
} from '../../model/devices/memristor.js';

/** Population of a chip before anything is known of a cell. */
export interface Prior {
  parameters: MemristorParameters;
  vonSigma: number;
  voffSigma: number;
  /** Standard deviation of ln(tau). */
  tauSigma: number;
  /** Standard deviation of ln(rate) from pulse to pulse. */
  pulseSigma: number;
}

/** Mutable belief about one cell: independent normals of von, voff (V) and ln(tau), and its range. */
export interface Belief {
  von: number;
  vonSigma: number;
  voff: number;
  voffSigma: number;
  logTau: number;
  tauSigma: number;
  /** S at the read voltage */
  low: number;
  high: number;
}

export interface Pulse {
  /** V across cell and series resistor */
  voltage: number;
  /** s */
  width: number;
}

/** What the board allows and how it applies a pulse. */
export interface PulseLimits {
  seriesResistance: number;
  minVoltage: number;
  maxVoltage: number;
  minWidth: number;
  maxWidth: number;
  /** J, taken as V²/(4R)·width. */
  maxEnergy: number;
}

// Gauss-Legendre nodes and weights on [0, 1], six points.
const NODES = [0.0337652429, 0.1693953068, 0.380690407, 0.619309593, 0.8306046932, 0.9662347571];
const WEIGHTS = [0.0856622462, 0.1803807865, 0.2339569673, 0.2339569673, 0.1803807865, 0.0856622462];
/** States closer to the ends than this are out of reach of a finite pulse. */
const EDGE = 2e-3;

/** The cell's parameters: ron and roff such that its read conductance spans [low, high] at the read voltage. */
export function parametersOf(prior: Prior, belief: Belief, readVoltage: number): MemristorParameters {
  const p = prior.parameters;
  const schottky = readConductance(
    { ...p, ron: Number.POSITIVE_INFINITY, roff: Number.POSITIVE_INFINITY },
    0,
    readVoltage,
  );
  return {
    ...p,
    ron: p.phi / Math.max(belief.high - schottky, 1e-9),
    roff: p.phi / Math.max(belief.low - schottky, 1e-9),
    von: belief.von,
    voff: belief.voff,
    tau: Math.exp(belief.logTau),
  };
}

export const stateOf = (p: MemristorParameters, conductance: number, readVoltage: number): number =>
  Math.min(1 - EDGE, Math.max(EDGE, stateOfConductance(p, conductance, readVoltage)));

/** Device voltages (V) at the nodes of a path from x0 to x1 under `applied`. */
function pathVoltages(
  p: MemristorParameters,
  x0: number,
  x1: number,
  applied: number,
  resistance: number,
): number[] {
  return NODES.map((node) => dividedVoltage(p, x0 + (x1 - x0) * node, applied, resistance));
}

/** Time (s) from x0 to x1 along known device voltages; infinite where the voltage drives the other way. */
function pathTime(p: MemristorParameters, x0: number, x1: number, voltages: readonly number[]): number {
  let time = 0;
  for (let i = 0; i < NODES.length; i++) {
    const speed = stateDerivative(p, x0 + (x1 - x0) * NODES[i], voltages[i]) * Math.sign(x1 - x0);
    if (!(speed > 0)) return Number.POSITIVE_INFINITY;
    time += (WEIGHTS[i] * Math.abs(x1 - x0)) / speed;
  }
  return time;
}

/** Width (s) of a pulse of `applied` (V) through `resistance` (Ω) that moves the state from x0 to x1. */
export const pulseTime = (
  p: MemristorParameters,
  x0: number,
  x1: number,
  applied: number,
  resistance: number,
): number => pathTime(p, x0, x1, pathVoltages(p, x0, x1, applied, resistance));

/** Overshooting costs a pulse the other way, which disturbs more: it is avoided at this many standard deviations. */
const CAUTION = 1.3;
/** Voltage above threshold at which a pulse begins its search, in units of vt. */
const OVERDRIVE = 1;

/**
 * The pulse that takes the cell from x towards target. It runs near the threshold, where the selected cell is
 * fastest against its half-selected neighbours, and aims short by as much as the belief is unsure. `tolerance` is in
 * units of the state.
 */
export function aimPulse(
  prior: Prior,
  belief: Belief,
  p: MemristorParameters,
  x: number,
  target: number,
  tolerance: number,
  limits: PulseLimits,
): Pulse {
  const up = target > x;
  const threshold = up ? p.von : -p.voff;
  const sigma = up ? belief.vonSigma : belief.voffSigma;
  const sign = up ? 1 : -1;
  const R = limits.seriesResistance;
  const shortest = 1.5 * limits.minWidth;
  let overdrive = OVERDRIVE * p.vt + 0.5 * sigma;
  let pulse: Pulse = { voltage: 0, width: limits.minWidth };
  for (let i = 0; i < 40; i++) {
    // The divider leaves least to the device where it conducts best, so that end of the path sets the voltage.
    const device = threshold + sign * overdrive;
    const hardest = Math.max(x, target);
    const wanted = device + R * memristorCurrent(p, hardest, device);
    const voltage = Math.min(limits.maxVoltage, Math.max(limits.minVoltage, wanted));
    const width = (shift: number) =>
      pulseTime(up ? { ...p, von: p.von + shift } : { ...p, voff: p.voff + shift }, x, aim, voltage, R);
    let aim = target;
    const spread = Math.min(2, Math.log(width(sigma) / width(-sigma)) / 2);
    const unsure = Math.hypot(spread, belief.tauSigma, prior.pulseSigma);
    aim =
      x +
      (target - x) *
        Math.max(0.35, Math.min(1, (1 + tolerance / Math.abs(target - x)) * Math.exp(-CAUTION * unsure)));
    const time = width(0);
    const longest = Math.min(limits.maxWidth, (limits.maxEnergy * 4 * R) / voltage ** 2);
    pulse = { voltage, width: Math.max(limits.minWidth, Math.min(longest, time)) };
    if (time > longest && voltage === wanted) overdrive += 0.7 * p.vt;
    else if (time < shortest && overdrive > -12 * p.vt) overdrive -= 0.5 * p.vt;
    else break;
  }
  return pulse;
}

const within = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/**
 * Sets a threshold, held within what the population can have (else neighbours' disturb, taken for a cell's own
 * answer, would drive its voltage up without end) and never surer than half of vt, as the device itself is not.
 */
export function believeThreshold(
  prior: Prior,
  belief: Belief,
  up: boolean,
  mean: number,
  sigma: number,
): void {
  const { von, voff, vt } = prior.parameters;
  const surest = Math.max(sigma, 0.5 * vt);
  if (up) {
    belief.von = within(mean, von - 3.5 * prior.vonSigma, von + 3.5 * prior.vonSigma);
    belief.vonSigma = surest;
  } else {
    // voff has a heavy tail upwards.
    belief.voff = within(mean, voff - 3.5 * prior.voffSigma, voff + 6 * prior.voffSigma);
    belief.voffSigma = surest;
  }
}

const GRID_THRESHOLD = Array.from({ length: 25 }, (_, i) => (i - 12) / 4);
const GRID_TAU = [-2, -1, 0, 1, 2];

/** P(standard normal < z), to 1e-4. */
const normalCdf = (z: number): number => 1 / (1 + Math.exp(-1.5976 * z - 0.07056 * z ** 3));

/**
 * Bayes' rule on a grid of threshold and tau, gathered back into normals. `before` and `after` are measured states
 * with standard deviation `noise`. Returns whether the cell moved as far as could be seen.
 */
export function learn(
  prior: Prior,
  belief: Belief,
  p: MemristorParameters,
  pulse: Pulse,
  before: number,
  after: number,
  noise: number,
  resistance: number,
): boolean {
  const up = pulse.voltage > 0;
  const sign = up ? 1 : -1;
  const change = (after - before) * sign;
  const sensed = Math.max(noise * Math.SQRT2, 1e-4);
  const moved = change > 2 * sensed;
  const edge = Math.max(EDGE, 2 * sensed);
  const end = Math.min(1 - edge, Math.max(edge, before + sign * Math.max(change, 2 * sensed)));
  const atEnd = moved && (up ? after >= 1 - edge : after <= edge);
  if ((end - before) * sign <= 0) return moved;
  const voltages = pathVoltages(p, before, end, pulse.voltage, resistance);
  const sigma = up ? belief.vonSigma : belief.voffSigma;
  const mean = up ? belief.von : belief.voff;
  const spread = Math.hypot(prior.pulseSigma, moved ? sensed / change : 0.5);
  const grid: { threshold: number; logTau: number; evidence: number }[] = [];
  for (const zTau of GRID_TAU) {
    for (const z of GRID_THRESHOLD) {
      const threshold = mean + z * sigma;
      const logTau = belief.logTau + zTau * belief.tauSigma;
      const hypothesis = up
        ? { ...p, von: threshold, tau: Math.exp(logTau) }
        : { ...p, voff: threshold, tau: Math.exp(logTau) };
      const miss = Math.log(pathTime(hypothesis, before, end, voltages) / pulse.width) / spread;
      if (Number.isNaN(miss)) continue;
      // A cell that has not moved says only that it would have needed longer, one at its end that less was enough.
      const oneSided = atEnd ? -miss : miss;
      const logLikelihood =
        moved && !atEnd ? -0.5 * Math.min(miss * miss, 1e3) : Math.log(Math.max(normalCdf(oneSided), 1e-12));
      grid.push({ threshold, logTau, evidence: logLikelihood - 0.5 * (z * z + zTau * zTau) });
    }
  }
  if (grid.length === 0) return moved;
  const best = grid.reduce((max, { evidence }) => Math.max(max, evidence), Number.NEGATIVE_INFINITY);
  let weight = 0;
  let sum = 0;
  let squares = 0;
  let sumTau = 0;
  let squaresTau = 0;
  for (const { threshold, logTau, evidence } of grid) {
    const w = Math.exp(evidence - best);
    weight += w;
    sum += w * threshold;
    squares += w * threshold * threshold;
    sumTau += w * logTau;
    squaresTau += w * logTau * logTau;
  }
  const m = sum / weight;
  // An answer at the edge of what was believed possible: the belief was too sure of itself.
  const surprise = Math.abs(m - mean) > 2 * sigma ? 0.5 * Math.abs(m - mean) : 0;
  const deviation = Math.sqrt(Math.max(0, squares / weight - m * m));
  believeThreshold(prior, belief, up, m, Math.max(deviation, surprise));
  const logTau = sumTau / weight;
  const nominal = Math.log(prior.parameters.tau);
  belief.logTau = within(logTau, nominal - 3 * prior.tauSigma, nominal + 3 * prior.tauSigma);
  belief.tauSigma = Math.max(Math.sqrt(Math.max(0, squaresTau / weight - logTau ** 2)), 0.05);
  return moved;
}
