import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describedLayers, networkSchema } from '../../../src/model/network/description.js';
import { Network, networkSpec } from '../../../src/model/network/network.js';
import { loadNetwork, saveNetwork } from '../../../src/model/network/network-file.js';
import { loadTensors } from '../../../src/shared/safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'memloop-'));
const path = join(folder, 'model.safetensors');
const network = Network.initialise(networkSpec([6, 4, 3]), 1);

it('brings back what was saved and leaves no temporary file', () => {
  saveNetwork(path, network, { dataset: 'digits' });
  const loaded = loadNetwork(path);
  expect(loaded.network).toEqual(network);
  expect(loaded.metadata.dataset).toBe('digits');
  expect(readdirSync(folder)).toEqual(['model.safetensors']);
});

it('keeps the shapes of convolutions as PyTorch has them, and brings them back', () => {
  const layers = describedLayers(
    networkSchema.parse({
      layers: [
        { kind: 'conv2d', maps: 3, kernel: 2, padding: 1 },
        { kind: 'avgpool', kernel: 2 },
        { kind: 'flatten' },
        { kind: 'dense' },
      ],
    }),
    { features: 25, classes: 4 },
  );
  const images = Network.initialise(networkSpec(layers), 1);
  saveNetwork(path, images);
  expect(loadNetwork(path).network).toEqual(images);
  const { tensors } = loadTensors(path);
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
  expect(shapes).toEqual({
    'layers.0.weight': [3, 1, 2, 2],
    'layers.0.bias': [3],
    'layers.2.weight': [4, 27],
    'layers.2.bias': [4],
  });
});

it('follows the format: header length, JSON with PyTorch names, float32 data', () => {
  saveNetwork(path, network);
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE(0));
  expect(length % 8).toBe(0);
  const header = JSON.parse(file.subarray(8, 8 + length).toString());
  expect(header['layers.0.weight']).toMatchObject({ dtype: 'F32', shape: [4, 6] });
  expect(header['layers.1.bias']).toMatchObject({ dtype: 'F32', shape: [3] });
  const [from] = header['layers.0.weight'].data_offsets;
  expect(file.readFloatLE(8 + length + from)).toBe(network.weights[0][0]);
});

it('refuses damaged files in one line that names the file', () => {
  saveNetwork(path, network);
  const whole = readFileSync(path);
  const cases: [Buffer, RegExp][] = [
    [whole.subarray(0, 5), /only 5 bytes/],
    [whole.subarray(0, 40), /cut off/],
    [whole.subarray(0, whole.length - 8), /cut off/],
    [Buffer.concat([whole.subarray(0, 8), Buffer.from('x'), whole.subarray(9)]), /not JSON/],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(path, bytes);
    expect(() => loadNetwork(path)).toThrow(message);
    expect(() => loadNetwork(path)).toThrow(path);
  }
  expect(() => loadNetwork(join(folder, 'none'))).toThrow(/cannot read/);
});

it('says when the disk cannot take the file, and the old one stays', () => {
  saveNetwork(path, network);
  expect(() => saveNetwork(join(folder, 'missing', 'model.safetensors'), network)).toThrow(/cannot write/);
  expect(loadNetwork(path).network).toEqual(network);
});
