/** Node by node, what a chain comes to: layers, and what is folded into them. */
import {
  type ImageLayer,
  type ImageShape,
  isImageLayer,
  type LayerSpec,
  outputImage,
} from '../../model/network/layers.js';
import type { NetworkSpec } from '../../model/network/network.js';
import { MemloopError } from '../../shared/errors.js';
import { clean } from '../../shared/text.js';
import {
  channelMeans,
  convolution,
  dense,
  foldInputs,
  foldOutputs,
  type Gathered,
  perChannel,
  poolInto,
  pooling,
  sizeOf,
  Unsupported,
} from './layers.js';
import { mifNode, type NeuronNode, neuronGains, reluNode, sameNode } from './neurons.js';
import type { NirGraph, NirNode, NodeOf } from './nodes.js';

export interface Taken {
  verdict: 'faithful' | 'approximate';
  note: string;
  shape: number[];
}

export interface TranslationOptions {
  hiddenNeurons?: 'relu' | 'mif' | undefined;
  source: string;
  /** What memloop wrote into the graph, if it did. */
  own?: NetworkSpec | undefined;
}

const WEIGHTED: ReadonlySet<string> = new Set(['Linear', 'Affine', 'Conv2d', 'AvgPool2d', 'SumPool2d']);

export class Translation {
  readonly layers: Gathered[] = [];
  /** All neurons are as memloop would write them for `own`. */
  asWritten = true;
  /** The output neurons are the graph's own. */
  #hasOutputNeurons = false;
  #shape: number[] = [];
  /** Factors of the values that come next, where no layer has taken them in yet. */
  #scale: Float64Array | undefined;
  /** The last layer has weights and no neurons yet. */
  #open = false;
  readonly #graph: NirGraph;
  readonly #options: TranslationOptions;
  /** The last node that makes a layer: neurons behind it are the output neurons. */
  readonly #last: number;
  readonly #order: readonly string[];

  constructor(graph: NirGraph, order: readonly string[], options: TranslationOptions) {
    this.#graph = graph;
    this.#order = order;
    this.#options = options;
    this.#last = order.findLastIndex((name) => WEIGHTED.has(graph.nodes.get(name)!.type));
    if (this.#last < 0) throw this.#fault('it has no weights');
  }

  /** The next node of the chain. Throws `Unsupported`, or `bad-file` for shapes that do not fit together. */
  take(name: string): Taken {
    const node = this.#graph.nodes.get(name) as NirNode;
    const note = this.#step(name, node);
    const [verdict, text] =
      typeof note === 'string' ? (['faithful', note] as const) : (['approximate', note[0]] as const);
    return { verdict, note: text, shape: this.#shape };
  }

  /** A layer that a network cannot have at its place. */
  misfit(): { node: string; why: string } | undefined {
    const { layers } = this;
    for (const [l, { node, spec }] of layers.entries()) {
      const isLast = l === layers.length - 1;
      if (isLast && isImageLayer(spec)) return { node, why: 'the last layer must be Affine or Linear' };
      if (layers[l - 1]?.spec.activation !== 'mif') continue;
      if (spec.kind === 'avgpool')
        return { node, why: 'pools the output of MIF neurons: import with hidden neurons as ReLU' };
      if (spec.activation !== 'mif' && !isLast)
        return {
          node,
          why: 'follows MIF neurons and has none of its own: import with hidden neurons as ReLU',
        };
    }
    return undefined;
  }

  /** A note where the node is faithful, [note] where it is approximate. */
  #step(name: string, node: NirNode): string | [string] {
    switch (node.type) {
      case 'Input':
        this.#shape = node.shape;
        return '';
      case 'Output':
        return this.#output(name, node);
      case 'Linear':
        return this.#dense(name, node.weight, new Float64Array(node.weight.shape[0]));
      case 'Affine':
        return this.#dense(name, node.weight, Float64Array.from(node.bias.data, Number));
      case 'Conv2d':
        return this.#convolution(name, node);
      case 'AvgPool2d':
      case 'SumPool2d':
        return this.#pooling(name, node);
      case 'Flatten':
        return this.#flatten(name, node);
      case 'Scale':
        return this.#rescale(name, node);
      default:
        return this.#neurons(name, node);
    }
  }

  #output(name: string, { shape }: NodeOf<'Output'>): string | [string] {
    this.#expect(name, shape);
    if (this.#scale) throw new Unsupported('what it gives is scaled behind the last layer');
    return this.#hasOutputNeurons ? '' : ['MIF neurons are added behind the last layer: the highest decides'];
  }

  #dense(name: string, weight: NodeOf<'Linear'>['weight'], biases: Float64Array): string {
    const [outputs, inputs] = weight.shape;
    this.#expect(name, [inputs]);
    this.#add(dense(name, Float64Array.from(weight.data, Number), biases), [outputs]);
    this.#open = true;
    return '';
  }

