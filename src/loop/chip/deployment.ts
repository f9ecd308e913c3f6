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
import type { Stimulus } from '../../driver/board/board.js';
import type { Dataset, Network } from '../../model/index.js';
import type { Emit } from '../../shared/events.js';
import { BoardNetwork } from './board-network.js';
import { Chip } from './chip.js';
import { type BoardEvaluation, evaluateOnBoard } from './evaluate.js';
import { commonWindow, mapLayers, type NetworkMap, READ_VOLTAGE, targetConductances } from './mapping.js';
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
  /** Board steps between two membrane samples. Default: 8, and 20 where samples drive a next layer. */
  decimation?: number;
}

/** Board steps between two membrane samples; more where samples drive the next layer, as many as a request takes. */
const DECIMATION = 8;
const WAVEFORM_DECIMATION = 20;

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
   * calibration; no pulse is applied. Throws `bad-input` if the board has too few arrays, and what calibration throws.
   *
   * @param scales one entry per layer, as `layerScales` or `networkScales` give them.
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

  /** Accuracy of the network as it stands on the board; `stage` is what its progress is called. */
  evaluate(dataset: Dataset, stage = 'evaluate'): Promise<BoardEvaluation> {
    return evaluateOnBoard(this.hardware, dataset, { ...this.context, stage });
  }
}
