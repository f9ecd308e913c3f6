import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';

const hasTmux = (() => {
  try {
    execFileSync('tmux', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const SHOW = fileURLToPath(new URL('show.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A shell on a terminal of its own, in tmux. */
class Terminal {
  static #count = 0;
  readonly #socket = `memloop-test-${process.pid}-${Terminal.#count++}`;

  constructor(columns: number, rows: number) {
    const size = ['-x', String(columns), '-y', String(rows)];
    const env = { ...process.env, PS1: '$ ', ENV: '' };
    execFileSync('tmux', ['-L', this.#socket, '-f', '/dev/null', 'new-session', '-d', ...size, 'sh'], {
      env,
    });
    // Without a client the window keeps the size it is given.
    this.#tmux('set', '-g', 'window-size', 'manual');
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...args], { encoding: 'utf8' });
  }
  type(text: string): void {
    this.#tmux('send-keys', '-l', text);
  }
  press(key: string): void {
    this.#tmux('send-keys', key);
  }
  run(command: string): void {
    this.type(command);
    this.press('Enter');
  }
  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }
  lines(...options: string[]): string[] {
    return this.#tmux('capture-pane', '-p', ...options)
      .replace(/\n$/, '')
      .split('\n');
  }
  /** Whether the cursor is shown and the alternate screen is on. */
  state(): string {
    return this.#tmux('display-message', '-p', 'cursor #{cursor_flag} alternate #{alternate_on}').trim();
  }
  /** Waits until the screen satisfies; fails with the screen otherwise. */
  async until(fits: (lines: string[]) => boolean): Promise<string[]> {
    const end = Date.now() + 40_000;
    for (;;) {
      const lines = this.lines();
      if (fits(lines)) return lines;
      if (Date.now() > end) throw new Error(`the screen stayed\n${lines.join('\n')}`);
      await sleep(50);
    }
  }
  close(): void {
    this.#tmux('kill-server');
  }
}

/** Runs the made-up run up to a second and holds it there; `also` runs beside it. */
const show = (hold: number, also = '') =>
  `cd '${ROOT}'; clear; node -e "import('vite').then(({ runnerImport }) => runnerImport('${SHOW}'));${also}" 1000 8x8x4 ${hold}; echo "exit $?"`;

let terminal: Terminal;

describe.skipIf(!hasTmux)('on a real terminal (skipped where tmux is not installed)', () => {
  afterEach(() => terminal.close());
  const open = (columns: number, rows: number) => {
    terminal = new Terminal(columns, rows);
  };
  const has = (text: string) => (lines: string[]) => lines.some((line) => line.includes(text));
  const saneAgain = async () => {
    expect(terminal.state()).toBe('cursor 1 alternate 0');
    terminal.run('stty -a | tr ";" "\\n" | grep -w icanon; echo typed');
    const lines = await terminal.until((all) => all.filter((line) => line === 'typed').length === 1);
    expect(lines.join('\n')).toMatch(/ icanon /);
    expect(lines.join('\n')).toMatch(/ echo /);
    // What is typed is seen.
    expect(lines.join('\n')).toMatch(/[$#] stty -a/);
  };

  test('fills any size, takes keys, many at once too, and gives the terminal back on Ctrl-C', async () => {
    open(80, 24);
    terminal.run(show(45));
    await terminal.until(has('live 0:45'));
    expect(terminal.state()).toBe('cursor 0 alternate 1');
    for (const [columns, rows] of [
      [120, 40],
      [60, 16],
      [40, 10],
      [200, 60],
      [80, 24],
    ] as const) {
      terminal.resize(columns, rows);
      const lines = await terminal.until(
        (all) => all[0]?.trimEnd().length === columns - 1 && all[rows - 2]?.startsWith(' q quit') === true,
      );
      expect(lines).toHaveLength(rows);
      expect(lines.at(-1)).toBe('');
      expect(lines.filter((line) => line.includes('memloop demo'))).toHaveLength(1);
      expect(lines.filter((line) => line.includes('1 conductance'))).toHaveLength(1);
      expect(lines.filter((line) => /[╮│╯]$/.test(line)).length).toBeGreaterThanOrEqual(rows - 5);
    }
    terminal.resize(20, 5);
    await terminal.until((all) => all[0] === 'terminal too small:' && all[1] === '20×5, needs 40×10');
    terminal.resize(80, 24);
    await terminal.until(has('live 0:45'));
    terminal.type('jjjlll]');
    await terminal.until(has('1 conductance 2/4'));
    await terminal.until(has('row 3 column 3'));
    terminal.press('Up');
    await terminal.until(has('row 2 column 3'));
    terminal.type('?');
    await terminal.until(has('put the cursor on the next failed cell'));
    terminal.type('?2k');
    await terminal.until(has('nothing to move here'));
    terminal.press('C-c');
    const lines = await terminal.until(has('exit 0'));
    expect(lines.join('\n')).toContain('memloop demo ended after 0:45');
    expect(lines.join('\n')).toContain('accuracy: software 97.2 %, programmed 41.4 %');
    await saneAgain();
  });

  test('keeps what others print out of the picture, and gives the terminal back after a crash', async () => {
    open(80, 24);
    const noise = `setInterval(() => { console.log('printed'); console.warn('warned') }, 500)`;
    const flag = join(tmpdir(), `memloop-crash-${process.pid}`);
    const crash = `setInterval(() => { if (require('fs').existsSync('${flag}')) throw new Error('boom') }, 50)`;
    terminal.run(show(45, `${noise};${crash};`));
    await terminal.until(has('! warned'));
    const picture = terminal.lines();
    expect(picture.filter((line) => line.startsWith('printed') || line.startsWith('warned'))).toEqual([]);
    expect(picture[0]).toMatch(/^ memloop demo/);
    writeFileSync(flag, '');
    const lines = await terminal.until(has('exit 1')).finally(() => rmSync(flag));
    expect(lines.join('\n')).toContain('Error: boom');
    await saneAgain();
  });

  test('draws without colours with NO_COLOR, and where the terminal says that it has 0 columns', async () => {
    open(80, 24);
    terminal.run(`export NO_COLOR=1; stty cols 0 rows 0; ${show(45)}`);
    await terminal.until((lines) => has('live 0:45')(lines) && has(' q quit')(lines));
    expect(terminal.lines('-e').join('\n')).not.toContain('\u001b');
    expect(terminal.lines().join('\n')).toMatch(/▒▒/);
    terminal.type('q');
    await terminal.until(has('exit 0'));
  });
});
