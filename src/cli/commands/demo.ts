import { join } from 'node:path';
import type { Command } from 'commander';
import { writeAtomically } from '../../shared/files.js';
import { percent } from '../../shared/text.js';
import { action, type Session } from '../command.js';
import { deploy, inBrackets } from '../network.js';
import { positive, wholeNumber } from '../numbers.js';

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
      'decides the chip, the initial weights and the split of the digits',
      wholeNumber(0, 2 ** 31),
      1,
    )
    .option('--epochs <n>', 'epochs of fine-tuning; fractions are allowed', positive, 6)
    .option('--qemu', 'run the firmware on an emulated Cortex-M4, as `mock --qemu` does; slow')
    .action(action(demo, { show: 'dashboard', run: true }));
}

async function demo(session: Session, { profile, seed, epochs, qemu }: Options) {
  const model = await import('../../model/index.js');
  const loop = await import('../../loop/index.js');
  const { spawnBoard } = await import('../../virtual-board/index.js');
  const { emit, signal } = session;
  const { dir } = session.run!;

  const served = await spawnBoard({ profile, seed, qemu });
  session.atEnd(() => served.close());

  emit({ type: 'stage', stage: 'train', detail: 'offline, on the device equations' });
  const { train, test } = await model.loadDataset('digits', { seed });
  const { spec, settings } = model.planTraining({
    dataset: 'digits',
    features: train.features,
    classes: train.classes,
  });
  const { network } = await model.train({ ...settings, spec, dataset: train, seed, emit, signal });
  const metadata = { 'memloop.dataset': 'digits', 'memloop.seed': String(seed) };
  model.saveNetwork(join(dir, 'software.safetensors'), network, metadata);

  const scales = loop.layerScales(network, train);
  // The chip is made anew for each demo, so its passport belongs to this run.
  const deployment = await deploy(session, { network, scales }, { url: served.port, home: dir });
  const recovery = await loop.recover(deployment, { train, test }, { epochs, seed });
  const report = join(dir, 'report.html');
  writeAtomically(report, loop.recoveryPage(deployment, recovery, { profile, seed, epochs }));
  loop.saveOnChip(join(dir, 'finetuned.safetensors'), network, metadata, scales);

  const { software, before, tuning, after } = recovery;
  const { cells, inTolerance, pulses } = before.programming;
  return {
    result: {
      softwareAccuracy: software,
      programmedAccuracy: before.accuracy,
      finetunedAccuracy: after.accuracy,
      samples: test.count,
      cells,
      inTolerance,
      pulses: pulses + tuning.pulses,
      ...deployment.origin,
      run: dir,
    },
    text: [
      `accuracy on ${test.count} digits that training never saw, chip ${profile}, seed ${seed}${inBrackets(deployment)}:`,
      `  software    ${percent(software)}`,
      `  programmed  ${percent(before.accuracy)}   ${cells} cells, ${percent(inTolerance)} in tolerance, ${pulses} pulses`,
      `  fine-tuned  ${percent(after.accuracy)}   ${tuning.pulses} more pulses, ${tuning.images} images`,
      `report      ${report}`,
      `look at it again with: memloop dashboard ${dir}`,
    ].join('\n'),
  };
}
