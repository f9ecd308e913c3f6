/** The layers of a network that take images, on the kernel: where a batch's images lie and the calls that run them. */
import {
  type Conv2dLayer,
  type ImageLayer,
  type ImageShape,
  imageSize,
  isImageLayer,
  type LayerSpec,
  layerMatrix,
  outputImage,
} from '../network/layers.js';
import type { Call } from './calls.js';
import type { Layout } from './kernel.js';
import { type LayerPlace, pad4 } from './places.js';
import { VECTOR } from './population.js';

const FLOAT = 4;

/** Images of one shape, one for each group of four samples, with room around for the padding of the layer they enter. */
class Images {
  readonly row: number;
  readonly plane: number;
  readonly #inside: number;
  readonly #bytes: number;
  readonly #values: number;
  readonly #bars: number;

  constructor(
    readonly shape: ImageShape,
    border: number,
    readonly groups: number,
    withBars: boolean,
    layout: Layout,
  ) {
    this.row = (shape.width + 2 * border) * VECTOR;
    this.plane = (shape.height + 2 * border) * this.row;
    this.#inside = border * (this.row + VECTOR);
    this.#bytes = pad4(shape.channels) * this.plane;
    this.#values = layout.take(groups * this.#bytes);
    this.#bars = withBars ? layout.take(groups * this.#bytes) : 0;
  }

  /** The corner of a group's image, border included. */
  corner(group: number): number {
    return this.#values + group * this.#bytes;
  }

  /** Its first value. */
  first(group: number): number {
    return this.corner(group) + this.#inside;
  }

  /** The gradient of its first value. */
  firstBar(group: number): number {
    return this.#bars + group * this.#bytes + this.#inside;
  }

  /** All values, for the largest of them. */
  get list(): { at: number; floats: number } {
    return { at: this.#values, floats: (this.groups * this.#bytes) / FLOAT };
  }
}

/** What a shard sums the gradient of a layer's weights in: a vector each. */
interface WeightBars {
  weights: number;
  biases: number;
}

export interface ImageOptions {
  groups: number;
  /** How many shards keep gradients; 0 without training. */
  shards: number;
  /** Keep masks of the ReLU layers' outputs. */
  masks: boolean;
  places: readonly LayerPlace[];
  /** Address of the parameter list. */
  parameters: number;
}

/** The image layers that a network begins with, up to its first neurons; there may be none. */
export class ImageLayers {
  readonly layers: readonly ImageLayer[];
  /** What goes into each layer, and what comes out of the last. */
  readonly #images: Images[];
  /** Of each layer's outputs, where it has one: floats for each group. */
  readonly masks: ({ at: number; stride: number } | undefined)[];
  readonly #bars: (WeightBars | undefined)[][];
  readonly #options: ImageOptions;

