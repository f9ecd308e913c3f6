import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nominalCalibration, Passport } from '../../../src/calibration/index.js';
import { PulseLog } from '../../../src/calibration/passport/pulse-log.js';
import type { CellOperation } from '../../../src/driver/board/board.js';
import { temporaryHome, virtualBoard } from '../boards.js';

const pulse = (column: number): CellOperation => ({
  kind: 'pulse',
  array: 0,
  row: 0,
  column,
  voltage: 0.2,
  width: 1e-5,
});

describe('a passport', () => {
  test('comes back from its file as it was, whatever it holds', async () => {
    const { board } = await virtualBoard();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.float({ min: 0, max: 1, noNaN: true }), { nil: Number.NaN }), {
          minLength: 64,
          maxLength: 64,
        }),
        fc.array(fc.nat(63), { maxLength: 5 }),
        async (values, sick) => {
          const home = temporaryHome();
          const chip = Passport.open(board.description, home).array(1);
          chip.tables.von.set(values);
          for (const cell of sick) chip.setHealth(cell, 'stuck low');
          chip.window = { low: 1e-6, high: 5e-5 };
          chip.save();
          const again = Passport.open(board.description, home).array(1);
          for (const [i, value] of values.entries()) {
            if (Number.isNaN(value)) expect(again.tables.von[i]).toBeNaN();
            else expect(again.tables.von[i]).toBeCloseTo(value, 5);
          }
          expect([...again.unhealthy.keys()]).toEqual([...new Set(sick)].sort((a, b) => a - b));
          expect(again.window).toEqual(chip.window);
        },
      ),
      { numRuns: 20 },
    );
  });

  test('reads as a table: one line a row of the array', async () => {
    const { board } = await virtualBoard();
    const passport = Passport.open(board.description, temporaryHome());
    passport.array(0).save();
    const text = readFileSync(join(passport.folder, readdirSync(passport.folder)[0]), 'utf8');
    expect(text).toContain('[0, 0, 0, 0, 0, 0, 0, 0]');
  });

  test('keeps the converters apart from the arrays, and arrays apart from each other', async () => {
    const { board } = await virtualBoard();
    const home = temporaryHome();
    const passport = Passport.open(board.description, home);
    passport.saveConverters(nominalCalibration(board));
    passport.array(2).save();
    expect(readdirSync(passport.folder).sort()).toEqual([
      `array-${board.description.arraySerials[2]}.json`,
      'board.json',
    ]);
    expect(Passport.open(board.description, home).converters).toEqual(passport.converters);
  });

  test('that is damaged, or of another chip, ends in one line that names the file', async () => {
    const { board } = await virtualBoard();
    const home = temporaryHome();
    const passport = Passport.open(board.description, home);
    passport.array(0).save();
    const path = passport.array(0).path;
    const good = readFileSync(path, 'utf8');
    const open = () => Passport.open(board.description, home).array(0);
    writeFileSync(path, good.slice(0, 200));
    expect(open).toThrow(new RegExp(`the passport ${path} is not JSON`));
    writeFileSync(path, good.replace('"pulseLog": 0', '"pulseLog": "none"'));
    expect(open).toThrow(/: field "pulseLog": expected number, received string; mend it/);
    writeFileSync(path, good.replaceAll(board.description.arraySerials[0], 'A-9'));
    expect(open).toThrow(/is of array A-9 on board .*, not of/);
    writeFileSync(path, good.replace('"rows": 8', '"rows": 9'));
    expect(open).toThrow(/is of a 9x8 array, this one has 8x8/);
  });
});

describe('the pulse log', () => {
  const batch = [0, 1, 2, 3].map((cell) => ({ cell, energy: 1e-9 }));

  test.each([0, 1, 3, 4])(
    'settles a kill after %i of 4 pulses by the count of the board',
    async (arrived) => {
      const { board } = await virtualBoard();
      const home = temporaryHome();
      const { log } = await PulseLog.open(board, Passport.open(board.description, home).array(0));
      await board.cells([pulse(5)]);
      const again = await PulseLog.open(board, Passport.open(board.description, home).array(0));
      expect(again.uncertain).toBe(0);
      again.log.begin(batch);
      await board.cells(batch.slice(0, arrived).map(({ cell }) => pulse(cell)));
      // Killed here: what follows is another process.
      const chip = Passport.open(board.description, home).array(0);
      expect((await PulseLog.open(board, chip)).uncertain).toBe(0);
      expect([...chip.tables.pulses.subarray(0, 4)]).toEqual([0, 1, 2, 3].map((i) => (i < arrived ? 1 : 0)));
      const saved = Passport.open(board.description, home).array(0);
      expect((await PulseLog.open(board, saved)).uncertain).toBe(0);
      expect(saved.tables.pulses.reduce((a, b) => a + b)).toBe(arrived);
      expect(log).toBeDefined();
    },
  );

  test('counts as applied what a rebooted board cannot tell', async () => {
    const { board, virtual } = await virtualBoard();
    const home = temporaryHome();
    await board.cells([pulse(5), pulse(5)]);
    const { log } = await PulseLog.open(board, Passport.open(board.description, home).array(0));
    log.begin(batch);
    virtual.reboot();
    const after = await virtualBoard();
    const chip = Passport.open(board.description, home).array(0);
    expect((await PulseLog.open(after.board, chip)).uncertain).toBe(4);
    expect([...chip.tables.pulses.subarray(0, 4)]).toEqual([1, 1, 1, 1]);
  });

  test('forgives a line torn by a kill, whose pulses were never sent, and refuses any other damage', async () => {
    const { board } = await virtualBoard();
    const home = temporaryHome();
    const chip = Passport.open(board.description, home).array(0);
    const { log } = await PulseLog.open(board, chip);
    log.begin(batch);
    log.end(batch, [1, 1, 0, 1]);
    const path = chip.path.replace('.json', '.pulses.ndjson');
    appendFileSync(path, '{"sequence":2,"ti');
    const next = Passport.open(board.description, home).array(0);
    await PulseLog.open(board, next);
    expect([...next.tables.pulses.subarray(0, 4)]).toEqual([1, 1, 0, 1]);
    writeFileSync(path, 'not a log\n');
    await expect(PulseLog.open(board, Passport.open(board.description, home).array(0))).rejects.toThrow(
      /is damaged in line 1/,
    );
  });
});
