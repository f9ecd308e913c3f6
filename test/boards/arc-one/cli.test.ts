/** The command line on a stand-in in another process. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectOneLine } from '../../cli/shared.js';
import { memloop, scratch } from '../../integration/shell.js';
import { standIn, stopWhileProgramming } from '../shared.js';

async function bench() {
  const link = join(scratch(), 'arc1');
  const args = ['--profile', 'w-sdc-8x8x4', '--link', link];
  const served = await standIn('arc-one', { boot: 0.05 }, ...args);
  expect(served.port).toMatch(/^arc1:.*rows=8&columns=8/);
  const run = (...args: string[]) => memloop([...args, '--json'], served.environment);
  return { ...served, link, run };
}

test('info, read, pulse, sweep, fit, passport', async () => {
  const { folder, link, environment, received, run } = await bench();
  const { board } = (await run('info')).result;
  expect(board).toMatchObject({ kind: 'ArC ONE', neurons: 0, deadManTime: null, trace: false });
  expect((await memloop(['info'], environment)).stdout).toMatch(
    /neurons +none: the host runs them\n(.*\n)*dead-man +none\n(.*\n)*caveat +Its protocol has no checksum/,
  );
  const { conductance } = (await run('read')).result;
  expect(conductance.flat().length).toBe(64);
  const pulsed = (
    await run('pulse', '--row', '1', '--column', '2', '--voltage', '0.4', '--width', '1e-4', '--count', '3')
  ).result;
  expect(pulsed.cells[0].after).toBeGreaterThan(pulsed.cells[0].before);
  const loop = join(folder, 'loop');
  expect(
    (await run('sweep', '--row', '4', '--column', '4', '--points', '60', '--out', loop)).result.samples
      .length,
  ).toBe(60);
  expect((await run('fit', `${loop}.csv`, '--series', '5000', '--frequency', '100', '--pulsed')).code).toBe(
    0,
  );
  const { passport } = (await run('passport')).result;
  expect(JSON.stringify(passport)).toContain('ARC1');
  expect(received()).toHaveLength(63);
  const [parameter, kind] = await Promise.all(
    [`arc1:${link}?rows=8&cols=8`, 'nope:x'].map((port) => memloop(['info', '--port', port], environment)),
  );
  expectOneLine(parameter, /unknown parameter "cols"; write arc1:/);
  expectOneLine(kind, /unknown kind of port .*arc1:/);
});

test('program after Ctrl-C and after kill -9 is finished by the same command', async () => {
  const { folder, environment, run } = await bench();
  const target = join(folder, 'target.json');
  const targets = Array.from({ length: 8 }, (_, r) =>
    Array.from({ length: 8 }, (_, c) => (r < 4 ? (8 + ((r * 5 + c * 3) % 30)) * 1e-6 : null)),
  );
  writeFileSync(target, JSON.stringify(targets));
  const program = ['program', '--target', target];
  const { code, stderr } = await stopWhileProgramming(program, environment, 'SIGINT');
  expect(code).toBe(130);
  expect(stderr.trim()).toBe('memloop: stopped by Ctrl-C');
  await stopWhileProgramming(program, environment, 'SIGKILL');
  const { result } = await run(...program);
  const healthy =
    result.cells - result.failed.filter(({ reason }: { reason: string }) => /stuck/.test(reason)).length;
  expect(result.inTolerance * result.cells).toBeGreaterThanOrEqual(0.99 * healthy - 1e-9);
});
