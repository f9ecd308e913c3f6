import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { MifParameters, Pulse } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { action } from '../command.js';
import { neuronOf, neuronOptions } from '../neuron.js';
import { decimal, wholeNumber } from '../numbers.js';

interface Options extends Partial<MifParameters> {
  model?: string;
  dataset?: string;
  dataDir?: string;
  image: number;
  peak?: number;
  stimulus?: string;
  duration?: number;
  out: string;
}

export function register(program: Command): void {
  const command = program
    .command('export')
    .description('other tools’ formats')
    .command('spice')
    .description(
      'a netlist that ngspice runs as it is: the neurons of a network under one input, or one neuron',
    )
    .option('--model <file>', 'network (safetensors)')
    .option('--dataset <name>', 'of the input image (default: what the network was trained on)')
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--image <n>', 'index in the test set', wholeNumber(0, 1e9), 0)
    .option('--peak <A>', 'one neuron: a pulse at 0 whose alpha current peaks at this', decimal)
    .option('--stimulus <file>', 'neurons without a network: CSV of pulses as for `memloop simulate`')
    .option('--duration <s>', 'simulated time (default: the network’s, or 10 ms)', decimal)
    .option('--out <file>', 'netlist; ngspice writes its voltages beside it, to FILE.txt', 'neurons.cir');
  neuronOptions(command).action(
    action(async (_session, options: Options) => {
      const model = await import('../../model/index.js');
      const spice = await import('../../interop/spice.js');
      const { out } = options;
      if ([options.model, options.peak, options.stimulus].filter((x) => x !== undefined).length !== 1)
        throw new MemloopError('usage', 'give one of --model FILE, --peak A or --stimulus FILE');
      const output = `${out}.txt`;
      let netlist: string;
      if (options.model !== undefined) {
        const { network, metadata } = model.loadNetwork(options.model);
        const name = options.dataset ?? metadata['memloop.dataset'];
        if (name === undefined)
          throw new MemloopError(
            'usage',
            `${options.model} does not say what it was trained on: give --dataset`,
          );
        const { test } = await model.loadDataset(name, {
          seed: Number(metadata['memloop.seed'] ?? 1),
          ...(options.dataDir !== undefined && { dataDir: options.dataDir }),
        });
        if (options.image >= test.count)
          throw new MemloopError(
            'bad-input',
            `--image ${options.image}: ${name} has ${test.count} test images`,
          );
        if (test.features !== network.features)
          throw new MemloopError(
            'bad-input',
            `${options.model} takes ${network.features} inputs but ${name} has ${test.features}`,
          );
        const input = test.inputs.subarray(
          options.image * test.features,
          (options.image + 1) * test.features,
        );
        const duration = options.duration ?? network.spec.duration;
        netlist = spice.networkNetlist(network, input, { duration, samples: network.spec.steps, output });
      } else {
        let stimuli: Pulse[][] = [];
        if (options.peak !== undefined) stimuli = [model.pulseOfPeak(options.peak)];
        else {
          try {
            stimuli = model.readStimulus(readFileSync(options.stimulus!, 'utf8'), options.stimulus!);
          } catch (error) {
            if (error instanceof MemloopError) throw error;
            throw new MemloopError(
              'bad-file',
              `cannot read ${options.stimulus}: ${(error as Error).message}`,
              { cause: error },
            );
          }
        }
        netlist = spice.neuronNetlist(stimuli, neuronOf(options), {
          duration: options.duration ?? 10e-3,
          samples: 1000,
          output,
        });
      }
      try {
        writeFileSync(out, netlist);
      } catch (error) {
        throw new MemloopError('disk', `cannot write ${out}: ${(error as Error).message}`, { cause: error });
      }
      return {
        result: { file: out },
        text: `${out}: run it with ngspice -b ${out}; voltages go to ${output}`,
      };
    }),
  );
}
