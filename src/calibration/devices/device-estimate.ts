/**
 * How write-verify aims a pulse with what it believes of a cell, and what it learns from the answer. All of it is the
 * device's rate equation, read as the time a pulse needs from one state to another:
 * t(x0 → x1) = ∫ dx / (dX/dt)(x, v(x)), with v(x) from the divider of series resistor and cell.
 */
import { longestPulse } from '../../driver/board/limits.js';
import {
  dividedVoltage,
  type MemristorParameters,
  memristorCurrent,
  readConductance,
  sigmoid,
  stateOfConductance,
  switchConductance,
} from '../../model/devices/memristor.js';

/** The population of cells, before anything is known of a single one. */
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
  /** Share of a pulse that half-selected cells see; default 0. */
  halfSelect?: number;
}

// Gauss-Legendre nodes and weights on [0, 1], six points.
const NODES = [0.0337652429, 0.1693953068, 0.380690407, 0.619309593, 0.8306046932, 0.9662347571];
const WEIGHTS = [0.0856622462, 0.1803807865, 0.2339569673, 0.2339569673, 0.1803807865, 0.0856622462];
/** States closer to the ends than this are out of reach of a finite pulse. */
const EDGE = 2e-3;

/** What the current beside the switches adds to a read of any cell, S. */
const schottkyOf = ({ parameters }: Prior, readVoltage: number): number =>
  readConductance(
    { ...parameters, ron: Number.POSITIVE_INFINITY, roff: Number.POSITIVE_INFINITY },
    0,
    readVoltage,
  );

/** The cell's parameters: ron and roff such that its read conductance spans [low, high] at the read voltage. */
export const parametersOf = (prior: Prior, belief: Belief, readVoltage: number): MemristorParameters =>
  withRange(prior, belief, schottkyOf(prior, readVoltage));

function withRange({ parameters: p }: Prior, belief: Belief, schottky: number): MemristorParameters {
  return {
    ron: p.phi / Math.max(belief.high - schottky, 1e-9),
    roff: p.phi / Math.max(belief.low - schottky, 1e-9),
    von: belief.von,
    voff: belief.voff,
    tau: Math.exp(belief.logTau),
    vt: p.vt,
    phi: p.phi,
    alpha: p.alpha,
    beta: p.beta,
  };
}

export const stateOf = (p: MemristorParameters, conductance: number, readVoltage: number): number =>
  Math.min(1 - EDGE, Math.max(EDGE, stateOfConductance(p, conductance, readVoltage)));

/** A path from one state to another under a pulse, and the device's voltage (V) at each of its nodes. */
class Path {
  readonly #p: MemristorParameters;
  readonly #from: number;
  readonly #change: number;
  readonly #voltages = new Float64Array(NODES.length);
  /** Of each node, what the switches that go the other way take from the speed, in 1/tau. */
  readonly #back = new Float64Array(NODES.length);
  readonly #up: boolean;

  constructor(p: MemristorParameters, from: number, to: number, applied: number, resistance: number) {
    this.#p = p;
    this.#from = from;
    this.#change = to - from;
    this.#up = to > from;
    for (let i = 0; i < NODES.length; i++) {
      const x = from + this.#change * NODES[i];
      const v = dividedVoltage(p, x, applied, resistance);
      this.#voltages[i] = v;
      this.#back[i] = this.#up ? sigmoid(-(v + p.voff) / p.vt) * x : sigmoid((v - p.von) / p.vt) * (1 - x);
    }
  }

