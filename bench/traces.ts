/**
 * Sweeps the cells of simulated Discovery boards as `memloop sweep` does, fits each loop, and compares with the simulated
 * truth: in how many cells does each parameter lie within twice its stated uncertainty?
 * Usage: npm run bench:traces -- [--first SEED] [--seeds N] [--series OHM] [--frequency HZ] [--amplitude V]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openAd2, parseAd2Url } from '../src/boards/ad2/open.js';
import { asLastCalibrated, fitLoops, guardBoard, traceCell } from '../src/calibration/index.js';
import { discreteCells, simulatedWaveForms } from '../src/virtual-board/stand-ins/ad2/virtual.js';

const { values: args } = parseArgs({
  options: {
    first: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '4' },
    series: { type: 'string', default: '10000' },
    frequency: { type: 'string', default: '100' },
    amplitude: { type: 'string', default: '0.5' },
  },
});
const [first, seeds, series, frequency, amplitude] = [
  args.first,
  args.seeds,
  args.series,
  args.frequency,
  args.amplitude,
].map(Number);

const NAMES = ['ron', 'roff', 'von', 'voff', 'tau', 'vt'] as const;
/** Error over stated uncertainty, by parameter, one entry a cell. */
const scores: Record<(typeof NAMES)[number], number[]> = {
  ron: [],
  roff: [],
  von: [],
  voff: [],
  tau: [],
  vt: [],
};
let whole = 0;

for (let seed = first; seed < first + seeds; seed++) {
  const { chip, library } = simulatedWaveForms({
    profile: discreteCells('knowm-discrete-16'),
    seed,
    mode: 1,
    series,
  });
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const url = parseAd2Url(`ad2:?mode=1&series=${series}`);
  const guarded = guardBoard(await openAd2(library, url, { pause: async () => {} }), { home });
  const board = asLastCalibrated(guarded);
  const [crossbar] = chip.crossbars;
  for (const [cell, stuck] of crossbar.stuck.entries()) {
    if (stuck !== 0) continue;
    const address = { array: 0, row: cell >> 1, column: cell & 1 };
    const wave = { waveform: 'triangle', amplitude, frequency, points: 400, cycles: 3 } as const;
    const samples = await traceCell(board, address, wave, { budget: 6 });
    const loop = {
      name: `cell ${cell}`,
      voltage: Float64Array.from(samples, (sample) => sample.voltage),
      current: Float64Array.from(samples, (sample) => sample.current),
      resistance: board.description.seriesResistance,
      frequency,
      pulsed: false,
    };
    const fit = fitLoops([loop], { candidates: 60, starts: 1 });
    const truth = crossbar.parameters(address.row, address.column);
    const errors = NAMES.map((name) => {
      const error = (fit.parameters[name] - truth[name]) / fit.uncertainty[name];
      scores[name].push(error);
      return Math.abs(error);
    });
    if (errors.every((error) => error <= 2)) whole++;
  }
  await guarded.close();
  rmSync(home, { recursive: true, force: true });
}

const percent = (part: number, of: number) => `${((100 * part) / of).toFixed(0)} %`;
const cells = scores.ron.length;
console.log(
  `${series} Ω, ${frequency} Hz, ${amplitude} V, ${cells} cells: within twice the stated uncertainty`,
);
for (const name of NAMES)
  console.log(
    `  ${name.padEnd(5)} ${percent(scores[name].filter((one) => Math.abs(one) <= 2).length, cells).padStart(5)}, RMS ${Math.sqrt(
      scores[name].reduce((sum, one) => sum + one * one, 0) / cells,
    ).toFixed(2)} deviations`,
  );
console.log(`  all six ${percent(whole, cells)}`);
