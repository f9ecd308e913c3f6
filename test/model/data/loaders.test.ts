import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { encode } from 'fast-png';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { describeData, loadOwnData } from '../../../src/model/index.js';
import { MemloopError } from '../../../src/shared/errors.js';
import { loadHdf5 } from '../../../src/shared/hdf5.js';
import { dataFolder } from './folder.js';

const { dir, file } = dataFolder();

function idx(sizes: number[], bytes: number[], dimensions = sizes.length): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.writeUInt32BE(0x0800 + dimensions);
  sizes.forEach((n, i) => {
    header.writeUInt32BE(n, 4 + 4 * i);
  });
  return Buffer.concat([header, Buffer.from(bytes)]);
}
const IMAGES = idx([4, 2, 2], [0, 255, 51, 0, 255, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
const LABELS = idx([4], [3, 1, 3, 1]);
const as = { plain: (bytes: Buffer) => bytes, gzipped: (bytes: Buffer) => gzipSync(bytes) };

/** Resolves to the error's message, or to undefined if the file was read. Anything but an error by name fails. */
async function refusal(path: string): Promise<string | undefined> {
  try {
    await loadOwnData(path);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(MemloopError);
    const { message } = error as Error;
    expect(message).not.toContain('\n');
    return message;
  }
}

describe('IDX files of one’s own', () => {
  it.each(Object.entries(as))('%s: images with the labels beside them', async (kind, pack) => {
    const path = file(`${kind}/train-images-idx3-ubyte`, pack(IMAGES));
    file(`${kind}/train-labels-idx1-ubyte`, pack(LABELS));
    expect(await describeData(path)).toMatchObject({
      samples: 4,
      inputs: 4,
      classes: 2,
      counts: { 1: 2, 3: 2 },
    });
    const { train, test } = await loadOwnData(path, { testShare: 0.5 });
    // Classes are numbered by the size of their labels; bytes become 0…1. Which image goes where is the seed's choice.
    const firsts = [train, test].flatMap(({ inputs, labels }) =>
      [...labels].map((label, i) => `class ${label}: ${Math.round(255 * inputs[4 * i])}`),
    );
    expect(firsts.sort()).toEqual(['class 0: 255', 'class 0: 9', 'class 1: 0', 'class 1: 5'].sort());
  });

  it('--label names the labels where they lie elsewhere', async () => {
    const path = file('apart/pictures', IMAGES);
    expect(await refusal(path)).toMatch(/no file of labels lies beside it/);
    const found = await describeData(path, { label: file('apart/answers', LABELS) });
    expect(found).toMatchObject({ samples: 4, classes: 2 });
  });

  const bomb = gzipSync(Buffer.concat([LABELS, Buffer.alloc(2 ** 26)]));
  it.each([
    ['labels that unpack to more than they announce', IMAGES, bomb, /more than its header announces/],
    ['labels that announce more than they can hold', IMAGES, idx([4e9], [1]), /header announces 4000000008/],
    ['the same gzipped', IMAGES, gzipSync(idx([4e9], [1])), /header announces 4000000008/],
    ['images cut off', IMAGES.subarray(0, 20), LABELS, /has 20 bytes where its header announces 32/],
    ['gzip cut off', gzipSync(IMAGES).subarray(0, 30), LABELS, /damaged or cut off/],
    ['fewer labels than images', IMAGES, idx([3], [1, 2, 3]), /not one label for each of the 4 samples/],
    ['images for labels', IMAGES, IMAGES, /magic number is 0x00000803, not 0x00000801/],
    ['labels for images', LABELS, LABELS, /2 to 4 dimensions, not 1/],
    ['one label only', IMAGES, idx([4], [5, 5, 5, 5]), /only the value 5/],
    [
      'images wider than any network',
      idx([2, 1, 2 ** 20 + 1], Array(2 ** 21 + 2).fill(1)),
      idx([2], [0, 1]),
      /at most 1048576/,
    ],
  ])('%s: refused in one line', async (_what, images, labels, message) => {
    const path = file('bad/images-idx3', images);
    file('bad/labels-idx1', labels);
    expect(await refusal(path)).toMatch(message);
  });
});

it('a long ARFF comment takes no longer than a short one', async () => {
  expect(await refusal(file('comment.arff.txt', `${'% '.repeat(50_000)}\n1,2\n`))).toBeDefined();
});

it('a packed text that would fill the memory is refused', async () => {
  const path = file('bomb.csv.gz', gzipSync(Buffer.alloc(2 ** 26 + 4, '1,2\n')));
  expect(await refusal(path)).toMatch(/unpacks to more than 67108864 bytes/);
});

describe('whatever is changed, a file is read or refused by name', () => {
  const HDF5 = join(dir, 'whole.h5');
  const printed = vi.spyOn(console, 'error');
  beforeAll(async () => {
    const { File } = await loadHdf5();
    const made = new File(HDF5, 'w');
    made.create_dataset({ name: 'x', data: Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]), shape: [4, 2] });
    made.create_group('deep').create_dataset({ name: 'y', data: ['a', 'b', 'a', 'b'] });
    made.create_dataset({
      name: 'packed',
      data: new Float32Array(64),
      shape: [8, 8],
      chunks: [4, 4],
      compression: 4,
    });
    made.close();
  });

  /** Some bytes set anew, and perhaps the end cut off. */
  const damage = fc.record({
    changes: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
    keep: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  });
  type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;
  const damaged = (whole: Uint8Array, { changes, keep }: Damage): Buffer => {
    const bytes = Buffer.from(whole);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes.subarray(0, keep === null ? bytes.length : Math.ceil(keep * bytes.length));
  };
  const survives = (numRuns: number, put: (damage: Damage, other: Damage) => string) =>
    fc.assert(
      fc.asyncProperty(damage, damage, async (one, other) => void (await refusal(put(one, other)))),
      { numRuns },
    );

  it.each(Object.entries(as))('IDX, %s', (kind, pack) =>
    survives(200, (one, other) => {
      file(`fuzz-${kind}/labels-idx1`, damaged(pack(LABELS), other));
      return file(`fuzz-${kind}/images-idx3`, damaged(pack(IMAGES), one));
    }),
  );

  it('IDX damaged before it was gzipped', () =>
    survives(200, (one, other) => {
      file('fuzz-inside/labels-idx1', gzipSync(damaged(LABELS, other)));
      return file('fuzz-inside/images-idx3', gzipSync(damaged(IMAGES, one)));
    }));

  it('a folder of PNG', () => {
    const data = Uint8Array.of(0, 64, 128, 255, 1, 2, 3, 4, 5, 6, 7, 8);
    const png = encode({ width: 2, height: 2, data, channels: 3 });
    file('fuzz-png/cat/1.png', png);
    return survives(200, (one) => {
      file('fuzz-png/dog/1.png', damaged(png, one));
      return join(dir, 'fuzz-png');
    });
  });

  it('HDF5', async () => {
    expect(await describeData(HDF5)).toMatchObject({ samples: 4, inputs: 2, counts: { a: 2, b: 2 } });
    const whole = readFileSync(HDF5);
    await survives(200, (one) => file('fuzz.h5', damaged(whole, one)));
    // Every few dozen such files, h5wasm aborts.
    expect(printed).not.toHaveBeenCalled();
  });

  it('HDF5 of spikes', async () => {
    const whole = readFileSync(new URL('events/shd.h5', import.meta.url));
    await survives(100, (one) => file('fuzz-shd.h5', damaged(whole, one)));
  });
});
