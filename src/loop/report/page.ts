/** The report of a fine-tuning run: one HTML file that needs nothing else. */
import { CHART_STYLE, confusionChart, escapeMarkup, heatChart, lineChart } from '../../plots/index.js';
import { type Interval, wilson } from '../../shared/statistics.js';
import { percent, si } from '../../shared/text.js';
import type { Ledger } from '../ledger/ledger.js';
import { ledgerChart } from '../ledger/ledger-view.js';

export interface FinetunePageData {
  title: string;
  /** Names or serial numbers. */
  board: string;
  chip: string;
  /** When the run ended; s since 1970. */
  time: number;
  /** What the array and the board did not do themselves, in words; nothing unless given. */
  doneByHost?: string;
  /** On the same `samples` test images. */
  accuracies: { software: number; programmed: number; finetuned: number; samples: number };
  /**
   * Checks on the validation images: images shown and pulses applied by fine-tuning until then, accuracy and loss on the
   * board.
   */
  history: readonly { images: number; pulses: number; accuracy: number; loss: number }[];
  /** Index into the history of the state that the board ended with. */
  best?: number;
  /** Test images by class (rows) and decision (columns). */
  confusionBefore: readonly (readonly number[])[];
  confusionAfter: readonly (readonly number[])[];
  /** Measured conductances row by row, S; NaN (or null, from JSON) where nothing is mapped. */
  arrays: readonly {
    array: number;
    rows: number;
    columns: number;
    before: ArrayLike<number | null>;
    after: ArrayLike<number | null>;
  }[];
  /** Pulses and energy (J, an estimate) of programming and of fine-tuning. */
  pulses: { programmed: number; finetuned: number };
  energy: { programmed: number; finetuned: number };
  /** Cells that carry weights. */
  cells: number;
  /** Everything that the run was started with, seeds included. */
  settings: Readonly<Record<string, string | number>>;
  ledger?: Ledger | undefined;
}

const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --ink: #222; --soft: #666; --line: #ddd; --card: #f6f7f9; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --ink: #ddd; --soft: #999; --line: #333; --card: #1e2127; } }
body { margin: 0 auto; padding: 1rem; max-width: 84rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h1, p, td, th, dd { overflow-wrap: anywhere; } p { margin: .25rem 0 .75rem; max-width: 60rem; } .soft { color: var(--soft); }
.tiles, .plots, .maps { display: grid; gap: 1rem; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(min(100%, 10.5rem), 1fr)); }
.tile { background: var(--card); border-radius: .5rem; padding: .6rem .9rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.3; font-weight: 600; }
.plots { align-items: end; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
.maps { grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); max-width: 62rem; }
figure { margin: 0; } figure .chart { display: block; width: 100%; height: auto; max-width: 40rem; }
.maps figure .chart { max-width: 22rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 500; color: var(--soft); } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
`.trim();

const count = (value: number): string => value.toLocaleString('en-GB').replaceAll(',', '\u202f');

/** A self-contained page, light or dark with the reader's setting. All text from `data` is escaped. */
export function finetunePage(data: FinetunePageData): string {
  const { title, board, chip, time, doneByHost = '', ledger } = data;
  const heading = escapeMarkup(title);
  const when = new Date(time * 1000).toISOString().slice(0, 16).replace('T', ' ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${heading}</title>
<style>
${STYLE}
${CHART_STYLE}
</style>
</head>
<body>
<main>
<h1>${heading}</h1>
<p class="soft">board ${escapeMarkup(board)}, chip ${escapeMarkup(chip)}, ${when} UTC${doneByHost === '' ? '' : `; ${escapeMarkup(doneByHost)}`}</p>
${tiles(data)}
${section('Accuracy', 'on the validation images, measured on the board; dashed: on all test images', accuracy(data))}
${section('Decisions', `of the ${count(data.accuracies.samples)} test images on the board`, confusions(data))}
${section('Conductances', 'as measured; grey: no weight', conductances(data))}
${section('Pulses and energy', 'energy from the device equations, not measured', pulses(data))}
${ledger ? section('What each imperfection costs', `on ${count(ledger.images)} test images of ${ledger.chips === 1 ? 'one chip' : `${ledger.chips} chips`} of this kind`, `<div class="plots"><figure>${ledgerChart(ledger)}</figure></div>`) : ''}
${section('Settings', '', settings(data))}
</main>
</body>
</html>
`;
}

const section = (heading: string, remark: string, body: string): string =>
  `<section>\n<h2>${escapeMarkup(heading)}</h2>\n${remark === '' ? '' : `<p class="soft">${escapeMarkup(remark)}</p>\n`}${body}\n</section>`;

