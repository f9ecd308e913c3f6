// A fine-tuning loop of one's own: measure a batch on the board, take the gradient at what was measured, make one's own
// step, re-program the cells whose target has moved. Here the step is plain gradient descent with momentum.
//
//     node examples/finetune-loop.mjs [PORT]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBoard } from 'memloop';
import { Deployment, gradientAtMeasured, layerScales, targetConductances, weightsOf } from 'memloop/loop';
import { loadDataset, networkSpec, Random, slice, subset, train } from 'memloop/model';

process.env.MEMLOOP_HOME ??= mkdtempSync(join(tmpdir(), 'memloop-example-'));
const UPDATES = 12;
const BATCH = 48;
const RATE = 0.02; // largest step of a weight, as a share of the largest weight
const MOMENTUM = 0.8;
const DEADBAND = 0.02; // of the conductance window: a smaller move is not worth a pulse

const digits = await loadDataset('digits', { seed: 2 });
const spec = networkSpec([64, 32, 10], { driveScale: 3e-6, steps: 250 });
const { network } = await train({
  spec,
  dataset: digits.train,
  epochs: 15,
  batch: 50,
  rate: 5e-3,
  decision: 1,
  seed: 2,
});

const board = await openBoard(process.argv[2] ?? 'virtual:w-sdc-32x32x5?seed=2');
try {
  const context = { board, emit: () => {}, signal: new AbortController().signal };
  const deployment = await Deployment.open(context, network, layerScales(network, digits.train));
  const { chip, hardware } = deployment;
  const { map } = hardware;
  const test = slice(digits.test, 0, 120);
  const accuracy = async () => (100 * (await deployment.evaluate(test)).accuracy).toFixed(1);

  const programmed = await deployment.program();
  console.log(
    `programmed with ${programmed.pulses} pulses: ${await accuracy()} % of ${test.count} test images`,
  );

  const parameters = [...network.weights, ...network.biases];
  const velocity = parameters.map((list) => new Float64Array(list.length));
  const random = new Random(1);
  let pulses = 0;
  for (let update = 0; update < UPDATES; update++) {
    const picked = Uint32Array.from({ length: BATCH }, () =>
      Math.floor(random.uniform() * digits.train.count),
    );
    const images = subset(digits.train, picked);
    // 1. Measure: column currents and membrane voltages of a batch.
    const { value: measured } = await hardware.forward(images, BATCH).next();
    // 2. Gradient at what was measured, at the weights that the measured conductances stand for.
    const weights = weightsOf(map, chip.measured);
    const gradient = gradientAtMeasured(hardware, measured.forward, images.labels, weights);
    // 3. A step of one's own on the master weights.
    [...gradient.weights, ...gradient.biases].forEach((slope, k) => {
      const largest = slope.reduce((most, g) => Math.max(most, Math.abs(g)), 1e-30);
      const step = (RATE * map.layers[k % map.layers.length].weightMax) / largest;
      for (let i = 0; i < slope.length; i++) {
        velocity[k][i] = MOMENTUM * velocity[k][i] - (1 - MOMENTUM) * step * slope[i];
        parameters[k][i] += velocity[k][i];
      }
    });
    // 4. Pulses only where the target has moved by more than the deadband; NaN leaves a cell alone.
    const targets = targetConductances(map, network.weights, chip.frozen);
    const deadband = DEADBAND * (map.window.max - map.window.min);
    for (const [array, wanted] of targets)
      chip.targets.get(array).forEach((last, i) => {
        if (!(Math.abs(wanted[i] - last) > deadband)) wanted[i] = Number.NaN;
      });
    for (const report of await chip.program(targets, { maxRounds: 4 })) pulses += report.pulses;
    console.log(`update ${update + 1}: loss ${gradient.loss.toFixed(3)}, ${pulses} pulses so far`);
  }
  console.log(`fine-tuned with ${pulses} pulses: ${await accuracy()} % of ${test.count} test images`);
} finally {
  await board.close();
}
