/**
 * The memristive integrate-and-fire (MIF) neuron of SPICEprop, Eq. 1–3: two volatile memristors and a
 * capacitor, driven by an alpha-shaped current. Float64 and readable: the oracle of every kernel.
 *
 *     C dv/dt  = I − G1 (v − E1) − G2 (v − E2),    Gi = xi/Ron + (1 − xi)/Roff
 *     τ dxi/dt = (1 − xi) σ((v − Ei − Von)/k) − xi σ((Voff − (v − Ei))/k)
 *     τα da/dt = −a + input pulses,    τα dI/dt = a − I
 *
 * While the others are held, each state relaxes linearly, dy/dt = source − rate·y, so an
 * integrator is no more than the gain of one step, y⁺ = y + gain(rate, h)·(source − rate·y).
 *
 * The memristors here are volatile (off at 0 V). The synapse in `memristor.ts` is not: they must never
 * share parameters.
 */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { sigmoid } from './memristor.js';

/** Parameters of one neuron. SI units. */
export interface MifParameters {
  /** Membrane capacitance, F. */
  capacitance: number;
  /** Reversal potentials of the two memristors, V. */
  e1: number;
  e2: number;
  /** Effective thermal voltage of the gates, V. */
  k: number;
  /** Gate thresholds towards off and on, V across the memristor. */
  voff: number;
  von: number;
  /** Ω */
  roff: number;
  ron: number;
  /** Time constant of the memristors, s. */
  tau: number;
  /** Time constant of the alpha current, s. */
  tauAlpha: number;
}

/**
 * Table I of SPICEprop at a step of 10 µs. The table's own 100 pF is stable only with its authors' 1 µs
 * step; capacitance over step is what they share.
 */
export const MIF: Readonly<MifParameters> = Object.freeze({
  capacitance: 1e-9,
  e1: 0,
  e2: 50e-3,
  k: 15e-3,
  voff: 5e-3,
  von: 110e-3,
  roff: 1e5,
  ron: 1e3,
  tau: 1e-3,
  tauAlpha: 1e-3,
});

/** The state of one neuron: alpha state a (A), current i (A), membrane potential v (V), memristors x1, x2. */
export interface MifState {
  a: number;
  i: number;
  v: number;
  x1: number;
  x2: number;
}

/**
 * - `forward-euler`: the paper's Eq. 3, all from the old states but for a. Stable only while step·(G1 + G2) < 2C.
 * - `semi-implicit`: each state implicit in itself; stable for any step.
 * - `exponential`: each state exact while the others are held, x half a step ahead of v and the mean
 *   current over the step: second order, stable for any step. The x it reports belong to t + step/2.
 */
export type IntegratorName = 'forward-euler' | 'semi-implicit' | 'exponential';

interface Integrator {
  /** dt·(how far one step goes): y⁺ = y + gain·(source − rate·y). */
  gain(rate: number, dt: number): number;
  /** d gain / d rate */
  gainSlope(rate: number, dt: number): number;
  /** v is advanced with the memristors' new states instead of the old. */
  staggered: boolean;
  /** The alpha current is advanced exactly instead of by Euler's step. */
  exactAlpha: boolean;
}

const INTEGRATORS: Readonly<Record<IntegratorName, Integrator>> = Object.freeze({
  'forward-euler': { gain: (_rate, dt) => dt, gainSlope: () => 0, staggered: false, exactAlpha: false },
  'semi-implicit': {
    gain: (rate, dt) => dt / (1 + rate * dt),
    gainSlope: (rate, dt) => -((dt / (1 + rate * dt)) ** 2),
    staggered: false,
    exactAlpha: false,
  },
  exponential: {
    gain: (rate, dt) => dt * phi(rate * dt),
    gainSlope: (rate, dt) => dt * dt * phiSlope(rate * dt),
    staggered: true,
    exactAlpha: true,
  },
});

/** (1 − e^−z)/z */
const phi = (z: number): number => (z < 1e-9 ? 1 - z / 2 : -Math.expm1(-z) / z);
/** Its derivative: the series where the closed form would cancel. */
const phiSlope = (z: number): number =>
  z < 1e-2
    ? -1 / 2 + z / 3 - z ** 2 / 8 + z ** 3 / 30 - z ** 4 / 144 + z ** 5 / 840
    : (Math.exp(-z) - phi(z)) / z;

/** In the kernel's order. */
export const integratorNames = [
  'forward-euler',
  'semi-implicit',
  'exponential',
] as const satisfies readonly IntegratorName[];

/** Conductance of a neuron's memristor at state x, S. */
export const mifConductance = (p: MifParameters, x: number): number => x / p.ron + (1 - x) / p.roff;

