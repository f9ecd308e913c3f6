// A neuron with eight inputs on KNOWM's Memristor Discovery board. Sixteen memristors are its weights, a pair each: what
// flows in one column drives it, what flows in the other holds it back. A second neuron gets the opposite, and the one that
// rises higher names the class. Both neurons run on this computer. Without a URL the board is simulated.
//
//     node examples/discovery-neuron.mjs [URL] [SEED]          URL: ad2:?mode=2&series=20000
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBoard } from 'memloop';
import { calibrateDevices, calibratedBoard } from 'memloop/calibration';
import { Deployment, finetune, layerScales } from 'memloop/loop';
import { evaluate, loadDataset, networkSpec, train } from 'memloop/model';

process.env.MEMLOOP_HOME ??= mkdtempSync(join(tmpdir(), 'memloop-example-'));
const seed = Number(process.argv[3] ?? 1);
const DIGITS = [3, 8];

/** 3s and 8s of 8×8 pixels, as the means of four times two blocks. */
function reduced({ inputs, labels, count }) {
  const kept = Array.from({ length: count }, (_, n) => n).filter((n) => DIGITS.includes(labels[n]));
  const blocks = Float32Array.from({ length: kept.length * 8 }, (_, k) => {
    const corner = kept[k >> 3] * 64 + 16 * ((k >> 1) & 3) + 4 * (k & 1);
    let sum = 0;
    for (let i = 0; i < 4; i++) sum += inputs[corner + i] + inputs[corner + 8 + i];
    return sum / 8;
  });
  return {
    name: '3 or 8',
    inputs: blocks,
    labels: Uint8Array.from(kept, (n) => DIGITS.indexOf(labels[n])),
    count: kept.length,
    features: 8,
    classes: 2,
  };
}

const digits = await loadDataset('digits', { seed });
const [training, test] = [reduced(digits.train), reduced(digits.test)];
const { network } = await train({
  spec: networkSpec([8, 2], { driveScale: 1e-5, steps: 200 }),
  dataset: training,
  epochs: 60,
  batch: 20,
  rate: 2e-2,
  decision: 1,
  validation: 0,
  seed,
});
const percent = (share) => `${(100 * share).toFixed(1)} %`;
console.log(`software: ${percent(await evaluate(network, test))} of ${test.count} test images`);

const board = await openBoard(process.argv[2] ?? `virtual-ad2:?mode=2&seed=${seed}`);
try {
  console.log(board.description.kind);
  // Window and thresholds of each memristor.
  await calibrateDevices(await calibratedBoard(board), 0);
  const context = { board, emit: () => {}, signal: new AbortController().signal };
  const deployment = await Deployment.open(context, network, layerScales(network, training));
  console.log(deployment.doneByHost);
  const onBoard = async () => percent((await deployment.evaluate(test)).accuracy);

  const programmed = await deployment.program();
  const done = percent(programmed.inTolerance);
  console.log(`programmed with ${programmed.pulses} pulses, ${done} of the cells within tolerance`);
  console.log(`on the board: ${await onBoard()}`);
  const { pulses, images } = await finetune(deployment, training, { epochs: 0.5, seed, dropout: 0 });
  console.log(`fine-tuned with ${images} images and ${pulses} pulses: ${await onBoard()}`);
} finally {
  await board.close();
}
