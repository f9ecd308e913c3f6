/**
 * What fine-tuning in the loop wins back (the tables of docs/results/loop.md).
 *
 *     npm run bench:loop -- [--chips 10] [--first 1] [--configs 5/1,10/2,20/5] [--methods state-injection] [--samples 1000] [--rows FILE]
 *     npm run bench:loop -- --model mnist.safetensors --profile w-sdc-128x128x15 --configs 10/2 --chips 3 --epochs 0.2
 *     npm run bench:loop -- --table FILE
 *
 * Virtual boards in this process: mismatch of the neurons / stuck cells in percent, chips by seed. Without --model each
 * chip gets a 64-32-10 network of the digits, trained with the chip's seed; test images are looked at before and after
 * only. --rows appends a line a chip, skips chips that it has already, and --table prints the tables of such a file.
 */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { guardBoard } from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import {
  Deployment,
  type FinetuneOptions,
  layerScales,
  type MethodName,
  methodNames,
  recover,
} from '../src/loop/index.js';
import {
  loadDataset,
  loadNetwork,
  type Network,
  networkSpec,
  Random,
  recipeOf,
  slice,
  train,
} from '../src/model/index.js';
import { student } from '../src/shared/statistics.js';
import { createVirtualBoard, loadProfile } from '../src/virtual-board/index.js';

const { values } = parseArgs({
  options: {
    chips: { type: 'string', default: '10' },
    first: { type: 'string', default: '1' },
    configs: { type: 'string', default: '5/1,10/2,20/5' },
    methods: { type: 'string', default: 'state-injection' },
    profile: { type: 'string', default: 'w-sdc-32x32x5' },
    model: { type: 'string' },
    'data-dir': { type: 'string' },
    epochs: { type: 'string' },
    adapt: { type: 'string' },
    /** Test images, the first ones; default all. */
    samples: { type: 'string' },
    decimation: { type: 'string' },
    /** Share of the membrane samples that is lost on the way. */
    lost: { type: 'string', default: '0' },
    rows: { type: 'string' },
    table: { type: 'string' },
  },
});

interface Row {
  key: string;
  chip: number;
  software: number;
  programmed: number;
  finetuned: number;
  samples: number;
  programming: number;
  tuning: number;
  /** Cells that carry weights. */
  cells: number;
  /** Images and pulses until the held-back images were decided as well as ever, less 5 % of what was lost. */
  images: number;
  imagesTo95: number;
  pulsesTo95: number;
  seconds: number;
}

const rows: Row[] = [];
const file = values.table ?? values.rows;
if (file !== undefined && existsSync(file))
  for (const line of readFileSync(file, 'utf8').split('\n')) if (line) rows.push(JSON.parse(line) as Row);

if (values.table === undefined)
  for (let chip = Number(values.first); chip < Number(values.first) + Number(values.chips); chip++)
    for (const config of values.configs.split(','))
      for (const method of values.methods.split(',') as MethodName[]) {
        const key = [
          config,
          method,
          values.profile,
          values.adapt && `adapt ${values.adapt}`,
          values.decimation && `decimation ${values.decimation}`,
          values.lost !== '0' && `${values.lost} lost`,
        ]
          .filter(Boolean)
          .join(' ');
        if (!methodNames.includes(method) || rows.some((row) => row.key === key && row.chip === chip))
          continue;
        const row = await measure(key, chip, config, method);
        rows.push(row);
        if (values.rows !== undefined) appendFileSync(values.rows, `${JSON.stringify(row)}\n`);
        console.error(JSON.stringify(row));
      }

