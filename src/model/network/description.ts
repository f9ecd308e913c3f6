/**
 * Networks as files of JSON: the layers and what cannot be known from the dataset. Sizes follow from layer to layer.
 *
 *     {"layers": [{"kind": "conv2d", "maps": 8, "kernel": 5, "stride": 2}, {"kind": "flatten"}, {"kind": "dense"}]}
 */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { readJson } from '../../shared/json.js';
import {
  type Activation,
  checkImageLayer,
  checkLayers,
  type ImageLayer,
  type ImageShape,
  imageSize,
  imageText,
  type LayerSpec,
  outputImage,
} from './layers.js';

/** A layer as it is written; what is left out has the default that is named. */
export type LayerDescription =
  | {
      kind: 'dense';
      /** In the last layer the number of classes. */
      outputs?: number;
      /** relu; in the last layer linear. */
      activation?: Activation;
    }
  | {
      kind: 'conv2d';
      /** How many filters. */
      maps: number;
      /** Side of a filter. */
      kernel: number;
      /** 1. */
      stride?: number;
      /** Zeros around the image, on each side: 0. */
      padding?: number;
      /** relu. */
      activation?: Activation;
    }
  | {
      kind: 'avgpool';
      /** Side of the squares. */
      kernel: number;
      /** The kernel. */
      stride?: number;
    }
  | { kind: 'flatten' };

export interface NetworkDescription {
  /** The image that a sample is; a square one of one channel where left out. */
  input?: ImageShape;
  layers: LayerDescription[];
}

const count = z.int().positive();
const activation = z.enum(['relu', 'linear', 'mif']).exactOptional();

const layerSchema = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('dense'),
      outputs: count.exactOptional().describe('in the last layer the number of classes where left out'),
      activation: activation.describe('relu where left out; the last layer is linear'),
    }),
    z.strictObject({
      kind: z.literal('conv2d'),
      maps: count.describe('how many filters'),
      kernel: count.describe('side of a filter'),
      stride: count.exactOptional().describe('1 where left out'),
      padding: z
        .int()
        .nonnegative()
        .exactOptional()
        .describe('zeros around the image, on each side; 0 where left out'),
      activation: activation.describe('relu where left out'),
    }),
    z.strictObject({
      kind: z.literal('avgpool'),
      kernel: count.describe('side of the squares'),
      stride: count.exactOptional().describe('the kernel where left out'),
    }),
    z.strictObject({ kind: z.literal('flatten') }),
  ],
  { error: 'must be dense, conv2d, avgpool or flatten' },
);

export const networkSchema = z.strictObject({
  input: z
    .strictObject({ channels: count, height: count, width: count })
    .exactOptional()
    .describe('the image that a sample is; a square one of one channel where left out'),
  layers: z.array(layerSchema).min(1),
}) satisfies z.ZodType<NetworkDescription>;

/** A description from its file. Error: `bad-file`. */
export const loadDescription = (path: string): NetworkDescription =>
  readJson(path, networkSchema, {
    what: `the network ${path}`,
    hint: 'mend it; schemas/network.schema.json says what it may hold',
  });

/**
 * The layers of a description on a dataset: sizes are inferred and checked, layer by layer. A flatten layer becomes
 * none, because images lie as it would lay them.
 *
 * Error: `bad-input` for layers that do not fit together, or not with the dataset.
 */
export function describedLayers(
  { input, layers }: NetworkDescription,
  { features, classes }: { features: number; classes: number },
): LayerSpec[] {
  if (input && imageSize(input) !== features)
    throw fault(`input is ${imageText(input)} = ${imageSize(input)} values, but the dataset has ${features}`);
  const specs: LayerSpec[] = [];
  const numbers: number[] = [];
  let image: ImageShape | undefined = input ?? squareImage(features);
  const first = layers[0]?.kind;
  if (!image && (first === 'conv2d' || first === 'avgpool'))
    throw fault(`layer 0 is ${first}, but ${features} values are no square image: give the file an "input"`);
  layers.forEach((layer, l) => {
    const inputs = specs.at(-1)?.outputs ?? features;
    if (layer.kind !== 'flatten') numbers.push(l);
    if (layer.kind === 'flatten') image = undefined;
    else if (layer.kind === 'dense') {
      const isLast = l === layers.length - 1;
      const { outputs = isLast ? classes : undefined, activation = isLast ? 'linear' : 'relu' } = layer;
      if (outputs === undefined) throw fault(`layer ${l} (dense): "outputs" is missing`);
      specs.push({ inputs, outputs, activation });
      image = undefined;
    } else {
      if (!image)
        throw fault(`layer ${l} is ${layer.kind} but takes no image: it must stand before flatten and dense`);
      const { spec, output } = imageLayer(layer, image, l);
      specs.push(spec);
      image = output;
    }
  });
  checkLayers(specs, numbers);
  if (specs.at(-1)!.outputs !== classes)
    throw fault(`the last layer has ${specs.at(-1)!.outputs} outputs, but the dataset ${classes} classes`);
  return specs;
}

type Described = Extract<LayerDescription, { kind: ImageLayer['kind'] }>;

function imageLayer(
  layer: Described,
  image: ImageShape,
  l: number,
): { spec: ImageLayer; output: ImageShape } {
  const { channels, height, width } = image;
  const { kernel } = layer;
  const common = { channels, height, width, kernel, inputs: imageSize(image), outputs: 0 };
  let spec: ImageLayer;
  if (layer.kind === 'conv2d') {
    const { kind, maps, stride = 1, padding = 0, activation = 'relu' } = layer;
    spec = { kind, maps, stride, padding, activation, ...common };
  } else spec = { kind: 'avgpool', stride: layer.stride ?? kernel, activation: 'linear', ...common };
  const output = outputImage(spec);
  spec.outputs = imageSize(output);
  checkImageLayer(spec, l);
  return { spec, output };
}

function squareImage(features: number): ImageShape | undefined {
  const side = Math.sqrt(features);
  return Number.isInteger(side) ? { channels: 1, height: side, width: side } : undefined;
}

const fault = (message: string): MemloopError => new MemloopError('bad-input', message);
