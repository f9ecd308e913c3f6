import { expect, it } from 'vitest';
import { networkSpec } from '../../../src/model/network/network.js';
import { checkStability, fewestEulerSteps, largestEulerDrive } from '../../../src/model/network/stability.js';

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
