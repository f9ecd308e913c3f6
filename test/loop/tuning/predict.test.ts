import { expect, test } from 'vitest';
import { calibrateNeurons } from '../../../src/calibration/index.js';
import { layerScales, predictAccuracy } from '../../../src/loop/index.js';
import { evaluate, Network, networkSpec, Random } from '../../../src/model/index.js';
import { calibratedBoard } from '../../calibration/boards.js';

const spec = networkSpec([8, 2], { steps: 50 });

/** Whichever half of the inputs is larger. */
function halves(count: number) {
  const random = new Random(5);
  const inputs = Float32Array.from({ length: count * 8 }, () => random.uniform());
  const labels = Uint8Array.from({ length: count }, (_, n) => {
    const sum = (from: number) => inputs.subarray(n * 8 + from, n * 8 + from + 4).reduce((a, b) => a + b, 0);
    return sum(0) > sum(4) ? 0 : 1;
  });
  return { name: 'halves', inputs, labels, count, features: 8, classes: 2 };
}

test('a chip whose cells are stuck against the network is told to fail, the healthy one to do as the software', async () => {
  const { board, calibrated, passport } = await calibratedBoard({
    change: (profile) => {
      profile.neurons = 2;
      profile.effects.neuronMismatch.enabled = false;
    },
  });
  passport.saveConverters(calibrated.calibration);
  passport.saveNeurons(await calibrateNeurons(board));
  passport.array(0).window = { low: 4e-6, high: 44e-6 };
  passport.array(0).tables.windowHigh.fill(50e-6);
  const network = Network.initialise(spec, 1);
  network.weights[0].set([1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1]);
  network.biases[0].fill(0);
  const images = halves(60);
  const scales = layerScales(network, images);
  const predict = () => predictAccuracy(passport, network, scales, images, { draws: 8 });
  const healthy = await predict();
  const software = evaluate(network, images);
  expect(Math.abs(healthy.accuracy - software)).toBeLessThan(0.1);
  expect(healthy.low).toBeLessThan(healthy.accuracy);
  expect(healthy.high).toBeGreaterThanOrEqual(healthy.accuracy);
  expect(await predict()).toEqual(healthy);

  const chip = passport.array(0);
  // Weight (j, i) is row i, columns 2j and 2j + 1: all of output 0 stuck at the opposite of what is wanted.
  for (let i = 0; i < 8; i++)
    for (const side of [0, 1]) {
      const high = i < 4 === (side === 1);
      chip.setHealth(i * 8 + side, high ? 'stuck high' : 'stuck low');
      chip.tables.conductance[i * 8 + side] = high ? 44e-6 : 4e-6;
    }
  expect((await predict()).high).toBeLessThan(healthy.low);
});
