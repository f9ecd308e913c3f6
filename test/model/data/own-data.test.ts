import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { encode } from 'fast-png';
import { strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { describeData, loadFolds, loadOwnData } from '../../../src/model/index.js';
import { MemloopError } from '../../../src/shared/errors.js';
import { dataFolder } from './folder.js';

const { dir, file } = dataFolder();

const npy = (descr: string, shape: string, body: Uint8Array): Uint8Array => {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }\n`;
  return Buffer.concat([
    Buffer.from([0x93, 78, 85, 77, 80, 89, 1, 0, header.length, 0]),
    Buffer.from(header),
    body,
  ]);
};
const bytesOf = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const X = npy('<f4', '4, 2', bytesOf(0, 1, 2, 3, 4, 5, 6, 7));
const Y = npy('|u1', '4,', Uint8Array.of(0, 1, 0, 1));
const CSV = `size,colour,constant,species\n${Array.from({ length: 20 }, (_, i) => `${i === 3 ? '?' : i},${['red', 'green', 'blue'][i % 3]},7,${i < 10 ? 'a' : 'b'}`).join('\n')}\n`;
const ARFF = `@relation r\n@attribute 'the size' real\n@attribute kind {none, 'two words'}\n@attribute class {a,b}\n@data\n1,none,a\n2,'two words',b\n?,none,a\n4,?,b\n`;
const FANN = '4 2 1\n0 0\n0\n0 1\n1\n1 0\n1\n1 1\n0\n';

describe('data files', () => {
  it('a CSV file: header, label, text and constant columns, a missing value', async () => {
    const path = file('a.csv', CSV);
    const found = await describeData(path);
    expect(found).toMatchObject({
      samples: 20,
      inputs: 4,
      classes: 2,
      times: 1,
      missing: 1,
      counts: { a: 10, b: 10 },
    });
    expect(found.told).toContain('left out: constant (constant)');
    const { train, test, record } = await loadOwnData(path, { seed: 3 });
    expect([train.count, test.count]).toEqual([16, 4]);
    expect([...test.labels].sort()).toEqual([0, 0, 1, 1]);
    expect(Math.max(...train.inputs)).toBe(1);
    expect(record.classes).toEqual(['a', 'b']);
    expect((await loadOwnData(path, { seed: 3 })).test.inputs).toEqual(test.inputs);
  });

  it('ARFF, FANN, NPZ and PNG folders', async () => {
    expect(await describeData(file('a.arff', ARFF))).toMatchObject({ samples: 4, inputs: 2, missing: 2 });
    expect(await describeData(file('a.train', FANN))).toMatchObject({ samples: 4, inputs: 2, classes: 2 });
    const npz = file('a.npz', zipSync({ 'x.npy': X, 'y.npy': Y }));
    expect(await describeData(npz)).toMatchObject({ samples: 4, inputs: 2, classes: 2 });
    for (const name of ['cat', 'dog']) {
      mkdirSync(join(dir, 'png', name), { recursive: true });
      const data = Uint8Array.of(0, 64, 128, 255);
      writeFileSync(join(dir, 'png', name, '1.png'), encode({ width: 2, height: 2, data, channels: 1 }));
    }
    expect(await describeData(join(dir, 'png'))).toMatchObject({ samples: 2, inputs: 4, classes: 2 });
  });

  it('folds are disjoint and cover all samples', async () => {
    const { parts } = await loadFolds(file('f.csv', CSV), 5);
    const counts = [...parts()].map(({ train, test }) => [train.count, test.count]);
    expect(counts).toEqual(Array(5).fill([16, 4]));
  });

  it.each([
    [
      'bad.csv',
      'a,b,class\n1,2,x\n3,oops,y\n5,6,x\n7,8,y\n',
      /row 3, column 2 \(b\): "oops" is not a number/,
    ],
    ['short.csv', 'a,b,class\n1,2,x\n3,y\n', /row 3, column 3: the row has 2 cells, the others 3/],
    ['bad.arff', ARFF.replace('4,?,b', '4,three,b'), /row 9, column 2 \(kind\): "three" is not one/],
    ['bad.train', '4 2 1\n0 0\n', /announces 4 × \(2 \+ 1\) numbers, and 2 follow/],
    ['many.csv', Array.from({ length: 300 }, (_, i) => `${i % 7},${i}`).join('\n'), /label takes 300 values/],
    ['bomb.npy', npy('<f8', '1000000000, 1000', bytesOf(1)), /header announces 1000000000 × 1000/],
    ['empty.csv', '', /it is empty/],
  ])('%s is refused in one line', async (name, content, message) => {
    const failure = await describeData(file(name, content)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MemloopError);
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message).not.toContain('\n');
  });

  it.each([
    ['m.csv', strToU8(CSV)],
    ['m.arff', strToU8(ARFF)],
    ['m.train', strToU8(FANN)],
    ['m.npz', zipSync({ 'x.npy': X, 'y.npy': Y })],
    ['m.npy', npy('<f4', '2, 4', bytesOf(0, 1, 2, 0, 4, 5, 6, 1))],
  ])('%s: whatever is changed, it is read or refused by name', async (name, whole) => {
    const change = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(change, fc.nat(whole.length), async (changes, cut) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        const path = file(name, changes.length % 2 ? bytes : bytes.subarray(0, cut));
        await loadOwnData(path).catch((error: unknown) => expect(error).toBeInstanceOf(MemloopError));
      }),
      { numRuns: 150 },
    );
  });
});
