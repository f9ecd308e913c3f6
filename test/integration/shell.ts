/** The built command line, as a shell runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

export const MAIN = new URL('../../dist/src/cli/main.js', import.meta.url).pathname;

/** A folder that goes away with the test. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'memloop-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** The last line of --json. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it
  result: any;
}

export function start(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

export async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (data) => {
    stdout += data;
  });
  child.stderr!.on('data', (data) => {
    stderr += data;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  let result: unknown;
  try {
    result = JSON.parse(stdout.trim().split('\n').at(-1)!);
  } catch {
    result = undefined;
  }
  return { code, stdout, stderr, result };
}

export const memloop = (args: readonly string[], environment?: Record<string, string>): Promise<Ended> =>
  ended(start(args, environment));

/** A mock in another process; resolves with its port, and what is to be in the environment, when it is ready. */
export async function startMock(
  args: readonly string[],
): Promise<{ port: string; environment: Record<string, string>; child: ChildProcess }> {
  const child = start(['mock', ...args]);
  const lines = createInterface({ input: child.stdout! });
  let stderr = '';
  child.stderr!.on('data', (data) => {
    stderr += data;
  });
  const line = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('close', () => reject(new Error(`the mock ended: ${stderr}`)));
  });
  return { environment: {}, ...JSON.parse(line), child };
}
