import { type Command, InvalidArgumentError } from 'commander';
import type { ProgrammingSummary } from '../../loop/index.js';
import type { ProgrammedCell } from '../../plots/index.js';
import { MemloopError } from '../../shared/errors.js';
import { writeAtomically } from '../../shared/files.js';
import { percent } from '../../shared/text.js';
import { action, type Outcome, type Session } from '../command.js';
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
    .option('--dataset <data>', 'name or data file that it was trained on, where the network does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--dry-run', 'measure and say which cells would be pulsed, but pulse none')
    .action(action(programBoard, { show: 'lines' }));
}

async function programBoard(session: Session, options: Options): Promise<Outcome> {
  const { tolerance, dryRun } = options;
  const { Deployment, placementText, summaryText } = await import('../../loop/index.js');
  const job = await jobOf(session, options);
  const settings = tolerance === undefined ? {} : { tolerance };
  const placement = job instanceof Deployment ? job.placement : undefined;
  const placed = placement === undefined ? '' : `${placementText(placement)}\n`;
  if (dryRun) {
    const found = await job.rehearse(settings);
    const { cells, outside, leftOut } = found;
    const others = leftOut === 0 ? '' : `, ${leftOut} more are and would be left out`;
    return {
      result: { ...found, dryRun, ...(placement && { placement }) },
      text: `${placed}${outside} of ${cells} cells are out of tolerance and would be pulsed${others}; nothing was applied`,
    };
  }
  if (placement) session.emit({ type: 'log', level: 'info', message: placementText(placement) });
  const seen = watch(session);
  const summary = await job.program(settings);
  const plot = session.run?.file('programming.svg');
  const drawn = plot !== undefined && seen.cells.size > 0;
  if (drawn) writeAtomically(plot, await plotOf(summary, seen));
  return {
    result: { ...summary, ...(placement && { placement }), ...(drawn && { plot }) },
    text: summaryText(summary),
  };
}

async function jobOf(session: Session, options: Options) {
  const { model, target, array, dryRun } = options;
  if ((model === undefined) === (target === undefined))
    throw new MemloopError('usage', 'give either --model FILE or --target FILE');
  if (model !== undefined) return deploy(session, await loadForBoard(model, options), { dryRun });
  const { matrixJob } = await import('../../loop/index.js');
  const { emit, signal } = session;
  return matrixJob({ board: await session.board({ dryRun }), emit, signal }, target!, array);
}

/** The cells as the job leaves them, and the size of an array. */
interface Seen {
  cells: Map<string, ProgrammedCell>;
  rows: number;
  columns: number;
}

function watch({ events }: Session): Seen {
  const seen: Seen = { cells: new Map(), rows: 0, columns: 0 };
  events.subscribe((event) => {
    if (event.type === 'conductance') {
      seen.rows = event.rows;
      seen.columns = event.columns;
    } else if (event.type === 'cell' && event.target !== undefined) {
      const { array, row, column, conductance, target, status } = event;
      const failed = status === 'failed';
      seen.cells.set(`${array}:${row},${column}`, { array, row, column, conductance, target, failed });
    }
  });
  return seen;
}

async function plotOf(
  { inTolerance, cells: count, pulsesPerCell, tolerance }: ProgrammingSummary,
  { cells, rows, columns }: Seen,
): Promise<string> {
  const { programPlot } = await import('../../plots/index.js');
  const title = `${percent(inTolerance)} of ${count} cells in tolerance, ${pulsesPerCell.toFixed(2)} pulses per cell`;
  return programPlot(title, [...cells.values()], { rows, columns, tolerance });
}