/** The state without input, at which nothing moves. */
export function restState(p: MifParameters): MifState {
  const steady = (v: number, e: number) => {
    const on = sigmoid((v - e - p.von) / p.k);
    return on / (on + sigmoid((p.voff - (v - e)) / p.k));
  };
  const outflow = (v: number) =>
    mifConductance(p, steady(v, p.e1)) * (v - p.e1) + mifConductance(p, steady(v, p.e2)) * (v - p.e2);
  let low = Math.min(p.e1, p.e2);
  let high = Math.max(p.e1, p.e2);
  let v = (low + high) / 2;
  while (v > low && v < high) {
    if (outflow(v) > 0) high = v;
    else low = v;
    v = (low + high) / 2;
  }
  return { a: 0, i: 0, v, x1: steady(v, p.e1), x2: steady(v, p.e2) };
}

/** One step's linear map of the alpha current: b = before·a + drive is the state after the jump. */
export interface AlphaStep {
  before: number;
  after: number;
  /** i⁺ = keep·i + gain·b */
  keep: number;
  gain: number;
  /** The current that acts on v during the step, meanKeep·i + meanGain·b: the old one, or the exact mean. */
  meanKeep: number;
  meanGain: number;
}

export function alphaStep(tauAlpha: number, integrator: IntegratorName, dt: number): AlphaStep {
  const h = dt / tauAlpha;
  if (!INTEGRATORS[integrator].exactAlpha)
    return { before: 1 - h, after: 1, keep: 1 - h, gain: h, meanKeep: 1, meanGain: 0 };
  const decay = Math.exp(-h);
  return {
    before: 1,
    after: decay,
    keep: decay,
    gain: h * decay,
    meanKeep: -Math.expm1(-h) / h,
    meanGain: (-Math.expm1(-h) - h * decay) / h,
  };
}

/** dL/d(state before) and dL/d(drive) of one step. */
export interface MifAdjoint {
  state: MifState;
  drive: number;
}

/** One integrator, at one step length, of one neuron: pure functions. */
export interface MifStepper {
  /** State a step later; `drive` is the jump of a (A) by the pulse that arrives now, 0 for none. */
  step(state: MifState, drive: number): MifState;
  /** Exact adjoint of `step`: from dL/d(state after) to dL/d(state before) and dL/d(drive). */
  adjoint(before: MifState, drive: number, after: MifState): MifAdjoint;
  /** The memristors' states a step later: of the state's v and x alone. */
  relax(state: MifState): Pick<MifState, 'x1' | 'x2'>;
  /**
   * The same as `adjoint`, of a step known to have gone from `before` to `next`, whatever the current was: measured
   * neurons tell v, not a and i. `bar`: dL/d(state after).
   */
  adjointAlong(before: MifState, next: Pick<MifState, 'v' | 'x1' | 'x2'>, bar: MifState): MifAdjoint;
  readonly alpha: AlphaStep;
}

/** One memristor over one step, the membrane potential v (V) held; `e` is its reversal potential, V. */
function memristorStepper(p: MifParameters, integrator: IntegratorName, dt: number) {
  const { gain, gainSlope } = INTEGRATORS[integrator];
  return {
    /** State after the step. */
    relax(x: number, v: number, e: number): number {
      const on = sigmoid((v - e - p.von) / p.k) / p.tau;
      const off = sigmoid((p.voff - (v - e)) / p.k) / p.tau;
      const rate = on + off;
      return x + gain(rate, dt) * (on - rate * x);
    },
    /** dL/dx and dL/dv, given dL/d(state after) as `bar`. */
    adjoint(x: number, v: number, e: number, bar: number): { x: number; v: number } {
      const on = sigmoid((v - e - p.von) / p.k);
      const off = sigmoid((p.voff - (v - e)) / p.k);
      const onSlope = (on * (1 - on)) / (p.k * p.tau);
      const offSlope = (-off * (1 - off)) / (p.k * p.tau);
      const rate = (on + off) / p.tau;
      const g = gain(rate, dt);
      const pull = on / p.tau - rate * x;
      const slope = gainSlope(rate, dt) * pull - g * x;
      return { x: bar * (1 - g * rate), v: bar * (g * onSlope + slope * (onSlope + offSlope)) };
    },
  };
}

