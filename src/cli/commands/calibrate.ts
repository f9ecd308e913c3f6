import type { Command } from 'commander';
import { action } from '../command.js';
import { index } from '../numbers.js';

interface Options {
  array?: number;
  convertersOnly?: boolean;
}

export function register(program: Command): void {
  program
    .command('calibrate')
    .description("converters, then devices; kept in the chip's passport. Erases what the arrays hold")
    .option('--array <n>', 'only this array (default: all)', index)
    .option('--converters-only', 'leave the cells alone: no pulse is applied')
    .action(
      action(
        async (session, { array, convertersOnly }: Options) => {
          const { CalibratedBoard, calibrateConverters, calibrateDevices, Passport, passportSummary } =
            await import('../../calibration/index.js');
          const { emit, signal } = session;
          const board = await session.board({ readOnly: convertersOnly ?? false });
          const passport = Passport.open(board.description);
          const arrays = array === undefined ? board.description.arraySerials.map((_, i) => i) : [array];
          for (const i of arrays) passport.array(i);
          emit({ type: 'stage', stage: 'calibrate converters' });
          const converters = await calibrateConverters(board, { emit, signal });
          passport.saveConverters(converters);
          const calibrated = new CalibratedBoard(board, converters);
          const fits = [];
          if (!convertersOnly) {
            for (const i of arrays) {
              emit({ type: 'stage', stage: 'calibrate devices', detail: `array ${i}` });
              fits.push(await calibrateDevices(calibrated, passport.array(i), i, { emit, signal }));
            }
          }
          const micro = (g: number) => (g * 1e6).toFixed(2);
          return {
            result: { passport: passportSummary(passport, arrays), fits },
            text: [
              `converters of board ${board.description.boardSerial} calibrated, residuals ${converters.residuals
                .map((a) => `${(a * 1e9).toPrecision(2)} nA`)
                .join(', ')}`,
              ...fits.map(
                (fit) =>
                  `array ${fit.array}: window ${micro(fit.window.low)} to ${micro(fit.window.high)} µS, ${fit.stuckLow} stuck low and ${fit.stuckHigh} stuck high of ${fit.cells}`,
              ),
              `passport in ${passport.folder}`,
            ].join('\n'),
          };
        },
        { show: 'lines' },
      ),
    );
}