async function measure(key: string, chip: number, config: string, method: MethodName): Promise<Row> {
  const [mismatch, stuck] = config.split('/').map((percent) => Number(percent) / 100);
  const profile = structuredClone(loadProfile(values.profile));
  profile.effects.neuronMismatch.relative = mismatch;
  profile.effects.stuckCells.low = stuck / 2;
  profile.effects.stuckCells.high = stuck / 2;
  const { network, data } = await trained(chip);
  const scales = layerScales(network, data.train);
  const port = inProcessTransport('virtual:', createVirtualBoard({ profile, seed: chip }));
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const board = guardBoard(await connectBoard(port), { home });
  const random = new Random(chip).fork('lost');
  const lost = Number(values.lost);
  const gappy: typeof board.run = async (stimuli) =>
    (await board.run(stimuli)).map((run) => ({
      ...run,
      voltages: run.voltages.map((v) => (random.uniform() < lost ? Number.NaN : v)),
    }));
  const measured = new Proxy(board, {
    get(target, name) {
      if (lost > 0 && name === 'run') return gappy;
      const value = target[name as keyof typeof target] as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  try {
    const deployment = await Deployment.open(
      {
        board: measured,
        emit: () => {},
        signal: new AbortController().signal,
        ...(values.decimation !== undefined && { decimation: Number(values.decimation) }),
      },
      network,
      scales,
    );
    const options: Partial<FinetuneOptions> = {
      method,
      seed: values.model === undefined ? chip : 1,
      ...(values.epochs !== undefined && { epochs: Number(values.epochs) }),
      ...(values.adapt !== undefined && { adapt: Number(values.adapt) }),
    };
    const start = performance.now();
    const { software, samples, before, tuning, after } = await recover(deployment, data, options);
    const seconds = (performance.now() - start) / 1000;
    const most = Math.max(...tuning.history.map(({ accuracy }) => accuracy));
    const goal = most - 0.05 * (most - tuning.history[0].accuracy);
    const reached = tuning.history.find(({ accuracy }) => accuracy >= goal)!;
    return {
      key,
      chip,
      software,
      programmed: before.accuracy,
      finetuned: after.accuracy,
      samples,
      programming: before.programming.pulses,
      tuning: tuning.pulses,
      cells: before.programming.cells,
      images: tuning.images,
      imagesTo95: reached.images,
      pulsesTo95: reached.pulses,
      seconds,
    };
  } finally {
    await board.close();
    rmSync(home, { recursive: true });
  }
}

async function trained(
  seed: number,
): Promise<{ network: Network; data: Awaited<ReturnType<typeof loadDataset>> }> {
  const dataDir = values['data-dir'];
  if (values.model !== undefined) {
    const { network, metadata } = loadNetwork(values.model);
    const data = await loadDataset(metadata['memloop.dataset'] ?? 'mnist', {
      seed: Number(metadata['memloop.seed'] ?? 1),
      ...(dataDir !== undefined && { dataDir }),
    });
    const { train, test } = data;
    return { network, data: { train, test: slice(test, 0, Number(values.samples ?? test.count)) } };
  }
  const data = await loadDataset('digits', { seed });
  const recipe = recipeOf('digits');
  const spec = networkSpec([data.train.features, ...recipe.hidden, data.train.classes], {
    driveScale: recipe.driveScale,
    steps: 250,
  });
  return { network: (await train({ ...recipe.settings, spec, dataset: data.train, seed })).network, data };
}

const mean = (list: readonly number[]): number => list.reduce((sum, v) => sum + v, 0) / list.length;
/** The mean with its 95 % interval over chips, Student's t, in percent. */
function interval(list: readonly number[]): string {
  const m = mean(list);
  const deviation = Math.sqrt(list.reduce((s, v) => s + (v - m) ** 2, 0) / Math.max(1, list.length - 1));
  const half = (student(list.length - 1) * deviation) / Math.sqrt(list.length);
  return `${(100 * m).toFixed(2)} ± ${(100 * half).toFixed(2)}`;
}
const worst = (list: readonly number[]): string => (100 * Math.min(...list)).toFixed(2);

/** Share of the lost accuracy that came back, of the means, and its 95 % interval by resampling the chips. */
function recovered(list: readonly Row[]): string {
  const share = (sample: readonly Row[]) =>
    mean(sample.map((r) => r.finetuned - r.programmed)) / mean(sample.map((r) => r.software - r.programmed));
  const random = new Random(1);
  const draws = Array.from({ length: 2000 }, () =>
    share(list.map(() => list[Math.floor(random.uniform() * list.length)])),
  ).sort((a, b) => a - b);
  const percent = (x: number) => (100 * x).toFixed(0);
  return `${percent(share(list))} (${percent(draws[50])} … ${percent(draws[1949])})`;
}

console.log(
  '| mismatch/stuck, method | chips | software | worst | programmed | worst | fine-tuned | worst | recovered % | pulses per cell | images / pulses to 95 % | s |',
);
console.log('|---|---|---|---|---|---|---|---|---|---|---|---|');
for (const key of [...new Set(rows.map((row) => row.key))]) {
  const list = rows.filter((row) => row.key === key);
  const of = (name: keyof Row) => list.map((row) => row[name] as number);
  console.log(
    `| ${key} | ${list.length} | ${interval(of('software'))} | ${worst(of('software'))} | ${interval(of('programmed'))} | ${worst(of('programmed'))} | ${interval(of('finetuned'))} | ${worst(of('finetuned'))} | ${recovered(list)} | ${mean(list.map((r) => r.tuning / r.cells)).toFixed(2)} | ${mean(of('imagesTo95')).toFixed(0)} / ${mean(of('pulsesTo95')).toFixed(0)} | ${mean(of('seconds')).toFixed(0)} |`,
  );
}
