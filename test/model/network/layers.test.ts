import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Conv2dLayer,
  checkAllDense,
  inputBarsFromVectors,
  layerMatrix,
  layerVectors,
  outputImage,
  outputsFromSums,
} from '../../../src/model/network/layers.js';
import { networkSpec } from '../../../src/model/network/network.js';
import { layerBackward, layerOutputs } from '../../../src/model/network/reference.js';
import { Random } from '../../../src/model/random.js';

const shapes = fc
  .record({
    channels: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 3, max: 8 }),
    width: fc.integer({ min: 3, max: 8 }),
    maps: fc.integer({ min: 1, max: 4 }),
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    padding: fc.integer({ min: 0, max: 2 }),
  })
  .map((shape): Conv2dLayer => {
    const padding = Math.min(shape.padding, shape.kernel - 1);
    const layer = { kind: 'conv2d' as const, activation: 'relu' as const, ...shape, padding };
    const { channels, height, width } = outputImage({ ...layer, inputs: 0, outputs: 0 });
    return {
      ...layer,
      inputs: shape.channels * shape.height * shape.width,
      outputs: channels * height * width,
    };
  });

const draw = (random: Random, length: number) => Float64Array.from({ length }, () => random.normal());

/** Straight from the definition, by loops over the output. */
function convolve(
  layer: Conv2dLayer,
  x: Float64Array,
  weights: Float64Array,
  biases: Float64Array,
): number[] {
  const { channels, height, width, kernel, stride, padding } = layer;
  const out = outputImage(layer);
  const values: number[] = [];
  for (let m = 0; m < layer.maps; m++)
    for (let oy = 0; oy < out.height; oy++)
      for (let ox = 0; ox < out.width; ox++) {
        let sum = biases[m];
        for (let c = 0; c < channels; c++)
          for (let ky = 0; ky < kernel; ky++)
            for (let kx = 0; kx < kernel; kx++) {
              const [iy, ix] = [oy * stride + ky - padding, ox * stride + kx - padding];
              if (iy < 0 || ix < 0 || iy >= height || ix >= width) continue;
              sum +=
                weights[((m * channels + c) * kernel + ky) * kernel + kx] * x[(c * height + iy) * width + ix];
            }
        values.push(sum);
      }
  return values;
}

const close = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - b[i])).toBeLessThan(1e-9);
};

describe('a convolution as a matrix and its vectors', () => {
  it('gives what its definition gives', () => {
    fc.assert(
      fc.property(shapes, fc.integer(), (layer, seed) => {
        const random = new Random(seed);
        const { inputs, outputs, vectors } = layerMatrix(layer);
        const [x, weights, biases] = [
          draw(random, layer.inputs),
          draw(random, inputs * outputs),
          draw(random, outputs),
        ];
        const network = {
          spec: { ...networkSpec([1, 1]), layers: [layer] },
          weights: [weights],
          biases: [biases],
        };
        close(layerOutputs(network, 0, x), convolve(layer, x, weights, biases));
        expect(vectors * outputs).toBe(layer.outputs);

        // Vectors and sums by hand, as a board does it.
        const driven = layerVectors(layer, x);
        const sums = Float64Array.from({ length: vectors * outputs }, (_, at) => {
          const [v, o] = [Math.floor(at / outputs), at % outputs];
          let sum = biases[o];
          for (let i = 0; i < inputs; i++) sum += weights[o * inputs + i] * driven[v * inputs + i];
          return sum;
        });
        close(outputsFromSums(layer, sums), convolve(layer, x, weights, biases));
      }),
    );
  });

  it('its adjoints are exact: <bars, y> changes as they say', () => {
    fc.assert(
      fc.property(shapes, fc.integer(), (layer, seed) => {
        const random = new Random(seed);
        const { inputs, outputs, vectors } = layerMatrix(layer);
        const [x, weights, biases] = [
          draw(random, layer.inputs),
          draw(random, inputs * outputs),
          draw(random, outputs),
        ];
        const bars = draw(random, layer.outputs);
        const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
          Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
        const network = {
          spec: { ...networkSpec([1, 1]), layers: [layer] },
          weights: [weights],
          biases: [biases],
        };
        const back = layerBackward(network, 0, x, bars);
        const zeros = new Float64Array(outputs);
        // Linear in each, so the dot products are equal and no difference is taken.
        const moved = draw(random, layer.inputs);
        close([dot(back.inputs, moved)], [dot(bars, convolve(layer, moved, weights, zeros))]);
        const other = draw(random, inputs * outputs);
        close([dot(back.weights, other)], [dot(bars, convolve(layer, x, other, zeros))]);
        const vectorBars = draw(random, vectors * inputs);
        close([dot(inputBarsFromVectors(layer, vectorBars), x)], [dot(vectorBars, layerVectors(layer, x))]);
      }),
    );
  });
});

it('where only dense layers can be used, others are named', () => {
  const pool = { kind: 'avgpool' as const, channels: 1, height: 2, width: 2, kernel: 2, stride: 2 };
  const layers = [
    { ...pool, inputs: 4, outputs: 1, activation: 'linear' as const },
    { inputs: 1, outputs: 2, activation: 'linear' as const },
  ];
  expect(() => checkAllDense(networkSpec(layers).layers, 'a chip')).toThrow(/avgpool layer, which a chip/);
  expect(() => checkAllDense(networkSpec([4, 2]).layers, 'a chip')).not.toThrow();
});
