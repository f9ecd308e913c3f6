/**
 * How far the parameters of a fit move when its loop is drawn anew: the fitted current with the residuals resampled in
 * blocks (they resemble their neighbours), fitted again. Two thirds should lie within the stated deviation.
 * Usage: npm run bench:resample -- DIR [--draws 6], where DIR has folders named like 47k_0.8V_10Hz_M1 with a memristor.csv.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fitLoops, parseLoopName, readLoop } from '../src/calibration/index.js';
import { FITTED } from '../src/calibration/loops/fit-report.js';
import { Random } from '../src/model/random.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { draws: { type: 'string', default: '6' } },
});
const [directory] = positionals;
if (directory === undefined) {
  console.error('give the folder of the loops');
  process.exit(2);
}
/** Samples that stay together. */
const BLOCK = 10;

const files = readdirSync(directory)
  .filter((name) => parseLoopName(name) && existsSync(join(directory, name, 'memristor.csv')))
  .sort();
const counts = new Map<string, { within: number; of: number }>();
for (const name of files) {
  const loop = readLoop(join(directory, name, 'memristor.csv'));
  const fit = fitLoops([loop]);
  const fitted = fit.response.current.map((current) => current - fit.offsets.current);
  const residuals = loop.current.map((current, i) => current - fitted[i]);
  const random = new Random(1).fork(name);
  const told = (of: typeof fit) => ({
    ...of.parameters,
    voltageOffset: of.offsets.voltage,
    currentOffset: of.offsets.current,
  });
  let within = 0;
  let of = 0;
  for (let draw = 0; draw < Number(values.draws); draw++) {
    let from = 0;
    const current = fitted.map((value, i) => {
      if (i % BLOCK === 0) from = random.integer(residuals.length);
      return value + residuals[(from + (i % BLOCK)) % residuals.length];
    });
    const again = told(fitLoops([{ ...loop, current }], { from: fit }));
    for (const parameter of FITTED) {
      const inside = Math.abs(again[parameter] - told(fit)[parameter]) <= fit.uncertainty[parameter];
      const count = counts.get(parameter) ?? { within: 0, of: 0 };
      counts.set(parameter, { within: count.within + Number(inside), of: count.of + 1 });
      within += Number(inside);
      of++;
    }
  }
  console.log(`${name.padEnd(22)} ${((100 * within) / of).toFixed(0).padStart(4)} % of ${of}`);
}
let all = { within: 0, of: 0 };
for (const [parameter, { within, of }] of counts) {
  all = { within: all.within + within, of: all.of + of };
  console.log(`${parameter.padEnd(22)} ${((100 * within) / of).toFixed(0).padStart(4)} % of ${of}`);
}
console.log(
  `${'all'.padEnd(22)} ${((100 * all.within) / all.of).toFixed(0).padStart(4)} % of ${all.of} within one deviation`,
);
