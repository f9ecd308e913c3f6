/**
 * How well `predictAccuracy` tells from a passport what a chip does once it is programmed.
 *
 *     npm run bench:predict -- [--chips 20] [--first 201] [--profile w-sdc-32x32x5]
 *
 * Digits, 64-32-10, one network; each virtual chip is calibrated, predicted, then programmed and evaluated on the test images,
 * which nothing else looks at.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Deployment, layerScales, predictAccuracy } from '../src/loop/index.js';
import { evaluate, loadDataset, networkSpec, recipeOf, train } from '../src/model/index.js';
import { loadProfile } from '../src/virtual-board/index.js';
import { calibratedChip } from './calibrated.js';

const { values } = parseArgs({
  options: {
    chips: { type: 'string', default: '20' },
    first: { type: 'string', default: '201' },
    profile: { type: 'string', default: 'w-sdc-32x32x5' },
  },
});
const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
const data = await loadDataset('digits', { seed: 1 });
const recipe = recipeOf('digits');
const spec = networkSpec([data.train.features, ...recipe.hidden, data.train.classes], {
  driveScale: recipe.driveScale,
  steps: 250,
});
const { network } = await train({ ...recipe.settings, spec, dataset: data.train, seed: 1, validation: 0 });
const scales = layerScales(network, data.train);
console.log(`software ${percent(evaluate(network, data.test))}`);
console.log('| chip | predicted | 90 % | measured | error |\n|---|---|---|---|---|');
const errors: number[] = [];
let held = 0;
const first = Number(values.first);
for (let seed = first; seed < first + Number(values.chips); seed++) {
  const home = mkdtempSync(join(tmpdir(), 'memloop-'));
  const { board, close } = await calibratedChip(loadProfile(values.profile), seed, home);
  const { accuracy, low, high } = await predictAccuracy(board.passport, network, scales, data.test);
  const context = { board, emit: () => {}, signal: new AbortController().signal };
  const deployment = await Deployment.open(context, network.clone(), scales);
  await deployment.program();
  const measured = (await deployment.evaluate(data.test)).accuracy;
  if (measured >= low && measured <= high) held++;
  errors.push(accuracy - measured);
  console.log(
    `| ${seed} | ${percent(accuracy)} | ${percent(low)} to ${percent(high)} | ${percent(measured)} | ${(100 * (accuracy - measured)).toFixed(2)} |`,
  );
  await close();
  rmSync(home, { recursive: true });
}
const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
console.log(
  `mean error ${(100 * mean(errors.map(Math.abs))).toFixed(2)} points (signed ${(100 * mean(errors)).toFixed(2)}); ` +
    `the interval holds for ${held} of ${errors.length}`,
);
process.exit(0);
