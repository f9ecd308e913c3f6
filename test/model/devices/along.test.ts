import { describe, expect, it } from 'vitest';
import { adjointAlong } from '../../../src/model/devices/along.js';
import { integratorNames, MIF, type MifParameters, runMif } from '../../../src/model/devices/mif.js';
import { membraneLoss } from '../../../src/model/network/network.js';

const neurons: MifParameters[] = [MIF, { ...MIF, ron: 1.2e3 }, { ...MIF, von: 0.1, tau: 0.8e-3 }];
const dt = 1e-5;
const steps = 1000;
const pulseSteps = [0, 400, 800];
const drives = [
  [9e-6, -4e-6, 12e-6],
  [3e-6, 8e-6, -2e-6],
  [5e-6, 5e-6, 7e-6],
];

function run(integrator: (typeof integratorNames)[number], d: number[][], decimation = 1): Float64Array {
  const samples = steps / decimation;
  const voltages = new Float64Array(samples * neurons.length);
  neurons.forEach((p, n) => {
    const { states } = runMif(
      p,
      integrator,
      dt,
      steps,
      new Map(pulseSteps.map((step, j) => [step, d[j][n]])),
    );
    for (let i = 0; i < samples; i++) voltages[i * neurons.length + n] = states[(i + 1) * decimation].v;
  });
  return voltages;
}

const pulseTimes = pulseSteps.map((step) => step * dt);

describe('the gradient along a measured trajectory', () => {
  it.each(integratorNames)(
    '%s: equals finite differences when the trajectory is the model’s own',
    (integrator) => {
      const voltages = run(integrator, drives);
      const { gradient } = membraneLoss(voltages, 3, 1);
      const along = adjointAlong(neurons, voltages, 3, dt, pulseTimes, gradient, { integrator });
      const largest = Math.max(...along.map(Math.abs));
      for (let j = 0; j < 3; j++)
        for (let n = 0; n < 3; n++) {
          const at = (h: number) =>
            membraneLoss(
              run(
                integrator,
                drives.map((row, a) => row.map((d, b) => (a === j && b === n ? d + h : d))),
              ),
              3,
              1,
            ).loss;
          const slope = (h: number) => (at(h) - at(-h)) / (2 * h);
          const numeric = (4 * slope(1e-9) - slope(2e-9)) / 3;
          expect(Math.abs(along[j * 3 + n] - numeric)).toBeLessThan(1e-6 * largest);
        }
    },
  );

  it('with samples decimated by four, or half of them lost, stays close', () => {
    const whole = run('exponential', drives);
    const exact = adjointAlong(neurons, whole, 3, dt, pulseTimes, membraneLoss(whole, 3, 1).gradient);
    const cosine = (a: Float64Array) => {
      const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
      return dot(a, exact) / Math.sqrt(dot(a, a) * dot(exact, exact));
    };
    const fourth = run('exponential', drives, 4);
    const coarse = adjointAlong(neurons, fourth, 3, 4 * dt, pulseTimes, membraneLoss(fourth, 3, 1).gradient, {
      step: dt,
    });
    expect(cosine(coarse)).toBeGreaterThan(0.99);

    const gaps = whole.map((v, i) => (((i / 3) | 0) % 4 < 2 ? Number.NaN : v));
    const holes = adjointAlong(neurons, gaps, 3, dt, pulseTimes, membraneLoss(gaps, 3, 1).gradient);
    expect(holes.every(Number.isFinite)).toBe(true);
    expect(cosine(holes)).toBeGreaterThan(0.99);
  });

  it('refuses a sample period that is no multiple of the step', () => {
    expect(() => adjointAlong(MIF, [0, 0], 1, 1.5e-5, [0], [0, 0], { step: 1e-5 })).toThrow(/whole multiple/);
  });
});
