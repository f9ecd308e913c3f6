import type { Command } from 'commander';
import type { MifParameters } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { writeAtomically } from '../../shared/files.js';
import { action, type Session } from '../command.js';
import { neuronOf, neuronOptions } from '../neuron.js';
import { decimal, wholeNumber } from '../numbers.js';
import { verdictText } from '../verdicts.js';

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
  const exporting = program.command('export').description('write files for other tools');
  const command = exporting
    .command('spice')
    .description(
      'a netlist that ngspice runs as it is: the neurons of a network under one input, or one neuron',
    )
    .option('--model <file>', 'network (safetensors)')
    .option(
      '--dataset <name>',
      'dataset of the input image (default: the one that the network was trained on)',
    )
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--image <n>', 'which image of the test set, counted from 0', wholeNumber(0, 1e9), 0)
    .option('--peak <A>', 'one neuron: a pulse at 0 whose alpha current peaks at this', decimal)
    .option('--stimulus <file>', 'neurons without a network: CSV of pulses as for `memloop simulate`')
    .option('--duration <s>', 'simulated time (default: the network’s, or 10 ms)', decimal)
    .option('--out <file>', 'netlist; ngspice writes its voltages beside it, to FILE.txt', 'neurons.cir');
  neuronOptions(command).action(action(exportSpice));
  exporting
    .command('nir')
    .description('a NIR graph (HDF5) of a network, with a verdict on each node')
    .requiredOption('--model <file>', 'network (safetensors)')
    .option('--out <file>', 'graph', 'network.nir')
    .action(action(exportNir));
}

async function exportNir(_session: Session, { model, out }: { model: string; out: string }) {
  const { loadNetwork } = await import('../../model/index.js');
  const { nirFromNetwork, saveNir } = await import('../../interop/index.js');
  const { network, metadata } = loadNetwork(model);
  const { 'memloop.spec': _, ...beside } = metadata;
  const { graph, verdicts } = nirFromNetwork(network, beside);
  await saveNir(out, graph);
  return { result: { file: out, verdicts }, text: `${verdictText(verdicts)}\ngraph: ${out}` };
}

async function exportSpice(_session: Session, options: Options) {
  const { model, peak, stimulus, out } = options;
  if ([model, peak, stimulus].filter((x) => x !== undefined).length !== 1)
    throw new MemloopError('usage', 'give one of --model FILE, --peak A or --stimulus FILE');
  const output = `${out}.txt`;
  const netlist =
    model === undefined ? await neuronsOf(options, output) : await networkOf(model, options, output);
  writeAtomically(out, netlist);
  return {
    result: { file: out },
    text: `${out}: run it with ngspice -b ${out}; voltages go to ${output}`,
  };
}

/** The neurons of a network under one image of its dataset. */
async function networkOf(file: string, options: Options, output: string): Promise<string> {
  const { loadTrained } = await import('../../model/index.js');
  const { networkNetlist } = await import('../../interop/index.js');
  const { network, test } = await loadTrained(file, options);
  const { image, duration = network.spec.duration } = options;
  if (image >= test.count)
    throw new MemloopError('bad-input', `--image ${image}: ${test.name} has ${test.count} test images`);
  const input = test.inputs.subarray(image * test.features, (image + 1) * test.features);
  return networkNetlist(network, input, { duration, samples: network.spec.steps, output });
}

/** Neurons without a network. */
async function neuronsOf(options: Options, output: string): Promise<string> {
  const { loadStimulus, pulseOfPeak } = await import('../../model/index.js');
  const { neuronNetlist } = await import('../../interop/index.js');
  const { peak, stimulus, duration = 10e-3 } = options;
  const stimuli = peak === undefined ? loadStimulus(stimulus!) : [pulseOfPeak(peak)];
  return neuronNetlist(stimuli, neuronOf(options), { duration, samples: 1000, output });
}
