/** Curves of offline training. */
import { lineChart } from './lines.js';
import { standalone } from './svg.js';

/** One epoch; accuracies are shares. */
export interface TrainedEpoch {
  epoch: number;
  loss: number;
  trainAccuracy: number;
  validationAccuracy?: number;
}

/** Loss and accuracies over the epochs, as an SVG file. */
export function trainingPlot(title: string, history: readonly TrainedEpoch[]): string {
  const x = history.map(({ epoch }) => epoch);
  const validation = history.map(({ validationAccuracy = Number.NaN }) => validationAccuracy);
  return standalone(
    lineChart(
      'loss and accuracy over the epochs of training',
      [
        { yLabel: 'loss', lines: [{ name: '', x, y: history.map(({ loss }) => loss) }] },
        {
          xLabel: 'epoch',
          yLabel: 'accuracy',
          lines: [
            { name: 'training', x, y: history.map(({ trainAccuracy }) => trainAccuracy) },
            ...(validation.some(Number.isFinite) ? [{ name: 'validation', x, y: validation }] : []),
          ],
        },
      ],
      { title, width: 720 },
    ),
  );
}
