import { join } from 'node:path';
import type { Command } from 'commander';
import { action } from '../command.js';
import { deploy, percent } from '../network.js';
import { wholeNumber } from '../numbers.js';

interface Options {
  profile: string;
  seed: number;
  epochs: number;
  qemu?: boolean;
}

export function register(program: Command): void {
  program
    .command('demo')
    .description(
      'the whole loop on a virtual board over a pseudo-terminal: train, program, measure, fine-tune',
    )
    .option('--profile <p>', 'chip: a built-in profile or a file', 'w-sdc-32x32x5')
    .option(
      '--seed <n>',
      'which chip, which initial weights, which split of the digits',
      wholeNumber(0, 2 ** 31),
      1,
    )
    .option('--epochs <n>', 'of fine-tuning', wholeNumber(1, 1000), 6)
    .option('--qemu', 'the firmware on an emulated Cortex-M4, as `mock --qemu`; slow')
    .action(
      action(
        async (session, { profile, seed, epochs, qemu }: Options) => {
          const model = await import('../../model/index.js');
          const loop = await import('../../loop/index.js');
          const { spawnBoard } = await import('../../virtual-board/index.js');
          const { emit, signal } = session;
          const { dir } = session.run!;

          const served = await spawnBoard({ profile, seed, qemu });
          session.atEnd(() => served.close());

          emit({ type: 'stage', stage: 'train', detail: 'offline, on the device equations' });
          const { train, test } = await model.loadDataset('digits', { seed });
          const tell = (stage: 'software' | 'programmed' | 'finetuned', accuracy: number) => {
            emit({ type: 'accuracy', stage, accuracy, samples: test.count });
            return accuracy;
          };
          const recipe = model.recipeOf('digits');
          const spec = model.networkSpec([train.features, ...recipe.hidden, train.classes], {
            driveScale: recipe.driveScale,
            steps: 250,
          });
          const { network } = await model.train({
            ...recipe.settings,
            spec,
            dataset: train,
            seed,
            emit,
            signal,
          });
          const softwareAccuracy = tell('software', model.evaluate(network, test));
          const metadata = { 'memloop.dataset': 'digits', 'memloop.seed': String(seed) };
          model.saveNetwork(join(dir, 'software.safetensors'), network, metadata);

          const scales = loop.layerScales(network, train);
          emit({ type: 'stage', stage: 'program', detail: served.port });
          // The chip is made anew for each demo, so its passport belongs to this run.
          const deployment = await deploy(session, { network, scales }, { url: served.port, home: dir });
          const programmed = await deployment.program();
          emit({ type: 'stage', stage: 'evaluate', detail: 'as programmed' });
          const programmedAccuracy = tell('programmed', (await deployment.evaluate(test)).accuracy);

          emit({
            type: 'stage',
            stage: 'fine-tune',
            detail: 'forward on the board, backward at the measured states',
          });
          const tuned = await deployment.finetune(train, { epochs, seed });
          emit({ type: 'stage', stage: 'evaluate', detail: 'fine-tuned' });
          const finetunedAccuracy = tell('finetuned', (await deployment.evaluate(test)).accuracy);
          loop.saveOnChip(join(dir, 'finetuned.safetensors'), network, metadata, scales);

          return {
            result: {
              softwareAccuracy,
              programmedAccuracy,
              finetunedAccuracy,
              samples: test.count,
              cells: programmed.cells,
              inTolerance: programmed.inTolerance,
              pulses: programmed.pulses + tuned.pulses,
              run: dir,
            },
            text: [
              `accuracy on ${test.count} digits that training never saw, chip ${profile}, seed ${seed}:`,
              `  software    ${percent(softwareAccuracy)}`,
              `  programmed  ${percent(programmedAccuracy)}   ${programmed.cells} cells, ${percent(programmed.inTolerance)} in tolerance, ${programmed.pulses} pulses`,
              `  fine-tuned  ${percent(finetunedAccuracy)}   ${tuned.pulses} more pulses, ${tuned.images} images`,
              `look at it again with: memloop dashboard ${dir}`,
            ].join('\n'),
          };
        },
        { show: 'dashboard', run: true },
      ),
    );
}
