import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatLoop, steadyLoop } from '../../src/calibration/index.js';
import { W_SDC } from '../../src/model/devices/memristor.js';
import { createVirtualBoard } from '../../src/virtual-board/index.js';
import { memloop, scratch } from '../integration/shell.js';
import { BOARD, expectDone, expectOneLine, home } from './shared.js';

const names = ['ron', 'roff', 'von', 'voff', 'tau', 'vt', 'phi', 'alpha', 'beta'];

describe('fit', () => {
  test('finds the device of a loop that sweep wrote', async () => {
    const folder = scratch();
    const stem = join(folder, 'loop');
    const cell = ['--row', '2', '--column', '5', '--points', '100', '--cycles', '2'];
    expectDone(await memloop(['sweep', '--port', BOARD, ...cell, '--out', stem], home()));
    const plots = join(folder, 'plots');
    const measurement = ['--series', '5000', '--frequency', '100', '--pulsed'];
    const fitted = await memloop(['fit', `${stem}.csv`, ...measurement, '--plots', plots, '--json']);
    expectDone(fitted);
    const [fit, ...others] = fitted.result.fits;
    expect(others).toEqual([]);
    expect(fit).toMatchObject({ loops: [`${stem}.csv`], class: 'pass' });
    expect(Object.keys(fit.parameters)).toEqual(names);
    expect(fit.uncertainty.ron).toBeGreaterThan(0);
    expect(fit.nrmse[0]).toBeLessThan(0.02);
    const truth = createVirtualBoard({ profile: 'w-sdc-8x8x4', seed: 3 });
    const { ron, von } = truth.frontEnd.crossbars[0].parameters(2, 5);
    truth.close();
    expect(fit.parameters.ron / ron).toBeCloseTo(1, 0.7);
    expect(Math.abs(fit.parameters.von - von)).toBeLessThan(0.05);
    const [plot] = readdirSync(plots);
    expect(readFileSync(join(plots, plot), 'utf8')).toMatch(/^<svg /);
  });

  test('takes resistor, frequency and device from the name of the folder; text in a pipe', async () => {
    const folder = join(scratch(), '5k_0.5V_100Hz_M1');
    mkdirSync(folder);
    const applied = Float64Array.from({ length: 60 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * i) / 60));
    const { current } = steadyLoop(W_SDC, { applied, samplePeriod: 1 / 6000, resistance: 5000 });
    const loop = { voltage: applied.map((v, i) => v - 5000 * current[i]), current };
    writeFileSync(join(folder, 'loop.csv'), formatLoop(loop));
    const fitted = await memloop(['fit', join(folder, 'loop.csv')]);
    expectDone(fitted);
    expect(fitted.stdout).toMatch(/^fit: 100 %, 1 of 1 fits/m);
    expect(fitted.stdout).toMatch(/^5k_0\.5V_100Hz_M1\/loop\.csv: NRMSE 0\.\d+ %, pass$/m);
    expect(fitted.stdout).toMatch(/ron .* kΩ/);
  });

  test('bad input ends in one line', async () => {
    const folder = scratch();
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const line = '0.1,2\n';
    const wrong: [string[], RegExp][] = [
      [[join(folder, 'none.csv')], /cannot read .*none\.csv/],
      [[file('three.csv', `${line}0.1,2,3\n`)], /three\.csv line 2 has 3 columns/],
      [[file('words.csv', `v,i\n${line}0.1,high\n`)], /words\.csv line 3 is not two numbers/],
      [[file('whole.csv', line.repeat(60))], /give --series/],
      [[file('whole.csv', line.repeat(60)), '--series', '0'], /above 0/],
      [[file('whole.csv', line.repeat(60)), '--own-thresholds'], /--joint/],
    ];
    await Promise.all(
      wrong.map(async ([args, message]) => expectOneLine(await memloop(['fit', ...args]), message)),
    );
  });
});
