/** The datasets memloop knows by name: where they are kept, fetched from and what they must contain. */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import envPaths from 'env-paths';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { type Dataset, loadDigits, split } from './datasets.js';
import { loadIdx } from './idx.js';
import { loadOwnData } from './own-data.js';

/** A dataset of four gzipped IDX files on the web. */
export interface DatasetSource {
  name: string;
  description: string;
  licence: string;
  /** Folders that hold the files, tried in turn. */
  mirrors: readonly string[];
  /** Training images and labels, test images and labels, with the SHA-256 of the unpacked bytes. */
  files: readonly { name: string; sha256: string }[];
}

const IDX_FILES = [
  'train-images-idx3-ubyte.gz',
  'train-labels-idx1-ubyte.gz',
  't10k-images-idx3-ubyte.gz',
  't10k-labels-idx1-ubyte.gz',
];
const idxFiles = (...hashes: string[]) => hashes.map((sha256, i) => ({ name: IDX_FILES[i], sha256 }));

export const SOURCES: readonly DatasetSource[] = [
  {
    name: 'mnist',
    description: '70,000 handwritten digits, 28 × 28 (LeCun, Cortes, Burges)',
    licence: 'CC BY-SA 3.0',
    mirrors: [
      'https://storage.googleapis.com/cvdf-datasets/mnist',
      'https://ossci-datasets.s3.amazonaws.com/mnist',
    ],
    files: idxFiles(
      'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
      '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
      '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
      'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
    ),
  },
  {
    name: 'fashion-mnist',
    description: '70,000 articles of clothing, 28 × 28 (Zalando Research)',
    licence: 'MIT',
    mirrors: [
      'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
      'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion',
    ],
    files: idxFiles(
      'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
      'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
      '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
      '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
    ),
  },
];

export const datasetNames: readonly string[] = ['digits', ...SOURCES.map((source) => source.name)];

export const isDatasetName = (name: string): boolean => datasetNames.includes(name);

/** Where fetched datasets are kept: the platform's cache folder. */
export const datasetCache = (): string => join(envPaths('memloop', { suffix: '' }).cache, 'datasets');

function unknown(name: string): MemloopError {
  return new MemloopError(
    'bad-input',
    `unknown dataset ${name}: known are ${datasetNames.join(', ')}; nor is there such a file`,
  );
}

export function datasetSource(name: string): DatasetSource {
  const source = SOURCES.find((candidate) => candidate.name === name);
  if (!source) throw unknown(name);
  return source;
}

/** The file, packed or not, in the folder or in its subfolder named after the dataset. */
function findFile(source: DatasetSource, file: string, dir: string): string | undefined {
  const names = [file, file.replace(/\.gz$/, '')];
  return [join(dir, source.name), dir]
    .flatMap((d) => names.map((n) => join(d, n)))
    .find((path) => existsSync(path));
}

export interface LoadOptions {
  /** Folder that holds the files, or a subfolder named after the dataset; the cache unless given. */
  dataDir?: string;
  /** Splits a dataset that comes without a test set of its own. */
  seed?: number;
}

/**
 * Training and test set of a known dataset or of a data file. The shipped digits are split 4 : 1 by the seed, the others as published;
 * files by class, as `loadOwnData` does unless told otherwise.
 */
export async function loadDataset(
  name: string,
  options: LoadOptions = {},
): Promise<{ train: Dataset; test: Dataset }> {
  const { dataDir = datasetCache(), seed = 1 } = options;
  if (name === 'digits') {
    const [train, test] = split(loadDigits(), seed, [0.8, 0.2]);
    return { train, test };
  }
  if (!isDatasetName(name) && existsSync(name)) {
    const { train, test } = await loadOwnData(name, { seed });
    return { train, test };
  }
  const source = datasetSource(name);
  const paths = source.files.map((file) => {
    const path = findFile(source, file.name, dataDir);
    if (!path)
      throw new MemloopError(
        'bad-input',
        options.dataDir === undefined
          ? `${name} has not been fetched: run memloop data fetch ${name}, or give --data-dir`
          : `${dataDir} has no ${file.name} of ${name}: run memloop data fetch ${name} --data-dir ${dataDir}`,
      );
    return path;
  });
  return { train: loadIdx(name, paths[0], paths[1]), test: loadIdx(name, paths[2], paths[3]) };
}

/** SHA-256 of a file's bytes, unpacked if it is gzip; undefined if the gzip data are cut off or damaged. */
async function unpackedSha256(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    if (path.endsWith('.gz') || path.endsWith('.part'))
      await pipeline(createReadStream(path), createGunzip(), hash);
    else await pipeline(createReadStream(path), hash);
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) return undefined;
    throw error;
  }
  return hash.digest('hex');
}

