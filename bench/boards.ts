/**
 * Programs arrays of foreign boards' stand-ins through the boards' own interfaces (HTTP, serial bytes, library) with random targets over
 * their windows, and compares with the simulated truth.
 * Usage: npm run bench:boards -- --as ktram|arc-one|ad2 [--first SEED] [--seeds N] [--arrays N] [--profile NAME]
 * [--series OHM] [--fresh]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openAd2, parseAd2Url } from '../src/boards/ad2/open.js';
import { openArcOne } from '../src/boards/arc-one/open.js';
import { openKtram } from '../src/boards/ktram/open.js';
import { arrayWindow, calibrateDevices, calibratedBoard, guardBoard } from '../src/calibration/index.js';
import type { Board } from '../src/driver/index.js';
import { Random } from '../src/model/random.js';
import { loadProfile } from '../src/virtual-board/profile.js';
import { servePty } from '../src/virtual-board/serving/serve.js';
import { discreteCells, simulatedWaveForms } from '../src/virtual-board/stand-ins/ad2/virtual.js';
import { createArcOne } from '../src/virtual-board/stand-ins/arc-one/serve.js';
import type { BareChip } from '../src/virtual-board/stand-ins/bare-chip.js';
import { startKtram } from '../src/virtual-board/stand-ins/ktram/serve.js';
import { type Programmed, programmed } from './programmed.js';

interface Bench {
  board: Board;
  chip: BareChip;
  close(): Promise<void>;
}

const { values: args } = parseArgs({
  options: {
    as: { type: 'string', default: 'ktram' },
    first: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '5' },
    /** Of each chip. */
    arrays: { type: 'string', default: '1' },
    /** Default: knowm-8x8x4, of ad2 knowm-discrete-16. */
    profile: { type: 'string' },
    /** Ω; of ad2. */
    series: { type: 'string', default: '10000' },
    /** Without `calibrate` before. */
    fresh: { type: 'boolean', default: false },
  },
});

const { profile = args.as === 'ad2' ? 'knowm-discrete-16' : 'knowm-8x8x4' } = args;

const BOARDS: Readonly<Record<string, (seed: number) => Promise<Bench>>> = {
  ktram: async (seed) => {
    const server = await startKtram(loadProfile(profile), { seed });
    Object.assign(process.env, server.environment);
    return { board: await openKtram(server.port, {}), chip: server.chip, close: () => server.close() };
  },
  'arc-one': async (seed) => {
    const chip = loadProfile(profile);
    const device = createArcOne(chip, { seed });
    const port = await servePty(device);
    const { rows, columns, pulse } = chip;
    const url = `arc1:${port.port}?rows=${rows}&columns=${columns}&series=${pulse.seriesResistance}`;
    return { board: await openArcOne(url, {}), chip: device.chip, close: () => port.close() };
  },
  /** Single cells, mode 1, with the waits of a real board. */
  ad2: async (seed) => {
    const series = Number(args.series);
    const { chip, library } = simulatedWaveForms({ profile: discreteCells(profile), seed, mode: 1, series });
    const board = await openAd2(library, parseAd2Url(`ad2:?mode=1&series=${series}`));
    return { board, chip, close: async () => {} };
  },
};

interface Row extends Omit<Programmed, 'report'> {
  pulses: number;
  roundTrips: number;
  calibrating: number;
}

async function measure({ board, chip }: Bench, array: number, home: string): Promise<Row> {
  const guarded = guardBoard(board, { home });
  const calibrated = await calibratedBoard(guarded);
  const start = performance.now();
  if (!args.fresh) await calibrateDevices(calibrated, array);
  const { low, high } = arrayWindow(guarded.passport.array(array));
  const { rows, columns } = board.description;
  const random = new Random(array + 1).fork('targets');
  const targets = Float64Array.from({ length: rows * columns }, () => low + (high - low) * random.uniform());
  const calibrating = (performance.now() - start) / 1e3;
  const { report, ...counts } = await programmed(calibrated, array, chip.crossbars[array], targets);
  return { ...counts, pulses: report.pulsesPerCell, roundTrips: report.roundTrips, calibrating };
}

const percent = (part: number, of: number) => `${((100 * part) / of).toFixed(2)} %`.padStart(9);
function told(name: string, r: Row): void {
  const shares = [r.read, r.truth, r.near].map((part) => percent(part, r.healthy)).join(' ');
  console.log(
    `${name.padEnd(16)} ${String(r.healthy).padStart(7)} ${shares} ${r.pulses.toFixed(2).padStart(8)} ${r.roundTrips.toFixed(0).padStart(8)} ${r.calibrating.toFixed(1).padStart(8)} ${r.seconds.toFixed(1).padStart(8)}`,
  );
}

const open = BOARDS[args.as];
if (!open) throw new Error(`--as ${args.as}: give one of ${Object.keys(BOARDS).join(', ')}`);
console.log(
  `${args.as}, ${profile}: healthy cells within ±2 % of the window by a last reading, by the truth, and ±2.5 % by the truth`,
);
console.log('                 healthy   reading     truth     ±2.5 %  pulses   trips  calibr.s  program.s');
const measured: Row[] = [];
for (let seed = Number(args.first); seed < Number(args.first) + Number(args.seeds); seed++) {
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const bench = await open(seed);
  for (let array = 0; array < Number(args.arrays); array++) {
    const row = await measure(bench, array, home);
    measured.push(row);
    told(`seed ${seed} array ${array}`, row);
  }
  await bench.board.close();
  await bench.close();
  rmSync(home, { recursive: true, force: true });
}
const sum = (pick: (row: Row) => number) => measured.reduce((total, row) => total + pick(row), 0);
const mean = (pick: (row: Row) => number) => sum(pick) / measured.length;
told('all', {
  healthy: sum((r) => r.healthy),
  read: sum((r) => r.read),
  truth: sum((r) => r.truth),
  near: sum((r) => r.near),
  pulses: mean((r) => r.pulses),
  roundTrips: mean((r) => r.roundTrips),
  calibrating: mean((r) => r.calibrating),
  seconds: mean((r) => r.seconds),
});
