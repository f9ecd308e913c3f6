import { execFile } from 'node:child_process';
import { expect, test } from 'vitest';
import { MAIN } from '../integration/shell.js';

test('a reader that goes away, as head does, is no error', async () => {
  const command = `'${process.execPath}' '${MAIN}' simulate --peak 5e-6 --steps 20000 --json | head -c 20`;
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve, reject) => {
    execFile('sh', ['-c', command], (error, stdout, stderr) =>
      error ? reject(error) : resolve({ stdout, stderr }),
    );
  });
  expect(stderr).toBe('');
  expect(stdout).toBe('{"type":"result","tr');
});
