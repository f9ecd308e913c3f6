import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  backwardMif,
  driveOfPeak,
  type IntegratorName,
  integratorNames,
  MIF,
  type MifParameters,
  type MifState,
  mifConductance,
  mifStepper,
  restState,
  runMif,
} from '../../../src/model/devices/mif.js';

/** Steps count from 0: the state after step n is states[n + 1]. */
const extremes = (states: MifState[]) => {
  const v = states.slice(1).map((s) => s.v * 1e3);
  const peak = v.indexOf(Math.max(...v));
  const trough = v.indexOf(Math.min(...v.slice(peak)));
  return { peak, peakMillivolts: v[peak], trough, troughMillivolts: v[trough] };
};

describe('golden traces', () => {
  it('forward Euler reproduces the authors figure: 70.7 mV at step 48, 12.95 mV at step 643', () => {
    const start = { a: 0, i: 0, v: 25e-3, x1: 0.0238, x2: 0.0238 };
    const { states } = runMif(MIF, 'forward-euler', 1e-5, 1000, new Map([[0, driveOfPeak(5e-6)]]), start);
    const e = extremes(states);
    expect(e.peak).toBe(48);
    expect(e.peakMillivolts).toBeCloseTo(70.7, 1);
    expect(e.trough).toBe(643);
    expect(e.troughMillivolts).toBeCloseTo(12.95, 2);
  });

  it('rest is 18.31 mV with x1 = 0.0075 and x2 = 8.6e-5, and does not move', () => {
    const rest = restState(MIF);
    expect(rest.v * 1e3).toBeCloseTo(18.31, 2);
    expect(rest.x1).toBeCloseTo(0.0075, 4);
    expect(rest.x2).toBeCloseTo(8.6e-5, 6);
    for (const integrator of integratorNames) {
      const end = runMif(MIF, integrator, 1e-5, 1000, new Map()).states[1000];
      expect(end.v).toBeCloseTo(rest.v, 12);
      expect(end.x1).toBeCloseTo(rest.x1, 12);
    }
  });

  it.each([
    [1e-6, 45.0, 67],
    [5e-6, 82.9, 24],
    [10e-6, 103, 16],
    [20e-6, 130, 11],
  ])('semi-implicit from rest, current peak %d A: %d mV at step %d', (peak, millivolts, step) => {
    const { states } = runMif(MIF, 'semi-implicit', 1e-5, 1000, new Map([[0, driveOfPeak(peak)]]));
    const e = extremes(states);
    expect(e.peak).toBe(step);
    expect(Math.abs(e.peakMillivolts - millivolts)).toBeLessThan(0.5);
  });

  it('at ten times the nominal input forward Euler overflows, the others stay sane', () => {
    const drives = new Map([[0, driveOfPeak(5e-5)]]);
    const last = (name: IntegratorName) => runMif(MIF, name, 1e-5, 1000, drives).states;
    expect(last('forward-euler').every((s) => Number.isFinite(s.v) && Math.abs(s.v) < 1)).toBe(false);
    for (const name of ['semi-implicit', 'exponential'] as const)
      for (const s of last(name)) {
        expect(s.v).toBeGreaterThan(0);
        expect(s.v).toBeLessThan(0.3);
        expect(s.x1).toBeGreaterThanOrEqual(0);
        expect(s.x1).toBeLessThanOrEqual(1);
      }
  });
});

describe('convergence', () => {
  const drives = (steps: number) =>
    new Map([0, 0.4, 0.8].map((t) => [Math.round(t * steps), driveOfPeak(5e-6)]));
  const error = (name: IntegratorName, steps: number) => {
    const fine = runMif(MIF, 'exponential', 1e-2 / 20_000, 20_000, drives(20_000)).states;
    const coarse = runMif(MIF, name, 1e-2 / steps, steps, drives(steps)).states;
    return Math.sqrt(
      coarse.reduce((sum, s, n) => sum + (s.v - fine[(n * 20_000) / steps].v) ** 2, 0) / steps,
    );
  };
  it('the exponential integrator is of second order, the others of first', () => {
    expect(error('exponential', 500) / error('exponential', 1000)).toBeGreaterThan(3.5);
    for (const name of ['forward-euler', 'semi-implicit'] as const) {
      const ratio = error(name, 1000) / error(name, 2000);
      expect(ratio).toBeGreaterThan(1.7);
      expect(ratio).toBeLessThan(2.3);
    }
  });
});

const around = (value: number, share: number) =>
  fc.double({ min: value * (1 - share), max: value * (1 + share), noNaN: true });
