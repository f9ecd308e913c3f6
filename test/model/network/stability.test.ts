import { expect, it } from 'vitest';
import { MIF } from '../../../src/model/devices/mif.js';
import { Engine } from '../../../src/model/kernel/engine.js';
import { networkSpec } from '../../../src/model/network/network.js';
import {
  checkStability,
  fewestEulerSteps,
  finerSteps,
  largestEulerDrive,
} from '../../../src/model/network/stability.js';

const spec = (steps: number) => networkSpec([784, 100, 10], { steps, integrator: 'forward-euler' });

it('forward Euler needs more than 250 steps and no more than 550 for the nominal drive', () => {
  const fewest = fewestEulerSteps(spec(1000));
  expect(fewest).toBeGreaterThan(250);
  expect(fewest).toBeLessThanOrEqual(550);
});

it('says so before training, with the limit', () => {
  expect(() => checkStability(spec(250))).toThrow(
    new RegExp(`at least ${fewestEulerSteps(spec(250))} are needed`),
  );
  expect(() => checkStability(spec(1000))).not.toThrow();
  expect(() => checkStability({ ...spec(100), integrator: 'exponential' })).not.toThrow();
});

it('at 1000 steps the largest drive is near what makes the alpha current peak at 20 µA', () => {
  const peak = largestEulerDrive(spec(1000)) / Math.E;
  expect(peak).toBeGreaterThan(5e-6);
  expect(peak).toBeLessThan(30e-6);
});

it('a network of the fewest steps takes more where the neurons of a chip are faster', () => {
  const coarse = networkSpec([4, 2], { steps: 40 });
  const fast = [MIF, { ...MIF, tau: 0.9 * MIF.tau }];
  expect(() => new Engine({ ...coarse, outputNeurons: fast }, 4)).toThrow(/use more steps/);
  const finer = finerSteps(coarse, fast);
  const engine = new Engine({ ...finer, outputNeurons: fast }, 4);
  engine.dispose();
  expect(finer.pulseSteps.map((at) => at / finer.steps)).toEqual(
    coarse.pulseSteps.map((at) => at / coarse.steps),
  );
  const fine = networkSpec([4, 2], { steps: 250 });
  expect(finerSteps(fine, fast)).toEqual(fine);
});
