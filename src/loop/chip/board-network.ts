/**
 * A mapped network run on the board. The arrays multiply (inputs of dense layers, patches of convolutions), the host adds
 * partial sums and biases and pools, the board's neurons are the MIF layers, in turn where a layer has more neurons than
 * the board. The results are measurements, layer by layer.
 */
import type { BoardDescription, NeuronRun, Stimulus } from '../../driver/board/board.js';
import {
  averagePool,
  batches,
  type Dataset,
  decide,
  isImageLayer,
  layerMatrix,
  layerVectors,
  type MifParameters,
  type Network,
  outputsFromSums,
  type Random,
  restState,
  timesOf,
  WAVEFORM_UNIT,
} from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { quantity } from '../../shared/text.js';
import {
  type Area,
  type LayerMap,
  type NetworkMap,
  pairsInRows,
  type Tile,
  weightScale,
} from '../mapping/mapping.js';
import { answered, inTurns, type Steps } from './in-turns.js';

/**
 * The products of cells of an array, corrected for what is known of the converters: A, vectors × columns of the area, for
 * voltages, V, vectors × rows of the area. All other rows are at 0 V.
 */
export type Multiply = (area: Area, voltages: Float32Array) => Promise<Float32Array>;

/** The neurons of a board: their known parameters and how they are run. */
export interface NeuronBank {
  description: Pick<BoardDescription, 'neurons' | 'stepTime' | 'maxSteps' | 'driveMax'>;
  /** One entry per neuron of the board. */
  parameters: readonly MifParameters[];
  run(stimuli: readonly Stimulus[]): Promise<NeuronRun[]>;
}

/** What a batch of images did in one layer. */
export interface LayerForward {
  /**
   * How often an image goes through the layer: once; a signal in time once per input pulse; behind a MIF layer once per
   * membrane sample.
   */
  vectors: number;
  /** The layer's inputs as they were driven, i.e. after clipping: count × vectors × inputs. */
  inputs: Float32Array;
  /** The layer's outputs before the activation, measured, bias included: count × vectors × outputs. */
  sums: Float32Array;
  /** Membrane voltages of each image where the layer drives neurons, V, samples × outputs, NaN where lost. */
  voltages?: Float32Array[];
}

/** Share of the ReLU outputs that are not driven, and the random numbers that choose them. */
export interface Dropout {
  share: number;
  random: Random;
}

/** What a batch of images did on the board. */
export interface BoardForward {
  count: number;
  layers: LayerForward[];
  /** Share of the ReLU outputs that were not driven. */
  dropout: number;
  /** Membrane samples that the link lost, over all images. */
  lost: number;
  /** Membrane voltages of the output neurons of each image, V, samples × outputs, NaN where lost. */
  voltages: Float32Array[];
  /** Neuron with the highest voltage over time. */
  decisions: Uint8Array;
}

/** Reads of the constant that a signed input is shifted by, in every batch: their mean is subtracted. */
const BASELINE_VECTORS = 8;
/** How long the board may have a batch while a person waits for progress or for Ctrl-C to be heard, s. */
const LONGEST_BATCH = 1;

export class BoardNetwork {
  readonly stepTime: number;
  /** s between two membrane samples. */
  readonly samplePeriod: number;
  readonly #steps: number;
  /** Board steps at which the input arrives. */
  readonly #inputSteps: number[];

  readonly #bank: NeuronBank;
  readonly #multiply: Multiply;
  readonly #productTime: number;

  /**
   * @param decimation board steps between two membrane samples.
   * @param productTime what the board takes for the product of one vector, s.
   */
  constructor(
    bank: NeuronBank,
    multiply: Multiply,
    readonly network: Network,
    readonly map: NetworkMap,
    readonly decimation: number,
    productTime = 0,
  ) {
    this.#productTime = productTime;
    this.#bank = bank;
    this.#multiply = multiply;

    const { spec } = network;
    this.stepTime = bank.description.stepTime;
    this.samplePeriod = decimation * this.stepTime;
    const perStep = spec.duration / spec.steps / this.stepTime;
    this.#steps = Math.min(Math.round(spec.steps * perStep), bank.description.maxSteps);
    this.#inputSteps = spec.pulseSteps.map((step) => Math.round(step * perStep));
  }

