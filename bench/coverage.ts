/**
 * Fits cells of virtual chips back: how often the true parameters lie within what is stated of them. Two ways: the loops
 * of `sweep`, fitted, and the six pulses per cell of `calibrate`. And how many of the weak cells, those with a threshold more
 * than a spread below the mean, `calibrate` tells from the others.
 * Usage: npm run bench:coverage -- [--chips N] [--first SEED] [--cells N] [--profile NAME]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  CalibratedBoard,
  calibrateConverters,
  calibrateDevices,
  driveCell,
  fitLoops,
  guardBoard,
  W_SDC_PRIOR,
  waveSteps,
} from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import { Random } from '../src/model/random.js';
import { createVirtualBoard } from '../src/virtual-board/board.js';
import { loadProfile } from '../src/virtual-board/profile.js';

const { values: args } = parseArgs({
  options: {
    chips: { type: 'string', default: '3' },
    first: { type: 'string', default: '1' },
    cells: { type: 'string', default: '8' },
    profile: { type: 'string', default: 'w-sdc-8x8x4' },
  },
});

const scores = new Map<string, number[]>();
const score = (way: string, name: string, miss: number) => {
  for (const key of [`${way} ${name}`, `${way} all`]) scores.set(key, [...(scores.get(key) ?? []), miss]);
};

const weak = { von: { cells: 0, found: 0, falseAlarms: 0 }, voff: { cells: 0, found: 0, falseAlarms: 0 } };
const { parameters: mean, vonSigma, voffSigma } = W_SDC_PRIOR;
const below = { von: mean.von - vonSigma, voff: mean.voff - voffSigma };
let measured = 0;

const first = Number(args.first);
for (let seed = first; seed < first + Number(args.chips); seed++) {
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const virtual = createVirtualBoard({ profile: structuredClone(loadProfile(args.profile)), seed });
  const board = guardBoard(await connectBoard(inProcessTransport('virtual:bench', virtual)), { home });
  const calibrated = new CalibratedBoard(board, await calibrateConverters(board));
  const chip = board.passport.array(0);
  const crossbar = virtual.frontEnd.crossbars[0];
  const { rows, columns, seriesResistance, limits } = board.description;
  const random = new Random(seed).fork('cells');

  for (let swept = 0; swept < Number(args.cells); ) {
    const cell = random.integer(rows * columns);
    if (crossbar.stuck[cell] !== 0) continue;
    swept += 1;
    const address = { array: 0, row: Math.floor(cell / columns), column: cell % columns };
    const frequency = 100;
    const period = waveSteps(limits, { waveform: 'sine', amplitude: 0.5, frequency, points: 200 });
    const twice = [...period, ...period];
    const samples = (await driveCell(calibrated, address, twice, { budget: twice.length })).slice(
      period.length,
    );
    const fit = fitLoops(
      [
        {
          name: `cell ${cell}`,
          voltage: Float64Array.from(samples, ({ voltage }) => voltage),
          current: Float64Array.from(samples, ({ current }) => current),
          resistance: seriesResistance,
          frequency,
          pulsed: true,
        },
      ],
      { candidates: 60, starts: 1 },
    );
    const truth = crossbar.parameters(address.row, address.column);
    const told = { ...fit.parameters };
    for (const name of ['ron', 'roff', 'von', 'voff', 'tau', 'vt'] as const) {
      score('sweep + fit', name, (told[name] - truth[name]) / fit.uncertainty[name]);
    }
  }

  await calibrateDevices(calibrated, 0);
  const t = chip.tables;
  crossbar.stuck.forEach((stuck, cell) => {
    if (stuck !== 0 || chip.unhealthy.has(cell)) return;
    const truth = crossbar.parameters(Math.floor(cell / columns), cell % columns);
    score('calibrate', 'von', (t.von[cell] - truth.von) / t.vonSigma[cell]);
    score('calibrate', 'voff', (t.voff[cell] - truth.voff) / t.voffSigma[cell]);
    measured++;
    for (const name of ['von', 'voff'] as const) {
      const [is, seems] = [truth[name] < below[name], t[name][cell] < below[name]];
      if (is) weak[name].cells++;
      if (is && seems) weak[name].found++;
      if (!is && seems) weak[name].falseAlarms++;
    }
    score('calibrate', 'tau', Math.log(t.tau[cell] / truth.tau) / t.tauSigma[cell]);
  });
  await board.close();
  rmSync(home, { recursive: true, force: true });
}

console.log('way and parameter        values  within 1σ  within 2σ  median deviation');
for (const [key, misses] of scores) {
  const share = (sigmas: number) =>
    `${((100 * misses.filter((m) => Math.abs(m) <= sigmas).length) / misses.length).toFixed(1)} %`.padStart(
      9,
    );
  const middle = misses.toSorted((a, b) => a - b)[Math.floor(misses.length / 2)];
  console.log(
    `${key.padEnd(24)} ${String(misses.length).padStart(6)}  ${share(1)}  ${share(2)}  ${middle.toFixed(2).padStart(10)} σ`,
  );
}

for (const [name, { cells, found, falseAlarms }] of Object.entries(weak))
  console.log(
    `weak, ${name} below ${(1e3 * below[name as 'von' | 'voff']).toFixed(0)} mV: ${found} of ${cells} found, ${falseAlarms} of ${measured - cells} others taken for weak`,
  );
