/**
 * Fits measured loops one by one, all loops of a device at once, and all but one, which is then predicted.
 * Usage: npm run bench:fit -- DIR, where DIR has folders named like 47k_0.8V_10Hz_M1 with a memristor.csv each.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fitLoops, parseLoopName, predictionError, readLoop } from '../src/calibration/index.js';

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  console.error('give the folder of the loops');
  process.exit(2);
}
const files = readdirSync(directory)
  .filter((name) => parseLoopName(name) && existsSync(join(directory, name, 'memristor.csv')))
  .sort()
  .map((name) => join(directory, name, 'memristor.csv'));
const loops = files.map((file) => readLoop(file));
const percent = (value: number) => `${(100 * value).toFixed(2)} %`.padStart(9);
const median = (values: readonly number[]) => {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
};
const names = ['alone', 'joint', 'left out', 'own thr.', 'joint', 'left out', 'own thr.'];
const line = (title: string, values: readonly number[]) =>
  console.log(`${title.padEnd(30)} ${values.map(percent).join(' ')}`);

console.log(
  `${' '.repeat(30)}           ${'plain: one set a device'.padStart(29)} ${'thresholds of each loop'.padStart(29)}`,
);
console.log(`${'loop'.padEnd(30)} ${names.map((name) => name.padStart(9)).join(' ')}`);
for (const device of new Set(loops.map((loop) => loop.device))) {
  const own = loops.filter((loop) => loop.device === device);
  if (own.length < 2) continue;
  const plain = fitLoops(own, { candidates: 100, starts: 2 });
  const shifted = fitLoops(own, { from: plain, ownThresholds: true });
  const rows = own.map((loop, i) => {
    const others = own.filter((other) => other !== loop);
    // Left out from the fit; the search starts where that of all loops ended.
    const without = fitLoops(others, { from: plain });
    const withoutShifted = fitLoops(others, { from: shifted, ownThresholds: true });
    const values = [
      fitLoops([loop]).nrmse[0],
      plain.nrmse[i],
      predictionError(without, loop),
      predictionError(without, loop, { ownThresholds: true }),
      shifted.nrmse[i],
      predictionError(withoutShifted, loop),
      predictionError(withoutShifted, loop, { ownThresholds: true }),
    ];
    line(loop.name.split('/')[0], values);
    return values;
  });
  const column = (i: number) => rows.map((row) => row[i]);
  line(
    `${device} median`,
    names.map((_, i) => median(column(i))),
  );
  line(
    `${device} RMS`,
    names.map((_, i) => Math.hypot(...column(i)) / Math.sqrt(rows.length)),
  );
}
