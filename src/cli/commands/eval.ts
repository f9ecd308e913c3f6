import type { Command } from 'commander';
import type { InferenceCost } from '../../loop/index.js';
import { percent, quantity } from '../../shared/text.js';
import { action, type Session } from '../command.js';
import { type DatasetOptions, deploy, inBrackets, loadForBoard } from '../network.js';
import { wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
  costs?: string;
}

export function register(program: Command): void {
  program
    .command('eval')
    .description('accuracy on test images: in software, or with --port as the network stands on the board')
    .requiredOption('--model <file>', 'network (safetensors)')
    .option(
      '--dataset <data>',
      'name or data file, where the network does not say what it was trained on or to test on another file',
    )
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--samples <n>', 'only the first n test images (default: all)', wholeNumber(1, 1e6))
    .option(
      '--costs <file>',
      'with --port: JSON of the figures by which lines and converters count in the energy of an inference',
    )
    .action(action(evaluate, { show: 'lines' }));
}

async function evaluate(session: Session, options: Options) {
  const { evaluate: inSoftware } = await import('../../model/index.js');
  const loaded = await loadForBoard(options.model, { ...options, whole: true });
  const { network, test } = loaded;
  const samples = test.count;
  const { costs } = options;
  const figures = costs === undefined ? {} : (await import('../../loop/index.js')).readCostFigures(costs);
  if (!session.onBoard) {
    const accuracy = inSoftware(network, test);
    session.emit({ type: 'accuracy', stage: 'software', accuracy, samples });
    return {
      result: { accuracy, samples },
      text: `${percent(accuracy)} of ${samples} test images in software`,
    };
  }
  const deployment = await deploy(session, loaded, { readOnly: true });
  const { accuracy, lost, cost } = await deployment.evaluate(test, 'evaluate', figures);
  session.emit({ type: 'accuracy', stage: 'programmed', accuracy, samples });
  const { energy, latency, parts } = cost ?? {};
  return {
    result: {
      accuracy,
      samples,
      lostSamples: lost,
      ...deployment.origin,
      ...(cost && { energy, latency, parts }),
    },
    text: `${percent(accuracy)} of ${samples} test images on the board${inBrackets(deployment)}${cost ? costTable(cost) : ''}`,
  };
}

function costTable({ energy, latency, parts, products, runs }: InferenceCost): string {
  const row = (name: keyof typeof parts) =>
    `  ${name.padEnd(12)}${parts[name] === undefined ? 'not counted: give their figures by --costs' : quantity(parts[name], 'J')}`;
  return [
    `\nan inference: ${quantity(energy, 'J')}, ${quantity(latency, 's')} (${products.toFixed(1)} products, ${runs} runs of the neurons; without link and host)`,
    ...(['cells', 'wires', 'neurons', 'converters'] as const).map(row),
  ].join('\n');
}
