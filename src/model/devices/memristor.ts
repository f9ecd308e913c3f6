/**
 * The KNOWM memristor as a generalised metastable switch (MSS): one set of equations for simulating,
 * fitting, planning pulses and back-propagating. Source: Nugent & Molter, PLoS ONE 2014, and the
 * vendor's `jspice` (mean form). It is the non-volatile synapse; the volatile device of the neuron is
 * in `mif.ts` and must never share parameters with it.
 */

/** Parameters of one device. SI units. */
export interface MemristorParameters {
  /** Resistance with all switches on, Ω. */
  ron: number;
  /** Resistance with all switches off, Ω. */
  roff: number;
  /** Threshold towards on, V (positive). */
  von: number;
  /** Threshold towards off, V (positive number; it acts at −voff). */
  voff: number;
  /** Time constant of the switches, s. */
  tau: number;
  /** Effective thermal voltage, V. */
  vt: number;
  /** Share of the current through the switches; 1 − phi flows through the Schottky-like path. */
  phi: number;
  /** Schottky amplitude, A, the same both ways. */
  alpha: number;
  /** Schottky exponent, 1/V, the same both ways. */
  beta: number;
}

/** KNOWM W+SDC as fitted by `galaguna/Stochastic_GMMS_memristor_model`. */
export const W_SDC: Readonly<MemristorParameters> = Object.freeze({
  ron: 13e3,
  roff: 460e3,
  von: 0.2,
  voff: 0.1,
  tau: 60e-6,
  vt: 8.8e-3,
  phi: 0.88,
  alpha: 1e-7,
  beta: 8,
});

export const sigmoid = (u: number): number => 1 / (1 + Math.exp(-u));

/** Conductance of the switches (S) at state x in [0, 1]. */
export const switchConductance = (p: MemristorParameters, x: number): number => x / p.ron + (1 - x) / p.roff;

/** Current (A) at state x under voltage v (V). */
export const memristorCurrent = (p: MemristorParameters, x: number, v: number): number =>
  p.phi * v * switchConductance(p, x) + (1 - p.phi) * 2 * p.alpha * Math.sinh(p.beta * v);

/** Small-signal read-out: current over voltage (S) at a read voltage v (V), v ≠ 0. */
export const readConductance = (p: MemristorParameters, x: number, v: number): number =>
  memristorCurrent(p, x, v) / v;

/** State x whose `readConductance` at v is g (S). Not clipped: outside [0, 1] means unreachable. */
export function stateOfConductance(p: MemristorParameters, g: number, v: number): number {
  const schottky = ((1 - p.phi) * 2 * p.alpha * Math.sinh(p.beta * v)) / v;
  return ((g - schottky) / p.phi - 1 / p.roff) / (1 / p.ron - 1 / p.roff);
}

/** dx/dt (1/s) at state x under voltage v (V). */
export const stateDerivative = (p: MemristorParameters, x: number, v: number): number =>
  (sigmoid((v - p.von) / p.vt) * (1 - x) - sigmoid(-(v + p.voff) / p.vt) * x) / p.tau;

/** State after a constant voltage v (V) for t (s): exact, since the equation is linear in x. */
export function stateAfter(p: MemristorParameters, x: number, v: number, t: number): number {
  const on = sigmoid((v - p.von) / p.vt) / p.tau;
  const off = sigmoid(-(v + p.voff) / p.vt) / p.tau;
  const rate = on + off;
  if (rate === 0) return x;
  const end = on / rate;
  return end + (x - end) * Math.exp(-rate * t);
}

/**
 * Voltage across the device (V) when `applied` (V) drives it through `resistance` (Ω) in series.
 * Newton's iteration on the node equation, which is monotone.
 */
export function dividedVoltage(
  p: MemristorParameters,
  x: number,
  applied: number,
  resistance: number,
): number {
  const g = p.phi * switchConductance(p, x);
  const s = (1 - p.phi) * 2 * p.alpha;
  let v = applied / (1 + resistance * g);
  if (s === 0) return v;
  for (let i = 0; i < 4; i++) {
    const e = Math.exp(p.beta * v);
    const f = v + resistance * (g * v + (s / 2) * (e - 1 / e)) - applied;
    const step = f / (1 + resistance * (g + (s / 2) * p.beta * (e + 1 / e)));
    v -= step;
    // The next step would be of its square.
    if (Math.abs(step) <= 1e-9 * Math.abs(v)) break;
  }
  return v;
}

/**
 * State after a pulse of `applied` (V) for `width` (s) through `resistance` (Ω). The divider is
 * re-solved at sub-steps so short that the state moves by at most about a twentieth of its range.
 */
export function stateAfterPulse(
  p: MemristorParameters,
  x: number,
  applied: number,
  width: number,
  resistance: number,
): number {
  let state = x;
  let left = width;
  while (left > 0) {
    const v = dividedVoltage(p, state, applied, resistance);
    const speed = (sigmoid((v - p.von) / p.vt) + sigmoid(-(v + p.voff) / p.vt)) / p.tau;
    const step = Math.min(left, 0.05 / speed);
    state = stateAfter(p, state, v, step);
    left -= step;
    if (speed * left < 1e-9) break;
  }
  return state;
}
