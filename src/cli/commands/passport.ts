import type { Command } from 'commander';
import { MemloopError } from '../../shared/errors.js';
import { action } from '../command.js';
import { index } from '../numbers.js';

interface Options {
  array?: number;
  maps: boolean;
  quarantine?: string[];
  forgive?: string[];
  twin?: string;
  base: string;
}

/** `3,7` as the index of a cell. */
function cellOf(text: string, rows: number, columns: number): number {
  const match = /^(\d+),(\d+)$/.exec(text);
  const [row, column] = [Number(match?.[1]), Number(match?.[2])];
  if (match && row < rows && column < columns) return row * columns + column;
  throw new MemloopError(
    'usage',
    `"${text}" is no cell: give ROW,COLUMN within ${rows}x${columns}, counted from 0`,
  );
}

/** One line a list: a chip has thousands of cells. */
const profileText = (profile: object): string =>
  `${JSON.stringify(profile, null, 2).replace(/\[[^[\]{}"]*\]/g, (list) => list.replace(/\s+/g, ' '))}\n`;

export function register(program: Command): void {
  program
    .command('passport')
    .description('what is known of the chip behind a port')
    .option('--array <n>', 'only this array (default: all)', index)
    .option('--no-maps', 'without heatmaps')
    .option('--quarantine <row,column...>', 'never pulse these cells of --array again')
    .option('--forgive <row,column...>', 'forget that these cells of --array are out of use')
    .option('--twin <file>', 'write a profile for a virtual board that is this chip, as far as it is known')
    .option('--base <profile>', 'profile that gives the twin what a passport does not know', 'w-sdc-8x8x4')
    .action(
      action(async (session, { array, maps, quarantine, forgive, twin, base }: Options) => {
        const { Passport, passportSummary, passportText, twinCells, twinProfile } = await import(
          '../../calibration/index.js'
        );
        const { description } = await session.board({ readOnly: true });
        const passport = Passport.open(description);
        const arrays = array === undefined ? description.arraySerials.map((_, i) => i) : [array];
        if (quarantine || forgive) {
          if (array === undefined) {
            throw new MemloopError('usage', '--quarantine and --forgive need --array');
          }
          const chip = passport.array(array);
          const cells = (list: string[] = []) => list.map((text) => cellOf(text, chip.rows, chip.columns));
          const [sick, well] = [cells(quarantine), cells(forgive)];
          for (const cell of sick) chip.setHealth(cell, 'quarantined');
          for (const cell of well) chip.setHealth(cell, undefined);
          chip.save();
        }
        if (twin !== undefined) {
          const { loadProfile } = await import('../../virtual-board/index.js');
          const profile = twinProfile(loadProfile(base), passport, description, arrays);
          profile.effects.deviceSpread.measured = twinCells(passport, arrays);
          (await import('../../shared/files.js')).writeAtomically(twin, profileText(profile));
        }
        return {
          result: { passport: passportSummary(passport, arrays), ...(twin !== undefined && { twin }) },
          text:
            passportText(passport, arrays, maps) +
            (twin === undefined ? '' : `\ntwin in ${twin}: --port virtual:${twin}`),
        };
      }),
    );
}
