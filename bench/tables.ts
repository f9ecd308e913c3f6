/**
 * Five-fold cross-validation on six tables from Debian's packages, beside scikit-learn's MLPClassifier of the same
 * size on the same folds: `npm run bench:tables`. Needs python3-sklearn, weka and libfann-doc. FOLDS=… and SEED=…
 * change it; `ONLY=iris` takes one table.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dataset, loadFolds, planTraining, setKernelThreads, train } from '../src/model/index.js';

const SKLEARN = '/usr/lib/python3/dist-packages/sklearn/datasets/data';
const WEKA = '/usr/share/doc/weka/examples';
const TABLES: Readonly<Record<string, string>> = {
  iris: `${SKLEARN}/iris.csv`,
  wine: `${SKLEARN}/wine_data.csv`,
  'breast cancer': `${SKLEARN}/breast_cancer.csv`,
  ionosphere: `${WEKA}/ionosphere.arff`,
  segment: `${WEKA}/segment-challenge.arff`,
  thyroid: '/usr/share/doc/libfann-dev/examples/datasets/thyroid.train',
};
const { FOLDS = '5', SEED = '1', ONLY } = process.env;
const folds = Number(FOLDS);
const seed = Number(SEED);

setKernelThreads(1);
const dir = mkdtempSync(join(tmpdir(), 'tables-'));
const index: { name: string; features: number; hidden: number }[] = [];

function write(name: string, part: string, { inputs, labels }: Dataset): void {
  writeFileSync(join(dir, `${name}.${part}.x`), inputs);
  writeFileSync(join(dir, `${name}.${part}.y`), labels);
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const deviation = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, x) => sum + (x - mean(values)) ** 2, 0) / (values.length - 1));

async function table(name: string, path: string) {
  const { parts, told } = await loadFolds(path, folds, { seed });
  console.log(told);
  const ours: number[] = [];
  const begun = performance.now();
  for (const part of parts()) {
    const { features, classes, count } = part.train;
    const { spec, settings } = planTraining({ dataset: path, samples: count, features, classes });
    const fold = `${name.replace(' ', '-')}-${ours.length}`;
    index.push({ name: fold, features, hidden: spec.layers[0].outputs });
    write(fold, 'train', part.train);
    write(fold, 'test', part.test);
    const result = await train({ spec, dataset: part.train, test: part.test, ...settings, seed });
    ours.push(result.testAccuracy!);
  }
  return { name, ours, seconds: (performance.now() - begun) / 1000 };
}

try {
  const rows: Awaited<ReturnType<typeof table>>[] = [];
  for (const [name, path] of Object.entries(TABLES)) {
    if (ONLY !== undefined && !name.startsWith(ONLY)) continue;
    if (existsSync(path)) rows.push(await table(name, path));
    else console.log(`${name} skipped: no ${path}; apt-get install python3-sklearn weka libfann-doc`);
  }
  writeFileSync(join(dir, 'folds.json'), JSON.stringify(index));
  const python = spawnSync('/usr/bin/python3', ['bench/tables.py', dir], {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  });
  const peer = python.stdout.trim().split('\n').map(Number);
  if (python.status !== 0) console.log(`scikit-learn did not run: ${python.stderr}`);
  const percent = (x: number): string => (100 * x).toFixed(1);
  console.log('| table | memloop % | scikit-learn % | difference | s |\n|---|---|---|---|---|');
  const gaps = rows.map(({ name, ours, seconds }, t) => {
    const theirs = peer.slice(t * folds, (t + 1) * folds);
    const gap = mean(ours) - mean(theirs);
    console.log(
      `| ${name} | ${percent(mean(ours))} ± ${percent(deviation(ours))} | ${percent(mean(theirs))} ± ${percent(deviation(theirs))} | ${percent(gap)} | ${seconds.toFixed(0)} |`,
    );
    return gap;
  });
  console.log(`| mean | | | ${percent(mean(gaps))} | |`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
