import { join } from 'node:path';
import type { Command } from 'commander';
import { action } from '../command.js';
import { type DatasetOptions, deploy, loadForBoard, percent } from '../network.js';
import { decimal, wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
  epochs: number;
  batch: number;
  rate: number;
  seed: number;
  out?: string;
}

export function register(program: Command): void {
  program
    .command('finetune')
    .description('program a network and fine-tune it on the board with what is measured there')
    .requiredOption('--model <file>', 'network (safetensors)')
    .option('--dataset <name>', 'what it was trained on, where its file does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .option('--epochs <n>', 'passes over the training images', wholeNumber(1, 1000), 6)
    .option('--batch <n>', 'images between two updates of the chip', wholeNumber(1, 10000), 32)
    .option(
      '--rate <r>',
      'largest step of a weight in one update, as a share of the largest weight',
      decimal,
      5e-3,
    )
    .option('--seed <n>', 'order of the images', wholeNumber(0, 2 ** 31), 1)
    .option('--out <file>', 'where the fine-tuned network goes (default: in the run folder)')
    .action(
      action(
        async (session, options: Options) => {
          const loop = await import('../../loop/index.js');
          const { evaluate } = await import('../../model/index.js');
          const loaded = await loadForBoard(options.model, options);
          const { network, test } = loaded;
          const tell = (stage: 'software' | 'programmed' | 'finetuned', accuracy: number) => {
            session.emit({ type: 'accuracy', stage, accuracy, samples: test.count });
            return accuracy;
          };
          const softwareAccuracy = tell('software', evaluate(network, test));
          const deployment = await deploy(session, loaded);
          const programmed = await deployment.program();
          const accuracyBefore = tell('programmed', (await deployment.evaluate(test)).accuracy);
          const tuned = await deployment.finetune(loaded.train, {
            epochs: options.epochs,
            batch: options.batch,
            learningRate: options.rate,
            seed: options.seed,
          });
          const accuracyAfter = tell('finetuned', (await deployment.evaluate(test)).accuracy);
          const out = options.out ?? join(session.run!.dir, 'finetuned.safetensors');
          loop.saveOnChip(out, network, loaded.metadata, loaded.scales);
          const pulses = programmed.pulses + tuned.pulses;
          return {
            result: { softwareAccuracy, accuracyBefore, accuracyAfter, pulses, images: tuned.images, out },
            text: [
              `software    ${percent(softwareAccuracy)}`,
              `programmed  ${percent(accuracyBefore)}   ${programmed.pulses} pulses`,
              `fine-tuned  ${percent(accuracyAfter)}   ${tuned.pulses} pulses, ${tuned.images} images`,
              `network     ${out}`,
            ].join('\n'),
          };
        },
        { show: 'dashboard', run: true },
      ),
    );
}
