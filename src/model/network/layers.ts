/**
 * The layers of a network. All take and give flat lists of values; those of images lie channel by channel, row by row
 * (PyTorch's C × H × W), so that a dense layer after an image needs no step between.
 */
import { MemloopError } from '../../shared/errors.js';

/**
 * `relu` and `linear` layers are computed once per input. The last layer's outputs drive the output MIF
 * neurons, one each. A `mif` layer's outputs drive hidden MIF neurons by the input pulses; from there on
 * signals are membrane waveforms: each following layer must be `mif` or the last, and none can be `avgpool`.
 */
export type Activation = 'relu' | 'linear' | 'mif';

/** What layers of every kind have. */
interface Layer {
  /** Values that it takes and gives for one sample. */
  inputs: number;
  outputs: number;
  activation: Activation;
}

export interface DenseLayer extends Layer {
  kind?: 'dense';
}

/** The image that a layer takes, and where its squares of kernel × kernel values lie on it. */
interface Window {
  channels: number;
  height: number;
  width: number;
  kernel: number;
  stride: number;
}

/** A bank of filters, one a map, each kernel × kernel × channels weights and a bias. Beyond the border inputs are 0. */
export interface Conv2dLayer extends Layer, Window {
  kind: 'conv2d';
  maps: number;
  padding: number;
}

/** Means of squares, channel by channel; no weights. */
export interface AvgPoolLayer extends Layer, Window {
  kind: 'avgpool';
}

export type ImageLayer = Conv2dLayer | AvgPoolLayer;
export type LayerSpec = DenseLayer | ImageLayer;

/** Channels × height × width. */
export interface ImageShape {
  channels: number;
  height: number;
  width: number;
}

export const isImageLayer = (layer: LayerSpec): layer is ImageLayer =>
  layer.kind === 'conv2d' || layer.kind === 'avgpool';

/** The image that a layer gives. */
export function outputImage(layer: ImageLayer): ImageShape {
  const border = layer.kind === 'conv2d' ? 2 * layer.padding : 0;
  const along = (size: number) => Math.floor((size + border - layer.kernel) / layer.stride) + 1;
  return {
    channels: layer.kind === 'conv2d' ? layer.maps : layer.channels,
    height: along(layer.height),
    width: along(layer.width),
  };
}

/** How many values an image has. */
export const imageSize = ({ channels, height, width }: ImageShape): number => channels * height * width;

/** "8 × 12 × 12": an image's shape, for messages. */
export const imageText = ({ channels, height, width }: ImageShape): string =>
  `${channels} × ${height} × ${width}`;

/**
 * A layer as what a crossbar multiplies: one matrix, and how many vectors it is multiplied by for one sample. A dense
 * layer takes its inputs whole; a convolution takes each of its patches; a pooling layer has no matrix (all 0).
 */
export interface LayerMatrix {
  /** Length of a vector, and columns of the weights: outputs × inputs, row-major. */
  inputs: number;
  /** Sums that a vector gives, and rows of the weights. */
  outputs: number;
  vectors: number;
}

export function layerMatrix(layer: LayerSpec): LayerMatrix {
  if (!isImageLayer(layer)) return { inputs: layer.inputs, outputs: layer.outputs, vectors: 1 };
  if (layer.kind === 'avgpool') return { inputs: 0, outputs: 0, vectors: 0 };
  const { height, width } = outputImage(layer);
  return { inputs: layer.channels * layer.kernel ** 2, outputs: layer.maps, vectors: height * width };
}

/**
 * The vectors that a layer's matrix is multiplied by for one sample (im2col for a convolution).
 * @param x the layer's inputs
 * @returns vectors × inputs of `layerMatrix`; of a convolution position by position, row by row, each patch channel by
 *   channel, row by row. Its values are among those of x and 0, so they have the same range.
 */
