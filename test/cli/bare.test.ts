/** Commands on a board without neurons and references. */
import { expect, test } from 'vitest';
import { memloop } from '../integration/shell.js';
import { expectDone, expectOneLine, home } from './shared.js';

const PORT = ['--port', 'virtual:knowm-4x4x8?seed=3'];

test('calibrate leaves out what is not there, and says so once', async () => {
  const own = home();
  const told = await memloop(['calibrate', '--array', '1', ...PORT], own);
  expectDone(told);
  expect(told.stdout).toMatch(
    /^warning: the memloop board VB-\w+ has no reference resistors: its converters are taken as exact$/m,
  );
  expect(told.stdout).toMatch(/^the memloop board VB-\w+ has no neurons: the host runs them$/m);
  expect(told.stdout).toMatch(/^array 1: window \d/m);

  const counted = await memloop(['calibrate', '--array', '1', ...PORT, '--json'], own);
  expectDone(counted);
  expect(counted.result).toMatchObject({
    passport: { calibrated: null, neurons: null, arrays: [{ array: 1, window: expect.anything() }] },
  });
  const logs = counted.stdout
    .split('\n')
    .filter((line) => line.includes('"type":"log"'))
    .map((line) => (JSON.parse(line) as { message: string }).message);
  expect(logs.filter((line) => /no reference resistors/.test(line))).toHaveLength(1);
  expect(logs.filter((line) => /no neurons/.test(line))).toHaveLength(1);

  const passport = await memloop(['passport', '--no-maps', ...PORT], own);
  expectDone(passport);
  expect(passport.stdout).toContain('converters not calibrated');
});

test('info says what is done instead of what is not there', async () => {
  const { stdout } = await memloop(['info', '--port', 'virtual:knowm-2x2x16'], home());
  expect(stdout).toMatch(/^arrays +16 of 2 × 2: VB-\w+-A0, VB-\w+-A1, VB-\w+-A2, …, VB-\w+-A15$/m);
  expect(stdout).toMatch(/^neurons +none: the host runs them$/m);
  expect(stdout).toMatch(/^references +none: the converters are taken at their word$/m);
});

test('what is only for converters or neurons ends in one line with the remedy', async () => {
  const [neurons, converters] = await Promise.all([
    memloop(['calibrate', '--neurons-only', ...PORT], home()),
    memloop(['calibrate', '--converters-only', ...PORT], home()),
  ]);
  expectOneLine(neurons, /has no neurons: the host runs them; leave --neurons-only out/);
  expectOneLine(converters, /has no reference resistors: .*; leave --converters-only out/);
});
