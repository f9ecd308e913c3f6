/**
 * Where a network's batch lies in the kernel's memory, and the calls that run it forward and backward. A
 * batch is cut into shards, the tasks that threads claim. Gradients are kept shard by shard and summed in
 * their order, so the result does not depend on the number of threads.
 */

import type { MifParameters } from '../devices/mif.js';
import { type Conv2dLayer, type LayerSpec, layerMatrix, outputImage } from '../network/layers.js';
import { checkSpec, type NetworkSpec, timesOf, WAVEFORM_UNIT } from '../network/network.js';
import type { Call, Gathering, Task, Wave, WaveConv } from './calls.js';
import { ImageLayers } from './images.js';
import { type KernelMemory, Layout } from './kernel.js';
import { type LayerPlace, pad4, placesOf } from './places.js';
import { Population, VECTOR } from './population.js';

const SHARDS = 8;
const FLOAT = 4;

export interface PlanOptions {
  /** Keep what the backward pass and Adam need. */
  training?: boolean;
  /** Share of the target spread evenly over the classes. */
  smoothing?: number;
  /** Weight of the loss over each neuron's highest v, which is what decides, beside the paper's. */
  decision?: number;
  /** Multiply each ReLU layer's outputs with a mask that the caller fills. */
  masks?: boolean;
}

/** What a shard needs for one population, used again by each group of four samples. */
interface Scratch {
  /** How many different drives a run has: one for each vector of a sample, one per step for waveforms. */
  slots: number;
  trajectory: number;
  alpha: number;
  peaks: number;
  bars: number;
  lossRows: number;
  drives: number;
  driveBars: number;
  voltageBars: number;
  signals: number;
  weightBars: number;
  biasBars: number;
}

/** Samples are rows, in groups of four; groups `from` to `to` are the shard's. */
interface Shard {
  index: number;
  from: number;
  to: number;
  scratch: Scratch[];
}

/** How many vectors a layer between MIF layers needs for its waveforms and to sum the gradients of its weights. */
function waveSizes(layer: LayerSpec): { signals: number; weights: number; biases: number } {
  if (layer.kind !== 'conv2d')
    return { signals: layer.inputs, weights: layer.inputs * layer.outputs, biases: layer.outputs };
  const { channels, height, width, padding } = layer;
  const { inputs, outputs } = layerMatrix(layer);
  return {
    signals: channels * (height + 2 * padding) * (width + 2 * padding),
    weights: pad4(outputs) * inputs,
    biases: pad4(outputs),
  };
}

/**
 * @param layer whose sums of waveforms drive the population; none if pulses do
 * @param times how many different drives pulses give
 */
function scratchOf(
  { neurons, steps, trajectoryBytes }: Population,
  layer: LayerSpec | undefined,
  times: number,
  layout: Layout,
  ifTraining: (bytes: number) => number,
): Scratch {
  const slots = layer ? steps : times;
  const sizes = layer && waveSizes(layer);
  // The kernel computes maps in fours: up to three planes more.
  const drives = slots * neurons + (layer?.kind === 'conv2d' ? (3 * neurons) / layer.maps : 0);
  return {
    slots,
    trajectory: layout.take(trajectoryBytes),
    alpha: layout.take(2 * neurons * VECTOR),
    peaks: layout.take(neurons * VECTOR),
    bars: layout.take(5 * neurons * VECTOR),
    lossRows: layout.take(3 * neurons * VECTOR),
    drives: layout.take(drives * VECTOR),
    driveBars: ifTraining(drives * VECTOR),
    voltageBars: ifTraining(steps * neurons * VECTOR),
    signals: sizes ? layout.take(sizes.signals * VECTOR) : 0,
    weightBars: sizes ? ifTraining(sizes.weights * VECTOR) : 0,
    biasBars: sizes ? ifTraining(sizes.biases * VECTOR) : 0,
  };
}

