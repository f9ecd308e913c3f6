/**
 * How well calibrated neurons predict what they have not seen, and whether the stated uncertainties are true (the table
 * of docs/results/loop.md).
 *
 *     npm run bench:neurons -- [--chips 5] [--profile w-sdc-32x32x5]
 *
 * The digits network is trained in software; the drives that its test images would give are put to the calibrated
 * neurons of each chip, and the measured voltages are compared with those of nominal and of fitted parameters.
 */
import { parseArgs } from 'node:util';
import { calibrateNeurons, correctedStimuli } from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import {
  loadDataset,
  MIF,
  type MifParameters,
  networkSpec,
  recipeOf,
  runMif,
  train,
} from '../src/model/index.js';
import { pulsedDrives } from '../src/model/network/reference.js';
import { createVirtualBoard, loadProfile } from '../src/virtual-board/index.js';

const { values } = parseArgs({
  options: {
    chips: { type: 'string', default: '5' },
    profile: { type: 'string', default: 'w-sdc-32x32x5' },
    images: { type: 'string', default: '40' },
  },
});

const { train: images, test } = await loadDataset('digits', { seed: 1 });
const recipe = recipeOf('digits');
const spec = networkSpec([images.features, ...recipe.hidden, images.classes], {
  steps: 250,
  driveScale: recipe.driveScale,
});
const { network } = await train({ spec, dataset: images, ...recipe.settings, validation: 0 });

console.log(
  '| mismatch | voltages, nominal | fitted | worst neuron | highest v, nominal | fitted | truth within 1 σ | 2 σ | largest σ (of) | seconds a chip |\n|---|---|---|---|---|---|---|---|---|---|',
);
for (const mismatch of [0.05, 0.1, 0.2]) {
  const squares = { nominal: 0, fitted: 0, nominalPeak: 0, fittedPeak: 0, samples: 0, runs: 0 };
  let worst = 0;
  let [one, two, parameters, seconds] = [0, 0, 0, 0];
  const largest = { name: '', sigma: 0 };
  for (let seed = 1; seed <= Number(values.chips); seed++) {
    const profile = structuredClone(loadProfile(values.profile));
    profile.effects.neuronMismatch = { enabled: true, relative: mismatch };
    const virtual = createVirtualBoard({ profile, seed });
    const board = await connectBoard(inProcessTransport('virtual:bench', virtual));
    const began = performance.now();
    const { neurons } = await calibrateNeurons(board);
    seconds += (performance.now() - began) / 1000 / Number(values.chips);
    neurons.forEach((fit, n) => {
      const truth = virtual.frontEnd.effectiveNeuron(n);
      const found = { ...fit.parameters, driveOffset: fit.driveOffset };
      for (const name of Object.keys(fit.sigma) as (keyof typeof truth)[]) {
        const z = Math.abs(found[name] - truth[name]) / fit.sigma[name];
        parameters++;
        if (z < 1) one++;
        if (z < 2) two++;
        if (name === 'driveOffset' || name === 'e1') continue;
        const sigma = fit.sigma[name] / MIF[name];
        if (sigma > largest.sigma) Object.assign(largest, { name, sigma });
      }
    });
    const { neurons: count, stepTime } = board.description;
    const pulseSteps = spec.pulseSteps.map((step) =>
      Math.round((step * spec.duration) / spec.steps / stepTime),
    );
    const steps = Math.round(spec.duration / stepTime);
    const drives = Array.from(
      { length: Number(values.images) },
      (_, i) =>
        pulsedDrives(network, test.inputs.subarray(i * test.features, (i + 1) * test.features)).drives,
    );
    const runs = await board.run(
      correctedStimuli(
        drives.map((each) => ({
          steps,
          decimation: 8,
          pulseSteps,
          drives: Float32Array.from(each.flat()),
        })),
        neurons,
      ),
    );
    neurons.forEach((fit, n) => {
      let own = 0;
      let ownSamples = 0;
      const compare = (p: MifParameters, which: 'nominal' | 'fitted') => {
        runs.forEach((run, i) => {
          const jumps = new Map(pulseSteps.map((step, pulse) => [step, drives[i][pulse][n]]));
          const { states } = runMif(p, 'exponential', stepTime, steps, jumps);
          let [top, topMeasured] = [-1, -1];
          for (let s = 0; s < run.samples; s++) {
            const v = states[(s + 1) * 8].v;
            const measured = run.voltages[s * count + n];
            squares[which] += (v - measured) ** 2;
            top = Math.max(top, v);
            topMeasured = Math.max(topMeasured, measured);
            if (which === 'fitted') own += (v - measured) ** 2;
          }
          squares[`${which}Peak`] += (top - topMeasured) ** 2;
          if (which === 'fitted') {
            squares.samples += run.samples;
            squares.runs++;
            ownSamples += run.samples;
          }
        });
      };
      compare(MIF, 'nominal');
      compare(fit.parameters, 'fitted');
      worst = Math.max(worst, Math.sqrt(own / ownSamples));
    });
    await board.close();
    virtual.close();
  }
  const mV = (sum: number, count: number) => `${(1e3 * Math.sqrt(sum / count)).toFixed(2)} mV`;
  console.log(
    `| ${100 * mismatch} % | ${mV(squares.nominal, squares.samples)} | ${mV(squares.fitted, squares.samples)} | ${(1e3 * worst).toFixed(2)} mV | ${mV(squares.nominalPeak, squares.runs)} | ${mV(squares.fittedPeak, squares.runs)} | ${((100 * one) / parameters).toFixed(0)} % | ${((100 * two) / parameters).toFixed(0)} % | ${(100 * largest.sigma).toFixed(2)} % (${largest.name}) | ${seconds.toFixed(1)} |`,
  );
}
process.exit(0);
