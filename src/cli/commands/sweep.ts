import { dirname } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { CalibratedBoard, CellSample } from '../../calibration/index.js';
import type { CellAddress } from '../../driver/index.js';
import type { Emit } from '../../shared/events.js';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { percent, si } from '../../shared/text.js';
import { action, type Outcome, type Session } from '../command.js';
import { index, positive, wholeNumber } from '../numbers.js';

interface Options {
  array: number;
  row: number;
  column: number;
  waveform: 'triangle' | 'sine';
  amplitude: number;
  frequency: number;
  cycles?: number;
  points?: number;
  budget?: number;
  out?: string;
  endurance?: number;
  retention?: number;
  forming?: boolean;
}

/** The first period begins wherever the cell is: a loop closes after another one or two. */
const TRACED_CYCLES = 3;
const POINTS = { traced: 400, pulsed: 200 };

const waveform = (text: string): Options['waveform'] => {
  if (text === 'triangle' || text === 'sine') return text;
  throw new InvalidArgumentError('Give triangle or sine.');
};

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
    .option(
      '--cycles <n>',
      'periods, of which the last is kept (default: 1, or 3 where the board traces the wave itself)',
      wholeNumber(1, 10_000),
    )
    .option(
      '--points <n>',
      'pulses per period, or samples of a trace (default: 200 pulses, 400 samples)',
      wholeNumber(8, 10_000),
    )
    .option('--budget <n>', 'pulses that this measurement may apply to the cell', wholeNumber(1, 0xffffffff))
    .option('--endurance <cycles>', 'instead of a loop: write and erase in turn', wholeNumber(1, 1_000_000))
    .option('--retention <s>', 'instead of a loop: read the array for this long, without pulses', positive)
    .option('--forming', 'instead of a loop: form a fresh cell, with up to +0.5 V and -1.25 V')
    .option('--out <stem>', 'write STEM.csv and STEM.svg (default: into the run folder)')
    .action(action(sweep, { show: 'lines' }));
}

async function sweep(session: Session, options: Options): Promise<Outcome> {
  const { asLastCalibrated } = await import('../../calibration/index.js');
  const stem = options.out ?? session.run?.file('sweep');
  const board = await session.board({ readOnly: options.retention !== undefined });
  const job: Job = {
    session,
    options,
    board: asLastCalibrated(board),
    address: { array: options.array, row: options.row, column: options.column },
    context: { budget: options.budget, emit: session.emit, signal: session.signal },
    stem,
  };
  board.passport.array(options.array);
  // A folder that cannot be written to shows before the first pulse.
  if (stem !== undefined) makeFolder(dirname(stem));
  if (options.retention !== undefined) return retention(job, options.retention);
  if (options.endurance !== undefined) return endurance(job, options.endurance);
  return options.forming ? forming(job) : loop(job);
}

interface Job {
  session: Session;
  options: Options;
  board: CalibratedBoard;
  address: CellAddress;
  context: { budget: number | undefined; emit: Emit; signal: AbortSignal };
  /** Of the files to be written. */
  stem: string | undefined;
}

function save({ stem }: Job, ending: string, text: string): void {
  if (stem === undefined) return;
  writeAtomically(`${stem}.${ending}`, text);
}

async function retention(job: Job, last: number): Promise<Outcome> {
  const { measureRetention, retentionTimes } = await import('../../calibration/index.js');
  const reads = await measureRetention(job.board, job.address.array, retentionTimes(last), job.context);
  save(job, 'csv', reads.map(({ time, conductance }) => [time, ...conductance].join(',')).join('\n'));
  const first = reads[0].conductance;
  const lines = reads.map(({ time, conductance }) => {
    const loss = conductance.map((g, i) => g / first[i] - 1).toSorted();
    return `${time.toFixed(3).padStart(10)} s: median change ${percent(loss[Math.floor(loss.length / 2)])}`;
  });
  const samples = reads.map(({ time, conductance }) => ({ time, conductance: Array.from(conductance) }));
  return { result: { samples }, text: lines.join('\n') };
}

