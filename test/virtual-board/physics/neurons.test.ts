import { describe, expect, it } from 'vitest';
import { MIF, type MifParameters, restState, runMif } from '../../../src/model/devices/mif.js';
import { Random } from '../../../src/model/random.js';
import { drawNeurons, Neuron } from '../../../src/virtual-board/physics/neurons.js';

const STEP = 1e-5;
const STEPS = Uint16Array.of(0, 400, 800);

function reference(p: MifParameters, drives: Float64Array, steps: number): number[] {
  const jumps = new Map(Array.from(STEPS, (step, n) => [step, drives[n]]));
  return runMif(p, 'exponential', STEP, steps, jumps)
    .states.slice(1)
    .map((state) => state.v);
}

describe('a neuron of the board', () => {
  it('follows the reference integrator of the model, whatever its parameters and drives', () => {
    const random = new Random(4);
    for (const p of [MIF, ...drawNeurons(8, 0.2, random)]) {
      const drives = Float64Array.from(STEPS, () => 400e-6 * (random.uniform() - 0.4));
      const voltages = new Float64Array(1000);
      new Neuron(p, STEP).run(STEPS, drives, 1, voltages);
      const expected = reference(p, drives, 1000);
      voltages.forEach((v, n) => {
        expect(Math.abs(v - expected[n])).toBeLessThan(1e-9 + 1e-9 * Math.abs(expected[n]));
      });
    }
  });

  it('starts each run at its own rest, and stays there without input', () => {
    const [p] = drawNeurons(1, 0.1, new Random(2));
    const neuron = new Neuron(p, STEP);
    const voltages = new Float64Array(200);
    neuron.run(STEPS, Float64Array.of(1e-4, 0, 0), 1, voltages);
    neuron.reset();
    neuron.run(new Uint16Array(0), new Float64Array(0), 1, voltages);
    for (const v of voltages) expect(v).toBeCloseTo(restState(p).v, 9);
  });

  it('gives the same samples whether a run is cut into frames or decimated', () => {
    const drives = Float64Array.of(5e-5, -2e-5, 8e-5);
    const whole = new Float64Array(1000);
    const neuron = new Neuron(MIF, STEP);
    neuron.run(STEPS, drives, 1, whole);
    neuron.reset();
    const frames = Array.from({ length: 4 }, () => {
      const frame = new Float64Array(50);
      neuron.run(STEPS, drives, 5, frame);
      return frame;
    });
    frames.forEach((frame, f) => {
      frame.forEach((v, n) => {
        expect(v).toBe(whole[(f * 50 + n) * 5 + 4]);
      });
    });
  });
});

describe('neuron mismatch', () => {
  it('spreads every parameter but the reversal potentials', () => {
    const neurons = drawNeurons(500, 0.1, new Random(1));
    for (const key of Object.keys(MIF) as (keyof MifParameters)[]) {
      const relative = neurons.map((p) => p[key] / MIF[key] - 1);
      if (key === 'e1' || key === 'e2') {
        expect(neurons.every((p) => p[key] === MIF[key])).toBe(true);
        continue;
      }
      const deviation = Math.sqrt(relative.reduce((sum, x) => sum + x * x, 0) / relative.length);
      expect(deviation).toBeCloseTo(0.1, 1);
    }
  });

  it('off: all are nominal', () => {
    expect(drawNeurons(3, 0, new Random(1))).toEqual([MIF, MIF, MIF]);
  });
});