  /**
   * Time (in units of tau) that it takes where the threshold of its direction is `threshold` (V); infinite where the
   * voltage drives the other way.
   */
  time(threshold: number): number {
    const { vt } = this.#p;
    const up = this.#up;
    let time = 0;
    for (let i = 0; i < NODES.length; i++) {
      const x = this.#from + this.#change * NODES[i];
      const v = this.#voltages[i];
      const forth = up ? sigmoid((v - threshold) / vt) * (1 - x) : sigmoid(-(v + threshold) / vt) * x;
      const speed = forth - this.#back[i];
      if (!(speed > 0)) return Number.POSITIVE_INFINITY;
      time += (WEIGHTS[i] * Math.abs(this.#change)) / speed;
    }
    return time;
  }
}

/** Width (s) of a pulse of `applied` (V) through `resistance` (Ω) that moves the state from x0 to x1. */
export const pulseTime = (
  p: MemristorParameters,
  x0: number,
  x1: number,
  applied: number,
  resistance: number,
): number => new Path(p, x0, x1, applied, resistance).time(x1 > x0 ? p.von : p.voff) * p.tau;

/** An overshoot costs a pulse the other way, which disturbs neighbours more: it is avoided at this many standard deviations. */
const CAUTION = 1.3;
/** Voltage above threshold at which the search for a pulse begins, in units of vt. */
const OVERDRIVE = 1;
/**
 * The same where half-selected cells see about half of the pulse: with the divider more than that of the selected cell's own
 * voltage. Least is done to them per change of the cell where 1 − σ(overdrive) is that share, about 0.6.
 */
const OVERDRIVE_WARY = -0.3;
/** How much the device's voltage may change along a step, in units of vt. */
const STEP = 3;

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
/** Weights under e to this power of the largest add nothing. */
const NEGLIGIBLE = -40;

/** P(standard normal < z), to 1e-4. */
const normalCdf = (z: number): number => 1 / (1 + Math.exp(-z * (1.5976 + 0.07056 * z * z)));

/** Share of a pulse from which on neighbours are moved so much that it decides how cells are set. */
const WARY = 0.4;

/** Whether half-selected cells see so much of a pulse that programming must spare them. */
const isWary = (halfSelect: number): boolean => halfSelect >= WARY;

/** What is wanted of a pulse, in units of the state. */
export interface Move {
  from: number;
  to: number;
  tolerance: number;
}

/** What was seen of a cell, in units of the state. */
export interface Answer {
  before: number;
  after: number;
  /** Standard deviation of `before` and of `after`. */
  noise: number;
}

/** An answer as Bayes' rule takes it. */
interface Evidence {
  /** Whether the state moved as far as could be seen, and whether it came to its end. */
  moved: boolean;
  atEnd: boolean;
  /** The state after the least move that could be seen, or after the one that was. */
  end: number;
  /** Standard deviation of ln(time). */
  spread: number;
}

/** Aims pulses at the cells of one board and learns from what they do. */
export class DeviceEstimate {
  readonly #schottky: number;
  /** Logarithms of the weights of Bayes' rule, by threshold and then by tau. */
  readonly #evidence = new Float64Array(GRID_THRESHOLD.length * GRID_TAU.length);

  constructor(
    readonly prior: Readonly<Prior>,
    readonly limits: Readonly<PulseLimits>,
    /** V */
    readonly readVoltage: number,
  ) {
    this.#schottky = schottkyOf(prior, readVoltage);
  }

  /** Whether half-selected cells see so much of a pulse that the order in which cells are set decides. */
  get isWary(): boolean {
    return isWary(this.limits.halfSelect ?? 0);
  }

  parametersOf(belief: Belief): MemristorParameters {
    return withRange(this.prior, belief, this.#schottky);
  }

  /** The state of a cell with these parameters that reads as `conductance`, S. */
  stateOf(p: MemristorParameters, conductance: number): number {
    return stateOf(p, conductance, this.readVoltage);
  }

  /**
   * The pulse that takes a cell of parameters `p` from one state towards another. It runs near the threshold, where
   * the selected cell is fastest against its half-selected neighbours, and aims short by as much as the belief is unsure.
   */
  aim(belief: Belief, p: MemristorParameters, { from, to, tolerance }: Move): Pulse {
    const { minVoltage, maxVoltage, minWidth, maxWidth, maxEnergy, seriesResistance: R } = this.limits;
    const up = to > from;
    const own = up ? p.von : p.voff;
    const threshold = up ? own : -own;
    const sigma = up ? belief.vonSigma : belief.voffSigma;
    const sign = up ? 1 : -1;
    const shortest = 1.5 * minWidth;
    let overdrive = (this.isWary ? OVERDRIVE_WARY : OVERDRIVE) * p.vt + 0.5 * sigma;
    let pulse: Pulse = { voltage: 0, width: minWidth };
    for (let i = 0; i < 40; i++) {
      // The divider leaves least to the device where it conducts best, so that end of the path sets the voltage.
      const device = threshold + sign * overdrive;
      const wanted = device + R * memristorCurrent(p, Math.max(from, to), device);
      const voltage = Math.min(maxVoltage, Math.max(minVoltage, wanted));
      const path = new Path(p, from, to, voltage, R);
      const [slow, fast] = [path.time(own + sigma), path.time(own - sigma)];
      const spread = Math.min(2, Math.log(slow / fast) / 2);
      const unsure = Math.hypot(spread, belief.tauSigma, this.prior.pulseSigma);
      const share = (1 + tolerance / Math.abs(to - from)) * Math.exp(-CAUTION * unsure);
      const time = pulseTime(p, from, from + (to - from) * within(share, 0.35, 1), voltage, R);
      const longest = Math.min(maxWidth, longestPulse(maxEnergy, voltage, R));
      pulse = { voltage, width: Math.max(minWidth, Math.min(longest, time)) };
      if (time > longest && voltage === wanted) overdrive += 0.7 * p.vt;
      else if (time < shortest && overdrive > -12 * p.vt) overdrive -= 0.5 * p.vt;
      else break;
    }
    return pulse;
  }

  /**
   * The state to go for on the way to another, so that the device's voltage changes little on the path: the divider leaves
   * a device that conducts little more of the pulse, and what is above its threshold moves neighbours and no cell faster.
   */
  stepTowards(p: MemristorParameters, from: number, to: number): number {
    const R = this.limits.seriesResistance;
    const threshold = to > from ? p.von : p.voff;
    const ratio = 1 + (STEP * p.vt) / threshold;
    const load = (state: number) => 1 + R * p.phi * switchConductance(p, state);
    const reached = to > from ? load(from) * ratio : load(from) / ratio;
    const state = ((reached - 1) / (R * p.phi) - 1 / p.roff) / (1 / p.ron - 1 / p.roff);
    return to > from
      ? Math.min(to, Math.max(state, from + 0.05))
      : Math.max(to, Math.min(state, from - 0.05));
  }

  /**
   * Bayes' rule on a grid of threshold and tau, gathered back into normals. `p` are the parameters that the pulse
   * was aimed with. Returns whether the cell moved as far as could be seen.
   */
  learn(belief: Belief, p: MemristorParameters, pulse: Pulse, answer: Answer): boolean {
    const up = pulse.voltage > 0;
    const evidence = this.#evidenceOf(up, answer);
    if ((evidence.end - answer.before) * (up ? 1 : -1) <= 0) return evidence.moved;
    this.#weigh(belief, p, pulse, answer.before, evidence);
    this.#gather(belief, up);
    return evidence.moved;
  }

  #evidenceOf(up: boolean, { before, after, noise }: Answer): Evidence {
    const sign = up ? 1 : -1;
    const change = (after - before) * sign;
    const sensed = Math.max(noise * Math.SQRT2, 1e-4);
    const moved = change > 2 * sensed;
    const edge = Math.max(EDGE, 2 * sensed);
    return {
      moved,
      atEnd: moved && (up ? after >= 1 - edge : after <= edge),
      end: within(before + sign * Math.max(change, 2 * sensed), edge, 1 - edge),
      spread: Math.hypot(this.prior.pulseSigma, moved ? sensed / change : 0.5),
    };
  }

  /** The evidence for each threshold and tau of the grid; NaN where the pulse says nothing. */
  #weigh(
    belief: Belief,
    p: MemristorParameters,
    pulse: Pulse,
    before: number,
    { moved, atEnd, end, spread }: Evidence,
  ): void {
    const up = pulse.voltage > 0;
    const path = new Path(p, before, end, pulse.voltage, this.limits.seriesResistance);
    const sigma = up ? belief.vonSigma : belief.voffSigma;
    const mean = up ? belief.von : belief.voff;
    const evidence = this.#evidence;
    for (let i = 0, k = 0; i < GRID_THRESHOLD.length; i++) {
      const z = GRID_THRESHOLD[i];
      const logTime = Math.log(path.time(mean + z * sigma) / pulse.width) + belief.logTau;
      for (let j = 0; j < GRID_TAU.length; j++, k++) {
        const zTau = GRID_TAU[j];
        const miss = (logTime + zTau * belief.tauSigma) / spread;
        // A cell that has not moved says only that it would have needed longer, one at its end that less was enough.
        const logLikelihood =
          moved && !atEnd
            ? -0.5 * Math.min(miss * miss, 1e3)
            : Math.log(Math.max(normalCdf(atEnd ? -miss : miss), 1e-12));
        evidence[k] = logLikelihood - 0.5 * (z * z + zTau * zTau);
      }
    }
  }

  /** Makes normals of the weighted hypotheses. */
  #gather(belief: Belief, up: boolean): void {
    const evidence = this.#evidence;
    const mean = up ? belief.von : belief.voff;
    const sigma = up ? belief.vonSigma : belief.voffSigma;
    let best = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < evidence.length; k++) if (evidence[k] > best) best = evidence[k];
    if (best === Number.NEGATIVE_INFINITY) return;
    let weight = 0;
    let sum = 0;
    let squares = 0;
    let sumTau = 0;
    let squaresTau = 0;
    for (let i = 0, k = 0; i < GRID_THRESHOLD.length; i++) {
      const threshold = mean + GRID_THRESHOLD[i] * sigma;
      for (let j = 0; j < GRID_TAU.length; j++, k++) {
        // Also leaves out NaN.
        if (!(evidence[k] - best > NEGLIGIBLE)) continue;
        const logTau = belief.logTau + GRID_TAU[j] * belief.tauSigma;
        const w = Math.exp(evidence[k] - best);
        weight += w;
        sum += w * threshold;
        squares += w * threshold * threshold;
        sumTau += w * logTau;
        squaresTau += w * logTau * logTau;
      }
    }
    const m = sum / weight;
    // An answer at the edge of what was believed possible: the belief was too sure of itself.
    const surprise = Math.abs(m - mean) > 2 * sigma ? 0.5 * Math.abs(m - mean) : 0;
    const deviation = Math.sqrt(Math.max(0, squares / weight - m * m));
    believeThreshold(this.prior, belief, up, m, Math.max(deviation, surprise));
    const logTau = sumTau / weight;
    const { parameters, tauSigma } = this.prior;
    const nominal = Math.log(parameters.tau);
    belief.logTau = within(logTau, nominal - 3 * tauSigma, nominal + 3 * tauSigma);
    belief.tauSigma = Math.max(Math.sqrt(Math.max(0, squaresTau / weight - logTau ** 2)), 0.05);
  }
}