async function endurance(job: Job, cycles: number): Promise<Outcome> {
  const { endurancePulses, measureEndurance } = await import('../../calibration/index.js');
  const found = await measureEndurance(job.board, job.address, cycles, {
    ...job.context,
    ...endurancePulses(job.board.description.limits, job.options.amplitude),
  });
  save(job, 'csv', found.high.map((high, i) => `${i + 1},${high},${found.low[i]}`).join('\n'));
  return {
    result: { samples: found },
    text: `${cycles} cycles: ${si(found.low[0], 'S')} / ${si(found.high[0], 'S')} at first, ${si(found.low.at(-1)!, 'S')} / ${si(found.high.at(-1)!, 'S')} at last; ${found.failedAfter === undefined ? 'the window held' : `the window had halved after ${found.failedAfter} cycles`}`,
  };
}

async function forming(job: Job): Promise<Outcome> {
  const { formCell } = await import('../../calibration/index.js');
  const { formed, samples } = await formCell(job.board, job.address, job.context);
  return {
    result: { formed, samples },
    text: `${formed ? 'formed' : 'not formed'} after ${samples.length} pulses, at ${si(samples.at(-1)!.conductance, 'S')}`,
  };
}

/** The I–V loop. */
async function loop(job: Job): Promise<Outcome> {
  const { board, address, options } = job;
  const title = `array ${address.array} row ${address.row} column ${address.column}, ${options.amplitude} V, ${options.frequency} Hz`;
  return board.board.trace ? traced(job, title) : pulsed(job, title);
}

/** By the board's own scope. */
async function traced(job: Job, title: string): Promise<Outcome> {
  const { traceCell } = await import('../../calibration/index.js');
  const { board, address, options, context } = job;
  const cycles = options.cycles ?? TRACED_CYCLES;
  const budget = options.budget ?? Math.min(2 * cycles, 2000);
  const samples = await traceCell(
    board,
    address,
    { ...options, cycles, points: options.points ?? POINTS.traced },
    { ...context, budget },
  );
  const heading = `${title}, last of ${cycles}; a true trace, measured while the wave ran`;
  return kept(job, title, samples, heading);
}

/** By pulses, each followed by a read. */
async function pulsed(job: Job, title: string): Promise<Outcome> {
  const { driveCell, waveSteps } = await import('../../calibration/index.js');
  const { board, address, options, context } = job;
  const cycles = options.cycles ?? 1;
  const period = waveSteps(board.description.limits, { ...options, points: options.points ?? POINTS.pulsed });
  const steps = Array.from({ length: cycles }, () => period).flat();
  const budget = options.budget ?? Math.min(steps.length, 2000);
  const samples = await driveCell(board, address, steps, { ...context, budget });
  const heading = `${title}, last of ${cycles}; the current is that of the conductance read after each pulse`;
  return kept(job, title, samples, heading, period.length);
}

async function kept(
  job: Job,
  title: string,
  samples: CellSample[],
  heading: string,
  period = samples.length,
): Promise<Outcome> {
  const { formatLoop } = await import('../../calibration/index.js');
  const { loopPlot, loopText } = await import('../../plots/index.js');
  const cycle = samples.slice(-period);
  const voltage = Float64Array.from(cycle, (sample) => sample.voltage);
  const current = Float64Array.from(cycle, (sample) => sample.current);
  save(job, 'csv', formatLoop({ voltage, current }));
  save(job, 'svg', loopPlot(title, voltage, current));
  return {
    result: { samples },
    text: [heading, loopText(voltage, current), ...whereKept(job)].join('\n'),
  };
}

function whereKept({ board, options: { frequency }, stem }: Job): string[] {
  if (stem === undefined) return [];
  const series = Math.round(board.description.seriesResistance);
  const pulsed = board.board.trace ? '' : ' --pulsed';
  return [
    `kept in ${stem}.csv and ${stem}.svg`,
    `to fit it: memloop fit ${stem}.csv --series ${series} --frequency ${frequency}${pulsed}`,
  ];
}
