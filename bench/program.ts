/**
 * Programs 32x32 arrays with random targets over their windows, by memloop's method and by three others, over seeds, and
 * compares with the simulated truth. Usage: npm run bench:program -- [--seeds N] [--profile NAME] [--first SEED] [--harder] [--only memloop]
 * [--halfSelect SHARE] [--linesFloat] [--series OHM] [--pairs]
 * [--out FILE.json]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { arrayWindow, calibrateDevices, calibratedBoard, guardBoard } from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import { Random } from '../src/model/random.js';
import { createVirtualBoard } from '../src/virtual-board/board.js';
import { loadProfile } from '../src/virtual-board/profile.js';
import { ALTERNATIVES, programBy } from './alternatives.js';
import { programmed } from './programmed.js';

const { values: args } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    profile: { type: 'string', default: 'w-sdc-32x32x5' },
    only: { type: 'string' },
    /** Read noise and spreads doubled, relaxation on. */
    harder: { type: 'boolean', default: false },
    /** Programs a fresh chip, of which nothing is known but its type. */
    fresh: { type: 'boolean', default: false },
    /** Share of a pulse that half-selected cells see, and whether they see it of the selected cell's voltage. */
    halfSelect: { type: 'string' },
    linesFloat: { type: 'boolean', default: false },
    /** Ω, in series during pulses. */
    series: { type: 'string' },
    /** As a network leaves them: of each pair of columns one cell at the window's low end. */
    pairs: { type: 'boolean', default: false },
    first: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});

interface Row {
  method: string;
  seed: number;
  healthy: number;
  inTolerance: number;
  truth: number;
  pulsesPerCell: number;
  roundTrips: number;
  seconds: number;
  stuck: number;
  stuckFound: number;
  falseAlarms: number;
}

async function measure(method: string, seed: number): Promise<Row> {
  const profile = structuredClone(loadProfile(args.profile));
  if (args.halfSelect) profile.pulse.halfSelect = Number(args.halfSelect);
  if (args.series) profile.pulse.seriesResistance = Number(args.series);
  profile.pulse.linesFloat = args.linesFloat;
  if (args.harder) {
    const { readNoise, deviceSpread, pulseSpread, relaxation } = profile.effects;
    readNoise.relative *= 2;
    deviceSpread.ron *= 2;
    deviceSpread.roff *= 2;
    deviceSpread.tau *= 2;
    deviceSpread.von.deviation *= 2;
    deviceSpread.voff.scale *= 2;
    pulseSpread.tau *= 2;
    pulseSpread.threshold *= 2;
    relaxation.enabled = true;
  }
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const virtual = createVirtualBoard({ profile, seed });
  const port = await connectBoard(inProcessTransport('virtual:bench', virtual));
  // A memloop board has no floating lines, so its protocol does not tell of them.
  Object.assign(port.description, { linesFloat: args.linesFloat });
  const board = guardBoard(port, { home });
  try {
    const calibrated = await calibratedBoard(board);
    const chip = board.passport.array(0);
    if (!args.fresh) await calibrateDevices(calibrated, 0);
    const { low, high } = arrayWindow(chip);
    const cells = board.description.rows * board.description.columns;
    const random = new Random(seed).fork('targets');
    const targets = Float64Array.from({ length: cells }, () => low + (high - low) * random.uniform());
    if (args.pairs) for (let i = 0; i < cells; i += 2) targets[random.uniform() < 0.5 ? i : i + 1] = low;
    const [crossbar] = virtual.frontEnd.crossbars;
    const alternative = ALTERNATIVES.find((name) => name === method);
    const { report, healthy, read, near, seconds } = await programmed(
      calibrated,
      0,
      crossbar,
      targets,
      alternative && ((...job) => programBy(alternative, ...job)),
    );
    const named = new Set(
      [...chip.unhealthy].filter(([, { health }]) => health.startsWith('stuck')).map(([cell]) => cell),
    );
    const stuckFound = [...named].filter((cell) => crossbar.stuck[cell] !== 0).length;
    return {
      method,
      seed,
      healthy,
      inTolerance: read / healthy,
      truth: near / healthy,
      pulsesPerCell: report.pulsesPerCell,
      roundTrips: report.roundTrips,
      seconds,
      stuck: cells - healthy,
      stuckFound,
      falseAlarms: named.size - stuckFound,
    };
  } finally {
    await board.close();
    rmSync(home, { recursive: true, force: true });
  }
}

const percent = (value: number) => `${(100 * value).toFixed(2)} %`.padStart(10);
const methods = ['memloop', ...ALTERNATIVES].filter((name) => !args.only || name === args.only);
const rows: Row[] = [];
console.log(
  'method                 seed  in tolerance  truth ±2.5 %  pulses/cell  round trips  stuck found  false alarms  seconds',
);
for (const method of methods) {
  for (let n = 0; n < Number(args.seeds); n++) {
    const seed = Number(args.first) + n;
    const row = await measure(method, seed);
    rows.push(row);
    console.log(
      `${method.padEnd(22)} ${String(seed).padStart(4)}    ${percent(row.inTolerance)}    ${percent(row.truth)} ${row.pulsesPerCell.toFixed(2).padStart(12)} ${String(row.roundTrips).padStart(12)} ${`${row.stuckFound}/${row.stuck}`.padStart(12)} ${String(row.falseAlarms).padStart(13)} ${row.seconds.toFixed(1).padStart(8)}`,
    );
  }
  const of = rows.filter((row) => row.method === method);
  const mean = (pick: (row: Row) => number) => of.reduce((sum, row) => sum + pick(row), 0) / of.length;
  console.log(
    `${method.padEnd(22)} mean    ${percent(mean((r) => r.inTolerance))}    ${percent(mean((r) => r.truth))} ${mean(
      (r) => r.pulsesPerCell,
    )
      .toFixed(2)
      .padStart(12)} ${mean((r) => r.roundTrips)
      .toFixed(0)
      .padStart(12)}`,
  );
}
if (args.out) writeFileSync(args.out, `${JSON.stringify(rows, null, 1)}\n`);
