/** A network on the kernel: holds one batch and runs it forward, backward and through Adam. */
import { MemloopError } from '../../shared/errors.js';
import type { MifParameters } from '../devices/mif.js';
import { layerMatrix } from '../network/layers.js';
import type { Network, NetworkSpec } from '../network/network.js';
import { KernelMemory } from './kernel.js';
import type { LayerPlace } from './places.js';
import { Plan, type PlanOptions } from './plan.js';

export interface AdamSettings {
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled weight decay: weights shrink by rate × decay per step. */
  decay: number;
  /** Share of the new weights in the running average. */
  averaging: number;
}

export class Engine {
  /** rows × times × stride; `load` and `put` write a batch here. */
  readonly #inputs: Float32Array;
  readonly #inputStride: number;
  /** One label per row, −1 for rows that do not count. */
  readonly labels: Int32Array;
  /** Per masked layer, rows × times × stride: factors of the layer's outputs, which the caller writes; of image layers in any order. */
  readonly masks: { values: Float32Array; stride: number; outputs: number }[] = [];
  /** Padded parameter lists: weights, Adam's moments, the running average. */
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  readonly average: Float32Array;
  readonly #plan: Plan;
  readonly #memory: KernelMemory;
  readonly #losses: Float32Array;
  readonly #peaks: Float32Array;
  readonly #settings: Float32Array;
  readonly #gradientLists: Float32Array[];
  readonly #runForward: () => void;
  readonly #runGradient: (() => void) | undefined;
  readonly #runAdam: (() => void) | undefined;

  constructor(
    readonly spec: NetworkSpec,
    rows: number,
    options: PlanOptions = {},
  ) {
    const plan = new Plan(spec, rows, options);
    const memory = new KernelMemory(plan.bytes);
    this.#plan = plan;
    this.#memory = memory;
    plan.fill(memory);
    const list = (address: number) => memory.floats(address, address ? plan.size : 0);
    this.parameters = list(plan.weights);
    this.firstMoment = list(plan.firstMoment);
    this.secondMoment = list(plan.secondMoment);
    this.average = list(plan.average);
    this.#gradientLists = plan.gradients.map(list);
    this.#inputStride = plan.widths[0];
    this.#inputs = memory.floats(plan.activations[0], plan.rows * plan.times * this.#inputStride);
    this.labels = memory.ints(plan.labels, plan.rows).fill(-1);
    this.#losses = memory.floats(plan.losses, plan.rows);
    this.#peaks = memory.floats(plan.peaks, plan.rows * spec.layers.at(-1)!.outputs);
    this.#settings = memory.floats(plan.settings, 8);
    for (const mask of plan.masks)
      if (mask) {
        const { at, stride, outputs } = mask;
        this.masks.push({ values: memory.floats(at, plan.rows * plan.times * stride), stride, outputs });
      }
    this.#runForward = memory.program(plan.forward());
    if (options.training) {
      this.#runGradient = memory.program(plan.gradient());
      this.#runAdam = memory.program(plan.adam());
    }
  }

  /** Samples a batch can hold. */
  get rows(): number {
    return this.#plan.rows;
  }

  /** Where each layer is in a parameter list. */
  get places(): readonly LayerPlace[] {
    return this.#plan.places;
  }

  /** Other parameters for the output neurons, one each; the engine's spec must have one each too. */
  setOutputNeurons(parameters: readonly MifParameters[]): void {
    this.#plan.setOutputNeurons(this.#memory, parameters);
  }

  /** Largest input of a layer in the batch last run; 1 for the first, and for those after hidden MIF neurons. */
  largestInput(l: number): number {
    const list = this.#plan.inputs(l);
    if (l === 0 || list === undefined) return 1;
    return this.#memory.floats(list.at, list.floats).reduce((largest, value) => Math.max(largest, value), 0);
  }

  /** Bytes of the kernel's memory. */
  get bytes(): number {
    return this.#memory.bytes;
  }

  setWeights(network: Network): void {
    this.spec.layers.map(layerMatrix).forEach(({ inputs, outputs }, l) => {
      const place = this.#plan.places[l];
      for (let o = 0; o < outputs; o++)
        this.parameters.set(
          network.weights[l].subarray(o * inputs, (o + 1) * inputs),
          place.weights + o * place.inputs,
        );
      this.parameters.set(network.biases[l], place.biases);
    });
  }

