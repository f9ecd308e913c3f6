import { type Command, Option } from 'commander';
import { MemloopError } from '../../shared/errors.js';
import { action } from '../command.js';
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
    .action(
      action(
        async (session, { array, convertersOnly = false, neuronsOnly = false, readProfile }: Options) => {
          if (convertersOnly && neuronsOnly)
            throw new MemloopError('usage', 'give --converters-only or --neurons-only, not both');
          const calibration = await import('../../calibration/index.js');
          const { emit, signal } = session;
          const board = await session.board({ readOnly: convertersOnly || neuronsOnly });
          const passport = calibration.Passport.open(board.description);
          const arrays = array === undefined ? board.description.arraySerials.map((_, i) => i) : [array];
          for (const i of arrays) passport.array(i);
          const text: string[] = [];
          const fits = [];
          if (!neuronsOnly) {
            emit({ type: 'stage', stage: 'calibrate converters' });
            const converters = await calibration.calibrateConverters(board, { readProfile, emit, signal });
            passport.saveConverters(converters);
            const residuals = converters.residuals.map((a) => `${(a * 1e9).toPrecision(2)} nA`);
            text.push(
              `converters of board ${board.description.boardSerial} calibrated, residuals ${residuals.join(', ')}`,
            );
            if (converters.reads) {
              const worst = Math.max(...converters.reads.columns.map(({ residual }) => residual));
              text.push(
                `cells are read by R(v), which misses the references by up to ${(100 * worst).toPrecision(2)} %`,
              );
            }
            if (!convertersOnly) {
              const calibrated = new calibration.CalibratedBoard(board, converters);
              for (const i of arrays) {
                emit({ type: 'stage', stage: 'calibrate devices', detail: `array ${i}` });
                const fit = await calibration.calibrateDevices(calibrated, passport.array(i), i, {
                  emit,
                  signal,
                });
                fits.push(fit);
                const micro = (g: number) => (g * 1e6).toFixed(2);
                text.push(
                  `array ${fit.array}: window ${micro(fit.window.low)} to ${micro(fit.window.high)} µS, ${fit.stuckLow} stuck low and ${fit.stuckHigh} stuck high of ${fit.cells}`,
                );
              }
            }
          }
          if (!convertersOnly) {
            emit({ type: 'stage', stage: 'calibrate neurons' });
            const measured = await calibration.calibrateNeurons(board, { emit, signal });
            passport.saveNeurons(measured);
            const worst = Math.max(...measured.neurons.map(({ residual }) => residual));
            text.push(
              `${measured.neurons.length} neurons calibrated, residuals up to ${(1e3 * worst).toFixed(2)} mV`,
            );
          }
          return {
            result: { passport: calibration.passportSummary(passport, arrays), fits },
            text: [...text, `passport in ${passport.folder}`].join('\n'),
          };
        },
        { show: 'lines' },
      ),
    );
}
