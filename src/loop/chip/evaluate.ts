import { type Dataset, peakLoss } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import type { BoardNetwork } from './board-network.js';

/** Images on the board at once. */
export const BATCH = 50;

export interface BoardEvaluation {
  accuracy: number;
  samples: number;
  /** Mean of `peakLoss`: it tells states apart that decide equally well. */
  loss: number;
  /** Membrane samples that the link lost. */
  lost: number;
  /** How often an image of class r was decided as c: classes × classes. */
  confusion: number[][];
}

/** Accuracy of the network as it stands on the board. */
export async function evaluateOnBoard(
  hardware: BoardNetwork,
  dataset: Dataset,
  options: { emit?: Emit | undefined; signal?: AbortSignal | undefined; stage?: string } = {},
): Promise<BoardEvaluation> {
  let correct = 0;
  let lost = 0;
  let loss = 0;
  const confusion = Array.from({ length: dataset.classes }, () => Array<number>(hardware.outputs).fill(0));
  const start = performance.now();
  let done = 0;
  for await (const { images, forward } of hardware.forward(dataset, BATCH)) {
    if (options.signal?.aborted)
      throw new MemloopError('interrupted', 'stopped while evaluating; the board is at 0 V');
    forward.decisions.forEach((decision, n) => {
      if (decision === images.labels[n]) correct++;
      confusion[images.labels[n]][decision]++;
      loss += peakLoss(forward.voltages[n], hardware.outputs, images.labels[n]).loss / dataset.count;
    });
    lost += forward.lost;
    const first = done;
    done += images.count;
    const rate = done / ((performance.now() - start) / 1000);
    options.emit?.({
      type: 'progress',
      stage: options.stage ?? 'evaluate',
      done,
      total: dataset.count,
      units: 'images',
      rate,
      timeLeft: (dataset.count - done) / rate,
    });
    const { outputs } = hardware;
    const [voltages] = forward.voltages;
    options.emit?.({
      type: 'membrane',
      run: first,
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
  }
  return { accuracy: correct / dataset.count, samples: dataset.count, loss, lost, confusion };
}