/** @param dt step, s. */
export function mifStepper(p: MifParameters, integrator: IntegratorName, dt: number): MifStepper {
  const { gain, gainSlope, staggered } = INTEGRATORS[integrator];
  const alpha = alphaStep(p.tauAlpha, integrator, dt);
  const slopeG = 1 / p.ron - 1 / p.roff;
  const memristor = memristorStepper(p, integrator, dt);

  return {
    alpha,
    relax: (s) => ({ x1: memristor.relax(s.x1, s.v, p.e1), x2: memristor.relax(s.x2, s.v, p.e2) }),
    step(s, drive) {
      const b = alpha.before * s.a + drive;
      const current = alpha.meanKeep * s.i + alpha.meanGain * b;
      const { x1, x2 } = this.relax(s);
      const g1 = mifConductance(p, staggered ? x1 : s.x1);
      const g2 = mifConductance(p, staggered ? x2 : s.x2);
      const rate = (g1 + g2) / p.capacitance;
      const source = (current + g1 * p.e1 + g2 * p.e2) / p.capacitance;
      return {
        a: alpha.after * b,
        i: alpha.keep * s.i + alpha.gain * b,
        v: s.v + gain(rate, dt) * (source - rate * s.v),
        x1,
        x2,
      };
    },
    adjoint(s, drive, bar) {
      return this.adjointAlong(s, this.step(s, drive), bar);
    },
    adjointAlong(s, next, bar) {
      const g1 = mifConductance(p, staggered ? next.x1 : s.x1);
      const g2 = mifConductance(p, staggered ? next.x2 : s.x2);
      const rate = (g1 + g2) / p.capacitance;
      const g = gain(rate, dt);
      // How hard v was pulled follows from how far it went: the current need not be known.
      const pull = (next.v - s.v) / g;
      const rateBar = bar.v * (gainSlope(rate, dt) * pull - g * s.v);
      const sourceBar = bar.v * g;
      const g1Bar = (rateBar + sourceBar * p.e1) / p.capacitance;
      const g2Bar = (rateBar + sourceBar * p.e2) / p.capacitance;
      const currentBar = sourceBar / p.capacitance;
      const m1 = memristor.adjoint(s.x1, s.v, p.e1, bar.x1 + (staggered ? g1Bar * slopeG : 0));
      const m2 = memristor.adjoint(s.x2, s.v, p.e2, bar.x2 + (staggered ? g2Bar * slopeG : 0));
      const bBar = alpha.after * bar.a + alpha.gain * bar.i + alpha.meanGain * currentBar;
      return {
        drive: bBar,
        state: {
          a: alpha.before * bBar,
          i: alpha.keep * bar.i + alpha.meanKeep * currentBar,
          v: bar.v * (1 - g * rate) + m1.v + m2.v,
          x1: m1.x + (staggered ? 0 : g1Bar * slopeG),
          x2: m2.x + (staggered ? 0 : g2Bar * slopeG),
        },
      };
    },
  };
}

export interface MifRun {
  /** States after 0, 1, … steps: steps + 1 of them. */
  states: MifState[];
  dt: number;
}

/**
 * One neuron over `steps` steps of `dt` (s). `drives[n]` is the jump of a (A) at the start of step n; a
 * missing entry is none.
 */
export function runMif(
  p: MifParameters,
  integrator: IntegratorName,
  dt: number,
  steps: number,
  drives: ReadonlyMap<number, number>,
  start: MifState = restState(p),
): MifRun {
  const stepper = mifStepper(p, integrator, dt);
  const states = [start];
  for (let n = 0; n < steps; n++) states.push(stepper.step(states[n], drives.get(n) ?? 0));
  return { states, dt };
}

/**
 * Exact gradient of a loss that depends on the voltages of a run.
 * @param voltageGradient dL/dv after 1, 2, … steps, 1/V.
 * @returns dL/d(drive), 1/A, of every step at which a pulse arrived.
 */
export function backwardMif(
  p: MifParameters,
  integrator: IntegratorName,
  run: MifRun,
  drives: ReadonlyMap<number, number>,
  voltageGradient: ArrayLike<number>,
): Map<number, number> {
  const stepper = mifStepper(p, integrator, run.dt);
  const gradients = new Map<number, number>();
  let bar: MifState = { a: 0, i: 0, v: 0, x1: 0, x2: 0 };
  for (let n = run.states.length - 2; n >= 0; n--) {
    const drive = drives.get(n) ?? 0;
    const adjoint = stepper.adjoint(run.states[n], drive, { ...bar, v: bar.v + voltageGradient[n] });
    if (drives.has(n)) gradients.set(n, adjoint.drive);
    bar = adjoint.state;
  }
  return gradients;
}

const positive = z.number().positive();
/** A neuron's parameters in a file. */
export const mifSchema = z.strictObject({
  capacitance: positive.describe('membrane capacitance, F'),
  e1: z.number().describe('reversal potential of the first memristor, V'),
  e2: z.number().describe('reversal potential of the second memristor, V'),
  k: positive.describe('effective thermal voltage of the gates, V'),
  voff: z.number().describe('gate threshold towards off, V'),
  von: z.number().describe('gate threshold towards on, V'),
  roff: positive.describe('resistance when off, Ω'),
  ron: positive.describe('resistance when on, Ω'),
  tau: positive.describe('time constant of the memristors, s'),
  tauAlpha: positive.describe('time constant of the alpha current, s'),
}) satisfies z.ZodType<MifParameters>;

/** Jump of a (A) that makes the alpha current peak at `peak` (A), from rest. */
export const driveOfPeak = (peak: number): number => peak * Math.E;

/** Throws one line if a parameter cannot belong to a neuron. */
export function checkMifParameters(p: MifParameters): void {
  for (const [name, value] of Object.entries(p))
    if (!Number.isFinite(value))
      throw new MemloopError('bad-input', `neuron parameter ${name} is not a number`);
  for (const name of ['capacitance', 'k', 'roff', 'ron', 'tau', 'tauAlpha'] as const)
    if (p[name] <= 0)
      throw new MemloopError('bad-input', `neuron parameter ${name} is ${p[name]}, but must be above 0`);
}
