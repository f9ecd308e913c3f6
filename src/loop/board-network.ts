/**
 * A mapped network run on the board: dense layers by the arrays, their sums and biases by the host, the last
 * sums as drives of the board's MIF neurons. What comes back are measurements, layer by layer.
 */
import type { Board, NeuronRun, Stimulus } from '../driver/board.js';
import { MemloopError } from '../errors.js';
import { decide, type Network, type Random } from '../model/index.js';
import { type LayerMap, type NetworkMap, weightScale } from './mapping.js';

/** The products of an array, corrected for what is known of the converters: A, vectors × columns. */
export type Multiply = (array: number, voltages: Float32Array) => Promise<Float32Array>;

/** What a batch of images did on the board. */
export interface BoardForward {
  count: number;
  /** Inputs of each layer as they were driven, i.e. after clipping: count × inputs. */
  inputs: Float32Array[];
  /** Measured sums of each layer, bias included, before the activation: count × outputs. */
  sums: Float32Array[];
  /** Membrane voltages of each image, V, samples × the network's neurons, NaN where lost. */
  voltages: Float32Array[];
  /** Share of the hidden outputs that were not driven. */
  dropout: number;
  /** Membrane samples that the link lost, over all images. */
  lost: number;
  /** Neuron with the highest voltage over time. */
  decisions: Uint8Array;
}

export class BoardNetwork {
  readonly stepTime: number;
  /** Board steps of the input pulses. */
  readonly pulseSteps: number[];
  private readonly steps: number;

  /**
   * @param decimation board steps between two membrane samples.
   */
  constructor(
    private readonly board: Pick<Board, 'description'> & { run(stimuli: Stimulus[]): Promise<NeuronRun[]> },
    private readonly multiply: Multiply,
    readonly network: Network,
    readonly map: NetworkMap,
    readonly decimation: number,
  ) {
    const { spec } = network;
    const { description } = board;
    if (this.outputs > description.neurons)
      throw new MemloopError(
        'bad-input',
        `the network ends in ${this.outputs} neurons, the board has ${description.neurons}; use a smaller network or another board`,
      );
    this.stepTime = description.stepTime;
    const perStep = spec.duration / spec.steps / this.stepTime;
    this.steps = Math.min(Math.round(spec.steps * perStep), description.maxSteps);
    this.pulseSteps = spec.pulseSteps.map((step) => Math.round(step * perStep));
  }

  /** Neurons that the network uses: the first of the board's. */
  get outputs(): number {
    return this.map.layers.at(-1)!.outputs;
  }

  /**
   * @param inputs count × features, 0…1
   * @param dropout share of hidden outputs that are not driven, drawn anew for each image; the others are driven
   * harder by as much
   */
  async forward(
    inputs: Float32Array,
    count: number,
    dropout?: { share: number; random: Random },
  ): Promise<BoardForward> {
    const { spec, biases } = this.network;
    const driven: Float32Array[] = [];
    const sums: Float32Array[] = [];
    let values = inputs;
    for (const [l, layer] of this.map.layers.entries()) {
      if (l > 0 && dropout)
        values = values.map((value) =>
          dropout.random.uniform() < dropout.share ? 0 : value / (1 - dropout.share),
        );
      const clipped = values.map((value) => Math.min(layer.inputMax, Math.max(0, value)));
      const sum = await this.layerSums(layer, clipped, count);
      for (let n = 0; n < count; n++)
        for (let j = 0; j < layer.outputs; j++) sum[n * layer.outputs + j] += biases[l][j];
      driven.push(clipped);
      sums.push(sum);
      values = spec.layers[l].activation === 'relu' ? sum.map((value) => Math.max(0, value)) : sum;
    }
    const runs = await this.board.run(this.stimuli(values, count));
    const voltages = runs.map((run) => this.used(run));
    return {
      count,
      inputs: driven,
      sums,
      voltages,
      lost: runs.reduce((lost, run) => lost + run.lost, 0),
      dropout: dropout?.share ?? 0,
      decisions: Uint8Array.from(voltages, (v) => decide(v, this.outputs)),
    };
  }

  /** The samples of the neurons that the network uses. */
  private used(run: NeuronRun): Float32Array {
    const { outputs } = this;
    const { neurons } = this.board.description;
    if (neurons === outputs) return run.voltages;
    return Float32Array.from(
      { length: run.samples * outputs },
      (_, i) => run.voltages[Math.floor(i / outputs) * neurons + (i % outputs)],
    );
  }

  private async layerSums(layer: LayerMap, inputs: Float32Array, count: number): Promise<Float32Array> {
    const { map } = this;
    const sums = new Float32Array(count * layer.outputs);
    const voltsPerUnit = map.readVoltage / layer.inputMax;
    const unitsPerAmpere = 1 / (voltsPerUnit * weightScale(map, layer));
    await Promise.all(
      layer.tiles.map(async (tile) => {
        const voltages = new Float32Array(count * map.rows);
        for (let n = 0; n < count; n++)
          for (let i = 0; i < tile.inputCount; i++)
            voltages[n * map.rows + i] = inputs[n * layer.inputs + tile.inputStart + i] * voltsPerUnit;
        const currents = await this.multiply(tile.array, voltages);
        for (let n = 0; n < count; n++)
          for (let j = 0; j < tile.outputCount; j++) {
            const column = n * map.columns + 2 * j;
            sums[n * layer.outputs + tile.outputStart + j] +=
              (currents[column] - currents[column + 1]) * unitsPerAmpere;
          }
      }),
    );
    return sums;
  }

  private stimuli(outputs: Float32Array, count: number): Stimulus[] {
    const { neurons, driveMax } = this.board.description;
    const { driveScale } = this.network.spec;
    const pulses = this.pulseSteps.length;
    const width = outputs.length / count;
    return Array.from({ length: count }, (_, n) => {
      const drives = new Float32Array(pulses * neurons);
      for (let p = 0; p < pulses; p++)
        for (let j = 0; j < width; j++)
          drives[p * neurons + j] = Math.max(
            -driveMax,
            Math.min(driveMax, outputs[n * width + j] * driveScale),
          );
      return { steps: this.steps, decimation: this.decimation, pulseSteps: this.pulseSteps, drives };
    });
  }
}
