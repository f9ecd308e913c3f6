/** Networks: what they are, how they start, and the loss their neurons are trained with. */
import { MemloopError } from '../../shared/errors.js';
import {
  checkMifParameters,
  type IntegratorName,
  integratorNames,
  MIF,
  type MifParameters,
} from '../devices/mif.js';
import { Random } from '../random.js';
import { checkLayers, type LayerSpec, layerMatrix } from './layers.js';

export interface NetworkSpec {
  layers: LayerSpec[];
  neuron: MifParameters;
  /** One entry per output neuron where they differ (a measured chip); otherwise all are `neuron`. */
  outputNeurons?: MifParameters[];
  integrator: IntegratorName;
  /** How long the neurons are observed for one input, s. */
  duration: number;
  /** Steps in that time. */
  steps: number;
  /** Steps at which the input is applied, ascending. */
  pulseSteps: number[];
  /**
   * Vectors of one sample, times × channels, given one after the other, one at each input pulse: a signal in time. The first
   * layer takes the channels. 1 where left out: the sample is one vector, given at every pulse.
   */
  times?: number;
  /** Jump of the alpha current's state a (A) per unit of a layer's output. */
  driveScale: number;
  /** Largest magnitude of that jump, A: what a driver can give. Beyond it the gradient is 0. */
  driveMax: number;
}

/** Membrane waveforms enter the next layer as (v − rest)/50 mV, one unit being E2 − E1 of the paper. */
export const WAVEFORM_UNIT = 50e-3;

/** Vectors that a sample is. */
export const timesOf = ({ times = 1 }: Pick<NetworkSpec, 'times'>): number => times;

/** Share of the duration at which the last input pulse arrives; what follows is for the neurons to answer. */
const LAST_PULSE = 0.8;

/**
 * A spec with the paper's input: applied at 0, 4 and 8 ms of 10 ms, in `steps` steps. The vectors of a signal are spread
 * over the same share of the time.
 * @param layers sizes of dense layers such as [784, 100, 10], hidden ones being ReLU unless `hidden` says MIF; or layers
 */
export function networkSpec(
  layers: readonly number[] | readonly LayerSpec[],
  options: Partial<Omit<NetworkSpec, 'layers' | 'pulseSteps'>> & { hidden?: 'relu' | 'mif' } = {},
): NetworkSpec {
  const { hidden = 'relu', steps = 1000, ...rest } = options;
  const times = timesOf(options);
  const pulses = times > 1 ? times : 3;
  return {
    layers: isSizes(layers) ? denseLayers(layers, hidden) : [...layers],
    neuron: MIF,
    integrator: 'exponential',
    duration: 10e-3,
    driveScale: 50e-6,
    driveMax: 1e-3,
    ...rest,
    steps,
    pulseSteps: Array.from({ length: pulses }, (_, i) => Math.round((i * LAST_PULSE * steps) / (pulses - 1))),
  };
}

const isSizes = (layers: readonly number[] | readonly LayerSpec[]): layers is readonly number[] =>
  typeof layers[0] === 'number';

const denseLayers = (sizes: readonly number[], hidden: 'relu' | 'mif'): LayerSpec[] =>
  sizes.slice(1).map((outputs, i) => ({
    inputs: sizes[i],
    outputs,
    activation: i === sizes.length - 2 ? 'linear' : hidden,
  }));

/** Throws one line for a spec that cannot be built. */
export function checkSpec(spec: NetworkSpec): void {
  const fail = (message: string): never => {
    throw new MemloopError('bad-input', message);
  };
  checkLayers(spec.layers);
  const { outputs } = spec.layers.at(-1)!;
  if (!integratorNames.includes(spec.integrator))
    fail(`unknown integrator ${spec.integrator}: use ${integratorNames.join(', ')}`);
  if (!(Number.isInteger(spec.steps) && spec.steps > 0))
    fail(`steps must be a whole number above 0, not ${spec.steps}`);
  for (const name of ['duration', 'driveScale', 'driveMax'] as const)
    if (!(spec[name] > 0)) fail(`${name} must be above 0, not ${spec[name]}`);
  spec.pulseSteps.forEach((step, i) => {
    if (
      !(
        Number.isInteger(step) &&
        step >= 0 &&
        step < spec.steps &&
        (i === 0 || step > spec.pulseSteps[i - 1])
      )
    )
      fail(`pulse steps ${spec.pulseSteps.join(', ')} must ascend within 0…${spec.steps - 1}`);
  });
  const times = timesOf(spec);
  if (!(Number.isInteger(times) && times > 0)) fail(`times must be a whole number above 0, not ${times}`);
  if (times > 1 && times !== spec.pulseSteps.length)
    fail(`a signal of ${times} times needs as many input pulses, not ${spec.pulseSteps.length}`);
  checkMifParameters(spec.neuron);
  if (spec.outputNeurons && spec.outputNeurons.length !== outputs)
    fail(`${spec.outputNeurons.length} output neurons are described but the network has ${outputs}`);
  spec.outputNeurons?.forEach(checkMifParameters);
}

