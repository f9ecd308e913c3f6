/**
 * Programs arrays of foreign boards' stand-ins through the boards' own interfaces (HTTP, serial bytes) with random targets over
 * their windows, and compares with the simulated truth.
 * Usage: npm run bench:boards -- --as ktram|arc-one [--first SEED] [--seeds N] [--arrays N] [--profile NAME] [--fresh]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openArcOne } from '../src/boards/arc-one/open.js';
import { openKtram } from '../src/boards/ktram/open.js';
import {
  arrayWindow,
  calibrateDevices,
  calibratedBoard,
  guardBoard,
  programArray,
} from '../src/calibration/index.js';
import type { Board } from '../src/driver/index.js';
import { Random } from '../src/model/random.js';
import { loadProfile } from '../src/virtual-board/profile.js';
import { servePty } from '../src/virtual-board/serving/serve.js';
import { createArcOne } from '../src/virtual-board/stand-ins/arc-one/serve.js';
import type { BareChip } from '../src/virtual-board/stand-ins/bare-chip.js';
import { startKtram } from '../src/virtual-board/stand-ins/ktram/serve.js';

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
    profile: { type: 'string', default: 'knowm-8x8x4' },
    /** Without `calibrate` before. */
    fresh: { type: 'boolean', default: false },
  },
});

const BOARDS: Readonly<Record<string, (seed: number) => Promise<Bench>>> = {
  ktram: async (seed) => {
    const server = await startKtram(loadProfile(args.profile), { seed });
    Object.assign(process.env, server.environment);
    return { board: await openKtram(server.port, {}), chip: server.chip, close: () => server.close() };
  },
  'arc-one': async (seed) => {
    const profile = loadProfile(args.profile);
    const device = createArcOne(profile, { seed });
    const port = await servePty(device);
    const { rows, columns, pulse } = profile;
    const url = `arc1:${port.port}?rows=${rows}&columns=${columns}&series=${pulse.seriesResistance}`;
    return { board: await openArcOne(url, {}), chip: device.chip, close: () => port.close() };
  },
};

interface Row {
  healthy: number;
  /** Healthy cells within ±2 % of the window by a last reading, within ±2 % and ±2.5 % by the truth. */
  read: number;
  truth: number;
  near: number;
  pulses: number;
  roundTrips: number;
  calibrating: number;
  seconds: number;
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
  const began = performance.now();
  const report = await programArray(calibrated, array, targets);
  const ended = performance.now();
  const final = await calibrated.conductances(array, { samples: 32 });
  const truth = chip.crossbars[array].conductances(0.05);
  const { stuck } = chip.crossbars[array];
  const within = (values: Float64Array, share: number) =>
    values.filter((g, i) => stuck[i] === 0 && Math.abs(g - targets[i]) <= share * (high - low)).length;
  return {
    healthy: stuck.filter((one) => one === 0).length,
    read: within(final, 0.02),
    truth: within(truth, 0.02),
    near: within(truth, 0.025),
    pulses: report.pulsesPerCell,
    roundTrips: report.roundTrips,
    calibrating: (began - start) / 1e3,
    seconds: (ended - began) / 1e3,
  };
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
  `${args.as}, ${args.profile}: healthy cells within ±2 % of the window by a last reading, by the truth, and ±2.5 % by the truth`,
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
