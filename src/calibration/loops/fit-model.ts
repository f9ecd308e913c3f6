/** What a fit searches for, and the currents that it predicts. */
import { type MemristorParameters, sigmoid, W_SDC } from '../../model/devices/memristor.js';
import { type LoopDrive, type MeasuredLoop, steadyLoop } from './loop-model.js';

/**
 * Coordinates of the search. A loop tells the off and the on conductance and the Schottky path's share of the former well;
 * ron, roff and alpha themselves are strongly correlated, and follow from these.
 */
export const SEARCHED = [
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
export type Searched = (typeof SEARCHED)[number];

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
export const COORDINATES: Record<Searched, Coordinate> = {
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
const SHIFT_MAX = 0.3;
const SHIFT_STEP = 0.01;
export const PHI = W_SDC.phi;
/** Where the offsets stand among the coordinates. */
export const OFFSETS = [SEARCHED.indexOf('voltageOffset'), SEARCHED.indexOf('currentOffset')] as const;

export function parametersFrom(theta: readonly number[]): MemristorParameters {
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
export function coordinatesOf({
  parameters: p,
  offsets,
}: {
  parameters: MemristorParameters;
  offsets: { voltage: number; current: number };
}): number[] {
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

/** Largest minus smallest value. */
export const rangeOf = (values: Float64Array): number =>
  values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));

export function drivenBy(loop: MeasuredLoop, voltageOffset: number, currentOffset: number): LoopDrive {
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
export const stepping = ({ pulsed }: MeasuredLoop) => ({ periods: 4, substeps: pulsed ? 8 : 2 });

/** The device as loop `l` saw it: after the shared coordinates, `theta` may hold two threshold shifts per loop. */
export function parametersOfLoop(theta: readonly number[], l: number): MemristorParameters {
  const p = parametersFrom(theta);
  const at = SEARCHED.length + 2 * l;
  return theta.length > SEARCHED.length ? { ...p, von: p.von + theta[at], voff: p.voff + theta[at + 1] } : p;
}

/** The loops that are fitted, prepared for the search. */
export interface Measured {
  loops: readonly MeasuredLoop[];
  /** Range of the current of each loop, A. */
  ranges: readonly number[];
  /** Measured currents over their range, loop after loop, then a zero per coordinate, which its belief is compared with. */
  currents: Float64Array;
  /** A natural step of each coordinate, and its bounds. */
  steps: readonly number[];
  low: readonly number[];
  high: readonly number[];
}

export function measuredBy(loops: readonly MeasuredLoop[], ownThresholds: boolean): Measured {
  const ranges = loops.map(({ current }) => rangeOf(current));
  const samples = loops.reduce((sum, loop) => sum + loop.voltage.length, 0);
  const shifts = new Array<number>(ownThresholds ? 2 * loops.length : 0).fill(SHIFT_MAX);
  const currents = new Float64Array(samples + SEARCHED.length + shifts.length);
  currents.set(loops.flatMap(({ current }, l) => Array.from(current, (value) => value / ranges[l])));
  const each = (key: 'step' | 'low' | 'high') => SEARCHED.map((name) => COORDINATES[name][key]);
  return {
    loops,
    ranges,
    currents,
    steps: [...each('step'), ...shifts.map(() => SHIFT_STEP)],
    low: [...each('low'), ...shifts.map((most) => -most)],
    high: [...each('high'), ...shifts],
  };
}

/**
 * Simulated currents over their range, loop after loop, then how far each coordinate is from its belief.
 * @param rates of each loop, where its halves are faster or slower than the device: see `steadyLoop`
 */
export function simulate(
  theta: readonly number[],
  { loops, ranges }: Pick<Measured, 'loops' | 'ranges'>,
  rates: readonly (readonly [number, number])[] = [],
): Float64Array {
  const parts = loops.map((loop, l) => {
    const p = parametersOfLoop(theta, l);
    const drive = drivenBy(loop, theta[OFFSETS[0]], theta[OFFSETS[1]]);
    const response = steadyLoop(p, drive, { ...stepping(loop), rates: rates[l] });
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
