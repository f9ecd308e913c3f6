import { type Command, InvalidArgumentError } from 'commander';
import type { GuardedBoard } from '../../calibration/index.js';
import { MemloopError } from '../../shared/errors.js';
import { action, type Outcome, type Session } from '../command.js';
import { index } from '../numbers.js';

interface Options {
  array?: number;
  maps: boolean;
  quarantine?: string[];
  forgive?: string[];
  budget?: number | 'none';
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
    `"${text}" is not a cell: give ROW,COLUMN within ${rows}x${columns}, counted from 0`,
  );
}

function budgetOf(text: string): number | 'none' {
  const value = Number(text);
  if (text === 'none' || (text.trim() !== '' && Number.isSafeInteger(value) && value > 0))
    return text === 'none' ? text : value;
  throw new InvalidArgumentError('Give a number of pulses, such as 100000, or none.');
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
    .option(
      '--budget <pulses>',
      'pulses that each cell of --array may have in its life, or none for no limit',
      budgetOf,
    )
    .option('--twin <file>', 'write a profile for a virtual board that is this chip, as far as it is known')
    .option('--base <profile>', 'profile that gives the twin what a passport does not know', 'w-sdc-8x8x4')
    .action(action(passport));
}

async function passport(session: Session, options: Options): Promise<Outcome> {
  const { array, maps, twin } = options;
  const { passportSummary, passportText } = await import('../../calibration/index.js');
  const board = await session.board({ readOnly: true });
  await board.settle();
  const arrays = array === undefined ? [...board.description.arraySerials.keys()] : [array];
  change(board, options);
  if (twin !== undefined) await writeTwin(board, arrays, twin, options.base);
  return {
    result: { passport: passportSummary(board.passport, arrays), ...(twin !== undefined && { twin }) },
    text:
      passportText(board.passport, arrays, maps) +
      (twin === undefined ? '' : `\ntwin in ${twin}: --port virtual:${twin}`),
  };
}

/** What a person decides of an array and its cells. */
function change(board: GuardedBoard, { array, quarantine, forgive, budget }: Options): void {
  if (!quarantine && !forgive && budget === undefined) return;
  if (array === undefined)
    throw new MemloopError('usage', '--quarantine, --forgive and --budget need --array');
  const chip = board.passport.array(array);
  const cells = (list: string[] = []) => list.map((text) => cellOf(text, chip.rows, chip.columns));
  const [sick, well] = [cells(quarantine), cells(forgive)];
  for (const cell of sick) chip.setHealth(cell, 'quarantined');
  for (const cell of well) chip.setHealth(cell, undefined);
  if (budget !== undefined) chip.budget = budget === 'none' ? undefined : budget;
  board.save(array);
}

async function writeTwin(board: GuardedBoard, arrays: number[], file: string, base: string): Promise<void> {
  const { twinCells, twinProfile } = await import('../../calibration/index.js');
  const { loadProfile } = await import('../../virtual-board/index.js');
  const profile = twinProfile(loadProfile(base), board.passport, board.description, arrays);
  profile.effects.deviceSpread.measured = twinCells(board.passport, arrays);
  (await import('../../shared/files.js')).writeAtomically(file, profileText(profile));
}
