/**
 * What a chip makes of a network, drawn anew for every batch of training: weights as they would be programmed and read,
 * sums as they would be measured, output neurons within what is known of them. The gradient is taken there and applied
 * to the clean weights (straight through).
 */
import { MemloopError } from '../../shared/errors.js';
import type { MifParameters } from '../devices/mif.js';
import type { Engine } from '../kernel/engine.js';
import { layerMatrix } from '../network/layers.js';
import type { NetworkSpec } from '../network/network.js';
import type { Random } from '../random.js';

export interface VariationSettings {
  /** Standard deviation of each weight, as a share of its layer's largest. */
  weightNoise: number;
  /** Standard deviation of each sum, as a share of the layer's largest weight at its largest input. */
  sumNoise: number;
  /** Relative standard deviation of every parameter of an output neuron but its reversal potentials. */
  neuronSpread: number;
}

/** What is known of the chip that a network is trained for. */
export interface ChipTwin {
  /** Identifies it: which chip, and when it was measured. */
  name: string;
  /** Per output neuron, with standard deviations. */
  neurons: { parameters: MifParameters; sigma: MifParameters }[];
  /**
   * Per layer, the lowest and highest value of each weight, outputs × inputs of its matrix: as a share of the layer's largest weight or,
   * for a network that is mapped already, of `weightMax`. They are −1 and 1 unless a cell is stuck.
   */
  limits: { low: Float32Array; high: Float32Array; weightMax?: number }[];
}

const SPREAD = ['capacitance', 'k', 'voff', 'von', 'roff', 'ron', 'tau', 'tauAlpha'] as const;
const POSITIVE = ['capacitance', 'k', 'roff', 'ron', 'tau', 'tauAlpha'] as const;

/** The same network with an entry for each output neuron, so that an engine can vary them. */
export const variedSpec = (spec: NetworkSpec): NetworkSpec => ({
  ...spec,
  outputNeurons: spec.outputNeurons ?? Array(spec.layers.at(-1)!.outputs).fill(spec.neuron),
});

/** Error: `bad-input` if the chip does not fit this network. */
export function checkTwin(twin: ChipTwin, { layers }: NetworkSpec): void {
  const fits =
    twin.neurons.length === layers.at(-1)!.outputs &&
    twin.limits.length === layers.length &&
    layers
      .map(layerMatrix)
      .every(
        ({ inputs, outputs }, l) =>
          twin.limits[l].low.length === inputs * outputs && twin.limits[l].high.length === inputs * outputs,
      );
  if (!fits)
    throw new MemloopError('bad-input', `what is known of ${twin.name} is not laid out for this network`);
}

export class Variation {
  readonly #clean: Float32Array;
  /** Of each layer, the weights with a limit: index in the padded list, shares. */
  readonly #limited: { at: number; low: number; high: number }[][];

  readonly #engine: Engine;
  readonly #settings: VariationSettings;
  readonly #twin: ChipTwin | undefined;

  /** @param engine of `variedSpec` */
  constructor(engine: Engine, settings: VariationSettings, twin: ChipTwin | undefined) {
    this.#engine = engine;
    this.#settings = settings;
    this.#twin = twin;

    this.#clean = new Float32Array(engine.parameters.length);
    this.#limited = engine.spec.layers.map(layerMatrix).map(({ inputs }, l) => {
      const place = engine.places[l];
      const found: { at: number; low: number; high: number }[] = [];
      twin?.limits[l].low.forEach((low, i) => {
        const high = twin.limits[l].high[i];
        if (low > -1 || high < 1 || twin.limits[l].weightMax !== undefined)
          found.push({
            at: place.weights + Math.floor(i / inputs) * place.inputs + (i % inputs),
            low,
            high,
          });
      });
      return found;
    });
  }

  /** Replaces weights, biases and neurons by what a chip would have, until `restore`. */
  apply(random: Random): void {
    const engine = this.#engine;
    const settings = this.#settings;
    const { parameters } = engine;
    this.#clean.set(parameters);
    engine.spec.layers.map(layerMatrix).forEach(({ inputs, outputs }, l) => {
      const place = engine.places[l];
      const largest = this.#largest(parameters, l);
      const deviation = settings.weightNoise * largest;
      if (deviation > 0)
        for (let o = 0; o < outputs; o++) {
          const row = place.weights + o * place.inputs;
          for (let i = 0; i < inputs; i++) parameters[row + i] += deviation * random.normal();
        }
      const noise = settings.sumNoise * largest * engine.largestInput(l);
      if (noise > 0)
        for (let o = 0; o < outputs; o++) parameters[place.biases + o] += noise * random.normal();
    });
    this.#varyNeurons(random);
  }

  restore(): void {
    this.#engine.parameters.set(this.#clean);
  }

  /** Limits the weights of a padded list to what their cells can still be. */
  limit(list: Float32Array): void {
    this.#limited.forEach((weights, l) => {
      if (weights.length === 0) return;
      const largest = this.#largest(list, l);
      for (const { at, low, high } of weights)
        list[at] = Math.min(high * largest, Math.max(low * largest, list[at]));
    });
  }

  #varyNeurons(random: Random): void {
    const engine = this.#engine;
    const twin = this.#twin;
    const settings = this.#settings;
    if (settings.neuronSpread === 0 && !twin) return;
    engine.setOutputNeurons(
      engine.spec.outputNeurons!.map((mean, n) => {
        const p = { ...mean };
        const sigma = twin?.neurons[n].sigma;
        if (sigma)
          for (const name of ['e1', 'e2', ...SPREAD] as const) p[name] += sigma[name] * random.normal();
        if (settings.neuronSpread > 0)
          for (const name of SPREAD) p[name] *= 1 + settings.neuronSpread * random.normal();
        // However far a draw goes, these stay positive.
        for (const name of POSITIVE) p[name] = Math.max(0.3 * mean[name], p[name]);
        return p;
      }),
    );
  }

  /** What the shares of layer l refer to: the largest |weight| in a padded list, unless it is fixed. */
  #largest(list: Float32Array, l: number): number {
    const fixed = this.#twin?.limits[l].weightMax;
    if (fixed !== undefined) return fixed;
    const { weights, biases } = this.#engine.places[l];
    let largest = 0;
    for (let i = weights; i < biases; i++) largest = Math.max(largest, Math.abs(list[i]));
    return largest;
  }
}
