import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/model/random.js';
import { Adc, Dac, NO_ERRORS } from '../../../src/virtual-board/physics/converters.js';

describe('an ideal converter', () => {
  const dac = new Dac(4, 12, 1, NO_ERRORS, new Random(1));
  const adc = new Adc(4, 14, 20e-6, NO_ERRORS, new Random(1), 0);

  it('has 2^(bits-1) - 1 steps each way up to full scale', () => {
    expect(dac.maxCount).toBe(2047);
    expect(dac.output(0, 2047)).toBeCloseTo(1, 12);
    expect(dac.output(3, -1024)).toBeCloseTo(-1024 / 2047, 12);
    expect(adc.count(0, 20e-6, 1, new Random(1))).toBe(8191);
    expect(adc.count(2, 10.4 * adc.step, 1, new Random(1))).toBe(10);
    expect(adc.count(2, -10.6 * adc.step, 1, new Random(1))).toBe(-11);
  });

  it('saturates', () => {
    expect(adc.count(0, 1, 1, new Random(1))).toBe(8191);
    expect(adc.count(0, -1, 1, new Random(1))).toBe(-8191);
  });
});

describe('converter errors', () => {
  const deviation = (values: number[]) => {
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  };
  const channels = Array.from({ length: 500 }, (_, n) => n);

  it('spread offset and gain over the channels as stated', () => {
    const dac = new Dac(500, 16, 1, { offset: 2e-3, gain: 0.05 }, new Random(3));
    expect(deviation(channels.map((c) => dac.output(c, 0)))).toBeCloseTo(2e-3, 3);
    const slopes = channels.map((c) => (dac.output(c, 32767) - dac.output(c, 0)) / 1);
    expect(deviation(slopes)).toBeCloseTo(0.05, 2);
  });

  it('bow a channel by the stated share of full scale, and not at its ends', () => {
    const dac = new Dac(500, 16, 2, { offset: 0, gain: 0, nonlinearity: 0.01 }, new Random(3));
    const middle = Math.round(0.57735 * 32767);
    expect(deviation(channels.map((c) => dac.output(c, middle)))).toBeCloseTo(0.02, 2);
    for (const c of channels.slice(0, 5)) {
      expect(dac.output(c, 32767)).toBeCloseTo(2, 9);
      expect(dac.output(c, 0)).toBe(0);
      expect(dac.output(c, -middle)).toBeCloseTo(-dac.output(c, middle), 9);
    }
  });

  it('come from the seed', () => {
    const errors = { offset: 1e-3, gain: 0.05 };
    const output = (seed: number) => new Dac(4, 12, 1, errors, new Random(seed)).output(1, 500);
    expect(output(5)).toBe(output(5));
    expect(output(5)).not.toBe(output(6));
  });

  it('noise of a sample averages out', () => {
    const adc = new Adc(1, 16, 1, NO_ERRORS, new Random(1), 1e-2);
    const noise = new Random(2);
    const counts = (samples: number) =>
      Array.from({ length: 2000 }, () => adc.count(0, 0.1, samples, noise) * adc.step);
    expect(deviation(counts(1))).toBeCloseTo(1e-2, 3);
    expect(deviation(counts(25))).toBeCloseTo(2e-3, 3);
  });
});