  #convolution(name: string, node: NodeOf<'Conv2d'>): string {
    const { weight, groups, stride, dilation, input_shape } = node;
    const [maps, inGroup, height, width] = weight.shape;
    const image = this.#image(name);
    if (
      image.channels !== inGroup * groups ||
      (input_shape && input_shape.join() !== `${image.height},${image.width}`)
    )
      throw this.#mismatch(name, [inGroup * groups, ...(input_shape ?? [image.height, image.width])]);
    if (maps % groups !== 0) throw this.#fault(`node ${name}: ${maps} maps do not make ${groups} groups`);
    if (height !== width) throw new Unsupported(`a kernel of ${height} × ${width}: only square ones`);
    if (stride[0] !== stride[1]) throw new Unsupported(`strides of ${stride.join(' and ')}: only equal ones`);
    if (dilation.some((d) => d !== 1))
      throw new Unsupported(`a dilation of ${dilation.join(' and ')}: only 1`);
    const layer = convolution(name, image, {
      weights: ungrouped(weight, groups),
      biases: Float64Array.from(node.bias.data, Number),
      kernel: height,
      stride: stride[0],
      padding: paddingOf(node, height),
    });
    this.#addImage(layer);
    this.#open = true;
    return groups > 1 ? `its ${groups} groups as one bank of filters, with weights of 0 between them` : '';
  }

  #pooling(name: string, { type, kernel_size, stride, padding }: NodeOf<'AvgPool2d' | 'SumPool2d'>): string {
    if (padding.some((p) => p !== 0)) throw new Unsupported(`a padding of ${padding.join(' and ')}: only 0`);
    if (kernel_size[0] !== kernel_size[1] || stride[0] !== stride[1])
      throw new Unsupported(
        `squares of ${kernel_size.join(' × ')} every ${stride.join(' and ')}: only square ones`,
      );
    const image = this.#image(name);
    const [kernel] = kernel_size;
    const layer = pooling(name, image, kernel, stride[0]);
    // What is the same all over a channel is so behind its pooling.
    const scale =
      this.#scale && perChannel(this.#scale, image.channels, 'pools values that are scaled one by one');
    this.#scale = undefined;
    this.#addImage(layer);
    this.#open = false;
    const area = layer.spec.outputs / image.channels;
    const sum = type === 'SumPool2d' ? kernel ** 2 : 1;
    if (scale || sum !== 1)
      this.#scale = Float64Array.from(
        { length: layer.spec.outputs },
        (_, i) => sum * (scale ? scale[Math.floor(i / area)] : 1),
      );
    return type === 'SumPool2d' ? `as means, and the weights behind them times ${sum}` : '';
  }

  #flatten(name: string, { start_dim, end_dim, input_type }: NodeOf<'Flatten'>): string | [string] {
    if (input_type) this.#expect(name, input_type);
    const rank = this.#shape.length;
    const [from, to] = [start_dim, end_dim].map((d) => (d < 0 ? d + rank : d));
    const whole = [sizeOf(this.#shape)];
    const rest = [...this.#shape.slice(0, from), ...this.#shape.slice(to + 1)];
    if (sizeOf(rest) !== 1 && !(start_dim === 1 && to === rank - 1))
      throw new Unsupported(`flattens dimensions ${start_dim} to ${end_dim} only`);
    this.#shape = whole;
    return sizeOf(rest) === 1 ? '' : ['flattens all: its start_dim of 1 is taken to leave out a batch'];
  }

  #rescale(name: string, { scale }: NodeOf<'Scale'>): string {
    const size = sizeOf(this.#shape);
    if (scale.data.length !== 1) this.#expect(name, scale.shape);
    const factors = Float64Array.from({ length: size }, (_, i) =>
      Number(scale.data.length === 1 ? scale.data[0] : scale.data[i]),
    );
    if (this.#open) foldOutputs(this.layers.at(-1)!, factors);
    else this.#scale = this.#scale ? this.#scale.map((value, i) => value * factors[i]) : factors;
    return `folded into the weights ${this.#open ? 'before' : 'behind'} it`;
  }

  #neurons(name: string, node: NeuronNode): string | [string] {
    this.#expect(name, node.r.shape);
    const isOutput = this.#order.indexOf(name) > this.#last;
    this.#closePool();
    if (!this.#open)
      throw new Unsupported('no weights before it: only neurons behind Affine, Linear or Conv2d');
    this.#open = false;
    const layer = this.layers.at(-1)!;
    if (isOutput) this.#hasOutputNeurons = true;
    const written = this.#ownActivation(node, layer.spec, isOutput);
    if (written) {
      if (!isOutput) layer.spec.activation = written;
      return `${written === 'mif' ? 'MIF neurons' : 'ReLU'}, as memloop wrote it`;
    }
    this.asWritten = false;
    const spikes = !['I', 'LI', 'CubaLI'].includes(node.type);
    if (!spikes && !isOutput)
      throw new Unsupported('neurons that do not spike, between layers: only as the last ones');
    const varied = foldGains(layer, neuronGains(node));
    const activation = isOutput ? 'mif' : this.#hidden(node.type);
    if (!isOutput) layer.spec.activation = activation;
    const unit = spikes ? 'weights in units of the threshold' : 'weights in volts';
    const differ = varied ? ', thresholds that differ within a map by their mean' : '';
    return activation === 'relu'
      ? [`as ReLU, which the rate of spikes follows; ${unit}${differ}`]
      : [`as MIF neurons, with their time constants, threshold and reset; ${unit}${differ}`];
  }

  /** Takes a pooling layer between a convolution and its neurons into the convolution. */
  #closePool(): void {
    const pool = this.layers.at(-1);
    const before = this.layers.at(-2);
    if (
      pool?.spec.kind !== 'avgpool' ||
      before?.spec.kind !== 'conv2d' ||
      before.spec.activation !== 'linear'
    )
      return;
    const merged = poolInto({ ...before, spec: before.spec }, pool.spec);
    if (this.#scale) foldOutputs(merged, this.#scale);
    this.#scale = undefined;
    this.layers.splice(-2, 2, merged);
    this.#open = true;
  }

  /** What a node that memloop wrote stands for; undefined if it is not one. */
  #ownActivation(node: NeuronNode, layer: LayerSpec, isOutput: boolean): 'relu' | 'mif' | undefined {
    const { own } = this.#options;
    if (!own) return undefined;
    const { shape } = node.r;
    if (!isOutput && sameNode(node, reluNode(shape))) return 'relu';
    const neurons = (isOutput && own.outputNeurons) || [own.neuron];
    if (neurons.length !== 1 && neurons.length !== layer.outputs) return undefined;
    return sameNode(node, mifNode(own, neurons, shape)) ? 'mif' : undefined;
  }

  #hidden(type: string): 'relu' | 'mif' {
    const afterMif = this.layers.some(({ spec }) => spec.activation === 'mif');
    return this.#options.hiddenNeurons ?? (type === 'IF' && !afterMif ? 'relu' : 'mif');
  }

  #add(layer: Gathered, shape: number[]): void {
    if (this.#scale) foldInputs(layer, this.#scale);
    this.#scale = undefined;
    this.layers.push(layer);
    this.#shape = shape;
  }

  #addImage(layer: Gathered & { spec: ImageLayer }): void {
    const { channels, height, width } = outputImage(layer.spec);
    this.#add(layer, [channels, height, width]);
  }

  /** The image that reaches a node; of two dimensions it has one channel. */
  #image(name: string): ImageShape {
    const shape = [1, ...this.#shape].slice(-3);
    if (shape.length !== 3 || sizeOf(shape) !== sizeOf(this.#shape))
      throw this.#fault(`node ${name} takes an image, but is given ${this.#shape.join(' × ')}`);
    const [channels, height, width] = shape;
    return { channels, height, width };
  }

  /** Leading dimensions of 1 do not count. */
  #expect(name: string, shape: readonly number[]): void {
    if (plain(shape) !== plain(this.#shape)) throw this.#mismatch(name, shape);
  }

  #mismatch(name: string, shape: readonly number[]): MemloopError {
    return this.#fault(
      `node ${name} takes ${shape.join(' × ')} values, but is given ${this.#shape.join(' × ')}`,
    );
  }

  #fault(why: string): MemloopError {
    return new MemloopError('bad-file', clean(`${this.#options.source} is no network: ${why}`));
  }
}

