import type { Command } from 'commander';
import type { Normal } from '../../loop/index.js';
import { action, type Outcome, type Session } from '../command.js';
import { type DatasetOptions, deploy, loadForBoard } from '../network.js';
import { decimal, positive, wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
  threshold: number;
  tolerance: number;
  epochs: number;
  seed: number;
  out?: string;
}

export function register(program: Command): void {
  program
    .command('maintain')
    .description(
      'one round of upkeep of a fine-tuned network whose chip drifts, to be run every week or so: ' +
        'rescale and tune biases without a pulse, put cells back and re-tune only where that is not enough',
    )
    .requiredOption(
      '--model <file>',
      'network as fine-tuned on this chip (safetensors); the round updates it',
    )
    .option('--dataset <data>', 'name or data file that it was trained on, where the network does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--threshold <share>', 'accuracy that may be lost before cells are pulsed', decimal, 0.01)
    .option(
      '--tolerance <share>',
      'share of the window by which a cell must be off target to be put back',
      positive,
      0.05,
    )
    .option('--epochs <n>', 'passes over the training images where something is tuned', positive, 0.5)
    .option(
      '--seed <n>',
      'order of the images, and which of them validate: as in fine-tuning',
      wholeNumber(0, 2 ** 31),
      1,
    )
    .option('--out <file>', 'where the network goes (default: where it came from)')
    .action(action(maintain, { show: 'lines' }));
}

async function maintain(session: Session, options: Options): Promise<Outcome> {
  const { model, threshold, tolerance, epochs, seed, out = model } = options;
  const loop = await import('../../loop/index.js');
  const loaded = await loadForBoard(model, options);
  const { network, metadata, train } = loaded;
  const normal = loop.readNormal(model, network, metadata);
  const deployment = await deploy(session, loaded);
  const keep = (state: Normal) => loop.saveNormal(out, deployment, metadata, state);
  const pulses = !session.global.readOnly;
  const settings = { normal, threshold, tolerance, epochs, seed, pulses, keep };
  const round = await loop.maintain(deployment, train, settings);
  keep(round.normal);
  const { accuracyBefore, accuracyAfter, samples } = round;
  session.emit({ type: 'accuracy', stage: 'programmed', accuracy: accuracyBefore, samples });
  session.emit({ type: 'accuracy', stage: 'finetuned', accuracy: accuracyAfter, samples });
  return {
    result: { ...round, noted: normal === undefined, out },
    text: `${loop.upkeepText(round, { normal, tolerance })}\nnetwork         ${out}`,
  };
}
