/** Splits that hold each class's share, and repeat from a seed. */
import { MemloopError } from '../../shared/errors.js';
import { Random } from '../random.js';

/** Indices of each class in random order. */
function byClass(labels: ArrayLike<number>, classes: number, seed: number): number[][] {
  const groups: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) groups[labels[i]].push(i);
  const random = new Random(seed).fork('stratify');
  return groups.map((group) => random.shuffle(group));
}

/** Of each class its share becomes test samples; at least one of each class stays for training. */
export function stratifiedSplit(
  labels: ArrayLike<number>,
  classes: number,
  seed: number,
  share: number,
): { train: Uint32Array; test: Uint32Array } {
  if (!(share > 0 && share < 1))
    throw new MemloopError(
      'bad-input',
      `the share of test samples must lie between 0 and 1, not be ${share}`,
    );
  const train: number[] = [];
  const test: number[] = [];
  for (const group of byClass(labels, classes, seed)) {
    const held = Math.min(group.length - 1, Math.round(share * group.length));
    group.forEach((sample, i) => {
      (i < held ? test : train).push(sample);
    });
  }
  if (test.length === 0)
    throw new MemloopError(
      'bad-input',
      `a test share of ${share} of ${labels.length} samples holds none; give a larger --test-share`,
    );
  return { train: Uint32Array.from(train).sort(), test: Uint32Array.from(test).sort() };
}

/** Disjoint parts of nearly equal size, each with nearly its share of each class. Error: `bad-input`. */
export function stratifiedFolds(
  labels: ArrayLike<number>,
  classes: number,
  seed: number,
  folds: number,
): Uint32Array[] {
  if (!(Number.isInteger(folds) && folds >= 2 && folds <= labels.length / 2))
    throw new MemloopError(
      'bad-input',
      `${labels.length} samples cannot be cut into ${folds} folds; give 2 to ${Math.floor(labels.length / 2)}`,
    );
  const parts: number[][] = Array.from({ length: folds }, () => []);
  byClass(labels, classes, seed)
    .flat()
    .forEach((sample, i) => {
      parts[i % folds].push(sample);
    });
  return parts.map((part) => Uint32Array.from(part).sort());
}
