import type { Command } from 'commander';
import type { CellOperation, CellOutcome } from '../../driver/index.js';
import { MemloopError } from '../../shared/errors.js';
import { quantity } from '../../shared/text.js';
import { action, type Outcome, type Session } from '../command.js';
import { decimal, index, wholeNumber } from '../numbers.js';

interface Options {
  array: number;
  row: number;
  column: number;
  voltage: number;
  width: number;
  count: number;
  dryRun?: boolean;
}

export function register(program: Command): void {
  program
    .command('pulse')
    .description('voltage pulses on one cell; never beyond the limits of the board')
    .option('--array <n>', 'array, counted from 0', index, 0)
    .requiredOption('--row <n>', 'row, counted from 0', index)
    .requiredOption('--column <n>', 'column, counted from 0', index)
    .requiredOption('--voltage <V>', 'across cell and series resistor', decimal)
    .requiredOption('--width <s>', 'such as 500e-6', decimal)
    .option('--count <n>', 'pulses', wholeNumber(1, 100_000), 1)
    .option('--dry-run', 'check and show what would be applied, but apply nothing')
    .action(action(pulse));
}

async function pulse(session: Session, options: Options): Promise<Outcome> {
  const { array, row, column, voltage, width, count, dryRun } = options;
  const { checkCellOperation } = await import('../../driver/index.js');
  const { asLastCalibrated } = await import('../../calibration/index.js');
  const board = await session.board({ dryRun });
  const cell = { array, row, column };
  const one: CellOperation = { kind: 'pulse', ...cell, voltage, width };
  checkCellOperation(board.description, one);
  board.checkCell(cell, count);
  const calibrated = asLastCalibrated(board);
  const read = async () => {
    const conductances = await calibrated.conductances(array, { rows: [row] });
    return conductances[row * board.description.columns + column];
  };
  const where = `array ${array} row ${row} column ${column}`;
  const what = `${count} × ${quantity(voltage, 'V')} for ${quantity(width, 's')}`;
  const before = await read();
  if (dryRun)
    return {
      result: { cells: [{ ...cell, before, after: before, pulses: 0 }], dryRun },
      text: `${where} is at ${quantity(before, 'S')}; ${what} would be applied, nothing was`,
    };
  const pulses = new Array<CellOperation>(count).fill(one);
  checkApplied(await board.cells(pulses, { signal: session.signal }));
  const after = await read();
  return {
    result: { cells: [{ ...cell, before, after, pulses: count }] },
    text: `${where}: ${quantity(before, 'S')} → ${quantity(after, 'S')} after ${what}`,
  };
}

/** Throws where not all pulses were applied. */
function checkApplied(outcomes: readonly CellOutcome[]): void {
  const failed = outcomes.find((outcome) => outcome.status !== 'applied');
  if (!failed) return;
  const number = (wanted: CellOutcome['status']) => outcomes.filter(({ status }) => status === wanted).length;
  throw new MemloopError(
    number('unknown') > 0 ? 'board-lost' : 'board-refused',
    `${number('applied')} of ${outcomes.length} pulses were applied, ${number('unknown')} may have been: ${failed.reason}; read the cell before you go on`,
  );
}
