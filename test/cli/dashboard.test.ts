import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openPty } from '../../src/virtual-board/index.js';
import { MAIN, memloop, scratch } from '../integration/shell.js';
import { BOARD, expectDone, expectOneLine, home } from './shared.js';

/** A kept run of a sweep. */
async function keptRun(): Promise<string> {
  const run = join(scratch(), 'run');
  expectDone(await memloop(['sweep', '--port', BOARD, '--points', '20', '--run', run], home()));
  return run;
}

/** `dashboard` on a terminal: types `keys` when the last line of the picture is there. */
async function onTerminal(run: string, keys: string, environment: Record<string, string>) {
  const pty = openPty();
  onTestFinished(() => pty.close());
  const terminal = openSync(pty.path, 'r+');
  const { CI, NO_COLOR, FORCE_COLOR, ...others } = process.env;
  const env = { ...others, TERM: 'xterm-256color', ...environment };
  const child = spawn(process.execPath, [MAIN, 'dashboard', run], {
    env,
    stdio: [terminal, terminal, 'pipe'],
  });
  closeSync(terminal);
  onTestFinished(() => void child.kill('SIGKILL'));
  let screen = '';
  let stderr = '';
  let typed = false;
  child.stderr!.on('data', (data) => {
    stderr += data;
  });
  pty.onData((bytes) => {
    screen += Buffer.from(bytes);
    if (typed || !screen.includes('help')) return;
    typed = true;
    void pty.write(Buffer.from(keys));
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, screen, stderr };
}

describe('dashboard', () => {
  test('in a pipe: a kept run as lines, as --json its events', async () => {
    const run = await keptRun();
    const [lines, events] = await Promise.all([
      memloop(['dashboard', run]),
      memloop(['dashboard', run, '--json']),
    ]);
    expectDone(lines);
    expect(lines.stdout).toMatch(/^sweep: 100 %, 20 of 20 pulses, [\d,]+\/s, 0:00 left\n$/);
    expectDone(events);
    expect(events.result).toEqual({ type: 'result', run, live: false });
    const types = events.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type);
    expect(types[0]).toBe('run-started');
    expect(types).toContain('progress');
    expect(types.at(-1)).toBe('result');
  });

  test('on a terminal: draws the run, q and Ctrl-C give the terminal back', async () => {
    const run = await keptRun();
    for (const [keys, environment] of [
      ['q', {}],
      ['\u0003', { NO_COLOR: '1' }],
    ] as const) {
      const { code, screen, stderr } = await onTerminal(run, keys, environment);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(screen).toContain('replay ×10');
      expect(screen).toContain('conductance');
      expect(screen.includes('\u001b[38;')).toBe(!('NO_COLOR' in environment));
      // The alternate screen is left, the cursor shown.
      expect(screen.lastIndexOf('\u001b[?1049l')).toBeGreaterThan(screen.lastIndexOf('\u001b[?1049h'));
      expect(screen.lastIndexOf('\u001b[?25h')).toBeGreaterThan(screen.lastIndexOf('\u001b[?25l'));
    }
  });

  test('a terminal without cursor movements gets lines', async () => {
    const { code, screen } = await onTerminal(await keptRun(), '', { TERM: 'dumb' });
    expect(code).toBe(0);
    expect(screen).toMatch(/^sweep: 100 %/);
    expect(screen).not.toContain('\u001b');
  });

  test('bad input ends in one line', async () => {
    const folder = scratch();
    expectOneLine(await memloop(['dashboard', folder]), /not a run folder \(no run\.json\)/);
    expectOneLine(await memloop(['dashboard', folder, '--speed', '0']), /above 0/);
  });
});
