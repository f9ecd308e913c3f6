import { type Dataset, peakLoss } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import type { BoardNetwork } from './board-network.js';
import type { CostMeter, InferenceCost } from './cost.js';

/** Images on the board at once. */
export const BATCH = 50;

export interface BoardEvaluation {
  accuracy: number;
  samples: number;
  /** Mean of `peakLoss`: it tells apart states of equal accuracy. */
  loss: number;
  /** Membrane samples that the link lost. */
  lost: number;
  /** What one inference took; absent where the host does the products. */
  cost?: InferenceCost;
  /** How often an image of class r was decided as c: classes × classes. */
  confusion: number[][];
}

/**
 * Accuracy of the network as it stands on the board. Emits progress in images, and the membrane voltages of the first
 * image of each batch. Throws `interrupted` when the signal aborts.
 *
 * @param options `stage` is what the progress is called; default `evaluate`.
 */
export async function evaluateOnBoard(
  hardware: BoardNetwork,
  dataset: Dataset,
  options: {
    emit?: Emit | undefined;
    signal?: AbortSignal | undefined;
    stage?: string;
    /** Is told of the neurons of one image of each batch. */
    meter?: CostMeter | undefined;
  } = {},
): Promise<BoardEvaluation> {
  const { emit, signal, stage = 'evaluate', meter } = options;
  let correct = 0;
  let lost = 0;
  let loss = 0;
  let run = 0;
  const confusion = Array.from({ length: dataset.classes }, () => Array<number>(hardware.outputs).fill(0));
  const progress = progressOf(emit, stage, 'images', dataset.count);
  for await (const { images, forward } of hardware.forward(dataset, BATCH)) {
    if (signal?.aborted)
      throw new MemloopError('interrupted', 'stopped while evaluating; the board is at 0 V');
    forward.decisions.forEach((decision, n) => {
      if (decision === images.labels[n]) correct++;
      confusion[images.labels[n]][decision]++;
      loss += peakLoss(forward.voltages[n], hardware.outputs, images.labels[n]).loss / dataset.count;
    });
    lost += forward.lost;
    progress.step(images.count);
    forward.layers.forEach(({ voltages }, l) => {
      if (!voltages) return;
      const { outputs } = hardware.network.spec.layers[l];
      meter?.neurons(hardware.neurons(outputs), voltages[0], hardware.samplePeriod);
    });
    meter?.image();
    const { outputs } = hardware;
    const [voltages] = forward.voltages;
    emit?.({
      type: 'membrane',
      run,
      samplePeriod: hardware.samplePeriod,
      voltages: Array.from({ length: outputs }, (_, j) =>
        Array.from({ length: voltages.length / outputs }, (_, s) => {
          const v = voltages[s * outputs + j];
          return Number.isNaN(v) ? null : v;
        }),
      ),
      label: images.labels[0],
      decision: forward.decisions[0],
    });
    run += images.count;
  }
  return { accuracy: correct / dataset.count, samples: dataset.count, loss, lost, confusion };
}
