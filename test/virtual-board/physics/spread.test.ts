import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/model/random.js';
import { alphaStable, lognormal, within } from '../../../src/virtual-board/physics/spread.js';

const sorted = (count: number, draw: () => number) => Float64Array.from({ length: count }, draw).sort();
const quantile = (values: Float64Array, q: number) => values[Math.floor(q * values.length)];

describe('alpha-stable numbers', () => {
  it('are normal with variance 2 at alpha 2', () => {
    const random = new Random(1);
    const values = sorted(40_000, () => alphaStable(random, 2, 0));
    expect(quantile(values, 0.5)).toBeCloseTo(0, 1);
    expect(quantile(values, 0.8413)).toBeCloseTo(Math.SQRT2, 1);
  });

  it('are Cauchy at alpha 1', () => {
    const random = new Random(2);
    const values = sorted(40_000, () => alphaStable(random, 1, 0));
    expect(quantile(values, 0.25)).toBeCloseTo(-1, 1);
    expect(quantile(values, 0.75)).toBeCloseTo(1, 1);
  });

  it('are Lévy at alpha 1/2 and beta 1, shifted by tan(pi/4) as the S0 form has it', () => {
    const random = new Random(3);
    const values = sorted(40_000, () => alphaStable(random, 0.5, 1));
    // Quantiles of the Lévy distribution: 1 / (Φ⁻¹(1 − q/2))².
    expect(quantile(values, 0.5) + 1).toBeCloseTo(1 / 0.67449 ** 2, 1);
    expect(quantile(values, 0.25) + 1).toBeCloseTo(1 / 1.15035 ** 2, 1);
    expect(values[0] + 1).toBeGreaterThan(0);
  });

  it('have the longer tail where beta points', () => {
    const random = new Random(4);
    const values = sorted(40_000, () => alphaStable(random, 1.535, 0.609));
    const median = quantile(values, 0.5);
    expect(quantile(values, 0.99) - median).toBeGreaterThan(1.5 * (median - quantile(values, 0.01)));
  });
});

describe('cut and lognormal numbers', () => {
  it('stay within the stated range', () => {
    const random = new Random(5);
    const values = sorted(5000, () => within(-0.5, 1, () => random.normal()));
    expect(values[0]).toBeGreaterThanOrEqual(-0.5);
    expect(values[4999]).toBeLessThanOrEqual(1);
  });

  it('have the stated spread of the logarithm', () => {
    const random = new Random(6);
    const logs = Float64Array.from({ length: 20_000 }, () => Math.log(lognormal(random, 0.2)));
    expect(Math.sqrt(logs.reduce((sum, x) => sum + x * x, 0) / logs.length)).toBeCloseTo(0.2, 2);
  });
});
