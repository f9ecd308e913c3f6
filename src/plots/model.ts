/** The plots of this room: training curves, traces of neurons. */
import type { Trace } from '../model/devices/simulate.js';
import type { EpochRecord } from '../model/training/checkpoint.js';
import { linePlot, type Panel } from './svg.js';

export function trainingPlot(title: string, history: readonly EpochRecord[]): string {
  const x = history.map((record) => record.epoch);
  const accuracy = [{ name: 'training', x, y: history.map((record) => record.trainAccuracy) }];
  if (history.some((record) => record.validationAccuracy !== undefined))
    accuracy.push({
      name: 'validation',
      x,
      y: history.map((record) => record.validationAccuracy ?? Number.NaN),
    });
  return linePlot(title, 'epoch', [
    { label: 'loss', lines: [{ name: '', x, y: history.map((record) => record.loss) }] },
    { label: 'accuracy', lines: accuracy },
  ]);
}

/** The paper's Fig. 2: a and I, v, x1 and x2 over time. */
export function tracePlot(trace: Trace): string {
  const x = trace.time.map((t) => t * 1e3);
  const single = trace.neurons.length === 1;
  const lines = (keys: readonly ('a' | 'i' | 'v' | 'x1' | 'x2')[], scale: number) =>
    trace.neurons.flatMap((neuron, n) =>
      keys.map((key) => ({
        name: single ? key : `${key} of ${n}`,
        x,
        y: neuron[key].map((value) => value * scale),
      })),
    );
  const panels: Panel[] = [
    { label: 'a, I (µA)', lines: lines(['a', 'i'], 1e6) },
    { label: 'v (mV)', lines: lines(['v'], 1e3) },
    { label: 'x1, x2', lines: lines(['x1', 'x2'], 1) },
  ];
  return linePlot('MIF neuron', 'time (ms)', panels);
}
