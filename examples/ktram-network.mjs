// A small network on a KNOWM kT-RAM server: its arrays hold the weights; column sums and neurons are computed by this
// computer from the conductances measured. Without a URL the server is simulated.
//
//     MEMLOOP_KTRAM_USER=… MEMLOOP_KTRAM_PASSWORD=… node examples/ktram-network.mjs [--seed N] [URL]
//     node examples/ktram-network.mjs --csv FILE       only writes the images, for `memloop train --dataset FILE`
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBoard } from 'memloop';
import { calibrateDevices, calibratedBoard } from 'memloop/calibration';
import { Deployment, layerScales } from 'memloop/loop';
import { evaluate, loadDataset, networkSpec, train } from 'memloop/model';
import { standInOf } from 'memloop/virtual-board';

process.env.MEMLOOP_HOME ??= mkdtempSync(join(tmpdir(), 'memloop-example-'));
const { values, positionals } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, csv: { type: 'string' } },
  allowPositionals: true,
});
/** Of the split, the training and the simulated chip. */
const seed = Number(values.seed);
const [url] = positionals;
const CLASSES = 4;

/** Digits 0 to 3, of 8×8 pixels, as 4×4 means: 16 inputs for two arrays of eight rows. */
function reduced({ inputs, labels, count }) {
  const kept = Array.from({ length: count }, (_, n) => n).filter((n) => labels[n] < CLASSES);
  const small = Float32Array.from({ length: kept.length * 16 }, (_, i) => {
    const corner = kept[Math.floor(i / 16)] * 64 + 16 * Math.floor((i % 16) / 4) + 2 * (i % 4);
    return (inputs[corner] + inputs[corner + 1] + inputs[corner + 8] + inputs[corner + 9]) / 4;
  });
  return {
    name: 'digits 0 to 3',
    inputs: small,
    labels: Uint8Array.from(kept, (n) => labels[n]),
    count: kept.length,
    features: 16,
    classes: CLASSES,
  };
}

const digits = await loadDataset('digits', { seed });
const [training, test] = [reduced(digits.train), reduced(digits.test)];
if (values.csv) {
  const lines = [training, test].flatMap(({ inputs, labels }) =>
    Array.from(labels, (label, n) => [...inputs.subarray(16 * n, 16 * n + 16), label].join(',')),
  );
  writeFileSync(values.csv, `${lines.join('\n')}\n`);
  process.exit();
}
const { network } = await train({
  spec: networkSpec([16, 12, CLASSES], { driveScale: 5e-6, steps: 200 }),
  dataset: training,
  epochs: 30,
  batch: 20,
  decision: 1,
  validation: 0,
  dropout: 0,
  seed,
});
const percent = (share) => `${(100 * share).toFixed(1)} %`;
console.log(`software: ${percent(await evaluate(network, test))} of ${test.count} test images`);

const server = url
  ? undefined
  : await standInOf('ktram').serve({ profile: 'knowm-8x8x4', seed, tcp: { host: '127.0.0.1', port: 0 } });
Object.assign(process.env, server?.environment);
const board = await openBoard(url ?? server.port);
try {
  const { kind, arrays, rows, columns } = board.description;
  console.log(`${kind}: ${arrays} arrays of ${rows}×${columns}`);
  // Window and thresholds of each cell.
  const calibrated = await calibratedBoard(board);
  for (let array = 0; array < arrays; array++) await calibrateDevices(calibrated, array);

  const context = { board, emit: () => {}, signal: new AbortController().signal };
  const deployment = await Deployment.open(context, network, layerScales(network, training));
  const { pulses, inTolerance } = await deployment.program();
  console.log(`programmed with ${pulses} pulses, ${percent(inTolerance)} of the cells within tolerance`);
  console.log(`on the chip: ${percent((await deployment.evaluate(test)).accuracy)}`);
} finally {
  await board.close();
  await server?.close();
}