const plain = (shape: readonly number[]): string => shape.join(' × ').replace(/^(1 × )+/, '');

/** Weights of groups of filters as those of one bank: 0 where a filter does not see a channel. */
function ungrouped({ shape, data }: NodeOf<'Conv2d'>['weight'], groups: number): Float64Array {
  const [maps, inGroup, height, width] = shape;
  const part = inGroup * height * width;
  const weights = new Float64Array(maps * groups * part);
  for (let m = 0; m < maps; m++) {
    const group = Math.floor((m * groups) / maps);
    for (let i = 0; i < part; i++) weights[(m * groups + group) * part + i] = Number(data[m * part + i]);
  }
  return weights;
}

function paddingOf({ padding, stride }: NodeOf<'Conv2d'>, kernel: number): number {
  if (padding === 'valid') return 0;
  if (padding === 'same') {
    if (stride[0] !== 1 || kernel % 2 === 0)
      throw new Unsupported(`a padding of "same" with a kernel of ${kernel} and a stride of ${stride[0]}`);
    return (kernel - 1) / 2;
  }
  if (padding[0] !== padding[1])
    throw new Unsupported(`paddings of ${padding.join(' and ')}: only equal ones`);
  return padding[0];
}

/** @returns whether gains differed within a map, and their mean was taken */
function foldGains(layer: Gathered, gains: Float64Array): boolean {
  const { spec } = layer;
  if (gains.some((gain) => !(gain > 0 && Number.isFinite(gain))))
    throw new Unsupported('its threshold is not above its rest, or its resistance not above 0');
  if (spec.kind !== 'conv2d') {
    foldOutputs(layer, gains);
    return false;
  }
  const area = gains.length / spec.maps;
  const means = channelMeans(gains, spec.maps);
  const varied = gains.some((gain, i) => gain !== gains[Math.floor(i / area) * area]);
  foldOutputs(
    layer,
    gains.map((gain, i) => (varied ? means[Math.floor(i / area)] : gain)),
  );
  return varied;
}
