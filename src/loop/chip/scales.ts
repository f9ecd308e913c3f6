/** How the values of a network's layers become conductances and voltages. */
import {
  type Dataset,
  layerOutputs,
  type Network,
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
  const samples = Math.min(SAMPLE, sample.count);
  // Each vector of a signal counts.
  const count = samples * timesOf(network.spec);
  let values: Float32Array | undefined = sample.inputs.subarray(0, samples * sample.features);
  return network.spec.layers.map((layer, l) => {
    const weightMax = clippingWeight(network.weights[l]);
    if (network.spec.layers[l - 1]?.activation === 'mif') values = undefined;
    if (!values) return { weightMax, ...waveformRange(network, l, sample) };
    const range = { inputMax: l === 0 ? 1 : SPARE * largest(values) };
    // Only linear layers give values of both signs.
    const inputMin = l === 0 ? 0 : SPARE * smallest(values);
    const next = new Float32Array(count * layer.outputs);
    for (let n = 0; n < count; n++)
      next.set(
        layerOutputs(network, l, values.subarray(n * layer.inputs, (n + 1) * layer.inputs)),
        n * layer.outputs,
      );
    values = layer.activation === 'relu' ? next.map((value) => Math.max(0, value)) : next;
    return { weightMax, ...range, ...(inputMin < 0 && { inputMin }) };
  });
}

/** The waveforms that layer l gets from the MIF layer before it. */
function waveformRange(network: Network, l: number, sample: Dataset): { inputMin: number; inputMax: number } {
  const { outputNeurons: _, ...spec } = network.spec;
  const before = { ...network, spec: { ...spec, layers: spec.layers.slice(0, l) } };
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
  if (weights.length === 0) return 1;
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
const smallest = (values: Float32Array): number => values.reduce((min, v) => Math.min(min, v), 0);