export class Network {
  /**
   * @param weights one list per layer, outputs × inputs of its matrix (`layerMatrix`), row-major
   * @param biases one list per layer, outputs of its matrix
   */
  constructor(
    readonly spec: NetworkSpec,
    readonly weights: Float32Array[],
    readonly biases: Float32Array[],
  ) {
    checkSpec(spec);
    spec.layers.forEach((layer, i) => {
      const { inputs, outputs } = layerMatrix(layer);
      if (weights[i]?.length !== inputs * outputs || biases[i]?.length !== outputs)
        throw new MemloopError(
          'bad-input',
          `layer ${i}: weights or biases do not have the shape ${outputs} × ${inputs}`,
        );
    });
  }

  /** Weights and biases from U(−1/√inputs, 1/√inputs), as the paper's. */
  static initialise(spec: NetworkSpec, seed: number): Network {
    checkSpec(spec);
    const random = new Random(seed).fork('weights');
    const draw = (length: number, inputs: number) =>
      Float32Array.from({ length }, () => (2 * random.uniform() - 1) / Math.sqrt(inputs));
    const weights: Float32Array[] = [];
    const biases: Float32Array[] = [];
    for (const { inputs, outputs } of spec.layers.map(layerMatrix)) {
      weights.push(draw(inputs * outputs, inputs));
      biases.push(draw(outputs, inputs));
    }
    return new Network(spec, weights, biases);
  }

  clone(): Network {
    return new Network(
      this.spec,
      this.weights.map((w) => w.slice()),
      this.biases.map((b) => b.slice()),
    );
  }

  /** Values of one sample: times × channels. */
  get features(): number {
    return timesOf(this.spec) * this.spec.layers[0].inputs;
  }

  get classes(): number {
    return this.spec.layers.at(-1)!.outputs;
  }
}

/** Index of the neuron with the highest v over time; `voltages` is samples × neurons, NaN where lost. */
export function decide(voltages: ArrayLike<number>, neurons: number): number {
  let best = 0;
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < voltages.length; i++)
    if (voltages[i] > top) {
      top = voltages[i];
      best = i % neurons;
    }
  return best;
}

/**
 * The paper's loss: negative log-likelihood of the log-softmax over the membrane potentials in mV, here
 * the mean over samples in time (the paper sums: `steps` times this). Ten silent neurons give ln 10.
 * Times at which any neuron's sample was lost (NaN) do not count.
 * @param voltages samples × neurons, V
 * @param scale V that make a neuron e times as likely
 * @returns the loss and dLoss/dv, samples × neurons, 1/V
 */
export function membraneLoss(
  voltages: ArrayLike<number>,
  neurons: number,
  label: number,
  scale = 1e-3,
): { loss: number; gradient: Float64Array } {
  const samples = voltages.length / neurons;
  const gradient = new Float64Array(voltages.length);
  let loss = 0;
  let counted = 0;
  for (let t = 0; t < samples; t++) {
    let top = Number.NEGATIVE_INFINITY;
    let whole = true;
    for (let n = 0; n < neurons; n++) {
      const v = voltages[t * neurons + n];
      if (Number.isNaN(v)) whole = false;
      top = Math.max(top, v);
    }
    if (!whole) continue;
    counted++;
    let sum = 0;
    for (let n = 0; n < neurons; n++) {
      gradient[t * neurons + n] = Math.exp((voltages[t * neurons + n] - top) / scale);
      sum += gradient[t * neurons + n];
    }
    for (let n = 0; n < neurons; n++)
      gradient[t * neurons + n] = (1 / scale) * (gradient[t * neurons + n] / sum - (n === label ? 1 : 0));
    loss += Math.log(sum) - (voltages[t * neurons + label] - top) / scale;
  }
  const share = counted > 0 ? 1 / counted : 0;
  for (let i = 0; i < gradient.length; i++) gradient[i] *= share;
  return { loss: loss * share, gradient };
}

/** V by which a highest v must lead to be e times as likely: wider than the paper's 1 mV, for a margin. */
export const PEAK_SCALE = 5e-3;

/**
 * The loss of the decision itself: negative log-likelihood of the log-softmax over each neuron's highest
 * v in units of `PEAK_SCALE`. The paper's loss alone is content when the losing neurons are inhibited; then hardly anything
 * but rest is left to decide by.
 * @param voltages samples × neurons, V, NaN where lost
 * @returns the loss and dLoss/dv, samples × neurons, 1/V: only the highest sample of each neuron counts
 */
export function peakLoss(
  voltages: ArrayLike<number>,
  neurons: number,
  label: number,
): { loss: number; gradient: Float64Array } {
  const gradient = new Float64Array(voltages.length);
  const at = Array<number>(neurons).fill(-1);
  for (let i = 0; i < voltages.length; i++) {
    const n = i % neurons;
    if (!Number.isNaN(voltages[i]) && (at[n] < 0 || voltages[i] >= voltages[at[n]])) at[n] = i;
  }
  if (at.some((i) => i < 0)) return { loss: 0, gradient };
  const peaks = membraneLoss(
    at.map((i) => voltages[i]),
    neurons,
    label,
    PEAK_SCALE,
  );
  at.forEach((i, n) => {
    gradient[i] = peaks.gradient[n];
  });
  return { loss: peaks.loss, gradient };
}
