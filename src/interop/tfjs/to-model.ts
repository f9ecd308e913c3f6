/**
 * memloop networks as layers-models. TensorFlow.js lays images out height × width × channels and memloop
 * channels × height × width, so weights behind a flattened image change their order.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { layers, Sequential } from '@tensorflow/tfjs-layers';
import {
  type Conv2dLayer,
  type ImageLayer,
  type ImageShape,
  isImageLayer,
  type LayerSpec,
  outputImage,
} from '../../model/network/layers.js';
import { type Network, timesOf } from '../../model/network/network.js';
import { MemloopError } from '../../shared/errors.js';
import { mif } from './layer.js';
import type { Tensorflow } from './tensorflow.js';

type Layer = layers.Layer;

/**
 * A model that computes what a network does: its output is the softmax of the neurons' highest voltages, in units of
 * 5 mV. It takes images as height × width × channels.
 *
 * Error: `bad-input` for convolutions behind MIF neurons and for signals in time, which layers-models have no layer for.
 */
export function modelFromNetwork(tf: Tensorflow, network: Network): Sequential {
  const { layers: specs, ...settings } = network.spec;
  if (timesOf(network.spec) > 1)
    throw new MemloopError('bad-input', 'the network takes signals in time: no layers-model can have it');
  const model = tf.sequential();
  const [first] = specs;
  model.add(
    tf.layers.inputLayer({
      inputShape: isImageLayer(first) ? [first.height, first.width, first.channels] : [first.inputs],
    }),
  );
  let image: ImageShape | undefined;
  specs.forEach((spec, l) => {
    const isLast = l === specs.length - 1;
    const afterMif = specs[l - 1]?.activation === 'mif';
    if (isImageLayer(spec) && afterMif)
      throw new MemloopError(
        'bad-input',
        `layer ${l} is ${spec.kind} behind MIF neurons: no layers-model can have it`,
      );
    if (!isImageLayer(spec) && image && !afterMif) model.add(tf.layers.flatten());
    for (const layer of layersOf(tf, spec)) model.add(layer);
    const last = model.layers.at(-1)!;
    if (spec.kind !== 'avgpool') {
      const [weights, biases] = [network.weights[l], network.biases[l]];
      const kernel = isImageLayer(spec) ? kernelOf(tf, spec, weights) : matrixOf(tf, spec, weights, image);
      tf.tidy(() => last.setWeights([kernel, tf.tensor1d(biases)]));
      kernel.dispose();
    }
    image = isImageLayer(spec) ? outputImage(spec) : undefined;
    if (spec.activation === 'mif' && isImageLayer(spec)) model.add(tf.layers.flatten());
    const { outputNeurons, ...common } = settings;
    if (spec.activation === 'mif') model.add(mif(tf, { ...common, returnSequences: true }));
    else if (isLast) model.add(mif(tf, settings));
  });
  model.add(tf.layers.softmax());
  return model;
}

function layersOf(tf: Tensorflow, spec: LayerSpec): Layer[] {
  const activation = spec.activation === 'relu' ? 'relu' : 'linear';
  if (spec.kind === 'avgpool')
    return [tf.layers.averagePooling2d({ poolSize: spec.kernel, strides: spec.stride, padding: 'valid' })];
  if (spec.kind !== 'conv2d') return [tf.layers.dense({ units: spec.outputs, activation })];
  const { maps, kernel, stride, padding } = spec;
  return [
    ...(padding > 0 ? [tf.layers.zeroPadding2d({ padding: [padding, padding] })] : []),
    tf.layers.conv2d({ filters: maps, kernelSize: kernel, strides: stride, padding: 'valid', activation }),
  ];
}

/** [height, width, channels, maps] of [maps, channels, height, width]. */
const kernelOf = (tf: Tensorflow, spec: ImageLayer, weights: Float32Array): Tensor =>
  tf.tidy(() => {
    const { maps, channels, kernel } = spec as Conv2dLayer;
    return tf.transpose(tf.tensor(weights, [maps, channels, kernel, kernel]), [2, 3, 1, 0]);
  });

/** [inputs, outputs] of [outputs, inputs]. */
const matrixOf = (tf: Tensorflow, spec: LayerSpec, weights: Float32Array, image?: ImageShape): Tensor =>
  tf.tidy(() => {
    const { outputs, inputs } = spec;
    if (!image) return tf.transpose(tf.tensor(weights, [outputs, inputs]));
    const { channels, height, width } = image;
    const there = tf.transpose(tf.tensor(weights, [outputs, channels, height, width]), [2, 3, 1, 0]);
    return tf.reshape(there, [inputs, outputs]);
  });
