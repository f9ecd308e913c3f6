/**
 * What training on the twin of a passport saves (the table of docs/results/loop.md).
 *
 *     npm run bench:twin -- [--chips 5] [--first 1] [--ways plain,aware,twin] [--held-back] [--finetune 6]
 *
 * Digits, 64-32-10, on virtual boards in this process, chip and network of the same seed. Three ways of offline training:
 * `plain`; `aware` of chips at large (noise of weights and sums, neurons drawn anew around nominal); `twin`, on the chip's
 * passport after `calibrate`. Each is programmed and evaluated, and with --finetune fine-tuned for so many epochs.
 *
 * A quarter of the training images is held back from both trainings: on it is told when fine-tuning has reached the
 * accuracy of the plainly trained network in software less half a point. Accuracies are of the test images, which nothing
 * else looks at, or, with --held-back, for choosing settings, of the held-back images instead.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Deployment, finetune, layerScales, twinTraining } from '../src/loop/index.js';
import {
  evaluate,
  loadDataset,
  networkSpec,
  recipeOf,
  split,
  type TrainSettings,
  train,
} from '../src/model/index.js';
import { loadProfile } from '../src/virtual-board/index.js';
import { calibratedChip } from './calibrated.js';

const { values } = parseArgs({
  options: {
    chips: { type: 'string', default: '5' },
    first: { type: 'string', default: '1' },
    ways: { type: 'string', default: 'plain,aware,twin' },
    'held-back': { type: 'boolean', default: false },
    finetune: { type: 'string', default: '0' },
    mismatch: { type: 'string', default: '0.1' },
    profile: { type: 'string', default: 'w-sdc-32x32x5' },
    /** JSON of training settings, over those of each noisy way. */
    settings: { type: 'string', default: '{}' },
  },
});
const over = JSON.parse(values.settings) as Partial<TrainSettings>;
const epochs = Number(values.finetune);
const recipe = recipeOf('digits');
const mean = (list: readonly number[]) => list.reduce((sum, v) => sum + v, 0) / list.length;
/** Share of the training images. */
const HELD_BACK = 0.25;
const points = (share: number) => (100 * share).toFixed(2);

interface Row {
  software: number;
  programmed: number;
  finetuned?: number;
  /** Images and pulses to software − 0.5 points on the fine-tuning's own held-back images; undefined if never. */
  images?: number | undefined;
  pulses?: number | undefined;
  programming: number;
  seconds: number;
}
const table = new Map<string, Row[]>();

for (let seed = Number(values.first); seed < Number(values.first) + Number(values.chips); seed++) {
  const home = mkdtempSync(join(tmpdir(), 'memloop-'));
  const profile = structuredClone(loadProfile(values.profile));
  profile.effects.neuronMismatch.relative = Number(values.mismatch);
  const loaded = await loadDataset('digits', { seed });
  // As `finetune` splits them: what it holds back, offline training has not seen either.
  const [heldBack, images] = split(loaded.train, seed, [HELD_BACK, 1 - HELD_BACK]);
  const figures = values['held-back'] ? heldBack : loaded.test;
  let goal: number | undefined;
  const spec = networkSpec([images.features, ...recipe.hidden, images.classes], {
    steps: 250,
    driveScale: recipe.driveScale,
  });
  for (const way of values.ways.split(',')) {
    // Every way gets the chip as new.
    const { board, close } = await calibratedChip(profile, seed, join(home, way));
    const chip = twinTraining(board.passport, spec);
    const noisy: Record<string, object> = {
      plain: {},
      aware: { ...chip.settings, neuronSpread: Number(values.mismatch), ...over },
      twin: { ...chip.settings, ...over, twin: chip.twin },
    };
    const result = await train({
      spec,
      dataset: images,
      ...recipe.settings,
      seed,
      validation: 0,
      ...noisy[way],
    });
    const { network, seconds } = result;
    const row: Row = { software: evaluate(network, figures), programmed: 0, programming: 0, seconds };
    goal ??= evaluate(network, heldBack) - 0.005;
    const deployment = await Deployment.open(
      { board, emit: () => {}, signal: new AbortController().signal },
      network,
      layerScales(network, images),
    );
    row.programming = (await deployment.program()).pulses;
    row.programmed = (await deployment.evaluate(figures)).accuracy;
    if (epochs > 0) {
      const tuned = await finetune(deployment, loaded.train, {
        adapt: 0,
        epochs,
        seed,
        validation: HELD_BACK,
      });
      row.finetuned = (await deployment.evaluate(figures)).accuracy;
      const there = tuned.history.find(({ accuracy }) => accuracy >= goal!);
      row.images = there?.images;
      row.pulses = there?.pulses;
      console.error(
        `  held back: ${tuned.history.map(({ images, accuracy }) => `${points(accuracy)} % after ${images}`).join(', ')} images; goal ${points(goal)} %`,
      );
    }
    console.error(
      `chip ${seed}, ${way}: software ${points(row.software)}, programmed ${points(row.programmed)}, fine-tuned ${row.finetuned === undefined ? '-' : points(row.finetuned)}, largest/rms weights ${network.weights.map((w) => (Math.max(...w.map(Math.abs)) / Math.sqrt(mean([...w.map((x) => x * x)]))).toFixed(1)).join(' ')}, ${seconds.toFixed(1)} s`,
    );
    table.set(way, [...(table.get(way) ?? []), row]);
    await close();
  }
  rmSync(home, { recursive: true });
}

console.log(
  '| training | software | programmed | lost | worst | fine-tuned | images to software − 0.5 | pulses for it | chips that got there |\n|---|---|---|---|---|---|---|---|---|',
);
for (const [way, rows] of table) {
  const of = (pick: (row: Row) => number | undefined) => rows.map(pick).filter((v) => v !== undefined);
  const there = of((row) => row.images);
  console.log(
    `| ${way} | ${points(mean(of((r) => r.software)))} % | ${points(mean(of((r) => r.programmed)))} % | ${points(mean(of((r) => r.software - r.programmed)))} | ${points(Math.min(...of((r) => r.programmed)))} % | ${epochs > 0 ? `${points(mean(of((r) => r.finetuned)))} %` : '–'} | ${there.length > 0 ? mean(there).toFixed(0) : '–'} | ${there.length > 0 ? mean(of((r) => r.pulses)).toFixed(0) : '–'} | ${there.length} of ${rows.length} |`,
  );
}
process.exit(0);