export function layerVectors(layer: LayerSpec, x: ArrayLike<number>): Float64Array {
  const { inputs, vectors } = layerMatrix(layer);
  const values = new Float64Array(vectors * inputs);
  eachInput(layer, (at, i) => {
    values[at] = x[i];
  });
  return values;
}

/**
 * Adjoint of `layerVectors`: the gradient of a layer's inputs from that of its vectors (col2im for a convolution).
 * @param bars vectors × inputs of `layerMatrix`
 */
export function inputBarsFromVectors(layer: LayerSpec, bars: ArrayLike<number>): Float64Array {
  const inputBars = new Float64Array(layer.inputs);
  eachInput(layer, (at, i) => {
    inputBars[i] += bars[at];
  });
  return inputBars;
}

/** Which input each value of a layer's vectors is; those beyond the border are left out. */
function eachInput(layer: LayerSpec, visit: (at: number, input: number) => void): void {
  if (!isImageLayer(layer)) {
    for (let i = 0; i < layer.inputs; i++) visit(i, i);
    return;
  }
  if (layer.kind === 'avgpool') return;
  const { channels, height, width, kernel, stride, padding } = layer;
  const out = outputImage(layer);
  let at = 0;
  for (let oy = 0; oy < out.height; oy++)
    for (let ox = 0; ox < out.width; ox++)
      for (let c = 0; c < channels; c++)
        for (let ky = 0; ky < kernel; ky++)
          for (let kx = 0; kx < kernel; kx++, at++) {
            const iy = oy * stride + ky - padding;
            const ix = ox * stride + kx - padding;
            if (iy >= 0 && iy < height && ix >= 0 && ix < width) visit(at, (c * height + iy) * width + ix);
          }
}

/**
 * A layer's outputs before its activation, from the sums of its vectors.
 * @param sums vectors × outputs of `layerMatrix`, biases included
 * @returns the layer's outputs: for a convolution map by map, where `sums` are position by position
 */
export function outputsFromSums(layer: LayerSpec, sums: ArrayLike<number>): Float64Array {
  const { outputs, vectors } = layerMatrix(layer);
  const values = new Float64Array(outputs * vectors);
  for (let v = 0; v < vectors; v++)
    for (let o = 0; o < outputs; o++) values[o * vectors + v] = sums[v * outputs + o];
  return values;
}

/** Outputs of a pooling layer: means of squares of the channels of x. */
export function averagePool(layer: AvgPoolLayer, x: ArrayLike<number>): Float64Array {
  const values = new Float64Array(layer.outputs);
  eachPooled(layer, (o, i) => {
    values[o] += x[i] / layer.kernel ** 2;
  });
  return values;
}

/** Adjoint of `averagePool`. */
export function inputBarsFromPool(layer: AvgPoolLayer, bars: ArrayLike<number>): Float64Array {
  const inputBars = new Float64Array(layer.inputs);
  eachPooled(layer, (o, i) => {
    inputBars[i] += bars[o] / layer.kernel ** 2;
  });
  return inputBars;
}

function eachPooled(layer: AvgPoolLayer, visit: (output: number, input: number) => void): void {
  const { channels, height, width, kernel, stride } = layer;
  const out = outputImage(layer);
  let o = 0;
  for (let c = 0; c < channels; c++)
    for (let oy = 0; oy < out.height; oy++)
      for (let ox = 0; ox < out.width; ox++, o++)
        for (let ky = 0; ky < kernel; ky++)
          for (let kx = 0; kx < kernel; kx++)
            visit(o, (c * height + oy * stride + ky) * width + ox * stride + kx);
}

const isCount = (n: number): boolean => Number.isInteger(n) && n > 0;

/**
 * Throws one line for layers that do not fit together.
 * @param numbers of the layers, for messages
 */
