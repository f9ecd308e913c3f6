import type { Command } from 'commander';
import { action } from '../command.js';
import { index } from '../numbers.js';

interface Options {
  array?: number;
  maps: boolean;
}

export function register(program: Command): void {
  program
    .command('passport')
    .description('what is known of the chip behind a port')
    .option('--array <n>', 'only this array (default: all)', index)
    .option('--no-maps', 'without heatmaps')
    .action(
      action(async (session, { array, maps }: Options) => {
        const { Passport, passportSummary, passportText } = await import('../../calibration/index.js');
        const { description } = await session.board({ readOnly: true });
        const passport = Passport.open(description);
        const arrays = array === undefined ? description.arraySerials.map((_, i) => i) : [array];
        return {
          result: { passport: passportSummary(passport, arrays) },
          text: passportText(passport, arrays, maps),
        };
      }),
    );
}
