/** Where forward Euler stops being stable: step·(G1 + G2) < 2C must hold all along the trajectory. */
import { MemloopError } from '../errors.js';
import { driveOfPeak, type MifParameters, mifConductance, runMif } from './mif.js';
import type { NetworkSpec } from './network.js';

/** The paper's Fig. 2: an alpha current that peaks at 5 µA. */
const NOMINAL_DRIVE = driveOfPeak(5e-6);

/** The highest G1 + G2 (S) that a neuron reaches under pulses of `drive` (A); by the stable integrator. */
function highestConductance(p: MifParameters, spec: NetworkSpec, drive: number): number {
  const steps = 2000;
  const pulses = new Map(spec.pulseSteps.map((step) => [Math.round((step * steps) / spec.steps), drive]));
  const { states } = runMif(p, 'exponential', spec.duration / steps, steps, pulses);
  return Math.max(...states.map((s) => mifConductance(p, s.x1) + mifConductance(p, s.x2)));
}

/** Fewest steps at which forward Euler is stable under the nominal drive. */
export function fewestEulerSteps(spec: NetworkSpec): number {
  const p = spec.neuron;
  return Math.ceil((spec.duration * highestConductance(p, spec, NOMINAL_DRIVE)) / (2 * p.capacitance));
}

/** Largest drive (A) at which forward Euler is stable with the spec's steps, with a tenth to spare. */
export function largestEulerDrive(spec: NetworkSpec): number {
  const limit = (2 * spec.neuron.capacitance * spec.steps) / spec.duration;
  let low = 0;
  let high = 1e-3;
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2;
    if (highestConductance(spec.neuron, spec, middle) < 0.9 * limit) low = middle;
    else high = middle;
  }
  return low;
}

/** Throws, with the limit, when the spec's integrator cannot be stable with its steps. */
export function checkStability(spec: NetworkSpec): void {
  if (spec.integrator !== 'forward-euler') return;
  const fewest = fewestEulerSteps(spec);
  if (spec.steps < fewest)
    throw new MemloopError(
      'limit',
      `forward-euler is unstable with ${spec.steps} steps of ${spec.duration} s: at least ${fewest} are needed; use more steps or --integrator exponential`,
    );
}
