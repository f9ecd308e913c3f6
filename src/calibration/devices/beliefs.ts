/** What the passport and the population tell of cells before a job, and what a job leaves in the passport. */
import { memristorCurrent } from '../../model/devices/memristor.js';
import { DEFAULT_READ_VOLTAGE } from '../converters/calibrated-board.js';
import type { ArrayPassport } from '../passport/passport.js';
import type { Belief, Prior } from './device-estimate.js';
import { W_SDC_PRIOR } from './prior.js';

/** Share of the usual cell's highest conductance that targets may ask for. */
const REACH = 0.95;

/** S */
export interface ArrayWindow {
  /** What nearly all cells can be brought to. */
  low: number;
  high: number;
  /** What about half of them can be brought to: enough for the partner of a cell that is stuck high. */
  reach: number;
}

/** The array's usable range, S: measured by `calibrate`, or what the population's spread leaves to nearly all cells. */
export function arrayWindow(passport: ArrayPassport, prior: Prior = W_SDC_PRIOR): ArrayWindow {
  const range = nominalRange(prior);
  const { low, high } = passport.window ?? { low: 1.3 * range.low, high: 0.75 * range.high };
  const highest = passport.tables.windowHigh.filter(Number.isFinite).sort();
  const usual = highest.length > 0 ? highest[Math.floor(highest.length / 2)] : range.high;
  return { low, high, reach: Math.max(high, REACH * usual) };
}

/** The largest error that counts as done where none is given, S: 2 % of the array's window. */
export const defaultTolerance = ({ low, high }: ArrayWindow): number => 0.02 * (high - low);

function nominalRange(prior: Prior): { low: number; high: number } {
  const p = prior.parameters;
  return {
    low: memristorCurrent(p, 0, DEFAULT_READ_VOLTAGE) / DEFAULT_READ_VOLTAGE,
    high: memristorCurrent(p, 1, DEFAULT_READ_VOLTAGE) / DEFAULT_READ_VOLTAGE,
  };
}

/** What the passport knows of a cell, and the prior for the rest. */
export function beliefOf(passport: ArrayPassport, index: number, prior: Prior): Belief {
  const t = passport.tables;
  const known = (value: number, otherwise: number) => (Number.isFinite(value) ? value : otherwise);
  const range = nominalRange(prior);
  return {
    von: known(t.von[index], prior.parameters.von),
    vonSigma: known(t.vonSigma[index], prior.vonSigma),
    voff: known(t.voff[index], prior.parameters.voff),
    voffSigma: known(t.voffSigma[index], prior.voffSigma),
    logTau: Math.log(known(t.tau[index], prior.parameters.tau)),
    tauSigma: known(t.tauSigma[index], prior.tauSigma),
    low: known(t.windowLow[index], range.low),
    high: known(t.windowHigh[index], range.high),
  };
}

/**
 * Least standard deviation of ln(tau) in a passport. Pulses near the threshold hardly tell tau from the threshold, and the
 * belief, which takes both as independent, grows too sure of it.
 */
const TAU_SIGMA = 0.15;

/** Puts a belief into the passport. */
export function remember(passport: ArrayPassport, index: number, belief: Belief): void {
  const t = passport.tables;
  t.von[index] = belief.von;
  t.vonSigma[index] = belief.vonSigma;
  t.voff[index] = belief.voff;
  t.voffSigma[index] = belief.voffSigma;
  t.tau[index] = Math.exp(belief.logTau);
  t.tauSigma[index] = Math.max(belief.tauSigma, TAU_SIGMA);
}
