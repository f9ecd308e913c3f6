import { describe, expect, test } from 'vitest';
import {
  barChart,
  fitPlot,
  lineChart,
  loopPlot,
  loopText,
  type ProgrammedCell,
  programPlot,
  standalone,
  textPlot,
  tracePlot,
  traceText,
  trainingPlot,
} from '../../src/plots/index.js';
import { axisRange, scaleOf, ticksOf } from '../../src/plots/scale.js';

/** A loop that is pinched at 0 V, and opens once a period. */
const phase = Float64Array.from({ length: 100 }, (_, i) => (2 * Math.PI * i) / 100);
const voltage = phase.map((p) => 0.4 * Math.sin(p));
const current = phase.map((p, i) => voltage[i] * (Math.cos(p) > 0 ? 5e-6 : 80e-6));

const trace = () => {
  const time = Array.from({ length: 50 }, (_, i) => i * 1e-4);
  const v = time.map((t) => 0.02 + 0.06 * Math.exp(-(((t - 2e-3) / 5e-4) ** 2)));
  const zero = time.map(() => 0);
  return { time, neurons: [{ a: zero, i: zero, v, x1: zero, x2: zero }] };
};

describe('an axis', () => {
  test.each<[number, number, string[]]>([
    [0, 1, ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']],
    [-42, 31, ['−40', '−20', '0', '20']],
    [0, 23_000, ['0k', '5k', '10k', '15k', '20k']],
  ])('from %d to %d has round ticks with as many decimals as they need', (low, high, texts) => {
    expect(ticksOf(scaleOf([low, high], [0, 100])).map(({ text }) => text)).toEqual(texts);
  });

  test('is never empty, and leaves out what is not finite', () => {
    expect(axisRange([])).toEqual([0, 1]);
    expect(axisRange([Number.NaN])).toEqual([0, 1]);
    expect(axisRange([3, 3])).toEqual([2.5, 3.5]);
    expect(axisRange([0, Number.POSITIVE_INFINITY, 10, Number.NaN], 0.1)).toEqual([-1, 11]);
  });
});

describe('a chart', () => {
  const cells = (count: number): ProgrammedCell[] =>
    Array.from({ length: count }, (_, i) => ({
      array: 0,
      row: Math.floor(i / 3),
      column: i % 3,
      conductance: i === 4 ? null : 2e-5 + (i - 2) * 1e-6,
      target: 2e-5,
      failed: i === 5,
    }));
  const fit = {
    nrmse: [0.0123],
    class: 'pass',
    response: { current },
    offsets: { current: 0 },
  };
  const epoch = { epoch: 1, loss: 1, trainAccuracy: 0.5 };
  const bar = { value: 1, low: 0, high: 2 };
  const charts: Record<string, (name: string) => string> = {
    lines: (name) =>
      standalone(
        lineChart(name, [
          {
            yLabel: name,
            xLabel: name,
            lines: [{ name, x: [0, 1, 2], y: [0, Number.NaN, 1] }],
            levels: [{ name, y: 0.5 }],
          },
        ]),
      ),
    bars: (name) =>
      standalone(
        barChart({ label: name, xLabel: name, series: [name], groups: [{ name, bars: [bar, undefined] }] }),
      ),
    fit: (name) => fitPlot({ name, voltage, current }, fit),
    loop: (name) => loopPlot(name, voltage, current),
    program: (name) => programPlot(name, cells(6), { rows: 2, columns: 3, tolerance: 1e-6 }),
    training: (name) => trainingPlot(name, [epoch, { ...epoch, epoch: 2, validationAccuracy: 0.4 }]),
    'training of one epoch': (name) => trainingPlot(name, [epoch]),
    trace: () => tracePlot(trace()),
  };

  test.each(Object.entries(charts))('of %s is one whole SVG file, its names escaped', (_, chart) => {
    const image = chart('six <cells> & "more"');
    expect(image).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(image).not.toMatch(/NaN|undefined|Infinity|<cells>|"more"/);
    const opened = [...image.matchAll(/<([a-z]+)(?: [^<>]*)?(?<!\/)>/g)].map(([, name]) => name);
    const closed = [...image.matchAll(/<\/([a-z]+)>/g)].map(([, name]) => name);
    expect(opened.sort()).toEqual(closed.sort());
  });

  test('of a programming job has a bar for each bin, a map for each array, a cross for each failed cell', () => {
    const image = charts.program('six');
    expect(image.match(/<rect class="f[01]"/g)).toHaveLength(40);
    expect(image.match(/<image /g)).toHaveLength(2);
    expect(image.match(/class="whisker"/g)).toHaveLength(1);
  });
});

describe('a plot in characters', () => {
  test('of a loop crosses itself where the axes do', () => {
    const lines = loopText(voltage, current, 61, 21).split('\n');
    expect(lines).toHaveLength(22);
    expect(new Set(lines.slice(0, 21).map((line) => line.length <= 61 + 9))).toEqual(new Set([true]));
    expect(lines[0]).toContain('31.9 µA');
    expect(lines.at(-1)).toMatch(/^ +−400 mV +400 mV$/);
    const zero = lines[0].indexOf('│');
    expect(lines.filter((line) => '•│┼'.includes(line[zero]))).toHaveLength(21);
  });

  test('joins points that do not touch', () => {
    const text = textPlot([0, 1], [0, 1], { columns: 5, rows: 5, xText: String, yText: String });
    expect(text.split('\n').map((line) => line.indexOf('•') - 2)).toEqual([4, 3, 2, 1, 0, -3]);
  });

  test('of a constant is a line', () => {
    const text = textPlot([0, 1, 2], [3, 3, 3], { columns: 9, rows: 3, xText: String, yText: String });
    expect(text.match(/•/g)).toHaveLength(9);
  });

  test('of a neuron tells its peak and the trough after it', () => {
    const text = traceText(trace(), 60);
    expect(text).toMatch(/^neuron 0: peak 80\.0 mV at 2\.00 ms, then trough 20\.0 mV at 4\.\d\d ms\n/);
    expect(text.split('\n')).toHaveLength(14);
  });
});
