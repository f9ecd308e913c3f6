/**
 * The current of a memristor under a periodic voltage through a series resistor: the model that `fit` fits, and what
 * `sweep` predicts. The mean MSS equations come from `model`.
 */
import {
  dividedVoltage,
  type MemristorParameters,
  memristorCurrent,
  stateAfter,
} from '../../model/devices/memristor.js';

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

export interface LoopDrive {
  /** Source voltage over one period, evenly spaced in time, V. */
  applied: Float64Array;
  /** s between two samples */
  samplePeriod: number;
  /** Ω in series */
  resistance: number;
  /** Each voltage is held until the next, as in a train of pulses; otherwise it runs straight to it. */
  held?: boolean;
}

export interface LoopResponse {
  /** A, one per sample */
  current: Float64Array;
  /** Across the memristor, V. */
  voltage: Float64Array;
  /** Share of switches that are on, in [0, 1]. */
  state: Float64Array;
}

/**
 * Device voltage at the end of a step: the root of v + R·I(x(v), v) = applied between 0 and `applied`, where x(v)
 * is the state after the step at v. Implicit in v, so that a stiff SET (which the divider stops) is stable at
 * any step. A RESET may have several roots; the bracket is followed from the previous voltage. The state moves under the mean
 * of the voltages at the step's start and end: second order.
 */
function stepVoltage(
  p: MemristorParameters,
  x: number,
  applied: number,
  resistance: number,
  time: number,
  start: number,
): number {
  let low = Math.min(0, applied);
  let high = Math.max(0, applied);
  const miss = (v: number) =>
    v + resistance * memristorCurrent(p, stateAfter(p, x, (start + v) / 2, time), v) - applied;
  let fLow = miss(low);
  let fHigh = miss(high);
  let v = high;
  // Illinois variant of regula falsi: bracketed, and superlinear on this smooth function.
  let side = 0;
  for (let i = 0; i < 40 && high - low > 1e-13; i++) {
    v = fHigh === fLow ? (low + high) / 2 : (low * fHigh - high * fLow) / (fHigh - fLow);
    const f = miss(v);
    if (Math.abs(f) < 1e-12) return v;
    if (f > 0) {
      high = v;
      fHigh = f;
      if (side === 1) fLow /= 2;
      side = 1;
    } else {
      low = v;
      fLow = f;
      if (side === -1) fHigh /= 2;
      side = -1;
    }
  }
  return v;
}

/**
 * Steady cycle under a periodic drive: periods are repeated until the state closes within 1e-4, at most
 * `periods` of them. `rates`: how much faster than it should the state moves while the source is positive, and negative.
 */
export function steadyLoop(
  p: MemristorParameters,
  drive: LoopDrive,
  {
    substeps = 2,
    periods = 6,
    start = 0.5,
    rates = [1, 1],
  }: { substeps?: number; periods?: number; start?: number; rates?: readonly [number, number] } = {},
): LoopResponse {
  const n = drive.applied.length;
  const current = new Float64Array(n);
  const voltage = new Float64Array(n);
  const state = new Float64Array(n);
  let x = start;
  let v = dividedVoltage(p, x, drive.applied[n - 1], drive.resistance);
  for (let period = 0; period < periods; period++) {
    const began = x;
    for (let i = 0; i < n; i++) {
      const from = drive.applied[i === 0 ? n - 1 : i - 1];
      const to = drive.applied[i];
      const time = (drive.samplePeriod / substeps) * rates[to < 0 ? 1 : 0];
      if (drive.held) v = dividedVoltage(p, x, to, drive.resistance);
      for (let s = 1; s <= substeps; s++) {
        const applied = drive.held ? to : from + ((to - from) * s) / substeps;
        const before = v;
        v = stepVoltage(p, x, applied, drive.resistance, time, before);
        x = stateAfter(p, x, (before + v) / 2, time);
      }
      voltage[i] = v;
      state[i] = x;
      current[i] = memristorCurrent(p, x, v);
    }
    if (Math.abs(x - began) < 1e-4) break;
  }
  return { current, voltage, state };
}
