/** Layers as they are gathered from the nodes of a chain, with what is folded into their weights. */
import {
  type AvgPoolLayer,
  type Conv2dLayer,
  checkImageLayer,
  type DenseLayer,
  imageSize,
  type LayerSpec,
  outputImage,
} from '../../model/network/layers.js';

/** A layer with its weights, in float64 until all is folded in; pooling layers have none. */
export interface Gathered {
  /** The node that it came from. */
  node: string;
  spec: LayerSpec;
  weights: Float64Array;
  biases: Float64Array;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((all, n) => all * n, 1);

/** Why a node cannot be imported where it stands. */
export class Unsupported extends Error {}

export function convolution(
  node: string,
  image: { channels: number; height: number; width: number },
  filters: { weights: Float64Array; biases: Float64Array; kernel: number; stride: number; padding: number },
): Gathered & { spec: Conv2dLayer } {
  const { weights, biases, kernel, stride, padding } = filters;
  const spec: Conv2dLayer = {
    kind: 'conv2d',
    ...image,
    maps: biases.length,
    kernel,
    stride,
    padding,
    inputs: imageSize(image),
    outputs: 0,
    activation: 'linear',
  };
  return { node, spec: sized(spec), weights, biases };
}

export function pooling(
  node: string,
  image: { channels: number; height: number; width: number },
  kernel: number,
  stride: number,
): Gathered & { spec: AvgPoolLayer } {
  const spec: AvgPoolLayer = {
    kind: 'avgpool',
    ...image,
    kernel,
    stride,
    inputs: imageSize(image),
    outputs: 0,
    activation: 'linear',
  };
  return { node, spec: sized(spec), weights: new Float64Array(), biases: new Float64Array() };
}

function sized<Spec extends Conv2dLayer | AvgPoolLayer>(spec: Spec): Spec {
  const whole = { ...spec, outputs: imageSize(outputImage(spec)) };
  try {
    checkImageLayer(whole, 0);
  } catch (error) {
    throw new Unsupported((error as Error).message.replace(/^layer 0 \(\w+\): /, ''));
  }
  return whole;
}

/** Multiplies what a layer takes: one factor for each of its inputs. A convolution has one factor for each channel. */
export function foldInputs({ spec, weights }: Gathered, scale: Float64Array): void {
  if (spec.kind === 'conv2d') {
    const each = perChannel(scale, spec.channels, 'its factors differ within a channel');
    const area = spec.kernel ** 2;
    for (let i = 0; i < weights.length; i++) weights[i] *= each[Math.floor(i / area) % spec.channels];
  } else for (let i = 0; i < weights.length; i++) weights[i] *= scale[i % spec.inputs];
}

/** Multiplies what a layer gives, weights and biases: one factor for each of its outputs. */
export function foldOutputs({ spec, weights, biases }: Gathered, scale: Float64Array): void {
  const rows = biases.length;
  const each =
    spec.kind === 'conv2d' ? perChannel(scale, rows, 'its factors differ within a channel') : scale;
  const width = weights.length / rows;
  for (let i = 0; i < weights.length; i++) weights[i] *= each[Math.floor(i / width)];
  for (let i = 0; i < rows; i++) biases[i] *= each[i];
}

/** One value for each channel of values that are the same all over a channel. */
export function perChannel(values: Float64Array, channels: number, otherwise: string): Float64Array {
  const area = values.length / channels;
  if (values.some((value, i) => value !== values[Math.floor(i / area) * area]))
    throw new Unsupported(otherwise);
  return Float64Array.from({ length: channels }, (_, c) => values[c * area]);
}

/** The mean of each channel. */
export function channelMeans(values: Float64Array, channels: number): Float64Array {
  const area = values.length / channels;
  const means = new Float64Array(channels);
  values.forEach((value, i) => {
    means[Math.floor(i / area)] += value / area;
  });
  return means;
}

/** A convolution and the pooling after it as one convolution: the same sums, with a larger kernel and stride. */
export function poolInto(before: Gathered & { spec: Conv2dLayer }, pool: AvgPoolLayer): Gathered {
  const { channels, height, width, kernel, stride, padding, maps } = before.spec;
  const wide = kernel + (pool.kernel - 1) * stride;
  const weights = new Float64Array(maps * channels * wide ** 2);
  const share = 1 / pool.kernel ** 2;
  for (let filter = 0; filter < maps * channels; filter++)
    for (let py = 0; py < pool.kernel; py++)
      for (let px = 0; px < pool.kernel; px++)
        for (let y = 0; y < kernel; y++)
          for (let x = 0; x < kernel; x++)
            weights[(filter * wide + py * stride + y) * wide + px * stride + x] +=
              share * before.weights[(filter * kernel + y) * kernel + x];
  return convolution(
    before.node,
    { channels, height, width },
    { weights, biases: before.biases, kernel: wide, stride: stride * pool.stride, padding },
  );
}

export const dense = (node: string, weights: Float64Array, biases: Float64Array): Gathered => {
  const outputs = biases.length;
  const spec: DenseLayer = { inputs: weights.length / outputs, outputs, activation: 'linear' };
  return { node, spec, weights, biases };
};
