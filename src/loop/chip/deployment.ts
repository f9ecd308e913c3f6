/** A network on a chip: where its weights go, programmed and evaluated. */
import {
  calibratedBoard,
  correctedStimuli,
  freshNeurons,
  type GuardedBoard,
  type ProgramOptions,
  type Rehearsal,
  rehearseArray,
} from '../../calibration/index.js';
import { mostInputPulses } from '../../driver/board/limits.js';
import { type Dataset, layerMatrix, type Network, type NetworkSpec } from '../../model/index.js';
import type { Emit } from '../../shared/events.js';
import {
  commonWindow,
  mapLayers,
  type NetworkMap,
  type Placement,
  placementOf,
  READ_VOLTAGE,
  targetConductances,
} from '../mapping/mapping.js';
import { BoardNetwork, type NeuronBank } from './board-network.js';
import { Chip, MULTIPLY_SAMPLES } from './chip.js';
import { type CostFigures, CostMeter } from './cost.js';
import { type BoardEvaluation, evaluateOnBoard } from './evaluate.js';
import { hostDecimation, hostNeurons } from './host-neurons.js';
import type { LayerScales } from './scales.js';
import { type ProgrammingSummary, summarise } from './summary.js';

/** What a job on a board works with. */
export interface LoopContext {
  /** Open, and not closed by the job. */
  board: GuardedBoard;
  /** Is told stages, progress, measurements and pulses. */
  emit: Emit;
  /** Ends the job at the next safe point, with the error `interrupted`; the board is then at 0 V. */
  signal: AbortSignal;
  /**
   * Steps between two membrane samples. Default on a board: 8, and 20 where samples drive a next layer; of neurons that
   * the host runs, what gives 125 samples, or 50.
   */
  decimation?: number;
}

/** Board steps between two membrane samples; more where samples drive the next layer. */
const DECIMATION = 8;
const WAVEFORM_DECIMATION = 20;

/** Where measured results come from. */
export interface Origin {
  /** `array`: analog sums. `bit-planes`: analog sums, one bit of the inputs after another. `host`: of measured conductances. */
  sums: 'array' | 'bit-planes' | 'host';
  neurons: 'board' | 'host';
}

/** The board's own neurons, calibrated, and the steps between two of their samples. */
async function ownNeurons(
  context: LoopContext,
  spec: NetworkSpec,
): Promise<{ bank: NeuronBank; decimation: number }> {
  const { board } = context;
  const { description } = board;
  const { neurons } = await freshNeurons(board, context);
  const offset = Math.max(...neurons.map(({ driveOffset }) => Math.abs(driveOffset)));
  const waveforms = spec.layers.some((layer) => layer.activation === 'mif');
  // All samples but the last drive the next layer, in one request.
  const samples = mostInputPulses(description.neurons) + 1;
  const steps = Math.min(Math.round(spec.duration / description.stepTime), description.maxSteps);
  const fewest = Math.ceil((steps + 1) / (samples + 1));
  return {
    bank: {
      description: { ...description, driveMax: description.driveMax - offset },
      parameters: neurons.map(({ parameters }) => parameters),
      run: (stimuli) => board.run(correctedStimuli(stimuli, neurons)),
    },
    decimation: waveforms ? Math.max(WAVEFORM_DECIMATION, fewest) : DECIMATION,
  };
}

/** A network with its place on the arrays of one board. */
export class Deployment {
  private constructor(
    readonly context: LoopContext,
    readonly network: Network,
    readonly chip: Chip,
    readonly hardware: BoardNetwork,
  ) {}

