/** Where the weights of a network's layers are in one list of parameters. */
import { type LayerSpec, layerMatrix } from '../network/layers.js';

/** The kernel's lists are padded to vectors of four floats. */
export const pad4 = (n: number): number => (n + 3) & ~3;

/**
 * Where a layer's padded matrix (`layerMatrix`) and biases are, in floats from the start of a parameter list, and its
 * padded size.
 */
export interface LayerPlace {
  weights: number;
  biases: number;
  inputs: number;
  outputs: number;
}

/** Layers one after the other: weights, then biases, both padded. */
export function placesOf(layers: readonly LayerSpec[]): LayerPlace[] {
  let end = 0;
  return layers.map((layer) => {
    const matrix = layerMatrix(layer);
    const [inputs, outputs] = [pad4(matrix.inputs), pad4(matrix.outputs)];
    const place = { weights: end, biases: end + inputs * outputs, inputs, outputs };
    end = place.biases + outputs;
    return place;
  });
}
