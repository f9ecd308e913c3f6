/** Measured and fitted current–voltage loops. */
import { si } from '../shared/text.js';
import { lineChart } from './lines.js';
import { extent } from './scale.js';
import { standalone } from './svg.js';
import { textPlot } from './text.js';

/** One period of a measurement, evenly spaced in time. */
export interface Loop {
  name: string;
  /** Across the memristor, V. */
  voltage: ArrayLike<number>;
  /** A */
  current: ArrayLike<number>;
}

/** A model fitted to a loop. */
export interface LoopFit {
  /** RMS error of the current over its range, one entry per loop. */
  nrmse: readonly number[];
  /** The verdict. */
  class: string;
  /** A, one value per sample of the loop. */
  response: { current: ArrayLike<number> };
  /** A, of the oscilloscope. */
  offsets: { current: number };
}

const VOLTAGE = 'voltage across the memristor, V';
const CURRENT = 'current, µA';
const WIDTH = 720;

const micro = (values: ArrayLike<number>): number[] => Array.from(values, (value) => value * 1e6);
const closed = (values: ArrayLike<number>): number[] => [...Array.from(values), values[0]];

/** Measured and fitted loop above, residual over the range below, as an SVG file. */
export function fitPlot(loop: Loop, fit: LoopFit): string {
  const { name, voltage, current } = loop;
  const [low, high] = extent(Array.from(current));
  const fitted = Array.from(fit.response.current, (value) => value - fit.offsets.current);
  const residual = fitted.map((value, i) => (100 * (value - current[i])) / (high - low));
  const phase = residual.map((_, i) => i / residual.length);
  return standalone(
    lineChart(
      'a measured loop and the fitted model',
      [
        {
          xLabel: VOLTAGE,
          yLabel: CURRENT,
          height: 300,
          lines: [
            { name: 'measured', x: voltage, y: micro(current), points: true },
            { name: 'fitted', x: closed(voltage), y: closed(micro(fitted)) },
          ],
        },
        {
          xLabel: 'share of the period',
          yLabel: '% of range',
          height: 105,
          lines: [{ name: 'fitted − measured', x: phase, y: residual }],
        },
      ],
      { title: `${name}: NRMSE ${(100 * fit.nrmse[0]).toFixed(2)} %, ${fit.class}`, width: WIDTH },
    ),
  );
}

/** A measured loop, V and A, as an SVG file. */
export const loopPlot = (title: string, voltage: ArrayLike<number>, current: ArrayLike<number>): string =>
  standalone(
    lineChart(
      'a measured loop',
      [
        {
          xLabel: VOLTAGE,
          yLabel: CURRENT,
          height: 420,
          lines: [{ name: 'measured', x: voltage, y: micro(current) }],
        },
      ],
      { title, width: WIDTH },
    ),
  );

/** A measured loop, V and A, in characters: columns × rows, and a line for the voltages. */
export const loopText = (
  voltage: ArrayLike<number>,
  current: ArrayLike<number>,
  columns = 64,
  rows = 20,
): string =>
  textPlot(voltage, current, {
    columns,
    rows,
    xText: (v) => si(v, 'V'),
    yText: (i) => si(i, 'A'),
  });
