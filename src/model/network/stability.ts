/** How many steps neurons need. Forward Euler stops being stable roughly where step·(G1 + G2) < 2C no longer holds on the way. */
import { MemloopError } from '../../shared/errors.js';
import { driveOfPeak, type IntegratorName, type MifParameters, runMif } from '../devices/mif.js';
import { LARGEST_EXPONENTIAL_STEP } from '../kernel/population.js';
import type { NetworkSpec } from './network.js';

/** The paper's Fig. 2: an alpha current that peaks at 5 µA. */
const NOMINAL_DRIVE = driveOfPeak(5e-6);

/** Forward Euler must stay this close (V) to the integrator that is always stable. */
const TOLERANCE = 20e-3;

/** Whether forward Euler follows the neuron under pulses of `drive` (A) at the spec's times. */
function follows(spec: NetworkSpec, steps: number, drive: number): boolean {
  const pulses = new Map(spec.pulseSteps.map((step) => [Math.round((step * steps) / spec.steps), drive]));
  const run = (integrator: IntegratorName) =>
    runMif(spec.neuron, integrator, spec.duration / steps, steps, pulses).states;
  const stable = run('exponential');
  return run('forward-euler').every((s, n) => Math.abs(s.v - stable[n].v) < TOLERANCE);
}

/** The smallest whole number in (low, high] that holds, for a property that holds from some number on. */
function firstThatHolds(low: number, high: number, holds: (n: number) => boolean): number {
  let [fails, works] = [low, high];
  while (works - fails > 1) {
    const middle = Math.floor((fails + works) / 2);
    if (holds(middle)) works = middle;
    else fails = middle;
  }
  return works;
}

/** Fewest steps at which forward Euler is stable under the nominal drive. */
export const fewestEulerSteps = (spec: NetworkSpec): number =>
  firstThatHolds(0, 100_000, (steps) => follows(spec, steps, NOMINAL_DRIVE));

/** Largest drive (A), in steps of 1 µA, at which forward Euler is stable with the spec's steps. */
export const largestEulerDrive = (spec: NetworkSpec): number =>
  (firstThatHolds(0, 1000, (microamperes) => !follows(spec, spec.steps, microamperes * 1e-6)) - 1) * 1e-6;

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

/** Room for neurons that are drawn somewhat faster than they were measured. */
const FASTER = 0.8;

/**
 * The same network in as many times the steps as the exponential integrator needs for these neurons: some of a chip are
 * faster than the nominal one that it was trained with.
 */
export function finerSteps(spec: NetworkSpec, neurons: readonly MifParameters[]): NetworkSpec {
  if (spec.integrator !== 'exponential') return spec;
  const step = LARGEST_EXPONENTIAL_STEP * FASTER * Math.min(...neurons.map(({ tau }) => tau));
  const times = Math.max(1, Math.ceil(spec.duration / spec.steps / step));
  return { ...spec, steps: spec.steps * times, pulseSteps: spec.pulseSteps.map((at) => at * times) };
}
