/** A network on a chip: where its weights go, programmed, evaluated, fine-tuned. */
import {
  calibratedBoard,
  correctedStimuli,
  freshNeurons,
  type GuardedBoard,
  type ProgramOptions,
} from '../../calibration/index.js';
import type { Stimulus } from '../../driver/board/board.js';
import { type Dataset, Network, outputVoltages, restState, WAVEFORM_UNIT } from '../../model/index.js';
import type { Emit } from '../../shared/events.js';
import { type ProgrammingSummary, summarise } from '../report/summary.js';
import { type FinetuneOptions, type FinetuneResult, finetune } from '../tuning/finetune.js';
import { PROGRAMMING_ERROR, twinTraining } from '../tuning/twin.js';
import { BoardNetwork } from './board-network.js';
import { Chip } from './chip.js';
import { type BoardEvaluation, evaluateOnBoard } from './evaluate.js';
import {
  commonWindow,
  type LayerShape,
  mapLayers,
  type NetworkMap,
  READ_VOLTAGE,
  targetConductances,
} from './mapping.js';

export interface LoopContext {
  board: GuardedBoard;
  emit: Emit;
  signal: AbortSignal;
  /** Board steps between two membrane samples, where the usual ones are not wanted. */
  decimation?: number;
}

/** How values of each layer become conductances and voltages: kept with a network that was fine-tuned on a chip. */
export type LayerScales = Pick<LayerShape, 'weightMax' | 'inputMin' | 'inputMax'>[];

/** Board steps between two membrane samples; more where samples drive the next layer, as many as a request takes. */
const DECIMATION = 8;
const WAVEFORM_DECIMATION = 20;
/** What inputs may exceed the largest of the sample by. */
const SPARE = 1.2;
/** Images that the range of the activations is taken from; of waveforms, that are simulated for it. */
const SAMPLE = 2000;
const SIMULATED = 32;

/**
 * Scales for a network: nearly the largest weight of a layer takes the whole window, the largest activation that the
 * sample shows (with a fifth to spare) the whole read voltage.
 */
export function layerScales(network: Network, sample: Dataset): LayerScales {
  const count = Math.min(SAMPLE, sample.count);
  let values: Float32Array | undefined = sample.inputs.subarray(0, count * sample.features);
  return network.spec.layers.map((layer, l) => {
    const weightMax = clippingWeight(network.weights[l]);
    if (network.spec.layers[l - 1]?.activation === 'mif') values = undefined;
    if (!values) return { weightMax, ...waveformRange(network, l, sample) };
    const inputMax = l === 0 ? 1 : SPARE * largest(values);
    const next = new Float32Array(count * layer.outputs);
    for (let n = 0; n < count; n++)
      for (let j = 0; j < layer.outputs; j++) {
        let sum = network.biases[l][j];
        for (let i = 0; i < layer.inputs; i++)
          sum += network.weights[l][j * layer.inputs + i] * values[n * layer.inputs + i];
        next[n * layer.outputs + j] = Math.max(0, sum);
      }
    values = next;
    return { weightMax, inputMax };
  });
}

/** The waveforms that layer l gets from the MIF layer before it. */
function waveformRange(network: Network, l: number, sample: Dataset): { inputMin: number; inputMax: number } {
  const { outputNeurons: _, ...spec } = network.spec;
  const before = new Network(
    {
      ...spec,
      layers: spec.layers
        .slice(0, l)
        .map((layer, k) => (k === l - 1 ? { ...layer, activation: 'linear' as const } : layer)),
    },
    network.weights.slice(0, l),
    network.biases.slice(0, l),
  );
  const rest = restState(spec.neuron).v;
  let low = 0;
  let high = 0;
  for (let n = 0; n < Math.min(SIMULATED, sample.count); n++)
    for (const v of outputVoltages(
      before,
      sample.inputs.subarray(n * sample.features, (n + 1) * sample.features),
    )) {
      low = Math.min(low, v - rest);
      high = Math.max(high, v - rest);
    }
  return { inputMin: (SPARE * low) / WAVEFORM_UNIT, inputMax: (SPARE * high) / WAVEFORM_UNIT };
}

/**
 * |weight| that takes the whole window, such that clipping larger ones and programming errors in all of them, which grow
 * with it, together cost least (mean square).
 */
