/**
 * What drift and relaxation cost a fine-tuned network in three months, and what upkeep wins back for how many pulses
 * (the table of docs/results/loop.md).
 *
 *     npm run bench:drift -- [--chips 3] [--exponent 0.005] [--deviation 0.005] [--relaxation 0.05]
 *
 * The digits network is trained in software, programmed onto each chip and fine-tuned there. Then time passes; at each
 * mark the chip is looked after in one of four ways, and measured on the test images. Every schedule begins with the
 * same chip in the same state.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { guardBoard } from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import { Deployment, finetune, layerScales, maintain, type Normal } from '../src/loop/index.js';
import { loadDataset, Network, networkSpec, recipeOf, slice, train } from '../src/model/index.js';
import { createVirtualBoard, loadProfile } from '../src/virtual-board/index.js';

const { values } = parseArgs({
  options: {
    chips: { type: 'string', default: '3' },
    profile: { type: 'string', default: 'w-sdc-32x32x5' },
    exponent: { type: 'string', default: '0.005' },
    deviation: { type: 'string', default: '0.005' },
    relaxation: { type: 'string', default: '0.05' },
    epochs: { type: 'string', default: '1' },
    samples: { type: 'string', default: '400' },
    only: { type: 'string' },
  },
});

const HOUR = 3600;
const DAY = 24 * HOUR;
const MARKS: readonly [name: string, time: number][] = [
  ['1 hour', HOUR],
  ['1 day', DAY],
  ['1 week', 7 * DAY],
  ['1 month', 30 * DAY],
  ['3 months', 91 * DAY],
];

/** Looks after a chip at a mark; returns the pulses spent. */
type Schedule = (deployment: Deployment, normal: Normal) => Promise<number>;

const { train: images, test } = await loadDataset('digits', { seed: 1 });
const recipe = recipeOf('digits');
const spec = networkSpec([images.features, ...recipe.hidden, images.classes], {
  steps: 250,
  driveScale: recipe.driveScale,
});
const { network } = await train({ spec, dataset: images, ...recipe.settings, validation: 0 });
const scales = layerScales(network, images);
const shown = slice(test, 0, Number(values.samples));

const schedules: Record<string, Schedule> = {
  nothing: async () => 0,
  'all cells out of 2 % put back': async (deployment) => (await deployment.program()).pulses,
  'upkeep without pulses': async (deployment, normal) =>
    (await maintain(deployment, images, { normal, pulses: false })).pulses,
  upkeep: async (deployment, normal) => (await maintain(deployment, images, { normal })).pulses,
};

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;

console.log(`| schedule | fine-tuned | ${MARKS.map(([name]) => name).join(' | ')} | pulses per cell |`);
console.log(`|---|---|${MARKS.map(() => '---|').join('')}---|`);
for (const [name, schedule] of Object.entries(schedules)) {
  if (values.only !== undefined && name !== values.only) continue;
  const accuracies: number[][] = [[], ...MARKS.map(() => [])];
  const pulses: number[] = [];
  for (let seed = 1; seed <= Number(values.chips); seed++) {
    const profile = structuredClone(loadProfile(values.profile));
    profile.effects.relaxation = { enabled: true, share: Number(values.relaxation), time: 600 };
    profile.effects.drift = {
      enabled: true,
      exponent: Number(values.exponent),
      deviation: Number(values.deviation),
      time: 1,
    };
    const virtual = createVirtualBoard({ profile, seed });
    const home = mkdtempSync(join(tmpdir(), 'memloop-drift-'));
    const board = guardBoard(await connectBoard(inProcessTransport('virtual:drift', virtual)), { home });
    const own = new Network(
      network.spec,
      network.weights.map((w) => w.slice()),
      network.biases.map((b) => b.slice()),
    );
    const deployment = await Deployment.open(
      { board, emit: () => {}, signal: new AbortController().signal },
      own,
      scales,
    );
    await deployment.program();
    await finetune(deployment, images, { epochs: Number(values.epochs) });
    const { cells } = await deployment.rehearse();
    const { normal } = await maintain(deployment, images);
    accuracies[0].push((await deployment.evaluate(shown)).accuracy);
    let spent = 0;
    let time = 0;
    for (const [k, [, mark]] of MARKS.entries()) {
      virtual.elapse(mark - time);
      time = mark;
      spent += await schedule(deployment, normal);
      accuracies[k + 1].push((await deployment.evaluate(shown)).accuracy);
    }
    pulses.push(spent / cells);
    await board.close();
    rmSync(home, { recursive: true, force: true });
  }
  console.log(
    `| ${name} | ${accuracies.map((list) => percent(mean(list))).join(' | ')} | ${mean(pulses).toFixed(2)} |`,
  );
}
process.exit(0);
