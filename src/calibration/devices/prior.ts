import { W_SDC } from '../../model/devices/memristor.js';
import type { Prior } from './device-estimate.js';

/**
 * KNOWM W+SDC before a chip is known: parameters and threshold spreads as measured by
 * `galaguna/Stochastic_GMMS_memristor_model` (its alpha-stable voff taken as a normal one of like width); spreads
 * of tau and from pulse to pulse are assumed.
 */
export const W_SDC_PRIOR: Readonly<Prior> = Object.freeze({
  parameters: Object.freeze({ ...W_SDC, von: 0.217, voff: 0.085 }),
  vonSigma: 0.035,
  voffSigma: 0.02,
  tauSigma: 0.25,
  pulseSigma: 0.12,
});
