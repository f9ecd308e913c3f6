import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memloop, scratch, startMock } from '../integration/shell.js';
import { expectDone, expectOneLine, home } from './shared.js';

describe('replay', () => {
  test('lists and checks what --record has kept, and answers in place of the board', async () => {
    const { port } = await startMock(['--profile', 'w-sdc-8x8x4', '--seed', '3', '--tcp', '127.0.0.1:0']);
    const file = join(scratch(), 'session.jsonl');
    const read = await memloop(['read', '--port', port, '--record', file, '--json'], home());
    expectDone(read);

    const [listed, brief, checked, again] = await Promise.all([
      memloop(['replay', file]),
      memloop(['replay', file, '--brief']),
      memloop(['replay', file, '--json']),
      memloop(['read', '--port', `replay:${file}`, '--json'], home()),
    ]);
    for (const ended of [listed, brief, checked, again]) expectDone(ended);
    expect(checked.result).toMatchObject({
      type: 'result',
      url: port,
      unanswered: 0,
      refused: 0,
      damaged: 0,
    });
    expect(checked.stdout.trim().split('\n')).toHaveLength(1);
    const lines = listed.stdout.trim().split('\n');
    const { frames, requests } = checked.result;
    expect(lines.filter((line) => /^ +\d+\.\d{4} s [→←] #\d+ /.test(line))).toHaveLength(frames);
    expect(lines.some((line) => /→ .*Hello /.test(line))).toBe(true);
    const summary = lines.at(-1);
    expect(summary).toMatch(
      new RegExp(`^${port}, .*: ${frames} frames, ${requests} requests, 0 unanswered, 0 refused`),
    );
    expect(brief.stdout).toBe(`${summary}\n`);
    expect(again.result.conductance).toEqual(read.result.conductance);

    const other = await memloop(['read', '--port', `replay:${file}`, '--array', '2'], home());
    expect(other.code).not.toBe(0);
    expect(other.stderr.trim().split('\n')).toHaveLength(1);

    // A recording that was cut off in a line counts up to there.
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, text.lastIndexOf('\n', text.length - 2) + 5));
    const cut = await memloop(['replay', file, '--json']);
    expectDone(cut);
    expect(cut.result.frames).toBeLessThanOrEqual(frames);
  });

  test('bad input ends in one line', async () => {
    const folder = scratch();
    const csv = join(folder, 'loop.csv');
    writeFileSync(csv, '0.1,2\n0.2,3\n');
    const wrong: [string[], RegExp][] = [
      [[join(folder, 'none.jsonl')], /cannot read the recording .*none\.jsonl/],
      [[folder], /cannot read the recording/],
      [[csv], /loop\.csv line 1 .*--record/],
    ];
    await Promise.all(
      wrong.map(async ([args, message]) => expectOneLine(await memloop(['replay', ...args]), message)),
    );
  });
});
