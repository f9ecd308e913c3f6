import { readFileSync, writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { IntegratorName, MifParameters, MifState } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { action } from '../command.js';
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

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new MemloopError('disk', `cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}

export function register(program: Command): void {
  const command = program
    .command('simulate')
    .description('one neuron or a population under input pulses: traces of a, I, v, x1, x2')
    .option(
      '--peak <A>',
      'one pulse at 0 whose alpha current peaks at this; several with commas, one a neuron',
      amperes,
    )
    .option('--stimulus <file>', 'CSV of pulses: a header, then time (s) and one drive (A) a neuron')
    .option('--duration <s>', 'simulated time', decimal, 10e-3)
    .option('--steps <n>', 'in that time', wholeNumber(1, 10_000_000), 1000)
    .addOption(
      new Option('--integrator <name>', 'of the neuron')
        .choices(['forward-euler', 'semi-implicit', 'exponential'])
        .default('exponential'),
    )
    .option('--start-v <V>', 'membrane potential at the start (default: rest)', decimal)
    .option('--start-x1 <x>', 'memristor states at the start (default: rest)', decimal)
    .option('--start-x2 <x>', 'likewise', decimal)
    .addOption(new Option('--format <format>', 'of --out').choices(['csv', 'json']).default('csv'))
    .option('--out <file>', 'write the trace')
    .option('--svg <file>', 'write a plot');
  neuronOptions(command).action(
    action(async ({ print }, options: Options) => {
      const model = await import('../../model/index.js');
      const { tracePlot } = await import('../../plots/model.js');
      const { textPlot } = await import('../../plots/svg.js');
      if ((options.peak === undefined) === (options.stimulus === undefined))
        throw new MemloopError('usage', 'give either --peak A or --stimulus FILE');
      let stimuli = options.peak?.map(model.pulseOfPeak);
      if (options.stimulus !== undefined) {
        let csv: string;
        try {
          csv = readFileSync(options.stimulus, 'utf8');
        } catch (error) {
          throw new MemloopError('bad-file', `cannot read ${options.stimulus}: ${(error as Error).message}`, {
            cause: error,
          });
        }
        stimuli = model.readStimulus(csv, options.stimulus);
      }
      const start: Partial<MifState> = {};
      if (options.startV !== undefined) start.v = options.startV;
      if (options.startX1 !== undefined) start.x1 = options.startX1;
      if (options.startX2 !== undefined) start.x2 = options.startX2;
      const { duration, steps, integrator } = options;
      const trace = model.simulate(stimuli!, {
        neuron: neuronOf(options),
        integrator,
        duration,
        steps,
        start,
      });

      if (options.out !== undefined)
        write(options.out, options.format === 'json' ? `${JSON.stringify(trace)}\n` : model.traceCsv(trace));
      if (options.svg !== undefined) write(options.svg, tracePlot(trace));
      const millivolts = (v: number) => `${(1e3 * v).toFixed(1)} mV`;
      const milliseconds = (t: number) => `${(1e3 * t).toFixed(2)} ms`;
      trace.neurons.forEach(({ v }, n) => {
        const peak = v.indexOf(Math.max(...v));
        const trough = v.indexOf(Math.min(...v.slice(peak)), peak);
        print(
          `neuron ${n}: peak ${millivolts(v[peak])} at ${milliseconds(trace.time[peak])}, ` +
            `then trough ${millivolts(v[trough])} at ${milliseconds(trace.time[trough])}`,
        );
        print(textPlot(v, (process.stdout.columns || 80) - 12, 12, millivolts));
      });
      return { result: { trace } };
    }),
  );
}
