// A TensorFlow.js model with MIF output neurons: built, fitted, saved, loaded, and programmed on a chip.
//
//     node examples/tfjs-model.mjs [PORT]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBoard } from 'memloop';
import { Deployment, layerScales } from 'memloop/loop';
import { evaluate, loadDataset, slice } from 'memloop/model';
import { loadBackend, mif, networkFromModel } from 'memloop/tfjs';

process.env.MEMLOOP_HOME ??= mkdtempSync(join(tmpdir(), 'memloop-example-'));
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const { name, tf } = await loadBackend();

const digits = await loadDataset('digits', { seed: 1 });
const test = slice(digits.test, 0, 120);
const tensors = ({ inputs, labels, count, features, classes }) => [
  tf.tensor2d(inputs, [count, features]),
  tf.oneHot(tf.tensor1d(Array.from(labels), 'int32'), classes),
];
const [x, y] = tensors(digits.train);

const model = tf.sequential();
model.add(tf.layers.dense({ inputShape: [digits.train.features], units: 16, activation: 'relu' }));
model.add(tf.layers.dense({ units: digits.train.classes }));
// The output neurons, by their equations: their highest voltages, whose softmax is the decision.
model.add(mif(tf, { driveScale: 3e-6, steps: 100 }));
model.add(tf.layers.softmax());
model.compile({ optimizer: tf.train.adam(1e-2), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
await model.fit(x, y, {
  epochs: 6,
  batchSize: 50,
  verbose: 0,
  callbacks: { onEpochEnd: (epoch, { loss }) => console.log(`epoch ${epoch + 1}: loss ${loss.toFixed(3)}`) },
});

const folder = mkdtempSync(join(tmpdir(), 'memloop-model-'));
await model.save(`file://${folder}`);
const loaded = await tf.loadLayersModel(`file://${folder}/model.json`);
loaded.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
const [, accuracy] = loaded.evaluate(...tensors(test));
console.log(`model on ${name}: ${percent(accuracy.dataSync()[0])} of ${test.count} test images`);

const network = networkFromModel(tf, loaded);
console.log(`network: ${percent(await evaluate(network, test))}`);
const board = await openBoard(process.argv[2] ?? 'virtual:w-sdc-32x32x5?seed=1');
try {
  const context = { board, emit: () => {}, signal: new AbortController().signal };
  const deployment = await Deployment.open(context, network, layerScales(network, digits.train));
  const { pulses, inTolerance } = await deployment.program();
  console.log(`programmed with ${pulses} pulses, ${percent(inTolerance)} of the cells within tolerance`);
  console.log(`on the chip: ${percent((await deployment.evaluate(test)).accuracy)}`);
} finally {
  await board.close();
}
