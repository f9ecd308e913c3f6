import { type Command, Option } from 'commander';
import type { CalibratedBoard, DeviceCalibration, GuardedBoard } from '../../calibration/index.js';
import { MemloopError } from '../../shared/errors.js';
import { percent, si } from '../../shared/text.js';
import { action, type Outcome, type Session } from '../command.js';
import { index } from '../numbers.js';

interface Options {
  array?: number;
  convertersOnly?: boolean;
  neuronsOnly?: boolean;
  readProfile: 'line' | 'vendor';
}

export function register(program: Command): void {
  program
    .command('calibrate')
    .description(
      "converters, then devices, then neurons; kept in the chip's passport. Erases what the arrays hold",
    )
    .option('--array <n>', 'only this array (default: all)', index)
    .option('--converters-only', 'leave the cells alone: no pulse is applied')
    .option('--neurons-only', 'only the neurons: no pulse is applied')
    .addOption(
      new Option(
        '--read-profile <kind>',
        "cells are read by the line of their column, or by the vendor's R(v)",
      )
        .choices(['line', 'vendor'])
        .default('line'),
    )
    .action(action(calibrate, { show: 'lines' }));
}

async function calibrate(session: Session, options: Options): Promise<Outcome> {
  const { array, convertersOnly = false, neuronsOnly = false } = options;
  if (convertersOnly && neuronsOnly)
    throw new MemloopError('usage', 'give --converters-only or --neurons-only, not both');
  const { calibratedBoard, notThere, passportSummary } = await import('../../calibration/index.js');
  const board = await session.board({ readOnly: convertersOnly || neuronsOnly });
  const { passport } = board;
  const missing = notThere(board.description);
  if (convertersOnly && missing.converters !== undefined)
    throw new MemloopError(
      'usage',
      `${missing.converters}; leave --converters-only out to calibrate devices`,
    );
  if (neuronsOnly && missing.neurons !== undefined)
    throw new MemloopError('usage', `${missing.neurons}; leave --neurons-only out to calibrate devices`);
  const arrays = array === undefined ? [...board.description.arraySerials.keys()] : [array];
  // A passport that cannot be read is told before anything is done.
  for (const i of arrays) passport.array(i);
  const text: string[] = [];
  const fits: DeviceCalibration[] = [];
  if (!neuronsOnly && missing.converters === undefined)
    text.push(...(await calibrateConverters(session, board, options.readProfile)));
  if (!neuronsOnly && !convertersOnly) {
    const calibrated = await calibratedBoard(board, session);
    for (const i of arrays) fits.push(await calibrateDevices(session, calibrated, i));
    text.push(...fits.map(fitText));
  }
  if (!convertersOnly) text.push(...(await calibrateNeurons(session, board, missing.neurons)));
  passport.saveBoard();
  return {
    result: { passport: passportSummary(passport, arrays), fits },
    text: [...text, `passport in ${passport.folder}`].join('\n'),
  };
}

async function calibrateConverters(
  { emit, signal }: Session,
  board: GuardedBoard,
  readProfile: Options['readProfile'],
): Promise<string[]> {
  const calibration = await import('../../calibration/index.js');
  emit({ type: 'stage', stage: 'calibrate converters' });
  const converters = await calibration.calibrateConverters(board, { readProfile, emit, signal });
  board.passport.saveConverters(converters);
  const residuals = converters.residuals.map((a) => si(a, 'A', 2));
  const text = `converters of board ${board.description.boardSerial} calibrated, residuals ${residuals.join(', ')}`;
  if (!converters.reads) return [text];
  const worst = Math.max(...converters.reads.columns.map(({ residual }) => residual));
  return [text, `cells are read by R(v), which misses the references by up to ${percent(worst, 1)}`];
}

async function calibrateDevices(
  { emit, signal }: Session,
  board: CalibratedBoard,
  array: number,
): Promise<DeviceCalibration> {
  const calibration = await import('../../calibration/index.js');
  emit({ type: 'stage', stage: 'calibrate devices', detail: `array ${array}` });
  return calibration.calibrateDevices(board, array, { emit, signal });
}

function fitText({ array, window, stuckLow, stuckHigh, cells }: DeviceCalibration): string {
  const found =
    window.high > 0 ? `window ${si(window.low, 'S')} to ${si(window.high, 'S')}` : 'no window found';
  return `array ${array}: ${found}, ${stuckLow} stuck low and ${stuckHigh} stuck high of ${cells}`;
}

/** @param missing why there are none to calibrate. */
async function calibrateNeurons(
  { emit, signal }: Session,
  board: GuardedBoard,
  missing: string | undefined,
): Promise<string[]> {
  if (missing !== undefined) {
    emit({ type: 'log', level: 'info', message: missing });
    return [];
  }
  const calibration = await import('../../calibration/index.js');
  emit({ type: 'stage', stage: 'calibrate neurons' });
  const measured = await calibration.calibrateNeurons(board, { emit, signal });
  board.passport.saveNeurons(measured);
  const worst = Math.max(...measured.neurons.map(({ residual }) => residual));
  return [`${measured.neurons.length} neurons calibrated, residuals up to ${si(worst, 'V', 2)}`];
}
