/** Layers-models as memloop networks. */
import { isDeepStrictEqual } from 'node:util';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { z } from 'zod';
import {
  type Activation,
  type Conv2dLayer,
  type ImageLayer,
  type ImageShape,
  imageSize,
  isImageLayer,
  type LayerSpec,
  outputImage,
} from '../../model/network/layers.js';
import { Network, type NetworkSpec } from '../../model/network/network.js';
import { MemloopError } from '../../shared/errors.js';
import { checkJson } from '../../shared/json.js';
import type { MifLayer } from './layer.js';
import type { Tensorflow } from './tensorflow.js';

type Layer = layers.Layer;

/**
 * The network that a model stands for, for the chip: a chain of Dense, Conv2D, ZeroPadding2D, AveragePooling2D, Flatten,
 * ReLU and MIF layers that ends in a MIF layer, and Softmax behind it. Dropout and
 * GaussianNoise count for training only and are left out.
 *
 * Error: `bad-input`, one line that names the layer and what to do.
 */
export function networkFromModel(tf: Tensorflow, model: LayersModel): Network {
  const reading = new Reading(tf, model);
  for (const layer of model.layers) reading.take(layer);
  return reading.network();
}

const pair = z.union([z.number().transform((n) => [n, n]), z.tuple([z.number(), z.number()])]);
const image = {
  dataFormat: z.literal('channelsLast').nullish(),
  strides: pair,
  padding: z.enum(['valid', 'same']),
};
const activation = z.enum(['relu', 'linear']);
/** What is read of a layer's config, by its class. */
const CONFIGS = {
  Dense: z.object({ activation }),
  Conv2D: z.object({ activation, kernelSize: pair, dilationRate: pair, ...image }),
  AveragePooling2D: z.object({ poolSize: pair, ...image }),
  ZeroPadding2D: z.object({
    dataFormat: z.literal('channelsLast').nullish(),
    padding: z.union([
      pair.transform(([y, x]) => [
        [y, y],
        [x, x],
      ]),
      z.tuple([pair, pair]),
    ]),
  }),
  Activation: z.object({ activation: z.enum(['relu', 'linear', 'softmax']) }),
  ReLU: z.object({ maxValue: z.null().optional() }),
};

const BEHIND_OUTPUTS: ReadonlySet<string> = new Set(['Softmax', 'Activation']);

