import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type DatasetSource,
  datasetSource,
  fetchDataset,
  loadDataset,
} from '../../../src/model/data/catalogue.js';
import { loadDigits, split } from '../../../src/model/data/datasets.js';
import { loadIdx } from '../../../src/model/data/idx.js';

function idx(magic: number, sizes: number[], bytes: number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.writeUInt32BE(magic);
  sizes.forEach((n, i) => {
    header.writeUInt32BE(n, 4 + 4 * i);
  });
  return Buffer.concat([header, Buffer.from(bytes)]);
}
const images = idx(0x803, [3, 2, 2], [0, 255, 51, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
const labels = idx(0x801, [3], [7, 0, 9]);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'memloop-'));
});
const file = (name: string, bytes: Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe('digits', () => {
  it('are 1,797 images of 8 × 8 in ten classes of about equal size', () => {
    const digits = loadDigits();
    expect([digits.count, digits.features, digits.inputs.length]).toEqual([1797, 64, 1797 * 64]);
    expect(Math.max(...digits.inputs)).toBe(1);
    for (let c = 0; c < 10; c++)
      expect(digits.labels.filter((label) => label === c).length).toBeGreaterThan(150);
  });

  it('split into disjoint parts that repeat from the seed', () => {
    const digits = loadDigits();
    const parts = split(digits, 5, [0.7, 0.2, 0.1]);
    expect(parts.reduce((sum, part) => sum + part.count, 0)).toBe(digits.count);
    expect(split(digits, 5, [0.7, 0.2, 0.1])).toEqual(parts);
    expect(split(digits, 6, [0.7, 0.2, 0.1])[0].labels).not.toEqual(parts[0].labels);
    const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0);
    expect(parts.reduce((total, part) => total + sum(part.inputs), 0)).toBeCloseTo(sum(digits.inputs), 0);
  });
});

describe('IDX files', () => {
  it('are read, gzipped or not', () => {
    for (const pack of [(b: Buffer) => b, gzipSync]) {
      const set = loadIdx('tiny', file('i', pack(images)), file('l', pack(labels)));
      expect(set).toMatchObject({ count: 3, features: 4, classes: 10 });
      expect([...set.labels]).toEqual([7, 0, 9]);
      expect(set.inputs[2]).toBeCloseTo(0.2, 6);
    }
  });

  it.each([
    [
      'cut off',
      (): [Buffer, Buffer] => [images.subarray(0, 20), labels],
      /has 20 bytes where its header announces 28/,
    ],
    ['cut off in the header', (): [Buffer, Buffer] => [images.subarray(0, 9), labels], /ends after 9 bytes/],
    [
      'cut off gzip',
      (): [Buffer, Buffer] => [gzipSync(images).subarray(0, 25), labels],
      /damaged or cut off/,
    ],
    ['labels for images', (): [Buffer, Buffer] => [labels, labels], /ends after 11 bytes|magic number/],
    [
      'another kind',
      (): [Buffer, Buffer] => [idx(0x802, [3, 2, 2], Array(12).fill(0)), labels],
      /magic number is 0x00000802/,
    ],
    [
      'unequal counts',
      (): [Buffer, Buffer] => [images, idx(0x801, [2], [1, 2])],
      /2 labels for the 3 images/,
    ],
    [
      'a label too high',
      (): [Buffer, Buffer] => [images, idx(0x801, [3], [1, 2, 10])],
      /label 10 of image 2/,
    ],
  ])('%s: one line that names the file', (_name, make, message) => {
    const [i, l] = make();
    const read = () => loadIdx('tiny', file('i', i), file('l', l));
    expect(read).toThrow(message);
    expect(read).toThrow(folder);
  });
});

describe('fetching', () => {
  const packed = [gzipSync(Buffer.concat([images, Buffer.alloc(20_000, 'x')])), gzipSync(labels)];
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const source: DatasetSource = {
    name: 'tiny',
    description: '',
    licence: '',
    mirrors: [],
    files: [
      { name: 'a.gz', sha256: hash(Buffer.concat([images, Buffer.alloc(20_000, 'x')])) },
      { name: 'b.gz', sha256: hash(labels) },
    ],
  };
  let server: Server;
  let url: string;
  let requests: { path: string; range: string | undefined }[];
  let answer: (path: string) => Buffer | undefined;
  beforeEach(async () => {
    requests = [];
    answer = (path) => ({ '/a.gz': packed[0], '/b.gz': packed[1] })[path];
    server = createServer((request, response) => {
      const path = request.url ?? '';
      const { range } = request.headers;
      requests.push({ path, range });
      const bytes = answer(path);
      if (!bytes) return response.writeHead(404).end();
      const from = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
      if (from >= bytes.length) return response.writeHead(416).end();
      response
        .writeHead(range ? 206 : 200, { 'content-length': bytes.length - from })
        .end(bytes.subarray(from));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((done) => server.close(done)));
  const fetchIt = (mirrors = [url]) => fetchDataset(source, { dataDir: folder, mirrors });

  it('brings every file, and nothing twice', async () => {
    expect((await fetchIt()).map((f) => f.status)).toEqual(['fetched', 'fetched']);
    expect(readFileSync(join(folder, 'tiny', 'a.gz'))).toEqual(packed[0]);
    expect((await fetchIt()).map((f) => f.status)).toEqual(['present', 'present']);
    expect(requests).toHaveLength(2);
  });

  it('resumes a partial download where it stopped', async () => {
    mkdirSync(join(folder, 'tiny'));
    writeFileSync(join(folder, 'tiny', 'a.gz.part'), packed[0].subarray(0, 50));
    await fetchIt();
    expect(requests[0]).toEqual({ path: '/a.gz', range: 'bytes=50-' });
    expect(readFileSync(join(folder, 'tiny', 'a.gz'))).toEqual(packed[0]);
  });

  it('a partial file that does not belong is begun anew', async () => {
    mkdirSync(join(folder, 'tiny'));
    writeFileSync(join(folder, 'tiny', 'a.gz.part'), Buffer.alloc(40, 1));
    await fetchIt();
    expect(readFileSync(join(folder, 'tiny', 'a.gz'))).toEqual(packed[0]);
  });

  it('a checksum that does not match is told, and the file is not kept', async () => {
    answer = () => gzipSync(Buffer.from('something else'));
    await expect(fetchIt()).rejects.toThrow(/a\.gz: checksum mismatch \(SHA-256 [0-9a-f]{64}, expected/);
    expect(existsSync(join(folder, 'tiny', 'a.gz'))).toBe(false);
    expect(existsSync(join(folder, 'tiny', 'a.gz.part'))).toBe(false);
  });

  it('goes on to the next mirror', async () => {
    await fetchIt([`${url}/nothing-here`, url]);
    expect(requests[0].path).toBe('/nothing-here/a.gz');
    await expect(
      fetchDataset(source, { dataDir: join(folder, 'x'), mirrors: [`${url}/no`] }),
    ).rejects.toThrow(/HTTP 404/);
  });

  it('an unknown dataset is told with the known ones; a missing one with how to get it', async () => {
    expect(() => datasetSource('emnist')).toThrow(
      'unknown dataset emnist: known are digits, mnist, fashion-mnist',
    );
    await expect(loadDataset('emnist')).rejects.toThrow(/unknown dataset emnist/);
    await expect(loadDataset('mnist', { dataDir: folder })).rejects.toThrow(/memloop data fetch mnist/);
  });
});