  /** Copies a padded list (the weights unless another is given) into a network of the same shape. */
  getWeights(network: Network, list: Float32Array = this.parameters): Network {
    this.spec.layers.map(layerMatrix).forEach(({ inputs, outputs }, l) => {
      const place = this.#plan.places[l];
      for (let o = 0; o < outputs; o++) {
        const at = place.weights + o * place.inputs;
        network.weights[l].set(list.subarray(at, at + inputs), o * inputs);
      }
      network.biases[l].set(list.subarray(place.biases, place.biases + outputs));
    });
    return network;
  }

  /** Puts samples into the batch; rows beyond them do not count. */
  load(inputs: Float32Array, indices: ArrayLike<number>, labels?: ArrayLike<number>): void {
    const features = this.#plan.times * this.spec.layers[0].inputs;
    const none = new Float32Array(features);
    for (let r = 0; r < this.rows; r++) {
      const used = r < indices.length;
      this.put(r, used ? inputs.subarray(indices[r] * features, (indices[r] + 1) * features) : none);
      this.labels[r] = used && labels ? labels[indices[r]] : -1;
    }
  }

  /** Replaces the sample in this row of the batch. */
  put(row: number, sample: Float32Array): void {
    const { times } = this.#plan;
    const channels = this.spec.layers[0].inputs;
    for (let t = 0; t < times; t++)
      this.#inputs.set(
        sample.subarray(t * channels, (t + 1) * channels),
        (row * times + t) * this.#inputStride,
      );
  }

  /** Forward only; then `decisions`. */
  forward(): void {
    this.#runForward();
  }

  /** Forward and backward: the mean loss of the labelled rows. Gradients of the batch's sum are kept. */
  gradient(): number {
    if (!this.#runGradient) throw new MemloopError('training', 'this engine was made without training');
    this.#losses.fill(0);
    this.#runGradient();
    let sum = 0;
    let count = 0;
    for (let r = 0; r < this.rows; r++)
      if (this.labels[r] >= 0) {
        sum += this.#losses[r];
        count++;
      }
    return sum / (count * this.spec.steps);
  }

  /** The gradient of the mean loss in the shape of a network's weights and biases. */
  readGradient(network: Network): Network {
    const count = this.labels.reduce((n, label) => n + (label >= 0 ? 1 : 0), 0);
    const sum = new Float32Array(this.parameters.length);
    for (const part of this.#gradientLists) for (let i = 0; i < sum.length; i++) sum[i] += part[i];
    return this.getWeights(
      network,
      sum.map((g) => g / count),
    );
  }

  /** One step of Adam with the kept gradients; `count` counts steps from 1. */
  adam(count: number, settings: AdamSettings): void {
    const { beta1, beta2, rate, epsilon, decay, averaging } = settings;
    // The kept gradients are sums over the batch: the scale cancels but for epsilon.
    const samples = this.labels.reduce((n, label) => n + (label >= 0 ? 1 : 0), 0);
    this.#settings.set([
      beta1,
      beta2,
      1 / (1 - beta1 ** count),
      1 / (1 - beta2 ** count),
      rate,
      epsilon * samples,
      rate * decay,
      averaging,
    ]);
    this.#runAdam!();
  }

  /** Highest v of output neuron n over time for the sample in this row, V. */
  peak(row: number, n: number): number {
    const neurons = this.spec.layers.at(-1)!.outputs;
    return this.#peaks[((row >> 2) * neurons + n) * 4 + (row & 3)];
  }

  /** The neuron with the highest v over time, for each of the first `count` rows. */
  decisions(count: number): Uint8Array {
    const neurons = this.spec.layers.at(-1)!.outputs;
    return Uint8Array.from({ length: count }, (_, row) => {
      let best = 0;
      for (let n = 1; n < neurons; n++) if (this.peak(row, n) > this.peak(row, best)) best = n;
      return best;
    });
  }

  dispose(): void {
    this.#memory.dispose();
  }
}