function clippingWeight(weights: Float32Array): number {
  const magnitudes = Float64Array.from(weights, Math.abs).sort();
  const most = Math.max(magnitudes.at(-1)!, 1e-6);
  let [best, least] = [most, Infinity];
  for (let share = 0.2; share <= 1; share += 0.02) {
    const limit = share * most;
    let error = magnitudes.length * (PROGRAMMING_ERROR * limit) ** 2;
    for (let i = magnitudes.length - 1; magnitudes[i] > limit; i--) error += (magnitudes[i] - limit) ** 2;
    if (error <= least) [best, least] = [limit, error];
  }
  return best;
}

const largest = (values: Float32Array): number =>
  values.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-6);

export class Deployment {
  private constructor(
    readonly context: LoopContext,
    readonly network: Network,
    readonly chip: Chip,
    readonly hardware: BoardNetwork,
  ) {}

  /**
   * Places the network; calibrates converters and neurons if the passport has no fresh calibration. No pulse is applied.
   */
  static async open(context: LoopContext, network: Network, scales: LayerScales): Promise<Deployment> {
    const { board } = context;
    const { description, passport } = board;
    const shapes = network.spec.layers.map(({ inputs, outputs }, l) => ({ inputs, outputs, ...scales[l] }));
    const whole = mapLayers(shapes, description, { min: 0, max: 1 }, READ_VOLTAGE);
    const map: NetworkMap = { ...whole, window: commonWindow(passport, whole) };
    if (whole.layers.some(({ tiles }) => tiles.some(({ array }) => !passport.array(array).window)))
      context.emit({
        type: 'log',
        level: 'info',
        message:
          'the devices were never calibrated: the conductance window of W+SDC devices is assumed; `memloop calibrate` measures it',
      });
    const calibrated = await calibratedBoard(board, context);
    const chip = new Chip(calibrated, map);
    const { neurons } = await freshNeurons(board, context);
    const offset = Math.max(...neurons.map(({ driveOffset }) => Math.abs(driveOffset)));
    const bank = {
      description: { ...description, driveMax: description.driveMax - offset },
      parameters: neurons.map(({ parameters }) => parameters),
      run: (stimuli: readonly Stimulus[]) => board.run(correctedStimuli(stimuli, neurons)),
    };
    const waveforms = network.spec.layers.some((layer) => layer.activation === 'mif');
    const hardware = new BoardNetwork(
      bank,
      chip.multiply,
      network,
      map,
      context.decimation ?? (waveforms ? WAVEFORM_DECIMATION : DECIMATION),
    );
    return new Deployment(context, network, chip, hardware);
  }

  async program(options: Pick<ProgramOptions, 'tolerance'> = {}): Promise<ProgrammingSummary> {
    const { emit, signal } = this.context;
    return summarise(await this.chip.programWeights(this.network.weights, { ...options, emit, signal }));
  }

  /** What `program` would have to move: cells with a target, and those out of tolerance. Reads only. */
  async rehearse({
    tolerance,
  }: Pick<ProgramOptions, 'tolerance'> = {}): Promise<{ cells: number; outside: number }> {
    await this.chip.measure();
    const { window } = this.hardware.map;
    const most = tolerance ?? 0.02 * (window.max - window.min);
    let cells = 0;
    let outside = 0;
    for (const [array, targets] of targetConductances(this.hardware.map, this.network.weights))
      targets.forEach((target, i) => {
        if (Number.isNaN(target)) return;
        cells++;
        if (!(Math.abs(this.chip.measured.get(array)![i] - target) <= most)) outside++;
      });
    return { cells, outside };
  }

  evaluate(dataset: Dataset, stage = 'evaluate'): Promise<BoardEvaluation> {
    return evaluateOnBoard(this.hardware, dataset, { ...this.context, stage });
  }

  finetune(train: Dataset, options: Partial<FinetuneOptions> = {}): Promise<FinetuneResult> {
    const { board, emit, signal } = this.context;
    return finetune(this.chip, this.hardware, train, { emit, signal, ...options }, () => {
      const { spec } = this.network;
      const unknown = spec.layers.slice(0, -1).some(({ activation }) => activation === 'mif')
        ? 'hidden MIF neurons are taken as nominal there'
        : board.passport.converters === undefined && 'the converters are taken as exact';
      if (!unknown) return twinTraining(board.passport, spec, this.hardware.map.layers);
      emit({ type: 'log', level: 'info', message: `not trained offline for this chip: ${unknown}` });
      return undefined;
    });
  }
}