function tiles({ accuracies, pulses, history }: FinetunePageData): string {
  const { software, programmed, finetuned, samples } = accuracies;
  const interval = (share: number) => {
    const { low, high }: Interval = wilson(share * samples, samples);
    return `95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %`;
  };
  const lost = software - programmed;
  const tile = (name: string, value: string, remark: string) =>
    `<div class="tile">${name}<b>${value}</b><span class="soft">${remark}</span></div>`;
  return `<div class="tiles">
${tile('in software', percent(software), interval(software))}
${tile('programmed', percent(programmed), interval(programmed))}
${tile('fine-tuned', percent(finetuned), interval(finetuned))}
${lost > 0 ? tile('of the loss recovered', `${((100 * (finetuned - programmed)) / lost).toFixed(1)} %`, `${(100 * (finetuned - programmed)).toFixed(1)} of ${(100 * lost).toFixed(1)} points`) : ''}
${tile('images', count(history.at(-1)?.images ?? 0), 'shown for training')}
${tile('pulses', count(pulses.programmed + pulses.finetuned), `${count(pulses.programmed)} to program, ${count(pulses.finetuned)} to fine-tune`)}
</div>`;
}

function accuracy({ history, best, accuracies }: FinetunePageData): string {
  const levels = [
    { name: 'software', y: 100 * accuracies.software },
    { name: 'programmed', y: 100 * accuracies.programmed },
    { name: 'fine-tuned', y: 100 * accuracies.finetuned },
  ];
  const y = history.map((check) => 100 * check.accuracy);
  const over = (x: 'images' | 'pulses', xLabel: string) => {
    const lines = [{ name: 'validation images', x: history.map((check) => check[x]), y }];
    return lineChart(`accuracy over ${x}`, [{ xLabel, yLabel: 'accuracy, %', lines, levels }]);
  };
  const loss = {
    name: 'loss',
    x: history.map(({ images }) => images),
    y: history.map((check) => check.loss),
  };
  return `<div class="plots">
<figure>${over('images', 'images shown')}</figure>
<figure>${over('pulses', 'pulses of fine-tuning')}</figure>
<figure>${lineChart('loss over images', [
    { xLabel: 'images shown', yLabel: 'loss on validation images', lines: [loss] },
  ])}</figure>
</div>${bestRemark(history, best)}`;
}

function bestRemark(history: FinetunePageData['history'], best: number | undefined): string {
  const check = best === undefined ? undefined : history[best];
  return check
    ? `\n<p>The board ended in the best state seen: ${percent(check.accuracy)} after ${count(check.images)} images and ${count(check.pulses)} pulses.</p>`
    : '';
}

const confusions = ({ confusionBefore, confusionAfter }: FinetunePageData): string => `<div class="plots">
<figure><figcaption>programmed</figcaption>${confusionChart('confusion as programmed', confusionBefore)}</figure>
<figure><figcaption>fine-tuned</figcaption>${confusionChart('confusion after fine-tuning', confusionAfter)}</figure>
</div>`;

function conductances({ arrays }: FinetunePageData): string {
  const known = (values: ArrayLike<number | null>) => Float64Array.from(values, (g) => g ?? Number.NaN);
  return arrays
    .map(({ array, rows, columns, ...measured }) => {
      const [before, after] = [known(measured.before), known(measured.after)];
      const moved = after.map((g, i) => g - before[i]);
      const distances = moved.filter(Number.isFinite).map(Math.abs);
      const highest = largest([...before, ...after]);
      const far = distances.filter((d) => d > 0.02 * highest).length;
      const mean = distances.reduce((sum, d) => sum + d, 0) / (distances.length || 1);
      const map = (name: string, values: Float64Array, max: number, signed = false) =>
        `<figure>${heatChart({
          label: `array ${array}, ${name}`,
          title: name,
          unit: 'S',
          ...{ rows, columns, values, max, signed },
        })}</figure>`;
      return `<h3>Array ${array}, ${rows} × ${columns}</h3>
<p>${count(far)} of ${count(distances.length)} cells moved by more than ${si(0.02 * highest, 'S', 2)} (2 % of the highest); on average by ${si(mean, 'S', 2)}</p>
<div class="maps">
${map('before', before, highest)}
${map('after', after, highest)}
${map('moved', moved, quantile(distances, 0.99), true)}
</div>`;
    })
    .join('\n');
}

const largest = (values: readonly number[]): number =>
  values.reduce((max, value) => (value > max ? value : max), 0) || 1e-6;

/** Not the largest value, so that one cell that jumped does not hide all others. */
function quantile(values: Float64Array, share: number): number {
  const sorted = values.toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] || 1e-6;
}

function pulses({ pulses, energy, cells }: FinetunePageData): string {
  const row = (name: string, pulses: number, energy: number) =>
    `<tr><td>${name}</td><td class="n">${count(pulses)}</td><td class="n">${(pulses / cells).toFixed(2)}</td><td class="n">${si(energy, 'J')}</td></tr>`;
  return `<div class="scroll"><table>
<thead><tr><th></th><th class="n">pulses</th><th class="n">per cell</th><th class="n">energy</th></tr></thead>
<tbody>
${row('programmed', pulses.programmed, energy.programmed)}
${row('fine-tuned', pulses.finetuned, energy.finetuned)}
${row('total', pulses.programmed + pulses.finetuned, energy.programmed + energy.finetuned)}
</tbody>
</table></div>`;
}

const settings = ({ settings }: FinetunePageData): string => `<div class="scroll"><table>
<tbody>
${Object.entries(settings)
  .map(([name, value]) => `<tr><th>${escapeMarkup(name)}</th><td>${escapeMarkup(String(value))}</td></tr>`)
  .join('\n')}
</tbody>
</table></div>`;
