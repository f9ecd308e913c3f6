/** Traces of simulated neurons. */
import { si } from '../shared/text.js';
import { lineChart } from './lines.js';
import { standalone } from './svg.js';
import { textPlot } from './text.js';

/** The state of a neuron over time: alpha state and current, A; membrane voltage, V; states of its memristors. */
export interface NeuronTrace {
  a: readonly number[];
  i: readonly number[];
  v: readonly number[];
  x1: readonly number[];
  x2: readonly number[];
}

export interface Traces {
  /** s */
  time: readonly number[];
  neurons: readonly NeuronTrace[];
}

/** The paper's Fig. 2, a and I, v, x1 and x2 over time, as an SVG file. */
export function tracePlot({ time, neurons }: Traces): string {
  const x = time.map((t) => t * 1e3);
  const lines = (keys: readonly (keyof NeuronTrace)[], factor: number) =>
    neurons.flatMap((neuron, n) =>
      keys.map((key) => ({
        name: neurons.length === 1 ? key : `${key} of neuron ${n}`,
        x,
        y: neuron[key].map((value) => value * factor),
      })),
    );
  return standalone(
    lineChart(
      'the states of MIF neurons over time',
      [
        { yLabel: 'a, I, µA', lines: lines(['a', 'i'], 1e6) },
        { yLabel: 'v, mV', lines: lines(['v'], 1e3) },
        { yLabel: 'x1, x2', xLabel: 'time, ms', lines: lines(['x1', 'x2'], 1) },
      ],
      { title: neurons.length === 1 ? 'MIF neuron' : 'MIF neurons', width: 720 },
    ),
  );
}

const ROWS = 12;
const millivolts = (v: number) => `${(1e3 * v).toFixed(1)} mV`;
const milliseconds = (t: number) => `${(1e3 * t).toFixed(2)} ms`;

/** Each neuron's peak, the trough after it, and its membrane voltage in so many columns of characters. */
export const traceText = ({ time, neurons }: Traces, columns: number): string =>
  neurons
    .map(({ v }, n) => {
      const peak = first(v, 0, (a, b) => a > b);
      const trough = first(v, peak, (a, b) => a < b);
      return [
        `neuron ${n}: peak ${millivolts(v[peak])} at ${milliseconds(time[peak])}, ` +
          `then trough ${millivolts(v[trough])} at ${milliseconds(time[trough])}`,
        textPlot(time, v, { columns, rows: ROWS, xText: (t) => si(t, 's'), yText: millivolts }),
      ].join('\n');
    })
    .join('\n');

/** Index of the first value from `from` on that no other exceeds. */
function first(values: readonly number[], from: number, exceeds: (a: number, b: number) => boolean): number {
  let best = from;
  for (let i = from + 1; i < values.length; i++) if (exceeds(values[i], values[best])) best = i;
  return best;
}
