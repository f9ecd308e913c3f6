/** memloop networks as NIR graphs, with a verdict on each node. */
import { isImageLayer, type LayerSpec, outputImage } from '../../model/network/layers.js';
import type { Network } from '../../model/network/network.js';
import type { NodeVerdict } from './import.js';
import { mifNode, reluNode } from './neurons.js';
import type { NirGraph, NirNode } from './nodes.js';

/**
 * A graph of a network: Affine, Conv2d, AvgPool2d and Flatten; MIF neurons as CubaLIF, ReLU as IF. What the neurons are is
 * kept in the graph's metadata (`memloop.spec`), so that `networkFromNir` gives the same network.
 * @param metadata kept beside it
 */
export function nirFromNetwork(
  network: Network,
  metadata: Readonly<Record<string, string>> = {},
): { graph: NirGraph; verdicts: NodeVerdict[] } {
  const { spec } = network;
  const graph: NirGraph = {
    nodes: new Map(),
    edges: [],
    metadata: { ...metadata, 'memloop.spec': JSON.stringify(spec) },
  };
  const verdicts: NodeVerdict[] = [];
  let before: string | undefined;
  const add = (node: string, value: NirNode, shape: number[], note = '') => {
    graph.nodes.set(node, value);
    if (before !== undefined) graph.edges.push([before, node]);
    before = node;
    verdicts.push({ node, type: value.type, verdict: note === '' ? 'faithful' : 'approximate', note, shape });
  };
  const [first] = spec.layers;
  let shape = isImageLayer(first) ? [first.channels, first.height, first.width] : [first.inputs];
  add('input', { type: 'Input', shape }, shape);
  spec.layers.forEach((layer, l) => {
    if (!isImageLayer(layer) && shape.length > 1) {
      const input_type = shape;
      shape = [layer.inputs];
      add('flatten', { type: 'Flatten', start_dim: 0, end_dim: -1, input_type }, shape);
    }
    shape = shapeOf(layer);
    add(`layers.${l}`, layerNode(network, l), shape);
    const isLast = l === spec.layers.length - 1;
    const neurons = `layers.${l}.neurons`;
    if (isLast || layer.activation === 'mif') {
      const parameters = (isLast && spec.outputNeurons) || [spec.neuron];
      add(neurons, mifNode(spec, parameters, shape), shape, MIF_NOTE);
    } else if (layer.activation === 'relu') add(neurons, reluNode(shape), shape, RELU_NOTE);
  });
  add('output', { type: 'Output', shape }, shape);
  return { graph, verdicts };
}

const MIF_NOTE =
  'MIF neurons: one synaptic time constant, the membrane at rest, a threshold where the first memristor turns on';
const RELU_NOTE = 'ReLU: the rate of spikes of neurons that integrate and fire';

function shapeOf(layer: LayerSpec): number[] {
  if (!isImageLayer(layer)) return [layer.outputs];
  const { channels, height, width } = outputImage(layer);
  return [channels, height, width];
}

function layerNode({ spec, weights, biases }: Network, l: number): NirNode {
  const layer = spec.layers[l];
  if (layer.kind === 'avgpool') {
    const { kernel, stride } = layer;
    return { type: 'AvgPool2d', kernel_size: [kernel, kernel], stride: [stride, stride], padding: [0, 0] };
  }
  const rows = biases[l].length;
  const bias = { shape: [rows], data: biases[l] };
  if (layer.kind !== 'conv2d')
    return { type: 'Affine', weight: { shape: [rows, layer.inputs], data: weights[l] }, bias };
  const { channels, height, width, kernel, stride, padding } = layer;
  return {
    type: 'Conv2d',
    weight: { shape: [rows, channels, kernel, kernel], data: weights[l] },
    bias,
    stride: [stride, stride],
    padding: [padding, padding],
    dilation: [1, 1],
    groups: 1,
    input_shape: [height, width],
  };
}
