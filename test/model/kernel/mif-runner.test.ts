import { describe, expect, it } from 'vitest';
import { driveOfPeak, integratorNames, MIF, MifRunner, Random, runMif } from '../../../src/model/index.js';

describe('MIF neurons on the kernel', () => {
  const stepTime = 1e-5;
  const steps = 100;

  it.each(integratorNames)('do what the readable neuron does: %s', (integrator) => {
    const random = new Random(3);
    const neuron = { ...MIF, tau: 1.1e-3 };
    const neurons = 3;
    const pulseSteps = [0, 40, 41];
    // One more than the kernel runs at once.
    const runs = Array.from({ length: 5 }, () =>
      Float32Array.from({ length: 3 * neurons }, () => driveOfPeak(4e-6) * random.normal()),
    );
    const runner = new MifRunner({ neuron, integrator, neurons, stepTime, steps });
    const voltages = runner.run(pulseSteps, runs, 7);
    expect(voltages).toHaveLength(5);
    runs.forEach((drives, r) => {
      expect(voltages[r]).toHaveLength(14 * neurons);
      for (let n = 0; n < neurons; n++) {
        const own = new Map(pulseSteps.map((step, p) => [step, drives[p * neurons + n]]));
        const { states } = runMif(neuron, integrator, stepTime, steps, own);
        for (let s = 0; s < 14; s++)
          expect(Math.abs(voltages[r][s * neurons + n] - states[(s + 1) * 7].v)).toBeLessThan(2e-6);
      }
    });
    runner.dispose();
  });

  it('begin each run at rest, with the pulses of that run alone', () => {
    const runner = new MifRunner({ neuron: MIF, integrator: 'exponential', neurons: 1, stepTime, steps });
    const drives = [Float32Array.of(2e-5)];
    const [first] = runner.run([10], drives, 1);
    const [late] = runner.run([60], drives, 1);
    expect(runner.run([10], drives, 1)[0]).toEqual(first);
    expect(late[20]).not.toBeCloseTo(first[20], 4);
    expect(late[50]).toBeCloseTo(first[0], 6);
    runner.dispose();
  });
});