class Reading {
  readonly #tf: Tensorflow;
  readonly #layers: LayerSpec[] = [];
  readonly #weights: Float32Array[] = [];
  readonly #biases: Float32Array[] = [];
  /** The image that comes next; of a flattened one, too, whose values lie height × width × channels. */
  #image: ImageShape | undefined;
  #flat = true;
  #padding = 0;
  #settings: MifLayer['settings'] | undefined;
  #outputs: MifLayer['settings'] | undefined;
  #before: Layer | undefined;
  /** By the layer's class. */
  readonly #steps: Readonly<Record<string, (layer: Layer) => void>> = {
    InputLayer: () => {},
    Dense: (layer) => this.#dense(layer),
    Conv2D: (layer) => this.#convolution(layer),
    ZeroPadding2D: (layer) => this.#pad(layer),
    AveragePooling2D: (layer) => this.#pooling(layer),
    Flatten: () => {
      this.#flat = true;
    },
    ReLU: (layer) => {
      this.#config(layer, CONFIGS.ReLU);
      this.#activate(layer, 'relu');
    },
    Activation: (layer) => {
      const { activation } = this.#config(layer, CONFIGS.Activation);
      if (activation === 'relu') this.#activate(layer, 'relu');
      if (activation === 'softmax') this.#softmax(layer);
    },
    MIF: (layer) => this.#mif(layer as MifLayer),
    Softmax: (layer) => this.#softmax(layer),
    Dropout: () => {},
    GaussianNoise: () => {},
  };

  constructor(tf: Tensorflow, model: LayersModel) {
    this.#tf = tf;
    if (model.inputs.length !== 1)
      throw fault(`the model has ${model.inputs.length} inputs: only one is possible`);
    const shape = model.inputs[0].shape.slice(1).map(Number);
    if (shape.length === 3) {
      const [height, width, channels] = shape;
      this.#image = { channels, height, width };
      this.#flat = false;
    } else if (shape.length !== 1)
      throw fault(`the model takes [${shape.join(', ')}]: only vectors and images`);
  }

  take(layer: Layer): void {
    const before = layer.inboundNodes[0]?.inboundLayers ?? [];
    if (layer.inboundNodes.length !== 1 || before.length > 1 || (this.#before && before[0] !== this.#before))
      throw this.#fault(layer, 'is not in a chain: only one layer after another');
    this.#before = layer;
    const kind = layer.getClassName();
    if (this.#outputs && !BEHIND_OUTPUTS.has(kind))
      throw this.#fault(
        layer,
        'stands behind the output neurons: only Softmax can; give MIF layers before it returnSequences',
      );
    const step = Object.hasOwn(this.#steps, kind) ? this.#steps[kind] : undefined;
    if (!step)
      throw this.#fault(layer, `is of a kind that no chip has: use ${Object.keys(this.#steps).join(', ')}`);
    step(layer);
  }

  network(): Network {
    if (!this.#outputs)
      throw fault('the model does not end in a MIF layer: add mif(tf) behind the last Dense layer');
    const { returnSequences: _, ...settings } = this.#outputs;
    const spec: NetworkSpec = { ...settings, layers: this.#layers };
    return new Network(spec, this.#weights, this.#biases);
  }

  #dense(layer: Layer): void {
    const { activation } = this.#config(layer, CONFIGS.Dense);
    if (!this.#flat) throw this.#fault(layer, 'takes an image: put Flatten before it');
    const [kernel, bias] = layer.getWeights();
    const [inputs, outputs] = kernel.shape;
    const weights = this.#tf.tidy(() => {
      const { transpose, reshape } = this.#tf;
      if (!this.#image) return transpose(kernel).dataSync();
      const { channels, height, width } = this.#image;
      return transpose(reshape(kernel, [height, width, channels, outputs]), [3, 2, 0, 1]).dataSync();
    });
    this.#image = undefined;
    this.#add({ inputs, outputs, activation }, weights as Float32Array, bias);
  }

  #pad(layer: Layer): void {
    const [[top, bottom], [left, right]] = this.#config(layer, CONFIGS.ZeroPadding2D).padding;
    if (top !== bottom || left !== right || top !== left)
      throw this.#fault(layer, 'pads sides differently: only equally');
    this.#padding += top;
  }

  #convolution(layer: Layer): void {
    const config = this.#config(layer, CONFIGS.Conv2D);
    if (config.dilationRate.some((d) => d !== 1))
      throw this.#fault(layer, 'is dilated: only a dilation of 1');
    const window = this.#window(layer, config.kernelSize, config);
    const [kernel, bias] = layer.getWeights();
    const maps = kernel.shape.at(-1)!;
    const padding = this.#padding + this.#samePadding(layer, window, config.padding);
    this.#padding = 0;
    const spec: Conv2dLayer = {
      kind: 'conv2d',
      ...window,
      maps,
      padding,
      inputs: imageSize(window),
      outputs: 0,
      activation: config.activation,
    };
    spec.outputs = imageSize(outputImage(spec));
    const weights = this.#tf.tidy(() => this.#tf.transpose(kernel, [3, 2, 0, 1]).dataSync());
    this.#add(spec, weights as Float32Array, bias);
    this.#image = outputImage(spec);
  }

  /** Zeros on each side that "same" stands for. */
  #samePadding(
    layer: Layer,
    window: ImageShape & { kernel: number; stride: number },
    padding: string,
  ): number {
    if (padding === 'valid') return 0;
    const { height, width, kernel, stride } = window;
    const sides = [height, width].map((size) =>
      Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size),
    );
    if (sides[0] !== sides[1] || sides[0] % 2 !== 0)
      throw this.#fault(layer, 'pads sides differently ("same"): use ZeroPadding2D and padding "valid"');
    return sides[0] / 2;
  }

  #pooling(layer: Layer): void {
    const config = this.#config(layer, CONFIGS.AveragePooling2D);
    const window = this.#window(layer, config.poolSize, config);
    if (this.#padding > 0 || this.#samePadding(layer, window, config.padding) > 0)
      throw this.#fault(layer, 'pools a padded image: only without padding');
    const spec: ImageLayer = {
      kind: 'avgpool',
      ...window,
      inputs: imageSize(window),
      outputs: 0,
      activation: 'linear',
    };
    spec.outputs = imageSize(outputImage(spec));
    this.#layers.push(spec);
    this.#weights.push(new Float32Array());
    this.#biases.push(new Float32Array());
    this.#image = outputImage(spec);
  }

  #window(layer: Layer, [height, width]: number[], { strides }: { strides: number[] }) {
    if (!this.#image || this.#flat) throw this.#fault(layer, 'takes no image: it must stand before Flatten');
    if (height !== width || strides[0] !== strides[1])
      throw this.#fault(layer, 'has a window that is not square: only square ones');
    return { ...this.#image, kernel: height, stride: strides[0] };
  }

  #add(spec: LayerSpec, weights: Float32Array, bias: Tensor | undefined): void {
    const rows = spec.kind === 'conv2d' ? spec.maps : spec.outputs;
    this.#layers.push(spec);
    this.#weights.push(Float32Array.from(weights));
    this.#biases.push(bias ? Float32Array.from(bias.dataSync()) : new Float32Array(rows));
  }

  /** Gives the last layer its activation. */
  #activate(layer: Layer, activation: Activation): void {
    const last = this.#layers.at(-1);
    if (!last || last.kind === 'avgpool' || last.activation !== 'linear')
      throw this.#fault(layer, 'does not stand behind a Dense or Conv2D layer without activation');
    last.activation = activation;
  }

  #softmax(layer: Layer): void {
    if (!this.#outputs)
      throw this.#fault(layer, 'stands before the output neurons: put a MIF layer before it');
  }

  #mif(layer: MifLayer): void {
    const { returnSequences, outputNeurons, ...settings } = layer.settings;
    if (this.#settings && !isDeepStrictEqual(this.#settings, settings))
      throw this.#fault(layer, 'has other settings than the MIF layer before it: all must have the same');
    this.#settings = settings as MifLayer['settings'];
    if (!returnSequences) {
      const last = this.#layers.at(-1);
      if (!last || isImageLayer(last) || last.activation !== 'linear')
        throw this.#fault(layer, 'does not stand behind a Dense layer without activation');
      this.#outputs = layer.settings;
      return;
    }
    if (outputNeurons)
      throw this.#fault(layer, 'is hidden and has outputNeurons: only the last MIF layer can');
    this.#activate(layer, 'mif');
  }

  #config<S extends z.ZodType>(layer: Layer, schema: S): z.output<S> {
    return checkJson(layer.getConfig(), schema, {
      what: `layer ${layer.name} (${layer.getClassName()})`,
      hint: 'memloop has no such layer',
      reason: 'bad-input',
    });
  }

  #fault(layer: Layer, why: string): MemloopError {
    return fault(`layer ${layer.name} (${layer.getClassName()}) ${why}`);
  }
}

const fault = (message: string): MemloopError => new MemloopError('bad-input', message);
