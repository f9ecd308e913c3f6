/**
 * Five-fold cross-validation on six tables from Debian's packages, beside scikit-learn's MLPClassifier of the same
 * size on the same folds: `npm run bench:tables`. Needs python3-sklearn, weka and libfann-doc. Seeds 1 to 5 decide the
 * folds, the weights and the order, also scikit-learn's: SEEDS=… and FOLDS=… change that; `ONLY=iris` takes one table.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dataset, loadFolds, planTraining, setKernelThreads, train } from '../src/model/index.js';
import { deviation, mean, TABLES } from './table-files.js';

const { FOLDS = '5', SEEDS = '5', ONLY } = process.env;
const folds = Number(FOLDS);
const seeds = Array.from({ length: Number(SEEDS) }, (_, i) => i + 1);

setKernelThreads(1);
const dir = mkdtempSync(join(tmpdir(), 'tables-'));
const index: { name: string; features: number; hidden: number; seed: number }[] = [];

function write(name: string, part: string, { inputs, labels }: Dataset): void {
  writeFileSync(join(dir, `${name}.${part}.x`), inputs);
  writeFileSync(join(dir, `${name}.${part}.y`), labels);
}

/** Accuracy of the folds of one seed after the other. */
async function table(name: string, path: string) {
  const ours: number[] = [];
  const begun = performance.now();
  for (const seed of seeds) {
    const { parts, told } = await loadFolds(path, folds, { seed });
    if (seed === 1) console.log(told);
    for (const part of parts()) {
      const { features, classes, count } = part.train;
      const { spec, settings } = planTraining({ dataset: path, samples: count, features, classes });
      const fold = `${name.replace(' ', '-')}-${ours.length}`;
      index.push({ name: fold, features, hidden: spec.layers[0].outputs, seed });
      write(fold, 'train', part.train);
      write(fold, 'test', part.test);
      const result = await train({ spec, dataset: part.train, test: part.test, ...settings, seed });
      ours.push(result.testAccuracy!);
    }
  }
  return { name, ours, seconds: (performance.now() - begun) / 1000 };
}

/** Of each seed, the mean over its folds. */
const bySeed = (accuracies: readonly number[]): number[] =>
  seeds.map((_, s) => mean(accuracies.slice(s * folds, (s + 1) * folds)));

/** Mean and standard deviation over the seeds, %. */
const percent = (list: readonly number[]): string =>
  `${(100 * mean(list)).toFixed(1)} ± ${(100 * deviation(list)).toFixed(1)}`;

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
  if (python.status !== 0) throw new Error(`scikit-learn did not run: ${python.stderr}`);
  const peer = python.stdout.trim().split('\n').map(Number);
  const each = folds * seeds.length;
  console.log('| table | memloop % | scikit-learn % | difference | s a fold |\n|---|---|---|---|---|');
  const gaps = rows.map(({ name, ours, seconds }, t) => {
    const mine = bySeed(ours);
    const theirs = bySeed(peer.slice(t * each, (t + 1) * each));
    const gap = mine.map((accuracy, s) => accuracy - theirs[s]);
    console.log(
      `| ${name} | ${percent(mine)} | ${percent(theirs)} | ${percent(gap)} | ${(seconds / each).toFixed(1)} |`,
    );
    return gap;
  });
  console.log(`| mean | | | ${percent(seeds.map((_, s) => mean(gaps.map((gap) => gap[s]))))} | |`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
