import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nominalCalibration, Passport } from '../../../src/calibration/index.js';
import { temporaryHome, virtualBoard } from '../boards.js';

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

  test('of before there were budgets is read as it is, and counts stay exact whatever their size', async () => {
    const { board } = await virtualBoard();
    const home = temporaryHome();
    const chip = Passport.open(board.description, home).array(0);
    chip.tables.pulses[7] = 123_456_789;
    chip.save();
    const text = readFileSync(chip.path, 'utf8');
    expect(text).toContain('"budget": null');
    writeFileSync(chip.path, text.replace(/"budget": null,\s*/, ''));
    const again = Passport.open(board.description, home).array(0);
    expect(again.budget).toBeUndefined();
    expect(again.tables.pulses[7]).toBe(123_456_789);
    again.budget = 1000;
    again.save();
    expect(Passport.open(board.description, home).array(0).budget).toBe(1000);
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
