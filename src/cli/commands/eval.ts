import type { Command } from 'commander';
import { percent } from '../../shared/text.js';
import { action, type Session } from '../command.js';
import { type DatasetOptions, deploy, inBrackets, loadForBoard } from '../network.js';
import { wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
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
    .action(action(evaluate, { show: 'lines' }));
}

async function evaluate(session: Session, options: Options) {
  const { evaluate: inSoftware } = await import('../../model/index.js');
  const loaded = await loadForBoard(options.model, { ...options, whole: true });
  const { network, test } = loaded;
  const samples = test.count;
  if (!session.onBoard) {
    const accuracy = inSoftware(network, test);
    session.emit({ type: 'accuracy', stage: 'software', accuracy, samples });
    return {
      result: { accuracy, samples },
      text: `${percent(accuracy)} of ${samples} test images in software`,
    };
  }
  const deployment = await deploy(session, loaded, { readOnly: true });
  const { accuracy, lost } = await deployment.evaluate(test);
  session.emit({ type: 'accuracy', stage: 'programmed', accuracy, samples });
  return {
    result: { accuracy, samples, lostSamples: lost, ...deployment.origin },
    text: `${percent(accuracy)} of ${samples} test images on the board${inBrackets(deployment)}`,
  };
}
