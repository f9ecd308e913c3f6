import type { Command } from 'commander';
import { action } from '../command.js';
import { index } from '../numbers.js';

interface Options {
  array?: number;
  maps: boolean;
  twin?: string;
  base: string;
}

export function register(program: Command): void {
  program
    .command('passport')
    .description('what is known of the chip behind a port')
    .option('--array <n>', 'only this array (default: all)', index)
    .option('--no-maps', 'without heatmaps')
    .option('--twin <file>', 'write a profile for a virtual board drawn from this chip')
    .option('--base <profile>', 'profile that gives the twin what a passport does not know', 'w-sdc-8x8x4')
    .action(
      action(async (session, { array, maps, twin, base }: Options) => {
        const { Passport, passportSummary, passportText, twinProfile, writeAtomically } = await import(
          '../../calibration/index.js'
        );
        const { description } = await session.board({ readOnly: true });
        const passport = Passport.open(description);
        const arrays = array === undefined ? description.arraySerials.map((_, i) => i) : [array];
        if (twin !== undefined) {
          const { loadProfile } = await import('../../virtual-board/index.js');
          const profile = twinProfile(loadProfile(base), passport, description, arrays);
          writeAtomically(twin, `${JSON.stringify(profile, null, 2)}\n`);
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
