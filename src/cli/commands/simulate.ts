import { type Command, InvalidArgumentError, Option } from 'commander';
import type { IntegratorName, MifParameters, MifState, Pulse } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { writeAtomically } from '../../shared/files.js';
import { action, type Session } from '../command.js';
import { neuronOf, neuronOptions } from '../neuron.js';
import { decimal, wholeNumber } from '../numbers.js';

interface Options extends Partial<MifParameters> {
  peak?: number[];
  stimulus?: string;
  duration: number;
  steps: number;
  integrator: IntegratorName;
  startV?: number;
  startX1?: number;
  startX2?: number;
  format: 'csv' | 'json';
  out?: string;
  svg?: string;
}

function amperes(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.some((value) => !Number.isFinite(value)))
    throw new InvalidArgumentError('Give amperes such as 5e-6, or several with commas.');
  return values;
}

export function register(program: Command): void {
  const command = program
    .command('simulate')
    .description('one neuron or a population under input pulses: traces of a, I, v, x1, x2')
    .option(
      '--peak <A>',
      'one pulse at time 0 whose alpha current peaks at this; several with commas, one for each neuron',
      amperes,
    )
    .option('--stimulus <file>', 'CSV of pulses: a header, then time (s) and one drive (A) for each neuron')
    .option('--duration <s>', 'simulated time', decimal, 10e-3)
    .option('--steps <n>', 'steps of the integrator in that time', wholeNumber(1, 10_000_000), 1000)
    .addOption(
      new Option('--integrator <name>', 'integrator of the neuron')
        .choices(['forward-euler', 'semi-implicit', 'exponential'])
        .default('exponential'),
    )
    .option('--start-v <V>', 'membrane potential at the start (default: rest)', decimal)
    .option('--start-x1 <x>', 'state of memristor 1 at the start (default: rest)', decimal)
    .option('--start-x2 <x>', 'state of memristor 2 at the start (default: rest)', decimal)
    .addOption(new Option('--format <format>', 'format of --out').choices(['csv', 'json']).default('csv'))
    .option('--out <file>', 'write the trace')
    .option('--svg <file>', 'write a plot');
  neuronOptions(command).action(action(simulate));
}

async function simulate({ print }: Session, options: Options) {
  const model = await import('../../model/index.js');
  const { tracePlot, traceText } = await import('../../plots/index.js');
  const { duration, steps, integrator, out, svg } = options;
  const start: Partial<MifState> = {};
  if (options.startV !== undefined) start.v = options.startV;
  if (options.startX1 !== undefined) start.x1 = options.startX1;
  if (options.startX2 !== undefined) start.x2 = options.startX2;
  const trace = model.simulate(await stimuliOf(options), {
    neuron: neuronOf(options),
    integrator,
    duration,
    steps,
    start,
  });
  if (out !== undefined)
    writeAtomically(out, options.format === 'json' ? `${JSON.stringify(trace)}\n` : model.traceCsv(trace));
  if (svg !== undefined) writeAtomically(svg, tracePlot(trace));
  print(traceText(trace, (process.stdout.columns || 80) - 12));
  return { result: { trace } };
}

async function stimuliOf({ peak, stimulus }: Options): Promise<Pulse[][]> {
  const { loadStimulus, pulseOfPeak } = await import('../../model/index.js');
  if (peak !== undefined && stimulus === undefined) return peak.map(pulseOfPeak);
  if (peak === undefined && stimulus !== undefined) return loadStimulus(stimulus);
  throw new MemloopError('usage', 'give either --peak A or --stimulus FILE');
}