export function checkLayers(
  layers: readonly LayerSpec[],
  numbers: readonly number[] = layers.map((_, l) => l),
): void {
  if (layers.length === 0) throw fault('a network needs at least one layer');
  layers.forEach((layer, i) => {
    const l = numbers[i];
    if (!isCount(layer.inputs) || !isCount(layer.outputs))
      throw fault(`layer ${l} is ${layer.outputs} × ${layer.inputs}: sizes must be whole numbers above 0`);
    if (isImageLayer(layer)) checkImageLayer(layer, l);
    const before = layers[i - 1];
    if (before) checkPair({ layer: before, l: numbers[i - 1] }, layer, l, i === layers.length - 1);
  });
  const last = layers.at(-1)!;
  if (isImageLayer(last))
    throw fault(`the last layer is ${last.kind}: it drives the output neurons and must be dense`);
  if (last.activation !== 'linear')
    throw fault(
      `the last layer is ${last.activation}: it drives the output neurons with both signs and must be linear`,
    );
}

function checkPair(
  { layer: before, l: k }: { layer: LayerSpec; l: number },
  layer: LayerSpec,
  l: number,
  isLast: boolean,
): void {
  if (before.outputs !== layer.inputs)
    throw fault(`layer ${l} takes ${layer.inputs} inputs but layer ${k} gives ${before.outputs}`);
  if (isImageLayer(layer)) {
    if (!isImageLayer(before))
      throw fault(`layer ${l} is ${layer.kind} but follows a dense layer, which gives no image`);
    if (before.activation === 'mif' && layer.kind === 'avgpool')
      throw fault(`layer ${l} is avgpool but follows a MIF layer: only conv2d and dense layers can`);
    const given = outputImage(before);
    if (imageText(given) !== imageText(layer))
      throw fault(
        `layer ${l} takes an image of ${imageText(layer)} but layer ${k} gives ${imageText(given)}`,
      );
  }
  if (before.activation === 'mif' && layer.activation !== 'mif' && !isLast)
    throw fault(
      `layer ${l} is ${layer.activation} but follows a MIF layer: only MIF layers or the last layer can`,
    );
}

/** @param l its place, for messages */
export function checkImageLayer(layer: ImageLayer, l: number): void {
  const { kind, kernel, stride, height, width } = layer;
  const padding = layer.kind === 'conv2d' ? layer.padding : 0;
  const counts = layer.kind === 'conv2d' ? [layer.maps, layer.channels] : [layer.channels];
  if (![...counts, height, width, kernel, stride].every(isCount))
    throw fault(`layer ${l} (${kind}): its sizes, kernel and stride must be whole numbers above 0`);
  if (!(Number.isInteger(padding) && padding >= 0 && padding < kernel))
    throw fault(
      `layer ${l} (${kind}): padding must be a whole number from 0 to below the kernel's ${kernel}, not ${padding}`,
    );
  if (kernel > height + 2 * padding || kernel > width + 2 * padding)
    throw fault(
      `layer ${l} (${kind}): a kernel of ${kernel} × ${kernel} does not fit on ${height} × ${width} with a padding of ${padding}`,
    );
  if (layer.kind === 'avgpool' && layer.activation !== 'linear')
    throw fault(`layer ${l} (avgpool) must be linear, not ${layer.activation}`);
  if (layer.inputs !== imageSize(layer) || layer.outputs !== imageSize(outputImage(layer)))
    throw fault(
      `layer ${l} (${kind}) is ${layer.outputs} × ${layer.inputs}, but turns ${imageText(layer)} into ${imageText(outputImage(layer))}`,
    );
}

const fault = (message: string): MemloopError => new MemloopError('bad-input', message);

/**
 * Throws one line where only dense layers can be used.
 * @param what cannot take others: 'a chip'
 */
export function checkAllDense(layers: readonly LayerSpec[], what: string): void {
  const other = layers.find(isImageLayer);
  if (other)
    throw new MemloopError(
      'bad-input',
      `this network has a ${other.kind} layer, which ${what} cannot take yet: use one of dense layers only`,
    );
}
