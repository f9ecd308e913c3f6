import type { Command } from 'commander';
import type { CellOperation } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import { quantity } from '../../shared/text.js';
import { action } from '../command.js';
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
    .action(
      action(async (session, { array, row, column, voltage, width, count, dryRun }: Options) => {
        const { checkCellOperation } = await import('../../driver/index.js');
        const { CalibratedBoard, nominalCalibration } = await import('../../calibration/index.js');
        const board = await session.board({ dryRun });
        const pulse: CellOperation = { kind: 'pulse', array, row, column, voltage, width };
        checkCellOperation(board.description, pulse);
        const cell = { array, row, column };
        board.checkCell(cell, count);
        const where = `array ${array} row ${row} column ${column}`;
        const what = `${count} × ${quantity(voltage, 'V')} for ${quantity(width, 's')}`;
        const calibrated = new CalibratedBoard(board, board.passport.converters ?? nominalCalibration(board));
        const read = async () => {
          const conductances = await calibrated.conductances(array, { rows: [row] });
          return conductances[row * board.description.columns + column];
        };
        const before = await read();
        const show = (g: number) => quantity(g, 'S');
        if (dryRun) {
          return {
            result: { cells: [{ ...cell, before, after: before, pulses: 0 }], dryRun },
            text: `${where} is at ${show(before)}; ${what} would be applied, nothing was`,
          };
        }
        const outcomes = await board.cells(
          Array.from({ length: count }, () => pulse),
          { signal: session.signal },
        );
        const applied = outcomes.filter(({ status }) => status === 'applied').length;
        const failed = outcomes.find(({ status }) => status !== 'applied');
        if (failed && failed.status !== 'applied') {
          const unknown = outcomes.filter(({ status }) => status === 'unknown').length;
          throw new MemloopError(
            unknown > 0 ? 'board-lost' : 'board-refused',
            `${applied} of ${count} pulses were applied, ${unknown} may have been: ${failed.reason}; read the cell before you go on`,
          );
        }
        const after = await read();
        return {
          result: { cells: [{ ...cell, before, after, pulses: applied }] },
          text: `${where}: ${show(before)} → ${show(after)} after ${what}`,
        };
      }),
    );
}
