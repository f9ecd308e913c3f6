import { expect, test } from 'vitest';
import { memloop } from '../integration/shell.js';
import { expectDone, expectOneLine } from './shared.js';

test('lists the serial ports of this machine', async () => {
  const listed = await memloop(['ports', '--json']);
  expectDone(listed);
  expect(listed.result.type).toBe('result');
  for (const { path, url, kind } of listed.result.ports)
    expect([path, url, kind]).toEqual([expect.any(String), expect.any(String), expect.any(String)]);
});

test('without udev (no udevadm on the path): an empty list and what to do, exit 0', async () => {
  const listed = await memloop(['ports', '--json'], { PATH: '/nonexistent' });
  expectDone(listed);
  expect(listed.result).toEqual({ type: 'result', ports: [] });
  const told = await memloop(['ports'], { PATH: '/nonexistent' });
  expectDone(told);
  expect(told.stdout).toMatch(
    /^no serial ports; `memloop mock .*\nAnalog Discovery .*: none seen; name it by --port ad2:[\s\S]*\nArC ONE: none seen; name it by --port arc1:/m,
  );
});

test('takes no argument', async () => {
  expectOneLine(await memloop(['ports', 'all']), /too many arguments for 'ports'/);
});