export interface FetchOptions {
  dataDir?: string;
  /** Instead of the source's own. */
  mirrors?: readonly string[];
  /** Fetch even what is there. */
  force?: boolean;
  emit?: Emit;
  signal?: AbortSignal;
}

export interface FetchedFile {
  file: string;
  status: 'present' | 'fetched';
}

/**
 * Fetches what is missing of a dataset. A partial download is resumed, every file is checked by its
 * SHA-256 before it takes its name.
 */
export async function fetchDataset(
  source: DatasetSource,
  options: FetchOptions = {},
): Promise<FetchedFile[]> {
  const { dataDir = datasetCache(), force = false } = options;
  const dir = join(dataDir, source.name);
  const fetched: FetchedFile[] = [];
  for (const { name, sha256 } of source.files) {
    const present = findFile(source, name, dataDir);
    if (present && !force && (await unpackedSha256(present)) === sha256) {
      fetched.push({ file: present, status: 'present' });
      continue;
    }
    mkdirSync(dir, { recursive: true });
    const file = join(dir, name);
    await fetchFile(file, name, sha256, options.mirrors ?? source.mirrors, options);
    fetched.push({ file, status: 'fetched' });
  }
  return fetched;
}

async function fetchFile(
  file: string,
  name: string,
  sha256: string,
  mirrors: readonly string[],
  options: FetchOptions,
): Promise<void> {
  const part = `${file}.part`;
  const reasons: string[] = [];
  for (const mirror of mirrors) {
    const url = `${mirror.replace(/\/$/, '')}/${name}`;
    // A partial file may be another mirror's or damaged: if the resumed whole is wrong, begin again once.
    for (const resume of existsSync(part) ? [true, false] : [false]) {
      if (!resume) rmSync(part, { force: true });
      try {
        await download(url, part, options);
      } catch (error) {
        if (error instanceof MemloopError) throw error;
        const cause = (error as Error).cause as Error | undefined;
        reasons.push(`${url}: ${cause?.message ?? (error as Error).message}`);
        break;
      }
      const found = await unpackedSha256(part);
      if (found === sha256) {
        renameSync(part, file);
        return;
      }
      if (!resume)
        reasons.push(
          `${url}: checksum mismatch (SHA-256 ${found ?? 'of damaged gzip data'}, expected ${sha256})`,
        );
    }
    if (reasons.at(-1)?.includes('checksum')) rmSync(part, { force: true });
  }
  throw new MemloopError('service', `cannot fetch ${name}: ${reasons.join('; ')}`);
}

/** Appends to the partial file what it lacks; throws plain errors for the mirror's failures. */
async function download(url: string, part: string, { emit, signal }: FetchOptions): Promise<void> {
  const have = existsSync(part) ? statSync(part).size : 0;
  const response = await fetch(url, {
    ...(have > 0 && { headers: { range: `bytes=${have}-` } }),
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted)
      throw new MemloopError(
        'interrupted',
        `fetching ${basename(part)} stopped; the same command resumes it`,
      );
    throw error;
  });
  if (response.status === 416) return;
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
  const appending = response.status === 206;
  let done = appending ? have : 0;
  const total = done + Number(response.headers.get('content-length') ?? 0);
  const begun = performance.now();
  const before = done;
  let told = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      const now = performance.now();
      if (now - told > 250 || done === total) {
        told = now;
        const rate = ((done - before) * 1000) / (now - begun);
        emit?.({
          type: 'progress',
          stage: `fetch ${basename(part, '.part')}`,
          done,
          total,
          units: 'bytes',
          rate,
          timeLeft: (total - done) / rate,
        });
      }
      next(null, chunk);
    },
  });
  try {
    await pipeline(
      Readable.fromWeb(response.body as never),
      counted,
      createWriteStream(part, { flags: appending ? 'a' : 'w' }),
    );
  } catch (error) {
    if (signal?.aborted)
      throw new MemloopError(
        'interrupted',
        `fetching ${basename(part)} stopped; the same command resumes it`,
      );
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new MemloopError('disk', `cannot write ${part}: the disk is full`);
    throw error;
  }
}

export interface DatasetListing {
  name: string;
  description: string;
  licence: string;
  available: boolean;
}

/** Every known dataset and whether its files are there. */
export function listDatasets(dataDir: string = datasetCache()): DatasetListing[] {
  return [
    {
      name: 'digits',
      description: '1,797 handwritten digits, 8 × 8 (UCI); comes with memloop',
      licence: 'CC BY 4.0',
      available: true,
    },
    ...SOURCES.map((source) => ({
      name: source.name,
      description: source.description,
      licence: source.licence,
      available: source.files.every(({ name }) => findFile(source, name, dataDir) !== undefined),
    })),
  ];
}