/** All numbers are byte addresses unless said otherwise; 0 is none. */
export class Plan {
  /** Samples a batch can hold: rows rounded up to four. */
  readonly rows: number;
  readonly places: LayerPlace[];
  /** Floats of one parameter list, with its padding. */
  readonly size: number;
  readonly weights: number;
  readonly firstMoment: number;
  readonly secondMoment: number;
  readonly average: number;
  /** One parameter list per shard. */
  readonly gradients: number[];
  readonly settings: number;
  readonly labels: number;
  readonly losses: number;
  /** Highest v of the output neurons, groups × neurons vectors. */
  readonly peaks: number;
  /** Vectors of a sample, each of which is a row of what follows: rows × times rows, sample by sample. */
  readonly times: number;
  /**
   * What goes into each layer that is computed once per vector, and what comes out of the last, as rows of padded values;
   * 0 between image layers, which have their own lists.
   */
  readonly activations: number[];
  /** Floats of a row of them. */
  readonly widths: number[];
  /** Of each such layer's outputs, where it has one: rows of `stride` floats, of which the caller fills `outputs`. */
  readonly masks: ({ at: number; stride: number; outputs: number } | undefined)[];
  readonly bytes: number;
  readonly #bars: number[];
  readonly #populations: Population[];
  readonly #shards: Shard[];
  readonly #pulseSlots: number;
  readonly #waveSlots: number;
  readonly #images: ImageLayers;
  /** How many image layers the network begins with. */
  readonly #imageCount: number;
  /** The layer whose outputs drive the first population by pulses. */
  readonly #pulsed: number;

  readonly #spec: NetworkSpec;
  readonly #options: PlanOptions;

  constructor(spec: NetworkSpec, rows: number, options: PlanOptions) {
    checkSpec(spec);
    this.#spec = spec;
    this.#options = options;
    const { training = false, masks = false } = options;
    const { layers, steps } = spec;
    const layout = new Layout();
    const ifTraining = (bytes: number) => (training ? layout.take(bytes) : 0);
    const last = layers.length - 1;
    const firstMif = layers.findIndex((layer) => layer.activation === 'mif');
    const pulsed = firstMif < 0 ? last : firstMif;
    this.#pulsed = pulsed;
    this.rows = pad4(rows);
    const times = timesOf(spec);
    this.times = times;
    const groups = this.rows / 4;
    const shards = Math.min(SHARDS, groups);

    this.places = placesOf(layers);
    this.size = this.places[last].biases + this.places[last].outputs;
    this.weights = layout.take(this.size * FLOAT);
    this.firstMoment = ifTraining(this.size * FLOAT);
    this.secondMoment = ifTraining(this.size * FLOAT);
    this.average = ifTraining(this.size * FLOAT);
    this.gradients = Array.from({ length: training ? shards : 0 }, () => layout.take(this.size * FLOAT));
    this.settings = layout.take(8 * FLOAT);
    this.labels = layout.take(this.rows * FLOAT);
    this.losses = layout.take(this.rows * FLOAT);
    this.#pulseSlots = layout.take(steps * FLOAT);
    this.#waveSlots = layout.take(steps * FLOAT);

    this.#images = new ImageLayers(
      layers.slice(0, pulsed + 1),
      {
        groups: groups * times,
        shards: training ? shards : 0,
        masks,
        places: this.places,
        parameters: this.weights,
      },
      layout,
    );
    const images = this.#images.layers.length;
    this.#imageCount = images;
    this.widths = [layers[0].inputs, ...layers.slice(0, pulsed + 1).map(({ outputs }) => outputs)].map(pad4);
    const between = (l: number) => l > 0 && l < images;
    const bytesOf = (l: number) => this.rows * times * this.widths[l] * FLOAT;
    this.activations = this.widths.map((_, l) => (between(l) ? 0 : layout.take(bytesOf(l))));
    this.#bars = this.widths.map((_, l) => (l === 0 || between(l) ? 0 : ifTraining(bytesOf(l))));
    this.masks = layers.slice(0, pulsed + 1).map((layer, l) => {
      if (l < images) {
        const mask = this.#images.masks[l];
        return mask && { ...mask, outputs: mask.stride };
      }
      if (!masks || layer.activation !== 'relu') return undefined;
      return { at: layout.take(bytesOf(l + 1)), stride: this.widths[l + 1], outputs: layer.outputs };
    });

