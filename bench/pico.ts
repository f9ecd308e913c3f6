/**
 * Write-verify of the 8x8 array of the board of docs/how-to/build-a-board.md, over seeds, against the simulated truth: random
 * targets over the window of each array. Usage: npm run bench:pico -- [--seeds N] [--first SEED] [--profile FILE] [--uncalibrated]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  arrayWindow,
  calibrateConverters,
  calibrateDevices,
  calibratedBoard,
  guardBoard,
} from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import { Random } from '../src/model/random.js';
import { createPicoBoard, PICO_PROFILE } from '../src/virtual-board/index.js';
import { programmed } from './programmed.js';
import { deviation, mean } from './table-files.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    first: { type: 'string', default: '1' },
    profile: { type: 'string', default: PICO_PROFILE },
    /** Converters are taken at their word. */
    uncalibrated: { type: 'boolean', default: false },
  },
});

async function measure(seed: number) {
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const virtual = createPicoBoard({ profile: values.profile, seed, runs: 'wasm' });
  const board = guardBoard(await connectBoard(inProcessTransport('virtual:pico', virtual)), { home });
  try {
    if (!values.uncalibrated) board.passport.saveConverters(await calibrateConverters(board));
    const calibrated = await calibratedBoard(board);
    await calibrateDevices(calibrated, 0);
    const { low, high } = arrayWindow(board.passport.array(0));
    const random = new Random(seed).fork('targets');
    const targets = Float64Array.from({ length: 64 }, () => low + (high - low) * random.uniform());
    const [crossbar] = virtual.frontEnd.crossbars;
    const result = await programmed(calibrated, 0, crossbar, targets);
    const { report, healthy, read, near } = result;
    return {
      read: read / healthy,
      near: near / healthy,
      pulses: report.pulsesPerCell,
      board: virtual.frontEnd.time,
    };
  } finally {
    await board.close();
    rmSync(home, { recursive: true, force: true });
  }
}

const rows = [];
for (let n = 0; n < Number(values.seeds); n++) {
  const seed = Number(values.first) + n;
  const row = await measure(seed);
  rows.push(row);
  console.log(
    `seed ${seed}: ${(100 * row.read).toFixed(1)} % in tolerance as read, ${(100 * row.near).toFixed(1)} % by the truth within 2.5 %, ${row.pulses.toFixed(2)} pulses a cell, ${row.board.toFixed(2)} s of the board`,
  );
}
for (const name of ['read', 'near', 'pulses'] as const) {
  const list = rows.map((row) => row[name]);
  console.log(name, mean(list), '±', deviation(list), 'worst', Math.min(...list));
}
