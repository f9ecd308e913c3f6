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
const quick = { candidates: 60, starts: 2 };

console.log('loop                                   alone   jointly  left out');
for (const device of new Set(loops.map((loop) => loop.device))) {
  const own = loops.filter((loop) => loop.device === device);
  const joint = fitLoops(own, quick);
  for (const [i, loop] of own.entries()) {
    const alone = fitLoops([loop]).nrmse[0]!;
    const others =
      own.length > 1
        ? fitLoops(
            own.filter((other) => other !== loop),
            quick,
          )
        : undefined;
    const predicted = others ? percent(predictionError(others, loop)) : '        -';
    console.log(`${loop.name.padEnd(34)} ${percent(alone)} ${percent(joint.nrmse[i]!)} ${predicted}`);
  }
}
