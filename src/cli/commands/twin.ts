import type { Command } from 'commander';
import { MemloopError } from '../../shared/errors.js';
import { percent } from '../../shared/text.js';
import { action, type Session } from '../command.js';
import { type DatasetOptions, loadForBoard } from '../network.js';
import { wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
  passport?: string;
  draws: number;
  seed: number;
}

export function register(program: Command): void {
  program
    .command('twin')
    .description('what a chip will do, from its passport')
    .command('predict')
    .description(
      'the accuracy that a calibrated chip will show once the network is programmed, with an interval of 90 %; no board is asked',
    )
    .requiredOption('--model <file>', 'network (safetensors)')
    .option(
      '--passport <serial>',
      'chip: serial number of its board, or a folder (default: that of the board behind --port)',
    )
    .option(
      '--dataset <data>',
      'name or data file, where the network does not say what it was trained on or to test on another file',
    )
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--samples <n>', 'only the first n test images (default: all)', wholeNumber(1, 1e6))
    .option('--draws <n>', 'chips drawn within what the passport knows', wholeNumber(2, 10_000), 40)
    .option('--seed <n>', 'seed of the draws', wholeNumber(0, 2 ** 31), 1)
    .action(action(predict));
}

async function predict(session: Session, options: Options) {
  const { predictAccuracy } = await import('../../loop/index.js');
  const passport = await passportOf(session, options);
  const { network, test, scales } = await loadForBoard(options.model, { ...options, whole: true });
  const { accuracy, low, high } = await predictAccuracy(passport, network, scales, test, options);
  return {
    result: { accuracy, low, high, samples: test.count, board: passport.boardSerial },
    text: `${percent(accuracy)} of ${test.count} test images expected on board ${passport.boardSerial}, with 90 % between ${percent(low)} and ${percent(high)}`,
  };
}

async function passportOf(session: Session, { passport }: Options) {
  if (passport !== undefined) return (await import('../../calibration/index.js')).Passport.stored(passport);
  if (session.onBoard) return (await session.board({ readOnly: true })).passport;
  throw new MemloopError(
    'usage',
    'give --passport SERIAL, or --port URL of the board whose passport is meant',
  );
}
