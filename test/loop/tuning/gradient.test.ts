import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BoardForward, BoardNetwork } from '../../../src/loop/chip/board-network.js';
import { mapLayers } from '../../../src/loop/mapping/mapping.js';
import { gradientAtMeasured } from '../../../src/loop/tuning/gradient.js';
import {
  describedLayers,
  layerMatrix,
  layerOutputs,
  MIF,
  Network,
  networkSpec,
  peakLoss,
  Random,
  restState,
  runMif,
  WAVEFORM_UNIT,
} from '../../../src/model/index.js';

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

/** An image of 6 × 6 through two convolutions, the first with a border, and a pooling between. */
const image = describedLayers(
  {
    layers: [
      { kind: 'conv2d', maps: 2, kernel: 3, padding: 1 },
      { kind: 'avgpool', kernel: 2 },
      { kind: 'conv2d', maps: 2, kernel: 2 },
      { kind: 'flatten' },
      { kind: 'dense' },
    ],
  },
  { features: 36, classes: 3 },
);

/** A network on an ideal board that is sampled after every model step, everything in float64. */
function idealBoard(hidden: 'relu' | 'mif' | 'conv', times: number) {
  const options = { steps: 125, driveScale: hidden === 'mif' ? 60e-6 : 20e-6, times };
  const spec =
    hidden === 'conv' ? networkSpec(image, options) : networkSpec([5, 6, 3], { ...options, hidden });
  const network = Network.initialise(spec, 4);
  // In float64, so that finite differences are good to more than 1e-6.
  const weights = network.weights.map((list) => Float64Array.from(list));
  const biases = network.biases.map((list) => Float64Array.from(list));
  const map = mapLayers(
    spec.layers.map((layer) => ({
      ...layerMatrix(layer),
      weightMax: 1,
      inputMin: -1000,
      inputMax: 1000,
    })),
    { arrays: 3, rows: 9, columns: 16 },
    { min: 4e-6, max: 50e-6 },
    0.1,
  );
  map.layers[0].inputMin = -1;
  if (hidden !== 'mif') for (const layer of map.layers.slice(1)) layer.inputMin = 0;
  const hardware = new BoardNetwork(
    {
      description: { neurons: 3, stepTime: 1e-5, maxSteps: 1000, driveMax: 1 },
      parameters: [MIF],
      run: () => Promise.reject(new Error('not run')),
    },
    () => Promise.reject(new Error('not multiplied')),
    network,
    map,
    8,
  );
  const random = new Random(5);
  const count = 2;
  const channels = spec.layers[0].inputs;
  const inputs = Float64Array.from({ length: count * times * channels }, () => random.uniform());
  const labels = Uint8Array.of(2, 0);
  const dt = spec.duration / spec.steps;

  const measure = (): BoardForward => {
    /** Membrane voltages, samples × neurons, of neurons driven by `sums` at layer l's pulses. */
    const run = (l: number, sums: number[][]): Float64Array => {
      const width = spec.layers[l].outputs;
      const steps = hardware.pulseSteps(l).map((step) => step / 8);
      const runs = Array.from({ length: width }, (_, j) =>
        runMif(
          MIF,
          'exponential',
          dt,
          spec.steps,
          new Map(
            steps.map((step, p) => [step, sums[sums.length === 1 ? 0 : p][j] * hardware.driveScale(l)]),
          ),
        ),
      );
      return Float64Array.from(
        { length: spec.steps * width },
        (_, i) => runs[i % width].states[Math.floor(i / width) + 1].v,
      );
    };
    const layers = spec.layers.map(() => ({
      vectors: 1,
      inputs: [] as number[],
      sums: [] as number[],
      voltages: [] as Float64Array[],
    }));
    for (let n = 0; n < count; n++) {
      let vectors = Array.from({ length: times }, (_, t) =>
        Array.from(inputs.subarray((n * times + t) * channels, (n * times + t + 1) * channels)),
      );
      spec.layers.forEach(({ activation }, l) => {
        const sums = vectors.map((x) => Array.from(layerOutputs({ spec, weights, biases }, l, x)));
        layers[l].vectors = vectors.length;
        layers[l].inputs.push(...vectors.flat());
        layers[l].sums.push(...sums.flat());
        if (activation === 'relu') vectors = sums.map((sum) => sum.map((value) => Math.max(0, value)));
        else if (spec.layers[l].kind === 'avgpool') vectors = sums;
        else {
          const v = run(l, sums);
          layers[l].voltages.push(v);
          const width = sums[0].length;
          vectors = hardware
            .pulseSteps(1)
            .map((_, t) =>
              Array.from(
                v.subarray(t * width, (t + 1) * width),
                (value) => (value - restState(MIF).v) / WAVEFORM_UNIT,
              ),
            );
        }
      });
    }
    const forward = layers.map(({ inputs, sums, ...rest }) => ({
      ...rest,
      inputs: Float64Array.from(inputs),
      sums: Float64Array.from(sums),
    }));
    return {
      count,
      layers: forward,
      voltages: forward.at(-1)!.voltages,
      lost: 0,
      dropout: 0,
      decisions: new Uint8Array(count),
    } as unknown as BoardForward;
  };
  return { hardware, weights, biases, labels, measure, count };
}

describe('the gradient at the measured states', () => {
  for (const [hidden, times] of [
    ['relu', 1],
    ['mif', 1],
    ['conv', 1],
    ['relu', 4],
    ['mif', 4],
    ['conv', 4],
  ] as const)
    for (const trajectory of ['measured', 'modelled'] as const)
      it(`is the model's own where the measurement is: hidden ${hidden}, times ${times}, trajectory ${trajectory}`, () => {
        const { hardware, weights, biases, labels, measure, count } = idealBoard(hidden, times);
        const loss = (): number =>
          measure().voltages.reduce((sum, v, n) => sum + peakLoss(v, 3, labels[n]).loss / count, 0);
        const gradient = gradientAtMeasured(
          hardware,
          measure(),
          labels,
          weights as unknown as Float32Array[],
          trajectory,
        );
        expect(Math.abs(gradient.loss - loss())).toBeLessThan(1e-6);
        // Voltages of the modelled trajectory are kept in float32.
        const tolerance = trajectory === 'measured' ? 1e-6 : 1e-4;
        for (const [parameters, slopes] of [
          [weights, gradient.weights],
          [biases, gradient.biases],
        ] as const)
          parameters.forEach((list, l) => {
            const largest = Math.max(...slopes[l].map(Math.abs));
            for (let i = 0; i < list.length; i += hidden === 'mif' ? 4 : 1) {
              const kept = list[i];
              const at = (value: number) => {
                list[i] = value;
                return loss();
              };
              const h = 1e-4;
              // Fourth order: the error of the difference itself must stay below what is tested.
              const slope =
                (8 * (at(kept + h) - at(kept - h)) - (at(kept + 2 * h) - at(kept - 2 * h))) / (12 * h);
              list[i] = kept;
              expect(Math.abs(slope - slopes[l][i])).toBeLessThan(tolerance * largest);
            }
          });
      });
});