const parameters: fc.Arbitrary<MifParameters> = fc.record({
  capacitance: around(MIF.capacitance, 0.3),
  e1: fc.double({ min: -5e-3, max: 5e-3, noNaN: true }),
  e2: around(MIF.e2, 0.3),
  k: around(MIF.k, 0.3),
  voff: fc.double({ min: 0, max: 15e-3, noNaN: true }),
  von: around(MIF.von, 0.2),
  roff: around(MIF.roff, 0.5),
  ron: around(MIF.ron, 0.3),
  tau: around(MIF.tau, 0.5),
  tauAlpha: around(MIF.tauAlpha, 0.5),
});
const integrator = fc.constantFrom(...integratorNames);

describe('gradients against central differences, float64', () => {
  it('one step: every state and the drive', () => {
    const state = fc.record({
      a: fc.double({ min: -2e-5, max: 2e-5, noNaN: true }),
      i: fc.double({ min: -1e-5, max: 1e-5, noNaN: true }),
      v: fc.double({ min: -0.05, max: 0.15, noNaN: true }),
      x1: fc.double({ min: 0.001, max: 0.9, noNaN: true }),
      x2: fc.double({ min: 0.001, max: 0.9, noNaN: true }),
    });
    // Away from zero: of denormal numbers no share of 1e-6 is left.
    const bar = fc.record({
      a: around(1e3, 0.99),
      i: around(1e3, 0.99),
      v: around(1, 0.99),
      x1: around(0.1, 0.99),
      x2: around(0.1, 0.99),
    });
    fc.assert(
      fc.property(parameters, integrator, state, bar, (p, name, s, weights) => {
        const stepper = mifStepper(p, name, 1e-5);
        const keys = ['a', 'i', 'v', 'x1', 'x2'] as const;
        const loss = (at: MifState, drive: number) => {
          const after = stepper.step(at, drive);
          return keys.reduce((sum, key) => sum + weights[key] * after[key], 0);
        };
        const exact = stepper.adjoint(s, 1e-6, weights);
        const size = { a: 1e-5, i: 1e-5, v: 1e-2, x1: 1, x2: 1 };
        const largest = Math.max(...keys.map((key) => Math.abs(exact.state[key] * size[key])));
        for (const key of keys) {
          const h = size[key] * 1e-4;
          const numeric =
            (loss({ ...s, [key]: s[key] + h }, 1e-6) - loss({ ...s, [key]: s[key] - h }, 1e-6)) / (2 * h);
          const fine =
            (loss({ ...s, [key]: s[key] + h / 2 }, 1e-6) - loss({ ...s, [key]: s[key] - h / 2 }, 1e-6)) / h;
          const richardson = (4 * fine - numeric) / 3;
          expect(Math.abs(richardson - exact.state[key]) * size[key]).toBeLessThanOrEqual(1e-6 * largest);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('a whole run of 1000 steps with three pulses', () => {
    const pulses = [0, 400, 800];
    const drive = fc.double({ min: -1e-5, max: 1.5e-5, noNaN: true });
    fc.assert(
      fc.property(parameters, integrator, fc.tuple(drive, drive, drive), (p, name, values) => {
        const drivesOf = (d: readonly number[]) => new Map(pulses.map((step, j) => [step, d[j]]));
        const weight = (n: number) => Math.sin(n / 37) / 10;
        const loss = (d: readonly number[]) =>
          runMif(p, name, 1e-5, 1000, drivesOf(d))
            .states.slice(1)
            .reduce((sum, s, n) => sum + weight(n) * s.v, 0);
        const run = runMif(p, name, 1e-5, 1000, drivesOf(values));
        // Near forward Euler's limit the run is chaotic and differences of it mean nothing.
        const conductance = (s: MifState) => mifConductance(p, s.x1) + mifConductance(p, s.x2);
        fc.pre(
          name !== 'forward-euler' || run.states.every((s) => 1e-5 * conductance(s) < 1.2 * p.capacitance),
        );
        const exact = backwardMif(
          p,
          name,
          run,
          drivesOf(values),
          Array.from({ length: 1000 }, (_, n) => weight(n)),
        );
        const gradient = pulses.map((step) => exact.get(step)!);
        const largest = Math.max(...gradient.map(Math.abs));
        pulses.forEach((_, j) => {
          const at = (h: number) => loss(values.map((value, i) => (i === j ? value + h : value)));
          const slope = (h: number) => (at(h) - at(-h)) / (2 * h);
          const numeric = (4 * slope(2e-9) - slope(4e-9)) / 3;
          expect(Math.abs(numeric - gradient[j])).toBeLessThanOrEqual(1e-6 * largest);
        });
      }),
      { numRuns: 40 },
    );
  });
});
