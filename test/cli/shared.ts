/** What the tests of the command line share. */
import { expect } from 'vitest';
import { type Ended, scratch } from '../integration/shell.js';

export const BOARD = 'virtual:w-sdc-8x8x4?seed=3';

/** Passports go to a folder of the test, and no board is named by accident. */
export const home = (): Record<string, string> => ({ MEMLOOP_HOME: scratch(), MEMLOOP_PORT: '' });

/** It ended as it should, and wrote for a pipe: nothing on stderr, no colours, no cursor movements. */
export function expectDone({ code, stdout, stderr }: Ended): void {
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).not.toContain('\u001b');
}

/** It ended with one line on stderr, and nothing else. */
export function expectOneLine({ code, stdout, stderr }: Ended, pattern: RegExp, exitCode = 2): void {
  expect(stderr.trim()).toMatch(pattern);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stdout).toBe('');
  expect(code).toBe(exitCode);
}
