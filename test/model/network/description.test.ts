import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describedLayers, loadDescription } from '../../../src/model/network/description.js';
import { networkSpec } from '../../../src/model/network/network.js';

const path = join(mkdtempSync(join(tmpdir(), 'memloop-')), 'network.json');
const images = { features: 784, classes: 10 };
const layersOf = (description: object | string, dataset = images) => {
  writeFileSync(path, typeof description === 'string' ? description : JSON.stringify(description));
  return describedLayers(loadDescription(path), dataset);
};

const conv = { kind: 'conv2d', maps: 8, kernel: 5, stride: 2 };
const dense = { kind: 'dense' };

it('infers every size from the dataset', () => {
  const layers = layersOf({
    layers: [
      conv,
      { kind: 'avgpool', kernel: 2 },
      { kind: 'flatten' },
      { kind: 'dense', outputs: 32 },
      dense,
    ],
  });
  expect(layers).toEqual([
    {
      kind: 'conv2d',
      channels: 1,
      height: 28,
      width: 28,
      maps: 8,
      kernel: 5,
      stride: 2,
      padding: 0,
      activation: 'relu',
      inputs: 784,
      outputs: 8 * 12 * 12,
    },
    {
      kind: 'avgpool',
      channels: 8,
      height: 12,
      width: 12,
      kernel: 2,
      stride: 2,
      activation: 'linear',
      inputs: 8 * 12 * 12,
      outputs: 8 * 6 * 6,
    },
    { inputs: 8 * 6 * 6, outputs: 32, activation: 'relu' },
    { inputs: 32, outputs: 10, activation: 'linear' },
  ]);
});

it('dense layers alone are the network that --hidden gives', () => {
  const layers = [{ kind: 'dense', outputs: 100, activation: 'mif' }, dense];
  expect(networkSpec(layersOf({ layers }))).toEqual(networkSpec([784, 100, 10], { hidden: 'mif' }));
});

it('takes images of several channels where the file says so', () => {
  const input = { channels: 3, height: 4, width: 5 };
  const layers = [{ kind: 'conv2d', maps: 2, kernel: 3, padding: 1 }, dense];
  const [first] = layersOf({ input, layers }, { features: 60, classes: 2 });
  expect(first).toMatchObject({ ...input, inputs: 60, outputs: 2 * 4 * 5 });
});

it.each<[object | string, RegExp]>([
  ['{', /network .* is not JSON/],
  [{ layers: [] }, /"layers"/],
  [{ layers: [{ kind: 'conv3d' }] }, /"layers.0.kind": must be dense, conv2d, avgpool or flatten/],
  [{ layers: [{ kind: 'conv2d', kernel: 3 }, dense] }, /"layers.0.maps": is missing/],
  [{ layers: [{ ...conv, kernel: 2.5 }, dense] }, /"layers.0.kernel"/],
  [{ layers: [{ ...dense, output: 3 }] }, /unknown field "layers.0.output"/],
  [{ layers: [conv, conv, conv, dense] }, /layer 2 \(conv2d\): a kernel of 5 × 5 does not fit on 4 × 4/],
  [{ layers: [{ ...conv, padding: 5 }, dense] }, /layer 0 \(conv2d\): padding must be/],
  [{ layers: [conv] }, /the last layer is conv2d/],
  [{ layers: [dense, dense] }, /layer 0 \(dense\): "outputs" is missing/],
  [{ layers: [{ kind: 'flatten' }, conv, dense] }, /layer 1 is conv2d but takes no image/],
  [
    { layers: [{ ...conv, activation: 'mif' }, { kind: 'avgpool', kernel: 2 }, dense] },
    /layer 1 is avgpool but follows a MIF layer/,
  ],
  [
    {
      layers: [
        { ...conv, activation: 'mif' },
        { kind: 'flatten' },
        { ...dense, outputs: 4, activation: 'relu' },
        dense,
      ],
    },
    /layer 2 is relu but follows a MIF layer/,
  ],
  [{ layers: [{ ...dense, outputs: 7 }] }, /7 outputs, but the dataset 10 classes/],
  [{ layers: [{ ...dense, activation: 'relu' }] }, /the last layer is relu/],
  [{ input: { channels: 1, height: 3, width: 3 }, layers: [dense] }, /input is 1 × 3 × 3 = 9 values/],
])('refuses %j in one line', (description, message) => {
  expect(() => layersOf(description)).toThrow(message);
});

it('says that a sample is no image', () => {
  expect(() => layersOf({ layers: [conv, dense] }, { features: 30, classes: 3 })).toThrow(
    /layer 0 is conv2d, but 30 values are no square image/,
  );
});
