import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ended, memloop, scratch, start, startMock } from './shell.js';

const SIZE = 8;
const target = (low: number, high: number): number[][] =>
  Array.from({ length: SIZE }, (_, r) =>
    Array.from({ length: SIZE }, (_, c) => low + ((high - low) * ((r * SIZE + c) % 13)) / 12),
  );

describe('two shells and a pseudo-terminal between them', () => {
  it('describe, read, pulse, program and read again', async () => {
    const folder = scratch();
    const link = join(folder, 'board');
    const home = { MEMLOOP_HOME: join(folder, 'home'), MEMLOOP_PORT: link };
    await startMock(['--profile', 'w-sdc-8x8x4', '--seed', '7', '--pty', '--link', link]);

    const info = await memloop(['info', '--json'], home);
    expect(info.result.board).toMatchObject({ arrays: 4, rows: SIZE, columns: SIZE });
    expect(info.result.board.backend).toEqual(expect.any(String));

    const before = await memloop(['read', '--json'], home);
    expect(before.result.conductance).toHaveLength(SIZE);

    const pulse = await memloop(
      [
        'pulse',
        '--array',
        '0',
        '--row',
        '3',
        '--column',
        '4',
        '--voltage',
        '0.5',
        '--width',
        '100e-6',
        '--json',
      ],
      home,
    );
    expect(pulse.result.cells[0].after).toBeGreaterThan(pulse.result.cells[0].before);

    const file = join(folder, 'matrix.json');
    const wanted = target(6e-6, 40e-6);
    writeFileSync(file, JSON.stringify(wanted));
    const programmed = await memloop(['program', '--target', file, '--json'], home);
    expect(programmed.stderr).toBe('');
    const { cells, inTolerance, failed, tolerance } = programmed.result;
    expect(cells).toBe(SIZE * SIZE);
    expect(inTolerance).toBeGreaterThan(0.9);

    const after = await memloop(['read', '--samples', '64', '--json'], home);
    const lost = new Set(
      failed.map((cell: { row: number; column: number }) => cell.row * SIZE + cell.column),
    );
    const errors = after.result.conductance
      .flat()
      .map((g: number, i: number) => Math.abs(g - wanted[Math.floor(i / SIZE)][i % SIZE]))
      .filter((_: number, i: number) => !lost.has(i));
    // A second, independent read has its own noise.
    expect(errors.filter((error: number) => error > 1.5 * tolerance)).toEqual([]);
  });

  it('end program with one line when the mock is killed, and finish the job when it is back', async () => {
    const folder = scratch();
    const link = join(folder, 'board');
    const home = { MEMLOOP_HOME: join(folder, 'home'), MEMLOOP_PORT: link };
    const file = join(folder, 'matrix.json');
    const matrix = Array.from({ length: 32 }, (_, r) =>
      Array.from({ length: 32 }, (_, c) => 6e-6 + 1e-6 * ((r + c) % 30)),
    );
    writeFileSync(file, JSON.stringify(matrix));
    const mock = ['--profile', 'w-sdc-32x32x5', '--seed', '7', '--link', link, '--real-time'];
    const first = await startMock(mock);
    const job = start(['program', '--target', file, '--json'], home);
    const outcome = ended(job);
    await new Promise<void>((resolve) => {
      job.stdout!.on('data', (data) => {
        if (/"stage":"program"/.test(String(data))) resolve();
      });
      job.once('close', () => resolve());
    });
    first.child.kill('SIGKILL');
    const { code, stderr } = await outcome;
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);

    await startMock(mock.filter((word) => word !== '--real-time'));
    const again = await memloop(['program', '--target', file, '--json'], home);
    expect(again.stderr).toBe('');
    expect(again.result.inTolerance).toBeGreaterThan(0.9);
  });

  it('apply no pulse with --dry-run, with --read-only, or by commands that read', async () => {
    const folder = scratch();
    const trace = join(folder, 'trace.ndjson');
    const { port } = await startMock(['--profile', 'w-sdc-8x8x4', '--trace', trace]);
    const file = join(folder, 'matrix.json');
    writeFileSync(file, JSON.stringify(target(6e-6, 40e-6)));
    const home = { MEMLOOP_HOME: join(folder, 'home'), MEMLOOP_PORT: port };
    const rehearsal = await memloop(['program', '--target', file, '--dry-run', '--json'], home);
    expect(rehearsal.result).toMatchObject({ dryRun: true, cells: SIZE * SIZE });
    expect(rehearsal.result.outside).toBeGreaterThan(SIZE);
    const forbidden = await memloop(['program', '--target', file, '--read-only'], home);
    expect(forbidden.code).toBe(2);
    expect(forbidden.stderr).toMatch(/read-only/);
    await memloop(['read'], home);
    await memloop(['info'], home);
    expect(readFileSync(trace, 'utf8')).toBe('');
  });
});
