import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fitTable, formatLoop, parseLoopName, readLoop, steadyLoop } from '../../../src/calibration/index.js';
import { classify } from '../../../src/calibration/loops/classify.js';
import { fitLoops } from '../../../src/calibration/loops/fit.js';
import type { MeasuredLoop } from '../../../src/calibration/loops/loop-model.js';
import { type MemristorParameters, stateAfterPulse, W_SDC } from '../../../src/model/devices/memristor.js';
import { Random } from '../../../src/model/random.js';
import { temporaryHome } from '../boards.js';

/** A loop as an oscilloscope would see it: noise of a share of the range on the current. */
function simulatedLoop(
  p: MemristorParameters,
  {
    seed = 1,
    noise = 0.004,
    amplitude = 0.5,
    resistance = 5000,
    frequency = 100,
    rates = [1, 1] as [number, number],
  } = {},
): MeasuredLoop {
  const random = new Random(seed);
  const applied = Float64Array.from({ length: 120 }, (_, i) => amplitude * Math.sin((2 * Math.PI * i) / 120));
  const { current } = steadyLoop(p, { applied, samplePeriod: 1 / frequency / 120, resistance }, { rates });
  const range = Math.max(...current) - Math.min(...current);
  const seen = current.map((value) => value + noise * range * random.normal());
  return {
    name: `simulated-${seed}`,
    voltage: applied.map((v, i) => v - seen[i] * resistance),
    current: seen,
    resistance,
    frequency,
  };
}

const quick = { candidates: 80, starts: 1 };

describe('the loop model', () => {
  test('agrees with the pulse equation, step by step, when its steps are fine', () => {
    const p = { ...W_SDC };
    const applied = Float64Array.from({ length: 100 }, (_, i) => (i < 50 ? 0.28 : -0.14));
    const { state } = steadyLoop(
      p,
      { applied, samplePeriod: 1e-6, resistance: 5000 },
      { substeps: 20, periods: 1, start: 0.1 },
    );
    // The first half is one long pulse; the ramp from the last to the first sample costs one sample.
    expect(state[49]).toBeCloseTo(stateAfterPulse(p, state[0], 0.28, 49e-6, 5000), 2);
    expect(state[99]).toBeCloseTo(stateAfterPulse(p, state[50], -0.14, 49e-6, 5000), 2);
  });

  test('closes its cycle: the state after a period is the state before it', () => {
    const applied = Float64Array.from({ length: 200 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * i) / 200));
    const drive = { applied, samplePeriod: 5e-5, resistance: 5000 };
    const low = steadyLoop(W_SDC, drive, { start: 0 });
    const high = steadyLoop(W_SDC, drive, { start: 1 });
    for (let i = 0; i < 200; i++) expect(low.state[i]).toBeCloseTo(high.state[i], 3);
  });
});

