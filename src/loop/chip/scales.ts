/** How the values of a network's layers become conductances and voltages. */
import {
  checkAllDense,
  type Dataset,
  Network,
  outputVoltages,
  restState,
  timesOf,
  WAVEFORM_UNIT,
} from '../../model/index.js';
import type { LayerShape } from '../mapping/mapping.js';

/**
 * Standard deviation of a weight as programmed, as a share of the layer's largest: two cells anywhere within
 * `programArray`'s usual tolerance of 2 % of the window.
 */
export const PROGRAMMING_ERROR = 0.02 * Math.sqrt(2 / 3);

/** How values of each layer become conductances and voltages: kept with a network that was fine-tuned on a chip. */
export type LayerScales = Pick<LayerShape, 'weightMax' | 'inputMin' | 'inputMax'>[];

/** How far inputs may exceed the largest of the sample. */
const SPARE = 1.2;
/** Images that the range of the activations is taken from; of those, images simulated for the range of waveforms. */
const SAMPLE = 2000;
const SIMULATED = 32;

/**
 * Scales for a network, one entry per layer. The whole conductance window is taken by nearly the largest weight of the
 * layer, the whole read voltage by the largest activation that the sample shows, with a fifth to spare.
 *
 * @param sample images such as the network was trained on; the first 2000 are used.
 */
export function layerScales(network: Network, sample: Dataset): LayerScales {
  checkAllDense(network.spec.layers, 'a chip');
  const samples = Math.min(SAMPLE, sample.count);
  // Each vector of a signal counts.
  const count = samples * timesOf(network.spec);
  let values: Float32Array | undefined = sample.inputs.subarray(0, samples * sample.features);
  return network.spec.layers.map((layer, l) => {
    const weightMax = clippingWeight(network.weights[l]);
    if (network.spec.layers[l - 1]?.activation === 'mif') values = undefined;
    if (!values) return { weightMax, ...waveformRange(network, l, sample) };
    const inputMax = l === 0 ? 1 : SPARE * largest(values);
    const next = new Float32Array(count * layer.outputs);
    for (let n = 0; n < count; n++)
      for (let j = 0; j < layer.outputs; j++) {
        let sum = network.biases[l][j];
        for (let i = 0; i < layer.inputs; i++)
          sum += network.weights[l][j * layer.inputs + i] * values[n * layer.inputs + i];
        next[n * layer.outputs + j] = Math.max(0, sum);
      }
    values = next;
    return { weightMax, inputMax };
  });
}

/** The waveforms that layer l gets from the MIF layer before it. */
function waveformRange(network: Network, l: number, sample: Dataset): { inputMin: number; inputMax: number } {
  const { outputNeurons: _, ...spec } = network.spec;
  const before = new Network(
    {
      ...spec,
      layers: spec.layers
        .slice(0, l)
        .map((layer, k) => (k === l - 1 ? { ...layer, activation: 'linear' as const } : layer)),
    },
    network.weights.slice(0, l),
    network.biases.slice(0, l),
  );
  const rest = restState(spec.neuron).v;
  let low = 0;
  let high = 0;
  for (let n = 0; n < Math.min(SIMULATED, sample.count); n++)
    for (const v of outputVoltages(
      before,
      sample.inputs.subarray(n * sample.features, (n + 1) * sample.features),
    )) {
      low = Math.min(low, v - rest);
      high = Math.max(high, v - rest);
    }
  return { inputMin: (SPARE * low) / WAVEFORM_UNIT, inputMax: (SPARE * high) / WAVEFORM_UNIT };
}

/**
 * The |weight| that takes the whole window: the one at which the clipping of larger weights and the programming errors
 * of all weights, which grow with it, have the least mean square together.
 */
function clippingWeight(weights: Float32Array): number {
  const magnitudes = Float64Array.from(weights, Math.abs).sort();
  const max = Math.max(magnitudes.at(-1)!, 1e-6);
  let [best, least] = [max, Infinity];
  for (let share = 0.2; share <= 1; share += 0.02) {
    const limit = share * max;
    let error = magnitudes.length * (PROGRAMMING_ERROR * limit) ** 2;
    for (let i = magnitudes.length - 1; magnitudes[i] > limit; i--) error += (magnitudes[i] - limit) ** 2;
    if (error <= least) [best, least] = [limit, error];
  }
  return best;
}

const largest = (values: Float32Array): number => values.reduce((max, v) => Math.max(max, Math.abs(v)), 1e-6);
