import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { si } from '../../shared/text.js';
import { action } from '../command.js';
import { decimal, index, wholeNumber } from '../numbers.js';

interface Options {
  array: number;
  row: number;
  column: number;
  waveform: 'triangle' | 'sine';
  amplitude: number;
  frequency: number;
  cycles: number;
  points: number;
  budget?: number;
  out?: string;
  endurance?: number;
  retention?: number;
  forming?: boolean;
}

const waveform = (text: string): Options['waveform'] => {
  if (text === 'triangle' || text === 'sine') return text;
  throw new InvalidArgumentError('Give triangle or sine.');
};

const positive = (text: string): number => {
  const value = decimal(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('Give a number above 0.');
};

const siemens = (g: number) => si(g, 'S');

export function register(program: Command): void {
  program
    .command('sweep')
    .description('I–V loop of a cell through the series resistor; its endurance, retention, forming')
    .option('--array <n>', 'array', index, 0)
    .option('--row <n>', 'row', index, 0)
    .option('--column <n>', 'column', index, 0)
    .option('--waveform <name>', 'triangle or sine', waveform, 'triangle')
    .option('--amplitude <V>', 'across cell and series resistor', positive, 0.4)
    .option('--frequency <Hz>', 'of the wave', positive, 100)
    .option('--cycles <n>', 'periods', wholeNumber(1, 10_000), 1)
    .option('--points <n>', 'pulses a period', wholeNumber(8, 10_000), 200)
    .option('--budget <n>', 'pulses that the cell may have for this', wholeNumber(1, 0xffffffff))
    .option('--endurance <cycles>', 'write and erase in turn instead', wholeNumber(1, 1_000_000))
    .option('--retention <s>', 'read the array for so long instead, without pulses', positive)
    .option('--forming', 'wake a fresh cell instead, up to +0.5 V and -1.25 V')
    .option('--out <stem>', 'write STEM.csv and STEM.svg (default: into the run folder)')
    .action(
      action(
        async (session, o: Options) => {
          const cal = await import('../../calibration/index.js');
          const { MemloopError } = await import('../../shared/errors.js');
          const { emit, signal } = session;
          const board = await session.board({ readOnly: o.retention !== undefined });
          const passport = cal.Passport.open(board.description);
          const chip = passport.array(o.array);
          const calibrated = new cal.CalibratedBoard(
            board,
            passport.converters ?? cal.nominalCalibration(board),
          );
          const address = { array: o.array, row: o.row, column: o.column };
          const context = { budget: o.budget, emit, signal };
          const { limits } = board.description;
          const stem = o.out ?? session.run?.file('sweep');
          const save = (ending: string, text: string) => {
            if (stem === undefined) return;
            try {
              writeFileSync(`${stem}.${ending}`, text);
            } catch (error) {
              throw new MemloopError('disk', `cannot write ${stem}.${ending}: ${(error as Error).message}`, {
                cause: error,
              });
            }
          };

          if (o.retention !== undefined) {
            const last = o.retention;
            const times = [0, ...Array.from({ length: 10 }, (_, i) => last * 10 ** ((i - 9) / 3))];
            const reads = await cal.measureRetention(calibrated, o.array, times, context);
            save('csv', reads.map(({ time, conductance }) => [time, ...conductance].join(',')).join('\n'));
            const first = reads[0].conductance;
            const lines = reads.map(({ time, conductance }) => {
              const loss = conductance.map((g, i) => g / first[i] - 1).toSorted();
              return `${time.toFixed(3).padStart(10)} s: median change ${(100 * loss[Math.floor(loss.length / 2)]).toFixed(2)} %`;
            });
            return {
              result: {
                samples: reads.map(({ time, conductance }) => ({
                  time,
                  conductance: Array.from(conductance),
                })),
              },
              text: lines.join('\n'),
            };
          }
          if (o.endurance !== undefined) {
            const width = Math.min(3e-4, limits.maxWidth);
            const found = await cal.measureEndurance(calibrated, chip, address, o.endurance, {
              ...context,
              write: { voltage: Math.min(o.amplitude, limits.maxVoltage), width },
              erase: { voltage: Math.max(-o.amplitude, limits.minVoltage), width },
            });
            save('csv', found.high.map((high, i) => `${i + 1},${high},${found.low[i]}`).join('\n'));
            return {
              result: { samples: found },
              text: `${o.endurance} cycles: ${siemens(found.low[0])} / ${siemens(found.high[0])} at first, ${siemens(found.low.at(-1)!)} / ${siemens(found.high.at(-1)!)} at last; ${found.failedAfter === undefined ? 'the window held' : `the window had halved after ${found.failedAfter} cycles`}`,
            };
          }
          if (o.forming) {
            const { formed, samples } = await cal.formCell(calibrated, chip, address, context);
            return {
              result: { formed, samples },
              text: `${formed ? 'formed' : 'not formed'} after ${samples.length} pulses, at ${siemens(samples.at(-1)!.conductance)}`,
            };
          }
          const period = cal.waveSteps(limits, o);
          const steps = Array.from({ length: o.cycles }, () => period).flat();
          const samples = await cal.driveCell(calibrated, chip, address, steps, {
            ...context,
            budget: o.budget ?? Math.min(steps.length, 2000),
          });
          const cycle = samples.slice(-period.length);
          const voltage = Float64Array.from(cycle, (sample) => sample.voltage);
          const current = Float64Array.from(cycle, (sample) => sample.current);
          save('csv', cal.formatLoop({ voltage, current }));
          const title = `array ${o.array} row ${o.row} column ${o.column}, ${o.amplitude} V, ${o.frequency} Hz`;
          const { loopPlot, loopText } = await import('../../plots/index.js');
          save('svg', loopPlot(title, voltage, current));
          return {
            result: { samples },
            text: [
              `${title}, last of ${o.cycles}; the current is that of the conductance read after each pulse`,
              loopText(voltage, current),
              ...(stem === undefined ? [] : [`kept in ${stem}.csv and ${stem}.svg`]),
            ].join('\n'),
          };
        },
        { show: 'lines' },
      ),
    );
}
