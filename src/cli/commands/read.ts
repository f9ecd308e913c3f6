import type { Command } from 'commander';
import { MAX_SAMPLES } from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import { action, type Session } from '../command.js';
import { decimal, index, wholeNumber } from '../numbers.js';

interface Options {
  array: number;
  voltage?: number;
  samples: number;
}

export function register(program: Command): void {
  program
    .command('read')
    .description('conductance of every cell of an array, S')
    .option('--array <n>', 'array, counted from 0', index, 0)
    .option('--voltage <V>', 'read voltage (default: 0.05, or less where the board allows less)', decimal)
    .option('--samples <n>', 'ADC samples averaged for each cell', wholeNumber(1, MAX_SAMPLES), 8)
    .action(action(read));
}

async function read(session: Session, { array, voltage, samples }: Options) {
  const { asLastCalibrated } = await import('../../calibration/index.js');
  const board = await session.board({ readOnly: true });
  const { rows, columns, arraySerials, limits } = board.description;
  if (voltage !== undefined && (voltage === 0 || Math.abs(voltage) > limits.maxReadVoltage))
    throw new MemloopError(
      'limit',
      `--voltage ${voltage}: cells are read with up to ${limits.maxReadVoltage} V, and not with 0 V`,
    );
  const cells = await asLastCalibrated(board).conductances(array, {
    samples,
    signal: session.signal,
    ...(voltage === undefined ? {} : { voltage }),
  });
  session.emit({ type: 'conductance', array, rows, columns, conductance: Array.from(cells) });
  const conductance = Array.from({ length: rows }, (_, row) =>
    Array.from(cells.subarray(row * columns, (row + 1) * columns)),
  );
  const lines = conductance.map((row) => row.map((g) => (g * 1e6).toFixed(3).padStart(9)).join(''));
  const how = board.passport.converters ? 'converters calibrated' : 'converters not calibrated';
  return {
    result: { array, conductance },
    text: [`array ${array} (${arraySerials[array]}), µS, ${how}`, ...lines].join('\n'),
  };
}