  /**
   * Throws `bad-input` if the board cannot run the neurons as the network asks.
   *
   * @param most input pulses of one run.
   */
  checkRuns(most: number): void {
    const { network, map, stepTime } = this;
    const last = this.#inputSteps.at(-1) ?? 0;
    if (last >= this.#steps)
      throw new MemloopError(
        'bad-input',
        `the last input comes after ${quantity(last * stepTime, 's')}, and the board's runs take ${quantity(this.#steps * stepTime, 's')}; train with a shorter --duration`,
      );
    map.layers.forEach((_, l) => {
      const pulses = this.drivesNeurons(l) ? this.pulseSteps(l).length : 0;
      if (pulses > most)
        throw new MemloopError(
          'bad-input',
          `layer ${l} gives its neurons ${pulses} input pulses in a run, and the board takes ${most}; ${
            this.takesWaveforms(l)
              ? 'take fewer membrane samples (--decimation)'
              : `train with fewer --times than ${timesOf(network.spec)}`
          }`,
        );
    });
  }

  /** Output neurons. */
  get outputs(): number {
    return this.network.classes;
  }

  /** Whether layer l's sums drive neurons. */
  drivesNeurons(l: number): boolean {
    const { layers } = this.network.spec;
    return l === layers.length - 1 || layers[l].activation === 'mif';
  }

  /** Whether layer l's inputs are membrane waveforms. */
  takesWaveforms(l: number): boolean {
    return this.network.spec.layers[l - 1]?.activation === 'mif';
  }

  /** Parameters of the neurons that a layer of this width drives, one entry per output. */
  neurons(width: number): MifParameters[] {
    const { parameters } = this.#bank;
    return Array.from({ length: width }, (_, j) => parameters[j % parameters.length]);
  }

  /** Board steps at which layer l drives its neurons: at the input pulses, or at every sample that drives it. */
  pulseSteps(l: number): number[] {
    if (!this.takesWaveforms(l)) return this.#inputSteps;
    const samples = Math.floor(this.#steps / this.decimation);
    return Array.from({ length: samples - 1 }, (_, t) => (t + 1) * this.decimation);
  }

  /** A by which a neuron's alpha state jumps at each pulse, per unit of layer l's sums. */
  driveScale(l: number): number {
    const { driveScale } = this.network.spec;
    const { tauAlpha } = this.network.spec.neuron;
    return this.takesWaveforms(l) ? (driveScale * this.samplePeriod) / tauAlpha : driveScale;
  }

  /** A; the largest alpha state by which a neuron may be driven. */
  get driveMax(): number {
    return Math.min(this.#bank.description.driveMax, this.network.spec.driveMax);
  }

  /**
   * Forward passes of a dataset in batches, in order. Two are under way at once: while the host works on one, the board
   * has the other. A slow board gets fewer images at once.
   *
   * @param dropout drawn anew for each image; the outputs that are driven are scaled up to make up for it.
   */
  async *forward(
    dataset: Dataset,
    batch: number,
    dropout?: Dropout,
  ): AsyncGenerator<{ images: Dataset; forward: BoardForward }> {
    const size = Math.max(1, Math.min(batch, Math.floor(LONGEST_BATCH / this.#imageTime)));
    yield* inTurns(batches(dataset, size).map((images) => this.#batchSteps(images, dropout)));
  }

  /** What the neurons of one image take: runs, the time of each (s), settings of drives, membrane samples. */
  get neuronUse(): { runs: number; runTime: number; drives: number; membraneSamples: number } {
    const { neurons } = this.#bank.description;
    const samples = Math.floor(this.#steps / this.decimation);
    const use = { runs: 0, runTime: this.#steps * this.stepTime, drives: 0, membraneSamples: 0 };
    this.network.spec.layers.forEach(({ outputs }, l) => {
      if (!this.drivesNeurons(l)) return;
      const runs = Math.ceil(outputs / neurons);
      use.runs += runs;
      use.drives += runs * neurons * this.pulseSteps(l).length;
      use.membraneSamples += runs * neurons * samples;
    });
    return use;
  }

  /** What the products of one image take on the board, s. */
  get #imageTime(): number {
    const passes = pairsInRows(this.map) ? 2 : 1;
    const products = this.map.layers.reduce((sum, { tiles }, l) => {
      const { spec } = this.network;
      const { vectors } = layerMatrix(spec.layers[l]);
      const times = this.takesWaveforms(l) ? this.pulseSteps(l).length : timesOf(spec);
      return sum + passes * tiles.length * vectors * times;
    }, 0);
    return products * this.#productTime;
  }

  /** The forward pass of a batch, with a step each time the board is asked. */
  *#batchSteps(
    images: Dataset,
    dropout: Dropout | undefined,
  ): Steps<{ images: Dataset; forward: BoardForward }> {
    const { inputs, count } = images;
    const { spec } = this.network;
    const layers: LayerForward[] = [];
    let values = inputs;
    let lost = 0;
    for (const [l, layer] of this.map.layers.entries()) {
      if (spec.layers[l - 1]?.activation === 'relu' && dropout)
        values = values.map((value) =>
          dropout.random.uniform() < dropout.share ? 0 : value / (1 - dropout.share),
        );
      const kind = spec.layers[l];
      const driven =
        kind.kind === 'avgpool'
          ? values
          : values.map((value) => Math.min(layer.inputMax, Math.max(layer.inputMin, value)));
      const sums = yield* answered(this.#layerSums(l, driven));
      const forward: LayerForward = {
        vectors: driven.length / (count * kind.inputs),
        inputs: driven,
        sums,
      };
      layers.push(forward);
      if (this.drivesNeurons(l)) {
        const driven = yield* answered(this.#runNeurons(l, sums, count));
        forward.voltages = driven.voltages;
        lost += driven.lost;
        if (l + 1 < this.map.layers.length) values = this.#waveforms(l, driven.voltages);
      } else values = spec.layers[l].activation === 'relu' ? sums.map((value) => Math.max(0, value)) : sums;
    }
    const voltages = layers.at(-1)!.voltages!;
    const forward: BoardForward = {
      count,
      layers,
      voltages,
      lost,
      dropout: dropout?.share ?? 0,
      decisions: Uint8Array.from(voltages, (v) => decide(v, this.outputs)),
    };
    return { images, forward };
  }

  /** Outputs of layer l before its activation, for inputs as they are driven. */
  async #layerSums(l: number, inputs: Float32Array): Promise<Float32Array> {
    const layer = this.network.spec.layers[l];
    if (layer.kind === 'avgpool') return eachSample(inputs, layer.inputs, (x) => averagePool(layer, x));
    const image = isImageLayer(layer);
    const vectors = image ? eachSample(inputs, layer.inputs, (x) => layerVectors(layer, x)) : inputs;
    const sums = await this.#products(this.map.layers[l], vectors);
    const biases = this.network.biases[l];
    for (let i = 0; i < sums.length; i++) sums[i] += biases[i % biases.length];
    return image ? eachSample(sums, layer.outputs, (some) => outputsFromSums(layer, some)) : sums;
  }

  /** A layer's matrix multiplied by vectors: vectors × outputs. */
  async #products(layer: LayerMap, inputs: Float32Array): Promise<Float32Array> {
    const { map } = this;
    const count = inputs.length / layer.inputs;
    const sums = new Float32Array(count * layer.outputs);
    const voltsPerUnit = map.readVoltage / (layer.inputMax - layer.inputMin);
    const unitsPerAmpere = 1 / (voltsPerUnit * weightScale(map, layer));
    // Reads are never negative, so an input with a sign is shifted; what the shift adds is measured with it.
    const baselines = layer.inputMin < 0 ? BASELINE_VECTORS : 0;
    await Promise.all(
      layer.tiles.map(async (tile) => {
        const voltages = new Float32Array((count + baselines) * tile.inputCount);
        for (let n = 0; n < count; n++)
          for (let i = 0; i < tile.inputCount; i++)
            voltages[n * tile.inputCount + i] =
              (inputs[n * layer.inputs + tile.inputStart + i] - layer.inputMin) * voltsPerUnit;
        voltages.fill(-layer.inputMin * voltsPerUnit, count * tile.inputCount);
        const difference = await this.#differences(tile, voltages);
        for (let j = 0; j < tile.outputCount; j++) {
          let baseline = 0;
          for (let n = count; n < count + baselines; n++) baseline += difference(n, j) / baselines;
          for (let n = 0; n < count; n++) {
            const sum = (difference(n, j) - baseline) * unitsPerAmpere;
            sums[n * layer.outputs + tile.outputStart + j] += sum;
            if (layer.opposed) sums[n * layer.outputs + 1] -= sum;
          }
        }
      }),
    );
    return sums;
  }

  /**
   * Differences of the currents of a tile's plus and minus cells, A, by vector and output, for voltages, V, vectors ×
   * inputs. Where pairs are in rows, the plus cells are driven first, then the minus cells.
   */
  async #differences(
    tile: Tile,
    voltages: Float32Array,
  ): Promise<(vector: number, output: number) => number> {
    const { inputCount, rows, columns } = tile;
    const inRows = pairsInRows(this.map);
    const vectors = voltages.length / inputCount;
    const driven = new Float32Array((inRows ? 2 : 1) * vectors * rows);
    for (let n = 0; n < vectors; n++)
      for (let i = 0; i < inputCount; i++) {
        const voltage = voltages[n * inputCount + i];
        if (inRows) {
          driven[n * rows + 2 * i] = voltage;
          driven[(vectors + n) * rows + 2 * i + 1] = voltage;
        } else driven[n * rows + i] = voltage;
      }
    const currents = await this.#multiply(tile, driven);
    return inRows
      ? (n, j) => currents[n * columns + j] - currents[(vectors + n) * columns + j]
      : (n, j) => currents[n * columns + 2 * j] - currents[n * columns + 2 * j + 1];
  }

  /** Runs the neurons that layer l drives, as many at once as the board has. */
  async #runNeurons(
    l: number,
    sums: Float32Array,
    count: number,
  ): Promise<{ voltages: Float32Array[]; lost: number }> {
    const { neurons } = this.#bank.description;
    const width = this.network.spec.layers[l].outputs;
    const pulseSteps = this.pulseSteps(l);
    const vectors = sums.length / (count * width);
    const scale = this.driveScale(l);
    const limit = this.driveMax;
    const groups = Math.ceil(width / neurons);
    const stimuli: Stimulus[] = [];
    for (let n = 0; n < count; n++)
      for (let first = 0; first < width; first += neurons) {
        const drives = new Float32Array(pulseSteps.length * neurons);
        for (let p = 0; p < pulseSteps.length; p++)
          for (let j = 0; j < neurons && first + j < width; j++) {
            const sum = sums[(n * vectors + (vectors === 1 ? 0 : p)) * width + first + j];
            drives[p * neurons + j] = Math.max(-limit, Math.min(limit, sum * scale));
          }
        stimuli.push({ steps: this.#steps, decimation: this.decimation, pulseSteps, drives });
      }
    const runs = await this.#bank.run(stimuli);
    const voltages = Array.from({ length: count }, (_, n) => {
      const joined = new Float32Array(runs[n * groups].samples * width);
      for (let j = 0; j < width; j++) {
        const run = runs[n * groups + Math.floor(j / neurons)];
        for (let t = 0; t < run.samples; t++)
          joined[t * width + j] = run.voltages[t * neurons + (j % neurons)];
      }
      return joined;
    });
    return { voltages, lost: runs.reduce((lost, run) => lost + run.lost, 0) };
  }

  /** Inputs of the layer behind MIF layer l: (v − rest)/unit at each sample that can still drive; a lost sample is the one before it. */
  #waveforms(l: number, voltages: readonly Float32Array[]): Float32Array {
    const width = this.network.spec.layers[l].outputs;
    const rest = restState(this.network.spec.neuron).v;
    const vectors = this.pulseSteps(l + 1).length;
    const waves = new Float32Array(voltages.length * vectors * width);
    voltages.forEach((v, n) => {
      for (let j = 0; j < width; j++) {
        let last = 0;
        for (let t = 0; t < vectors; t++) {
          const value = v[t * width + j];
          if (!Number.isNaN(value)) last = (value - rest) / WAVEFORM_UNIT;
          waves[(n * vectors + t) * width + j] = last;
        }
      }
    });
    return waves;
  }
}

/** What a function makes of each sample of so many values, one after the other. */
function eachSample(
  values: Float32Array,
  length: number,
  make: (sample: Float32Array) => Float64Array,
): Float32Array {
  const samples = values.length / length;
  let results: Float32Array | undefined;
  for (let n = 0; n < samples; n++) {
    const made = make(values.subarray(n * length, (n + 1) * length));
    results ??= new Float32Array(samples * made.length);
    results.set(made, n * made.length);
  }
  return results!;
}
