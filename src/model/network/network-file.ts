/**
 * Networks in safetensors files with PyTorch's names and shapes: `layers.0.weight` [outputs, inputs], of a convolution
 * [maps, channels, kernel, kernel], and `layers.0.bias` [outputs or maps], float32; the spec as JSON under
 * `memloop.spec` in the metadata. Pooling layers have a number and no tensors.
 */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { parseJson } from '../../shared/json.js';
import { loadTensors, saveTensors, type Tensor } from '../../shared/safetensors.js';
import { integratorNames, mifSchema } from '../devices/mif.js';
import { isImageLayer, type LayerSpec } from './layers.js';
import { Network, type NetworkSpec } from './network.js';

const layerFields = {
  inputs: z.number(),
  outputs: z.number(),
  activation: z.enum(['relu', 'linear', 'mif']),
};
const windowFields = {
  channels: z.number(),
  height: z.number(),
  width: z.number(),
  kernel: z.number(),
  stride: z.number(),
};

const layerSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('dense').exactOptional(), ...layerFields }),
  z.object({
    kind: z.literal('conv2d'),
    ...layerFields,
    ...windowFields,
    maps: z.number(),
    padding: z.number(),
  }),
  z.object({ kind: z.literal('avgpool'), ...layerFields, ...windowFields }),
]);

/** The form of a spec; `checkSpec` says what makes sense. */
const specSchema = z.object({
  layers: z.array(layerSchema),
  neuron: mifSchema,
  outputNeurons: z.array(mifSchema).optional(),
  integrator: z.enum(integratorNames),
  duration: z.number(),
  steps: z.number(),
  pulseSteps: z.array(z.number()),
  times: z.number().exactOptional(),
  driveScale: z.number(),
  driveMax: z.number(),
});

/** Of a layer's weights, as PyTorch has it; none for a layer without weights. */
function weightShape(layer: LayerSpec): [number, ...number[]] | undefined {
  if (!isImageLayer(layer)) return [layer.outputs, layer.inputs];
  return layer.kind === 'conv2d' ? [layer.maps, layer.channels, layer.kernel, layer.kernel] : undefined;
}

/** The tensors of a network under PyTorch's names. */
export function networkTensors(network: Network): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  network.spec.layers.forEach((layer, l) => {
    const shape = weightShape(layer);
    if (!shape) return;
    tensors[`layers.${l}.weight`] = { shape, data: network.weights[l] };
    tensors[`layers.${l}.bias`] = { shape: [shape[0]], data: network.biases[l] };
  });
  return tensors;
}

/** Writes a network, whole or not at all; `metadata` is kept beside the spec. Error: `disk`. */
export function saveNetwork(
  path: string,
  network: Network,
  metadata: Readonly<Record<string, string>> = {},
): void {
  saveTensors(path, networkTensors(network), { ...metadata, 'memloop.spec': JSON.stringify(network.spec) });
}

/** A spec as `saveNetwork` writes it. Error: `bad-file`. */
export const specFrom = (path: string, text: string): NetworkSpec =>
  parseJson(text, specSchema, {
    what: `${path} holds no network: its memloop.spec`,
    hint: 'write it again with `memloop train`',
  }) as NetworkSpec;

/**
 * A network from tensors and metadata as `saveNetwork` writes them.
 * @param path of the file, for messages. Error: `bad-file`.
 */
export function networkFrom(
  path: string,
  tensors: Record<string, Tensor>,
  metadata: Record<string, string>,
): Network {
  const damaged = (why: string): MemloopError =>
    new MemloopError('bad-file', `${path} holds no network: ${why}`);
  if (metadata['memloop.spec'] === undefined) throw damaged('memloop.spec is missing from its metadata');
  const spec = specFrom(path, metadata['memloop.spec']);
  const take = (name: string, shape: number[]): Float32Array => {
    const tensor = tensors[name];
    if (!tensor) throw damaged(`tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join())
      throw damaged(`tensor ${name} is ${tensor.shape.join(' × ')}, not ${shape.join(' × ')}`);
    return tensor.data;
  };
  const shapes = spec.layers.map(weightShape);
  const weights = shapes.map((shape, l) => (shape ? take(`layers.${l}.weight`, shape) : new Float32Array()));
  const biases = shapes.map((shape, l) =>
    shape ? take(`layers.${l}.bias`, [shape[0]]) : new Float32Array(),
  );
  try {
    return new Network(spec, weights, biases);
  } catch (error) {
    throw damaged((error as Error).message);
  }
}

/** Reads a network and its metadata. Error: `bad-file`. */
export function loadNetwork(path: string): { network: Network; metadata: Record<string, string> } {
  const { tensors, metadata } = loadTensors(path);
  return { network: networkFrom(path, tensors, metadata), metadata };
}
