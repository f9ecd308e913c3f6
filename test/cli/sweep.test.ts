import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { readLoop } from '../../src/calibration/index.js';
import { ended, memloop, scratch, start, startMock } from '../integration/shell.js';
import { BOARD, expectDone, expectOneLine, home } from './shared.js';

describe('sweep', () => {
  test('gives the loop of a cell behind tcp, and keeps it as CSV and SVG', async () => {
    const { port } = await startMock(['--profile', 'w-sdc-8x8x4', '--seed', '3', '--tcp', '127.0.0.1:0']);
    const stem = join(scratch(), 'loop');
    const cell = ['--array', '1', '--row', '2', '--column', '5'];
    const wave = ['--points', '60', '--cycles', '2', '--amplitude', '0.5'];
    const swept = await memloop(['sweep', '--port', port, ...cell, ...wave, '--out', stem, '--json'], home());
    expectDone(swept);
    expect(swept.result.type).toBe('result');
    expect(swept.result.samples).toHaveLength(120);
    const { samples } = swept.result;
    for (const sample of samples)
      expect(Object.keys(sample)).toEqual(['time', 'applied', 'voltage', 'current', 'conductance']);
    // A memristor: one voltage, two conductances, higher on the way back.
    const at = (n: number) => samples[60 + n].conductance;
    expect(at(25)).toBeGreaterThan(1.5 * at(4));
    const loop = readLoop(`${stem}.csv`, { resistance: 5000, frequency: 100 });
    expect(Array.from(loop.voltage)).toEqual(
      samples.slice(60).map((sample: { voltage: number }) => sample.voltage),
    );
    expect(readFileSync(`${stem}.svg`, 'utf8')).toMatch(
      /^<svg [\s\S]*array 1 row 2 column 5[\s\S]*<\/svg>\s*$/,
    );
  });

  test('in a pipe: progress as lines, the loop in text; the run folder keeps the files', async () => {
    const run = join(scratch(), 'run');
    const swept = await memloop(['sweep', '--port', BOARD, '--points', '40', '--run', run], home());
    expectDone(swept);
    expect(swept.stdout).toMatch(/^sweep: 100 %, 40 of 40 pulses/m);
    expect(swept.stdout).toMatch(/^array 0 row 0 column 0, 0\.4 V, 100 Hz, last of 1/m);
    expect(swept.stdout).toContain(`kept in ${join(run, 'sweep')}.csv`);
    expect(JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'))).toMatchObject({ command: 'sweep' });
    for (const ending of ['csv', 'svg']) expect(existsSync(join(run, `sweep.${ending}`))).toBe(true);
  });

  test('endurance and retention', async () => {
    const endurance = await memloop(
      ['sweep', '--port', BOARD, '--endurance', '5', '--budget', '20', '--json'],
      home(),
    );
    expectDone(endurance);
    expect(endurance.result.samples.high).toHaveLength(5);
    expect(endurance.result.samples.low).toHaveLength(5);
    const retention = await memloop(['sweep', '--port', BOARD, '--retention', '0.05', '--json'], home());
    expectDone(retention);
    expect(retention.result.samples[0]).toMatchObject({ time: expect.any(Number) });
    expect(retention.result.samples[0].conductance).toHaveLength(64);
  });

  test('bad input ends in one line', async () => {
    const sweep = (...args: string[]) => memloop(['sweep', ...args], home());
    expectOneLine(await sweep(), /--port URL or set MEMLOOP_PORT/);
    const wrong: [string[], RegExp][] = [
      [['--row', '8'], /row 8/],
      [['--amplitude', '3'], /3 V.*limits/],
      [['--waveform', 'square'], /triangle or sine/],
      [['--endurance', '3'], /--budget/],
    ];
    await Promise.all(
      wrong.map(async ([args, message]) => expectOneLine(await sweep('--port', BOARD, ...args), message)),
    );
  });

  test('Ctrl-C in the middle: exit 130, one line', async () => {
    const child = start(['sweep', '--port', BOARD, '--retention', '600', '--json'], home());
    const end = ended(child);
    const lines = createInterface({ input: child.stdout! });
    for await (const line of lines) if (JSON.parse(line).type === 'progress') break;
    child.kill('SIGINT');
    const { code, stderr } = await end;
    expect(stderr).toBe('memloop: stopped by Ctrl-C\n');
    expect(code).toBe(130);
    if (child.exitCode === null) await once(child, 'exit');
  });
});
