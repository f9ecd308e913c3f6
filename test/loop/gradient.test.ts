import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BoardForward, BoardNetwork } from '../../src/loop/board-network.js';
import { gradientAtMeasured } from '../../src/loop/finetune.js';
import { mapLayers } from '../../src/loop/mapping.js';
import { Network, networkSpec, peakLoss, Random, runMif } from '../../src/model/index.js';

describe('the loss of the decision', () => {
  it('has the gradient that central differences show', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const random = new Random(seed);
        const voltages = Float64Array.from({ length: 12 * 4 }, () => 0.02 + 0.01 * random.normal());
        const label = random.integer(4);
        const { gradient } = peakLoss(voltages, 4, label);
        const scale = Math.max(...gradient.map(Math.abs));
        for (let i = 0; i < voltages.length; i++) {
          const shifted = (by: number) =>
            peakLoss(Object.assign(voltages.slice(), { [i]: voltages[i] + by }), 4, label).loss;
          const slope = (shifted(1e-9) - shifted(-1e-9)) / 2e-9;
          expect(Math.abs(slope - gradient[i])).toBeLessThan(1e-4 * scale);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('counts a higher wrong peak although the right neuron is higher nearly always', () => {
    const calm = Float64Array.from({ length: 100 * 2 }, (_, i) => (i % 2 === 0 ? 0.05 : 0.02));
    const peaked = calm.slice();
    peaked[1] = 0.08;
    expect(peakLoss(calm, 2, 0).loss).toBeLessThan(0.01);
    expect(peakLoss(peaked, 2, 0).loss).toBeGreaterThan(5);
  });

  it('is silent when a neuron was not heard at all', () => {
    const voltages = Float64Array.of(0.01, Number.NaN, 0.02, Number.NaN);
    expect(peakLoss(voltages, 2, 0)).toEqual({ loss: 0, gradient: Float64Array.of(0, 0, 0, 0) });
  });
});

describe('the gradient at the measured states', () => {
  it("is the model's own where the measurement is", () => {
    const spec = networkSpec([5, 6, 3], { steps: 125, driveScale: 20e-6 });
    const network = Network.initialise(spec, 4);
    const random = new Random(5);
    const count = 2;
    const inputs = Float32Array.from({ length: count * 5 }, () => random.uniform());
    const labels = Uint8Array.of(2, 0);
    const map = mapLayers(
      spec.layers.map(({ inputs, outputs }) => ({ inputs, outputs, weightMax: 1, inputMax: 10 })),
      { arrays: 2, rows: 8, columns: 16 },
      { min: 4e-6, max: 50e-6 },
      0.1,
    );
    const dt = spec.duration / spec.steps;
    const hardware = {
      map,
      network,
      outputs: 3,
      stepTime: 1e-5,
      decimation: 8,
      pulseSteps: spec.pulseSteps.map((s) => s * 8),
    };

    /** What an ideal board would measure, in float64. */
    const measure = (weights: readonly Float32Array[], biases: readonly Float32Array[]): BoardForward => {
      const dense = (x: number[], l: number) =>
        Array.from({ length: spec.layers[l].outputs }, (_, j) =>
          x.reduce((sum, value, i) => sum + value * weights[l][j * x.length + i], biases[l][j]),
        );
      const images = Array.from({ length: count }, (_, n) => Array.from(inputs.subarray(n * 5, n * 5 + 5)));
      const hidden = images.map((x) => dense(x, 0));
      const active = hidden.map((h) => h.map((v) => Math.max(0, v)));
      const outputs = active.map((h) => dense(h, 1));
      const voltages = outputs.map((z) => {
        const runs = z.map((value) =>
          runMif(
            spec.neuron,
            'exponential',
            dt,
            spec.steps,
            new Map(spec.pulseSteps.map((s) => [s, value * spec.driveScale])),
          ),
        );
        return Float64Array.from(
          { length: spec.steps * 3 },
          (_, i) => runs[i % 3].states[Math.floor(i / 3) + 1].v,
        );
      });
      return {
        count,
        inputs: [inputs, Float32Array.from(active.flat())],
        sums: [Float32Array.from(hidden.flat()), Float32Array.from(outputs.flat())],
        voltages: voltages as unknown as Float32Array[],
        lost: 0,
        dropout: 0,
        decisions: new Uint8Array(count),
      };
    };
    const loss = (): number =>
      measure(network.weights, network.biases).voltages.reduce(
        (sum, v, n) => sum + peakLoss(v, 3, labels[n]).loss / count,
        0,
      );

    const gradient = gradientAtMeasured(
      hardware as unknown as BoardNetwork,
      measure(network.weights, network.biases),
      labels,
      network.weights,
    );
    for (const [parameters, slopes] of [
      [network.weights, gradient.weights],
      [network.biases, gradient.biases],
    ] as const)
      parameters.forEach((list, l) => {
        const largest = Math.max(...slopes[l].map(Math.abs));
        for (let i = 0; i < list.length; i++) {
          const kept = list[i];
          const at = (value: number) => {
            list[i] = value;
            return { loss: loss(), value: list[i] };
          };
          const up = at(kept + 1e-3);
          const down = at(kept - 1e-3);
          list[i] = kept;
          const slope = (up.loss - down.loss) / (up.value - down.value);
          expect(Math.abs(slope - slopes[l][i])).toBeLessThan(2e-3 * largest);
        }
      });
  });
});
