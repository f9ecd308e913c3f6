/** Traces of simulated neurons as text. */
import type { Trace } from '../model/devices/simulate.js';
import { textPlot } from './svg.js';

const ROWS = 12;
const millivolts = (v: number) => `${(1e3 * v).toFixed(1)} mV`;
const milliseconds = (t: number) => `${(1e3 * t).toFixed(2)} ms`;

/** Each neuron's peak, the trough after it, and its membrane potential in `columns` characters. */
export function traceText({ time, neurons }: Trace, columns: number): string {
  return neurons
    .map(({ v }, n) => {
      const peak = extreme(v, 0, (a, b) => a > b);
      const trough = extreme(v, peak, (a, b) => a < b);
      return [
        `neuron ${n}: peak ${millivolts(v[peak])} at ${milliseconds(time[peak])}, ` +
          `then trough ${millivolts(v[trough])} at ${milliseconds(time[trough])}`,
        textPlot(v, columns, ROWS, millivolts),
      ].join('\n');
    })
    .join('\n');
}

/** Index of the first value from `from` on that no other one beats. */
function extreme(values: readonly number[], from: number, beats: (a: number, b: number) => boolean): number {
  let best = from;
  for (let i = from + 1; i < values.length; i++) if (beats(values[i], values[best])) best = i;
  return best;
}
