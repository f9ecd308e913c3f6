/**
 * What stuck cells cost a mapped network, and what their partners take over: accuracy of a 64-32-10 network of the digits
 * with the failed cells' weights left as they are, and after the second pass of programming. No fine-tuning; neurons alike.
 * Usage: npm run bench:stuck -- [--chips N] [--stuck PERCENT] [--images N] [--profile NAME]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { guardBoard } from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import { Deployment, layerScales } from '../src/loop/index.js';
import { targetConductances } from '../src/loop/mapping/mapping.js';
import { evaluate, loadDataset, networkSpec, recipeOf, train } from '../src/model/index.js';
import { createVirtualBoard, loadProfile } from '../src/virtual-board/index.js';

const { values: args } = parseArgs({
  options: {
    chips: { type: 'string', default: '5' },
    stuck: { type: 'string', default: '5' },
    images: { type: 'string', default: '200' },
    profile: { type: 'string', default: 'w-sdc-32x32x5' },
  },
});

const data = await loadDataset('digits', { seed: 1 });
const recipe = recipeOf('digits');
const spec = networkSpec([data.train.features, ...recipe.hidden, data.train.classes], {
  driveScale: recipe.driveScale,
  steps: 250,
});
const { network } = await train({ ...recipe.settings, spec, dataset: data.train, seed: 1 });
const count = Math.min(Number(args.images), data.test.count);
const images = {
  ...data.test,
  count,
  inputs: data.test.inputs.subarray(0, count * data.test.features),
  labels: data.test.labels.subarray(0, count),
};
const software = evaluate(network, images);
console.log(`software ${(100 * software).toFixed(1)} % on ${count} images`);
console.log('chip  stuck cells of the network  out of tolerance  left as they are  partners take over');

const totals = [0, 0];
for (let chip = 1; chip <= Number(args.chips); chip++) {
  const profile = structuredClone(loadProfile(args.profile));
  profile.effects.neuronMismatch.enabled = false;
  profile.effects.stuckCells = {
    enabled: true,
    low: Number(args.stuck) / 200,
    high: Number(args.stuck) / 200,
  };
  const virtual = createVirtualBoard({ profile, seed: chip });
  const home = mkdtempSync(join(tmpdir(), 'memloop-bench-'));
  const board = guardBoard(await connectBoard(inProcessTransport('virtual:', virtual)), { home });
  try {
    const context = { board, emit: () => {}, signal: new AbortController().signal };
    const deployment = await Deployment.open(context, network, layerScales(network, data.train));
    const targets = targetConductances(deployment.hardware.map, network.weights);
    const reports = await deployment.chip.program(targets, {});
    const left = (await deployment.evaluate(images)).accuracy;
    await deployment.program();
    const helped = (await deployment.evaluate(images)).accuracy;
    let stuck = 0;
    for (const [array, wanted] of targets)
      wanted.forEach((target, i) => {
        if (!Number.isNaN(target) && virtual.frontEnd.crossbars[array].stuck[i] !== 0) stuck += 1;
      });
    const outside = reports.reduce((sum, { failed }) => sum + failed.length, 0);
    totals[0] += left;
    totals[1] += helped;
    console.log(
      `${String(chip).padStart(4)} ${String(stuck).padStart(28)} ${String(outside).padStart(17)} ${`${(100 * left).toFixed(1)} %`.padStart(17)} ${`${(100 * helped).toFixed(1)} %`.padStart(19)}`,
    );
  } finally {
    await board.close();
    rmSync(home, { recursive: true });
  }
}
const mean = (total: number) => `${((100 * total) / Number(args.chips)).toFixed(1)} %`;
console.log(`mean ${mean(totals[0]).padStart(64)} ${mean(totals[1]).padStart(19)}`);