  /** @param layers those computed once per input */
  constructor(layers: readonly LayerSpec[], options: ImageOptions, layout: Layout) {
    this.layers = layers.filter(isImageLayer);
    this.#options = options;
    const { groups, shards, masks } = options;
    const shapes: ImageShape[] = [...this.layers, ...this.layers.slice(-1).map(outputImage)];
    this.#images = shapes.map((shape, l) => {
      const layer = this.layers[l];
      const border = layer?.kind === 'conv2d' ? layer.padding : 0;
      return new Images(shape, border, groups, shards > 0 && l > 0, layout);
    });
    this.masks = this.layers.map((layer) => {
      if (!masks || layer.activation !== 'relu') return undefined;
      const { channels, ...size } = outputImage(layer);
      const stride = imageSize({ channels: pad4(channels), ...size });
      return { at: layout.take(groups * stride * VECTOR), stride };
    });
    this.#bars = Array.from({ length: shards }, () =>
      this.layers.map((layer, l) => {
        if (layer.kind !== 'conv2d') return undefined;
        const { outputs } = options.places[l];
        return {
          weights: layout.take(outputs * layerMatrix(layer).inputs * VECTOR),
          biases: layout.take(outputs * VECTOR),
        };
      }),
    );
  }

  /** What goes into layer l. */
  inputs(l: number): { at: number; floats: number } {
    return this.#images[l].list;
  }

  /** From rows of input values to rows of the last layer's, for one group. */
  forward(
    group: number,
    from: { rows: number; rowBytes: number },
    to: { rows: number; rowBytes: number },
    masked: boolean,
  ): Call[] {
    return [
      ['imageFromRows', ...this.#between(from, 0, this.#images[0].first(group))],
      ...this.layers.map((layer, l) => this.#layerForward(layer, l, group, masked)),
      ['rowsFromImage', ...this.#between(to, this.layers.length, this.#images.at(-1)!.first(group))],
    ];
  }

  /** Adds one group's gradient to its shard's, from rows of the gradient of the last layer's outputs. */
  backward(shard: number, group: number, bars: { rows: number; rowBytes: number }): Call[] {
    const end = this.layers.length;
    const last = this.#images[end];
    const calls: Call[] = [['imageFromRows', ...this.#between(bars, end, last.firstBar(group))]];
    const { channels, height, width } = last.shape;
    const { relu, mask } = this.#slope(end - 1, group);
    if (relu || mask)
      calls.push([
        'imageSlope',
        last.first(group),
        last.firstBar(group),
        last.plane,
        last.row,
        channels,
        height,
        width,
        relu,
        mask,
      ]);
    for (let l = end - 1; l >= 0; l--) {
      const layer = this.layers[l];
      const sums = this.#bars[shard][l];
      if (layer.kind === 'conv2d' && sums) calls.push(this.#convBackward(layer, l, group, sums));
      if (l > 0) calls.push(this.#inputBackward(layer, l, group));
    }
    return calls;
  }

  clear(shard: number): Call[] {
    return this.#convolutions(shard).flatMap(({ layer, place, bars }): Call[] => [
      ['clear', bars.weights, place.outputs * layerMatrix(layer).inputs * VECTOR],
      ['clear', bars.biases, place.outputs * VECTOR],
    ]);
  }

  /** @param gradient address of the shard's gradients, a parameter list */
  reduce(shard: number, gradient: number): Call[] {
    return this.#convolutions(shard).map(({ layer, place, bars }) => [
      'waveReduce',
      bars.weights,
      bars.biases,
      layerMatrix(layer).inputs,
      place.outputs,
      gradient + place.weights * FLOAT,
      place.inputs * FLOAT,
      gradient + place.biases * FLOAT,
    ]);
  }

  #convolutions(shard: number): { layer: Conv2dLayer; place: LayerPlace; bars: WeightBars }[] {
    return this.layers.flatMap((layer, l) => {
      const bars = this.#bars[shard][l];
      return layer.kind === 'conv2d' && bars ? [{ layer, place: this.#options.places[l], bars }] : [];
    });
  }

  /** Rows of values and the image that they are, for `imageFromRows` and `rowsFromImage`. */
  #between({ rows, rowBytes }: { rows: number; rowBytes: number }, l: number, first: number) {
    const { shape, plane, row } = this.#images[l];
    return [rows, rowBytes, shape.channels, shape.height, shape.width, first, plane, row] as const;
  }

  /** What layer l does to its outputs: ReLU, and its mask in this group (0: none). */
  #slope(l: number, group: number): { relu: number; mask: number } {
    const mask = this.masks[l];
    return {
      relu: Number(this.layers[l].activation === 'relu'),
      mask: mask ? mask.at + group * mask.stride * VECTOR : 0,
    };
  }

  #layerForward(layer: ImageLayer, l: number, group: number, masked: boolean): Call {
    const [x, y] = [this.#images[l], this.#images[l + 1]];
    const { channels, kernel, stride } = layer;
    const { height, width } = y.shape;
    if (layer.kind === 'avgpool')
      return [
        'poolForward',
        x.corner(group),
        x.plane,
        x.row,
        channels,
        kernel,
        stride,
        y.first(group),
        y.plane,
        y.row,
        height,
        width,
      ];
    const { places, parameters } = this.#options;
    const { weights, biases, inputs, outputs } = places[l];
    const { relu, mask } = this.#slope(l, group);
    return [
      'convForward',
      x.corner(group),
      x.plane,
      x.row,
      channels,
      parameters + weights * FLOAT,
      inputs * FLOAT,
      parameters + biases * FLOAT,
      kernel,
      stride,
      y.first(group),
      y.plane,
      y.row,
      outputs,
      height,
      width,
      relu,
      masked ? mask : 0,
    ];
  }

  #convBackward({ channels, kernel, stride }: Conv2dLayer, l: number, group: number, bars: WeightBars): Call {
    const [x, y] = [this.#images[l], this.#images[l + 1]];
    return [
      'convBackward',
      x.corner(group),
      x.plane,
      x.row,
      channels,
      kernel,
      stride,
      y.firstBar(group),
      y.plane,
      y.row,
      this.#options.places[l].outputs,
      y.shape.height,
      y.shape.width,
      bars.weights,
      bars.biases,
    ];
  }

  /** The gradient of what went into layer l, through the activation of the layer before. */
  #inputBackward(layer: ImageLayer, l: number, group: number): Call {
    const [x, y] = [this.#images[l], this.#images[l + 1]];
    const { kernel, stride } = layer;
    const { relu, mask } = this.#slope(l - 1, group);
    const { channels, height, width } = x.shape;
    const into = [x.first(group), x.firstBar(group), x.plane, x.row, channels, height, width] as const;
    const [bar, yHeight, yWidth] = [y.firstBar(group), y.shape.height, y.shape.width];
    if (layer.kind === 'avgpool')
      return ['poolBackward', bar, y.plane, y.row, yHeight, yWidth, kernel, stride, ...into, relu, mask];
    const { places, parameters } = this.#options;
    return [
      'convBackwardInput',
      bar,
      y.plane,
      y.row,
      layer.maps,
      yHeight,
      yWidth,
      parameters + places[l].weights * FLOAT,
      places[l].inputs * FLOAT,
      kernel,
      stride,
      layer.padding,
      ...into,
      relu,
      mask,
    ];
  }
}
