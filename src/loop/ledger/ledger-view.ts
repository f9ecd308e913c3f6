/** A ledger for people: a table in text and a chart. */
import { barChart, standalone } from '../../plots/index.js';
import type { Interval } from '../../shared/statistics.js';
import type { Ledger } from './ledger.js';

const percent = (share: number) => (100 * share).toFixed(1);
const interval = ({ value, low, high }: Interval) =>
  `${percent(value).padStart(6)} (${percent(low)} … ${percent(high)})`;

/** A table: accuracies in %, costs in points, each with its interval. */
export function ledgerText(ledger: Ledger): string {
  const { none, all, cost, sum, interaction, effects, measured } = ledger;
  const wide = Math.max(22, ...effects.map(({ effect }) => effect.length + 2));
  const line = (name: string, ...cells: string[]) =>
    (name.padEnd(wide) + cells.map((cell) => cell.padEnd(25)).join('')).trimEnd();
  return [
    line('', 'accuracy, %', 'costs, points', 'all but it, %', 'gain without it'),
    line('no imperfection', interval(none)),
    ...effects.map((entry) =>
      line(
        entry.effect,
        interval(entry.alone),
        interval(entry.cost),
        interval(entry.without),
        interval(entry.gain),
      ),
    ),
    line('sum of the costs', '', interval(sum)),
    line('all together', interval(all), interval(cost)),
    line('all minus sum', '', interval(interaction)),
    ...(measured ? [line('the chip, measured', interval(measured.accuracy), interval(measured.cost))] : []),
  ].join('\n');
}

/** Costs as bars, to be put in a page. */
export const ledgerChart = ({ effects, sum, cost, measured }: Ledger): string =>
  barChart({
    label: 'what each imperfection costs, alone and within the whole',
    xLabel: 'points of accuracy, 95 % intervals',
    series: ['cost of it alone', 'gain without it'],
    groups: [
      ...effects.map((entry) => ({ name: entry.effect, bars: [entry.cost, entry.gain] })),
      { name: 'sum of the costs', bars: [sum] },
      { name: 'all together', bars: [cost] },
      ...(measured ? [{ name: 'the chip, measured', bars: [measured.cost] }] : []),
    ],
    factor: 100,
  });

/** The same as an SVG file of its own. */
export const ledgerPlot = (ledger: Ledger): string => standalone(ledgerChart(ledger));