  /**
   * Places the network on the board's arrays. Calibrates converters and neurons if the passport has no fresh
   * calibration; no pulse is applied. Throws `bad-input` if the board has too few arrays or takes no such runs, and what
   * calibration throws.
   *
   * @param scales one entry per layer, as `layerScales` or `networkScales` give them.
   */
  static async open(context: LoopContext, network: Network, scales: LayerScales): Promise<Deployment> {
    const { board } = context;
    const { description, passport } = board;
    const shapes = network.spec.layers.map((layer, l) => ({ ...layerMatrix(layer), ...scales[l] }));
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
    const { bank, decimation } =
      description.neurons === 0
        ? { bank: hostNeurons(network.spec), decimation: hostDecimation(network.spec) }
        : await ownNeurons(context, network.spec);
    const hardware = new BoardNetwork(
      bank,
      chip.multiply,
      network,
      map,
      context.decimation ?? decimation,
      chip.productTime,
    );
    if (description.neurons > 0) hardware.checkRuns(mostInputPulses(description.neurons));
    const deployment = new Deployment(context, network, chip, hardware);
    const { doneByHost } = deployment;
    if (doneByHost !== '') context.emit({ type: 'log', level: 'info', message: doneByHost });
    return deployment;
  }

  /** How much of the board the network takes. */
  get placement(): Placement {
    return placementOf(this.hardware.map, this.context.board.description);
  }

  /** Where column sums and neurons come from: of the results that are measured here. */
  get origin(): Origin {
    const { products, neurons } = this.context.board.description;
    return {
      sums: products === 'analog' ? 'array' : products === 'none' ? 'host' : products,
      neurons: neurons === 0 ? 'host' : 'board',
    };
  }

  /** The same in words, as far as the array and the board do not do it all; empty where they do. */
  get doneByHost(): string {
    const { sums, neurons } = this.origin;
    const parts = [
      ...(sums === 'host' ? ['column sums by the host from measured conductances'] : []),
      ...(sums === 'bit-planes' ? ['column sums by bit planes'] : []),
      ...(neurons === 'host' ? ['neurons by the host'] : []),
      ...(this.hardware.map.layers.some(({ opposed }) => opposed)
        ? ['both outputs by one pair of columns']
        : []),
    ];
    return parts.join(', ');
  }

  /**
   * Programs the weights. Cells within tolerance get no pulse, so calling it again finishes an interrupted job.
   *
   * @param options `tolerance`, S; default 2 % of the window.
   */
  async program(options: Pick<ProgramOptions, 'tolerance'> = {}): Promise<ProgrammingSummary> {
    const { emit, signal } = this.context;
    return summarise(await this.chip.programWeights(this.network.weights, { ...options, emit, signal }));
  }

  /** What `program` would find. Reads only. */
  async rehearse(options: Pick<ProgramOptions, 'tolerance'> = {}): Promise<Rehearsal> {
    const sum: Rehearsal = { cells: 0, outside: 0, leftOut: 0 };
    for (const [array, targets] of targetConductances(this.hardware.map, this.network.weights)) {
      const found = await rehearseArray(this.chip.board, array, targets, options);
      sum.cells += found.cells;
      sum.outside += found.outside;
      sum.leftOut += found.leftOut;
    }
    return sum;
  }

  /**
   * Accuracy of the network as it stands on the board, and what an inference takes; `stage` is what its progress is called.
   *
   * @param figures what lines and converters take, for the cost
   */
  async evaluate(dataset: Dataset, stage = 'evaluate', figures: CostFigures = {}): Promise<BoardEvaluation> {
    const { rows, columns, products } = this.context.board.description;
    if (products === 'none') return evaluateOnBoard(this.hardware, dataset, { ...this.context, stage });
    const meter = new CostMeter();
    this.chip.meter = meter;
    try {
      const measured = await evaluateOnBoard(this.hardware, dataset, { ...this.context, stage, meter });
      const { productTime } = this.chip;
      const use = { rows, columns, samples: MULTIPLY_SAMPLES, productTime, ...this.hardware.neuronUse };
      return { ...measured, cost: meter.cost(dataset.count, use, figures) };
    } finally {
      this.chip.meter = undefined;
    }
  }
}