describe('fitting', () => {
  test('a simulated device comes back: NRMSE at its noise, true parameters within three of the stated deviations', () => {
    const random = new Random(4);
    let inside = 0;
    let all = 0;
    for (let device = 0; device < 2; device++) {
      const p: MemristorParameters = {
        ...W_SDC,
        ron: 13e3 * Math.exp(0.1 * random.normal()),
        von: 0.2 + 0.03 * random.normal(),
        voff: 0.09 + 0.01 * random.normal(),
        tau: 60e-6 * Math.exp(0.2 * random.normal()),
        alpha: 1e-6,
        beta: 5,
      };
      const fit = fitLoops([simulatedLoop(p, { seed: device })], quick);
      expect(fit.nrmse[0]).toBeLessThan(0.006);
      expect(fit.class).toBe('pass');
      for (const name of ['ron', 'roff', 'von', 'voff', 'tau', 'vt', 'alpha', 'beta'] as const) {
        all += 1;
        if (Math.abs(fit.parameters[name] - p[name]) <= 3 * fit.uncertainty[name]) inside += 1;
      }
      expect(fitTable([fit])).toMatch(/NRMSE 0\.\d\d %, pass/);
    }
    expect(inside / all).toBeGreaterThanOrEqual(0.9);
  });

  test('what a half of a wave that is faster, or slower, does to the parameters is within what is stated', () => {
    const [slow, fast] = [100, 1000].map((frequency) => {
      const loop = simulatedLoop(W_SDC, { frequency, noise: 1e-3, resistance: 10e3, rates: [1.12, 0.88] });
      return fitLoops([loop], quick);
    });
    for (const { parameters, uncertainty } of [slow, fast])
      for (const name of ['ron', 'von', 'voff', 'tau', 'vt'] as const)
        expect(Math.abs(parameters[name] - W_SDC[name]), name).toBeLessThan(2.5 * uncertainty[name]);
    // The faster the wave, the less of the threshold's width is left in it.
    expect(fast.uncertainty.vt).toBeGreaterThan(2 * slow.uncertainty.vt);
  });

  test('two loops of one device at once share one parameter set', () => {
    const loops = [30, 300].map((frequency, seed) => simulatedLoop(W_SDC, { frequency, seed }));
    const fit = fitLoops(loops, { candidates: 40, starts: 1 });
    expect(fit.nrmse).toHaveLength(2);
    for (const error of fit.nrmse) expect(error).toBeLessThan(0.01);
  });

  test('names what a loop shows of a device that does not switch', () => {
    const voltage = Float64Array.from({ length: 80 }, (_, i) => 0.4 * Math.sin((2 * Math.PI * i) / 80));
    const resistor = (resistance: number) => ({ voltage, current: voltage.map((v) => v / resistance) });
    expect(classify(resistor(20e3), 5e-5, 5e-5)).toBe('stuck high');
    expect(classify(resistor(2e6), 5e-7, 5e-7)).toBe('stuck low');
    const { voltage: v, current } = simulatedLoop(W_SDC);
    expect(classify({ voltage: v, current }, 3e-6, 6e-5)).toBe('pass');
    expect(classify({ voltage: v, current }, 5e-5, 6e-5)).toBe('erase fails');
    expect(classify({ voltage: v, current }, 1e-6, 4e-6)).toBe('write fails');
  });
});

describe('a loop file', () => {
  const write = (folder: string, text: string, file = 'memristor.csv') => {
    const path = join(temporaryHome(), folder);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, file), text);
    return join(path, file);
  };
  const loop = simulatedLoop(W_SDC);

  test('is read as it is written, in volts and microamperes; the folder tells the measurement', () => {
    const read = readLoop(write('47k_0.8V_10Hz_M1', formatLoop(loop)));
    expect(read.resistance).toBe(47e3);
    expect(read.frequency).toBe(10);
    expect(read.device).toBe('M1');
    for (const [i, v] of read.voltage.entries()) expect(v).toBeCloseTo(loop.voltage[i], 12);
    for (const [i, c] of read.current.entries()) expect(c).toBeCloseTo(loop.current[i], 15);
    const across = {
      voltage: loop.voltage.map((v, i) => v + loop.current[i] * 5000),
      current: loop.current,
    };
    const both = readLoop(write('5k_0.5V_100Hz_M1', formatLoop(across), 'resistor-plus-memristor.csv'));
    for (const [i, v] of both.voltage.entries()) expect(v).toBeCloseTo(loop.voltage[i], 9);
    expect(parseLoopName('470_0.3V_1.5Hz_A 2')).toEqual({
      resistance: 470,
      amplitude: 0.3,
      frequency: 1.5,
      device: 'A 2',
    });
  });

  test.each([
    ['a third column', '1,2,3\n'.repeat(60), /line 1 has 3 columns: give two/],
    ['text', `${'0.1,2\n'.repeat(60)}0.1,abc\n`, /line 61 is not two numbers: "0.1,abc"/],
    ['too few samples', '0.1,2\n'.repeat(10), /has 10 samples: a loop needs/],
    ['an empty field', `0.1,\n${'0.1,2\n'.repeat(60)}`, /line 1 is not two numbers/],
  ])('with %s is refused in one line', (_, text, message) => {
    expect(() => readLoop(write('5k_0.8V_10Hz_M1', text))).toThrow(message);
  });

  test('whose folder says nothing needs the options', () => {
    const path = write('loops', formatLoop(loop));
    expect(() => readLoop(path)).toThrow(/give --series OHMS/);
    expect(() => readLoop(path, { resistance: 5e3 })).toThrow(/give --frequency HZ/);
    expect(readLoop(path, { resistance: 5e3, frequency: 10 }).frequency).toBe(10);
  });

  test('of one polarity or of a constant current cannot be fitted', () => {
    expect(() => fitLoops([{ ...loop, voltage: loop.voltage.map(Math.abs) }])).toThrow(/both polarities/);
    expect(() => fitLoops([{ ...loop, current: loop.current.map(() => 1e-6) }])).toThrow(/constant/);
  });
});
