/**
 * State injection: the exact adjoint of the neuron along a given trajectory. Given v(t), the memristors'
 * states follow from their own equation (1c), so the backward pass can be run at the states that a chip
 * really went through instead of the model's.
 */
import { MemloopError } from '../../shared/errors.js';
import { type IntegratorName, type MifParameters, type MifState, mifStepper, restState } from './mif.js';

export interface AlongOptions {
  integrator?: IntegratorName;
  /** Model step, s; the sample period must be a whole multiple of it. The sample period unless given. */
  step?: number;
}

/**
 * dLoss/dDrive (pulses × neurons, 1/A) of every pulse, along measured voltages.
 *
 * Between samples, and where samples were lost, v is interpolated linearly; x1 and x2 start at rest. If
 * the trajectory is the model's own, sampled every step, this is the model's exact gradient.
 *
 * @param parameters of all neurons, or one entry per neuron
 * @param voltages samples × neurons, V, NaN where lost; sample i was taken at (i + 1) × samplePeriod
 * @param samplePeriod s
 * @param pulseTimes s, when the input pulses arrived
 * @param gradient dLoss/dv, samples × neurons, 1/V; ignored where v was lost
 */
export function adjointAlong(
  parameters: MifParameters | readonly MifParameters[],
  voltages: ArrayLike<number>,
  neurons: number,
  samplePeriod: number,
  pulseTimes: readonly number[],
  gradient: ArrayLike<number>,
  options: AlongOptions = {},
): Float64Array {
  const { integrator = 'exponential', step = samplePeriod } = options;
  const every = Math.round(samplePeriod / step);
  if (every < 1 || Math.abs(every * step - samplePeriod) > 1e-6 * samplePeriod)
    throw new MemloopError(
      'bad-input',
      `sample period ${samplePeriod} s is not a whole multiple of the step ${step} s`,
    );
  if (voltages.length % neurons !== 0 || gradient.length !== voltages.length)
    throw new MemloopError(
      'bad-input',
      `${voltages.length} voltages and ${gradient.length} gradients do not fit ${neurons} neurons`,
    );
  const samples = voltages.length / neurons;
  const pulseAt = new Map(pulseTimes.map((time, j) => [Math.round(time / step), j]));
  const result = new Float64Array(pulseTimes.length * neurons);

  for (let n = 0; n < neurons; n++) {
    // Nothing after the last sample that the loss looks at matters.
    let heard = samples;
    while (heard > 0 && !counts(gradient, voltages, (heard - 1) * neurons + n)) heard--;
    const steps = heard * every;
    if (steps === 0) continue;
    const p = Array.isArray(parameters)
      ? (parameters as readonly MifParameters[])[n]
      : (parameters as MifParameters);
    const stepper = mifStepper(p, integrator, step);
    const rest = restState(p);
    const v = interpolate(voltages, n, neurons, samples, every, rest.v);

    const states = [rest];
    for (let t = 0; t < steps; t++) {
      const { x1, x2 } = stepper.relax(states[t]);
      states.push({ a: 0, i: 0, v: v[t + 1], x1, x2 });
    }

    let bar: MifState = { a: 0, i: 0, v: 0, x1: 0, x2: 0 };
    for (let t = steps - 1; t >= 0; t--) {
      if ((t + 1) % every === 0) {
        const at = ((t + 1) / every - 1) * neurons + n;
        if (counts(gradient, voltages, at)) bar.v += gradient[at];
      }
      const { drive, state } = stepper.adjointAlong(states[t], states[t + 1], bar);
      const pulse = pulseAt.get(t);
      if (pulse !== undefined) result[pulse * neurons + n] = drive;
      bar = state;
    }
  }
  return result;
}

const counts = (gradient: ArrayLike<number>, voltages: ArrayLike<number>, at: number): boolean =>
  gradient[at] !== 0 && !Number.isNaN(voltages[at]);

/** v on the model's steps, entry 0 being the start, from one neuron's samples with gaps. */
function interpolate(
  voltages: ArrayLike<number>,
  n: number,
  neurons: number,
  samples: number,
  every: number,
  start: number,
): Float64Array {
  const v = new Float64Array(samples * every + 1);
  v[0] = start;
  let known = 0;
  for (let i = 0; i < samples; i++) {
    const value = voltages[i * neurons + n];
    if (Number.isNaN(value)) continue;
    const at = (i + 1) * every;
    for (let t = known + 1; t <= at; t++) v[t] = v[known] + ((value - v[known]) * (t - known)) / (at - known);
    known = at;
  }
  v.fill(v[known], known + 1);
  return v;
}