    this.#populations = layers.slice(pulsed).map((layer, i) => {
      const parameters = (pulsed + i === last && spec.outputNeurons) || [spec.neuron];
      return new Population(layer.outputs, parameters, spec.integrator, steps, spec.duration / steps, layout);
    });
    this.peaks = layout.take(groups * layers[last].outputs * VECTOR);
    this.#shards = this.#cut(groups, shards, layout, ifTraining);
    this.bytes = layout.bytes;
  }

  /** The groups of a batch, cut into shards. */
  #cut(groups: number, shards: number, layout: Layout, ifTraining: (bytes: number) => number): Shard[] {
    const { layers } = this.#spec;
    return Array.from({ length: shards }, (_, index) => ({
      index,
      from: Math.floor((index * groups) / shards),
      to: Math.floor(((index + 1) * groups) / shards),
      scratch: this.#populations.map((population, i) => {
        const layer = i === 0 ? undefined : layers[this.#pulsed + i];
        return scratchOf(population, layer, this.times, layout, ifTraining);
      }),
    }));
  }

  /** Writes what never changes: the neurons' constants, when drives arrive, masks of ones. */
  fill(memory: KernelMemory): void {
    const { steps, pulseSteps } = this.#spec;
    const pulses = memory.ints(this.#pulseSlots, steps).fill(-1);
    pulseSteps.forEach((step, pulse) => {
      pulses[step] = this.times === 1 ? 0 : pulse;
    });
    memory.ints(this.#waveSlots, steps).set(Array.from({ length: steps }, (_, t) => t));
    for (const population of this.#populations) population.fill(memory);
    for (const mask of this.masks)
      if (mask) memory.floats(mask.at, this.rows * this.times * mask.stride).fill(1);
  }

  /** Other parameters for the output neurons, one each; they must have had one each. */
  setOutputNeurons(memory: KernelMemory, parameters: readonly MifParameters[]): void {
    this.#populations.at(-1)!.fill(memory, parameters);
  }

  /** What goes into layer l, for the layers computed once per vector. */
  inputs(l: number): { at: number; floats: number } | undefined {
    if (l < this.#imageCount) return this.#images.inputs(l);
    return l < this.activations.length
      ? { at: this.activations[l], floats: this.rows * this.times * this.widths[l] }
      : undefined;
  }

  forward(): Task[] {
    return this.#shards.map((shard) => [
      ...this.#layersForward(shard, false),
      ...this.#groups(shard, (group) => this.#groupForward(shard, group)),
    ]);
  }

  /** Forward and backward: losses, peaks and every shard's gradient. */
  gradient(): Task[] {
    return this.#shards.map((shard) => [
      ...this.#layersForward(shard, true),
      ...this.#clearWaves(shard),
      ...this.#images.clear(shard.index),
      ...this.#groups(shard, (group) => [
        ...this.#groupForward(shard, group),
        ...this.#groupBackward(shard, group),
      ]),
      ...this.#reduceWaves(shard),
      ...this.#layersBackward(shard),
      ...this.#imagesBackward(shard),
      ...this.#images.reduce(shard.index, this.gradients[shard.index]),
    ]);
  }

  /** Adam on all parameters, in as many parts as a batch has at most. */
  adam(): Task[] {
    const cut = (i: number) => Math.min(this.size, pad4(Math.floor((i * this.size) / SHARDS)));
    return Array.from({ length: SHARDS }, (_, i) => [
      [
        'adam',
        this.weights,
        this.firstMoment,
        this.secondMoment,
        this.gradients[0],
        this.gradients.length,
        this.size * FLOAT,
        cut(i),
        cut(i + 1),
        this.settings,
        this.average,
      ],
    ]);
  }

  #groups(shard: Shard, calls: (group: number) => Call[]): Call[] {
    return Array.from({ length: shard.to - shard.from }, (_, i) => calls(shard.from + i)).flat();
  }

  #weightsAt(l: number): number {
    return this.weights + this.places[l].weights * FLOAT;
  }

  #biasesAt(l: number): number {
    return this.weights + this.places[l].biases * FLOAT;
  }

  #isRelu(l: number): boolean {
    return this.#spec.layers[l].activation === 'relu' && l < this.#pulsed;
  }

  /** How many rows a shard has in the lists of vectors. */
  #count({ from, to }: Shard): number {
    return (to - from) * 4 * this.times;
  }

  /** The shard's rows in a list of `width` floats a row; 0 stays 0. */
  #rowsOf(shard: Shard, list: number, width: number): number {
    return list && list + shard.from * 4 * this.times * width * FLOAT;
  }

  /** Images go in groups of four as samples do, but each vector of a sample is one. */
  #imageGroups(shard: Shard, calls: (group: number) => Call[]): Call[] {
    const { times } = this;
    return Array.from({ length: (shard.to - shard.from) * times }, (_, i) =>
      calls(shard.from * times + i),
    ).flat();
  }

  /** Four rows of a list, those of one group of images. */
  #imageRows(list: number, l: number, group: number): { rows: number; rowBytes: number } {
    const rowBytes = this.widths[l] * FLOAT;
    return { rows: list + group * 4 * rowBytes, rowBytes };
  }

  #layersForward(shard: Shard, masked: boolean): Call[] {
    const images = this.#imageCount;
    const count = this.#count(shard);
    const calls: Call[] = [];
    if (images > 0)
      calls.push(
        ...this.#imageGroups(shard, (group) =>
          this.#images.forward(
            group,
            this.#imageRows(this.activations[0], 0, group),
            this.#imageRows(this.activations[images], images, group),
            masked,
          ),
        ),
      );
    for (let l = images; l <= this.#pulsed; l++) {
      const { inputs, outputs } = this.places[l];
      calls.push([
        'denseForward',
        this.#rowsOf(shard, this.activations[l], inputs),
        inputs,
        this.#weightsAt(l),
        this.#biasesAt(l),
        this.#rowsOf(shard, this.activations[l + 1], outputs),
        outputs,
        count,
        Number(this.#isRelu(l)),
        masked ? this.#rowsOf(shard, this.masks[l]?.at ?? 0, outputs) : 0,
      ]);
    }
    return calls;
  }

  #imagesBackward(shard: Shard): Call[] {
    const images = this.#imageCount;
    if (images === 0) return [];
    return this.#imageGroups(shard, (group) =>
      this.#images.backward(shard.index, group, this.#imageRows(this.#bars[images], images, group)),
    );
  }

  #layersBackward(shard: Shard): Call[] {
    const count = this.#count(shard);
    const gradient = this.gradients[shard.index];
    const calls: Call[] = [];
    const images = this.#imageCount;
    for (let l = this.#pulsed; l >= images; l--) {
      const { inputs, outputs, weights, biases } = this.places[l];
      const x = this.#rowsOf(shard, this.activations[l], inputs);
      const yBar = this.#rowsOf(shard, this.#bars[l + 1], outputs);
      const [wBar, biasBar] = [gradient + weights * FLOAT, gradient + biases * FLOAT];
      calls.push(['denseBackward', x, inputs, yBar, outputs, count, wBar, biasBar]);
      if (l === 0) continue;
      const xBar = this.#rowsOf(shard, this.#bars[l], inputs);
      // What an image layer does to its outputs is undone there.
      const dense = l > images;
      const mask = dense ? this.#rowsOf(shard, this.masks[l - 1]?.at ?? 0, inputs) : 0;
      const relu = Number(dense && this.#isRelu(l - 1));
      calls.push([
        'denseBackwardInput',
        x,
        inputs,
        this.#weightsAt(l),
        yBar,
        outputs,
        count,
        xBar,
        relu,
        mask,
      ]);
    }
    return calls;
  }

  /** Rows of the layer whose outputs are the first population's drives, for the vectors at one time of one group. */
  #gathering(group: number, time: number, list: number): Gathering {
    const { driveScale, driveMax } = this.#spec;
    const rowBytes = this.widths[this.#pulsed + 1] * FLOAT;
    const first = list + (group * 4 * this.times + time) * rowBytes;
    return [first, this.times * rowBytes, this.#populations[0].neurons, driveScale, driveMax];
  }

  /** What each time of a group needs; `offset` is where its drives are in a list of them. */
  #atTimes(call: (time: number, offset: number) => Call): Call[] {
    const bytes = this.#populations[0].neurons * VECTOR;
    return Array.from({ length: this.times }, (_, time) => call(time, time * bytes));
  }

  #groupForward({ scratch }: Shard, group: number): Call[] {
    const outputs = this.activations[this.#pulsed + 1];
    const calls = this.#atTimes((time, offset) => [
      'gatherDrives',
      ...this.#gathering(group, time, outputs),
      scratch[0].drives + offset,
    ]);
    this.#populations.forEach((population, i) => {
      const s = scratch[i];
      const bias = this.#biasesAt(this.#pulsed + i);
      const layer = this.#spec.layers[this.#pulsed + i];
      if (i > 0 && layer.kind === 'conv2d') {
        const wave = this.#waveConv(scratch, i, layer);
        calls.push(['waveConvForward', ...wave, bias, this.#waveScale, s.drives]);
      } else if (i > 0)
        calls.push([
          'waveForward',
          ...this.#wave(scratch, i),
          bias,
          population.neurons,
          this.#waveScale,
          s.drives,
          s.signals,
        ]);
      calls.push(
        ...population.forward(this.#slots(i), s.drives, s.trajectory, s.alpha, this.#peaksOf(s, i, group)),
      );
    });
    return calls;
  }

  #groupBackward({ scratch }: Shard, group: number): Call[] {
    const calls: Call[] = [];
    const { smoothing = 0, decision = 0 } = this.#options;
    for (let i = this.#populations.length - 1; i >= 0; i--) {
      const s = scratch[i];
      const population = this.#populations[i];
      const source =
        i === this.#populations.length - 1
          ? {
              labels: this.labels + group * VECTOR,
              smoothing,
              scale: 1 / this.#spec.steps,
              losses: this.losses + group * VECTOR,
              scratch: s.lossRows,
              decision,
              peaks: this.#peaksOf(s, i, group),
            }
          : { voltageBars: s.voltageBars };
      calls.push(...population.backward(this.#slots(i), s.driveBars, s.slots, s.trajectory, s.bars, source));
      if (i > 0) calls.push(this.#waveBackward(scratch, i));
    }
    const scattered = this.#atTimes((time, offset) => {
      const [bars] = this.#gathering(group, time, this.#bars[this.#pulsed + 1]);
      const gathering = this.#gathering(group, time, this.activations[this.#pulsed + 1]);
      return ['scatterDriveBars', ...gathering, scratch[0].driveBars + offset, bars];
    });
    return [...calls, ...scattered];
  }

  #waveBackward(scratch: readonly Scratch[], i: number): Call {
    const layer = this.#spec.layers[this.#pulsed + i];
    const { driveBars, weightBars, biasBars } = scratch[i];
    const bars = [driveBars, scratch[i - 1].voltageBars, weightBars, biasBars] as const;
    return layer.kind === 'conv2d'
      ? ['waveConvBackward', ...this.#waveConv(scratch, i, layer), this.#waveScale, ...bars]
      : ['waveBackward', ...this.#wave(scratch, i), layer.outputs, this.#waveScale, ...bars];
  }

  #clearWaves({ scratch }: Shard): Call[] {
    return this.#spec.layers.slice(this.#pulsed + 1).flatMap((layer, k): Call[] => {
      const { weights, biases } = waveSizes(layer);
      return [
        ['clear', scratch[k + 1].weightBars, weights * VECTOR],
        ['clear', scratch[k + 1].biasBars, biases * VECTOR],
      ];
    });
  }

  #reduceWaves({ scratch, index }: Shard): Call[] {
    return this.#spec.layers.slice(this.#pulsed + 1).map((layer, k) => {
      const { weights, biases, inputs } = this.places[this.#pulsed + k + 1];
      const { weightBars, biasBars } = scratch[k + 1];
      const gradient = this.gradients[index];
      const [wBar, biasBar] = [gradient + weights * FLOAT, gradient + biases * FLOAT];
      const matrix = layerMatrix(layer);
      return [
        'waveReduce',
        weightBars,
        biasBars,
        matrix.inputs,
        matrix.outputs,
        wBar,
        inputs * FLOAT,
        biasBar,
      ];
    });
  }

  /** What both directions of the layer before population i need: waveforms, their unit, weights. */
  #wave(scratch: readonly Scratch[], i: number): Wave {
    const { rest, restStride, neurons } = this.#populations[i - 1];
    const l = this.#pulsed + i;
    return [
      scratch[i - 1].trajectory,
      this.#spec.steps,
      neurons,
      rest,
      restStride,
      1 / WAVEFORM_UNIT,
      this.#weightsAt(l),
      this.places[l].inputs * FLOAT,
    ];
  }

  /** The same for a convolution. */
  #waveConv(scratch: readonly Scratch[], i: number, layer: Conv2dLayer): WaveConv {
    const { rest, restStride } = this.#populations[i - 1];
    const { channels, height, width, padding, kernel, stride, maps } = layer;
    const out = outputImage(layer);
    const l = this.#pulsed + i;
    return [
      scratch[i - 1].trajectory,
      this.#spec.steps,
      rest,
      restStride,
      1 / WAVEFORM_UNIT,
      channels,
      height,
      width,
      padding,
      scratch[i].signals,
      this.#weightsAt(l),
      this.places[l].inputs * FLOAT,
      kernel,
      stride,
      maps,
      out.height,
      out.width,
    ];
  }

  get #waveScale(): number {
    const { driveScale, duration, steps, neuron } = this.#spec;
    return (driveScale * duration) / steps / neuron.tauAlpha;
  }

  #slots(i: number): number {
    return i === 0 ? this.#pulseSlots : this.#waveSlots;
  }

  #peaksOf(s: Scratch, i: number, group: number): number {
    const output = i === this.#populations.length - 1;
    return output ? this.peaks + group * this.#populations[i].neurons * VECTOR : s.peaks;
  }
}
