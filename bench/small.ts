/**
 * What small tasks reach on small chips (docs/results/small-tasks.md): accuracy in software, programmed, fine-tuned.
 *
 *     npm run bench:small -- [--profiles w-sdc-8x8x4,…] [--tables iris,wine,…] [--chips 10] [--first 1] [--rows FILE]
 *
 * Each chip, drawn by its seed, gets a network trained on four fifths of a table and is tested on the fifth that nothing
 * else looks at: chips 1 to 5 on the folds of one cross-validation, 6 to 10 on those of the next. Chips have 2 % of
 * stuck cells and, where they have neurons, 10 % of mismatch. Needs Debian's python3-sklearn, weka and libfann-doc.
 * --rows appends a line a chip to a file and skips chips that it has already.
 */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { guardBoard } from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import { Deployment, layerScales, recover } from '../src/loop/index.js';
import {
  type Dataset,
  loadFolds,
  type Network,
  planTraining,
  setKernelThreads,
  train,
} from '../src/model/index.js';
import { createVirtualBoard, loadProfile } from '../src/virtual-board/index.js';
import { deviation, mean, TABLES } from './table-files.js';

/** Hidden layers of the network of each table on each chip: what fits; chosen on parts of the training samples. */
const TASKS: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  'w-sdc-8x8x4': { iris: [8], wine: [], 'breast cancer': [] },
  'knowm-8x8x4': { iris: [8], wine: [], 'breast cancer': [] },
  'knowm-16x16x2': { iris: [8], wine: [8], 'breast cancer': [], segment: [], thyroid: [] },
  'knowm-32x32x1': { iris: [], wine: [], 'breast cancer': [], segment: [], thyroid: [] },
};
const FOLDS = 5;
/** A machine with too much to do must not look like a lost board. */
const PATIENT = { minTimeout: 5, initialTimeout: 5, maxTimeout: 10, lostAfter: 60, handshakeTimeout: 60 };

const { values } = parseArgs({
  options: {
    profiles: { type: 'string', default: Object.keys(TASKS).join() },
    tables: { type: 'string' },
    chips: { type: 'string', default: '10' },
    first: { type: 'string', default: '1' },
    rows: { type: 'string' },
  },
});

interface Row {
  profile: string;
  table: string;
  chip: number;
  network: string;
  cells: number;
  software: number;
  programmed: number;
  finetuned: number;
  /** Pulses a cell to program and to fine-tune. */
  programming: number;
  tuning: number;
  seconds: number;
}

setKernelThreads(1);
const rows: Row[] = [];
if (values.rows !== undefined && existsSync(values.rows))
  for (const line of readFileSync(values.rows, 'utf8').split('\n'))
    if (line) rows.push(JSON.parse(line) as Row);

for (const profile of values.profiles.split(','))
  for (const [table, hidden] of Object.entries(TASKS[profile])) {
    if (values.tables !== undefined && !values.tables.split(',').includes(table)) continue;
    for (let chip = Number(values.first); chip < Number(values.first) + Number(values.chips); chip++) {
      if (rows.some((row) => row.profile === profile && row.table === table && row.chip === chip)) continue;
      const row = await measure(profile, table, hidden, chip);
      rows.push(row);
      if (values.rows !== undefined) appendFileSync(values.rows, `${JSON.stringify(row)}\n`);
      console.error(JSON.stringify(row));
    }
  }

async function measure(
  profile: string,
  table: string,
  hidden: readonly number[],
  chip: number,
): Promise<Row> {
  const begun = performance.now();
  const { parts } = await loadFolds(TABLES[table], FOLDS, { seed: Math.ceil(chip / FOLDS) });
  const data = [...parts()][(chip - 1) % FOLDS];
  const { count: samples, features, classes } = data.train;
  const { spec, settings } = planTraining({ dataset: table, samples, features, classes, hidden });
  const { network } = await train({ spec, dataset: data.train, ...settings, seed: chip });
  const shape = [features, ...hidden, classes].join('-');
  const measured = await onChip(profile, chip, network, data);
  return {
    profile,
    table,
    chip,
    network: shape,
    ...measured,
    seconds: (performance.now() - begun) / 1000,
  };
}

async function onChip(name: string, seed: number, network: Network, data: { train: Dataset; test: Dataset }) {
  const profile = structuredClone(loadProfile(name));
  profile.effects.neuronMismatch.relative = 0.1;
  profile.effects.stuckCells.low = 0.01;
  profile.effects.stuckCells.high = 0.01;
  const port = inProcessTransport('virtual:', createVirtualBoard({ profile, seed }));
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const board = guardBoard(await connectBoard(port, { link: PATIENT }), { home });
  try {
    const context = { board, emit: () => {}, signal: new AbortController().signal };
    const deployment = await Deployment.open(context, network, layerScales(network, data.train));
    const { software, before, tuning, after } = await recover(deployment, data, { seed });
    const { cells, pulses } = before.programming;
    return {
      cells,
      software,
      programmed: before.accuracy,
      finetuned: after.accuracy,
      programming: pulses / cells,
      tuning: tuning.pulses / cells,
    };
  } finally {
    await board.close();
    rmSync(home, { recursive: true });
  }
}

const percent = (list: readonly number[]): string =>
  `${(100 * mean(list)).toFixed(1)} ± ${(100 * deviation(list)).toFixed(1)} | ${(100 * Math.min(...list)).toFixed(1)}`;
console.log(
  '| chip | table | network | cells | chips | software % | worst | programmed % | worst | fine-tuned % | worst | pulses a cell | s |',
);
console.log('|---|---|---|---|---|---|---|---|---|---|---|---|---|');
for (const key of new Set(rows.map(({ profile, table }) => `${profile} | ${table}`))) {
  const list = rows.filter(({ profile, table }) => `${profile} | ${table}` === key);
  const of = (name: keyof Row) => list.map((row) => row[name] as number);
  const { network, cells } = list[0];
  console.log(
    `| ${key} | ${network} | ${cells} | ${list.length} | ${percent(of('software'))} | ${percent(of('programmed'))} | ${percent(of('finetuned'))} | ${mean(of('programming')).toFixed(1)} + ${mean(of('tuning')).toFixed(1)} | ${mean(of('seconds')).toFixed(0)} |`,
  );
}
