import { type Command, InvalidArgumentError } from 'commander';
import type { ProgrammedCell } from '../../plots/index.js';
import { action } from '../command.js';
import { type DatasetOptions, deploy, loadForBoard } from '../network.js';
import { decimal, index } from '../numbers.js';

interface Options extends DatasetOptions {
  model?: string;
  target?: string;
  array: number;
  tolerance?: number;
  dryRun?: boolean;
}

const siemens = (text: string): number => {
  const value = decimal(text);
  if (!(value > 0 && value < 1e-3)) throw new InvalidArgumentError('Give siemens, such as 1e-6.');
  return value;
};

export function register(program: Command): void {
  program
    .command('program')
    .description(
      'write a network or a matrix of conductances onto the board; a second call finishes the first',
    )
    .option('--model <file>', 'network to program (safetensors)')
    .option('--target <file>', 'matrix of conductances to program (JSON, S)')
    .option('--array <n>', 'array for --target', index, 0)
    .option('--tolerance <S>', 'largest error that counts as done (default: 2 % of the window)', siemens)
    .option('--dataset <name>', 'dataset that the network was trained on, where its file does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--dry-run', 'measure and say which cells would be pulsed, but pulse none')
    .action(
      action(
        async (session, options: Options) => {
          const { MemloopError } = await import('../../shared/errors.js');
          if ((options.model === undefined) === (options.target === undefined))
            throw new MemloopError('usage', 'give either --model FILE or --target FILE');
          const loop = await import('../../loop/index.js');
          const { dryRun } = options;
          const settings = options.tolerance === undefined ? {} : { tolerance: options.tolerance };
          const job =
            options.model === undefined
              ? await loop.matrixJob(
                  { board: await session.board({ dryRun }), emit: session.emit, signal: session.signal },
                  options.target!,
                  options.array,
                )
              : await deploy(session, await loadForBoard(options.model, options), { dryRun });
          if (dryRun) {
            const { cells, outside } = await job.rehearse(settings);
            return {
              result: { cells, outside, dryRun: true },
              text: `${outside} of ${cells} cells are out of tolerance and would be pulsed; nothing was applied`,
            };
          }
          const cells = new Map<string, ProgrammedCell>();
          let size = { rows: 0, columns: 0 };
          const listening = session.events.subscribe((event) => {
            if (event.type === 'conductance') size = { rows: event.rows, columns: event.columns };
            if (event.type !== 'cell' || event.target === undefined) return;
            const { array, row, column, conductance, target, status } = event;
            const failed = status === 'failed';
            cells.set(`${array}:${row},${column}`, { array, row, column, conductance, target, failed });
          });
          const summary = await job.program(settings);
          listening.unsubscribe();
          const plot = session.run?.file('programming.svg');
          if (plot !== undefined && cells.size > 0) {
            const { programPlot } = await import('../../plots/index.js');
            const text = programPlot(
              `${(100 * summary.inTolerance).toFixed(2)} % of ${summary.cells} cells in tolerance, ${summary.pulsesPerCell.toFixed(2)} pulses per cell`,
              [...cells.values()],
              { ...size, tolerance: summary.tolerance },
            );
            (await import('../../shared/files.js')).writeAtomically(plot, text);
          }
          return {
            result: { ...summary, ...(plot !== undefined && cells.size > 0 && { plot }) },
            text: loop.summaryText(summary),
          };
        },
        { show: 'lines' },
      ),
    );
}
