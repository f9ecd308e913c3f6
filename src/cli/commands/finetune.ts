import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { FinetuneOptions, MethodName } from '../../loop/index.js';
import { writeAtomically } from '../../shared/files.js';
import { percent } from '../../shared/text.js';
import { action, type Outcome, type Session } from '../command.js';
import { type DatasetOptions, deploy, inBrackets, loadForBoard } from '../network.js';
import { decimal, positive, wholeNumber } from '../numbers.js';

interface Options extends DatasetOptions {
  model: string;
  method: MethodName;
  adapt?: number;
  epochs: number;
  batch: number;
  rate?: number;
  deadband: number;
  maxPulses?: number;
  maxEnergy?: number;
  decimation?: number;
  seed?: number;
  ledger?: string;
  out?: string;
}

export function register(program: Command): void {
  program
    .command('finetune')
    .description('program a network and fine-tune it on the board with what is measured there')
    .requiredOption('--model <file>', 'network (safetensors)')
    .option('--dataset <data>', 'name or data file that it was trained on, where the network does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .addOption(
      new Option('--method <name>', 'how the gradient is found: see docs/explanation/loop.md')
        .choices(['state-injection', 'model-gradient', 'progressive', 'output-only'])
        .default('state-injection'),
    )
    .option(
      '--adapt <images>',
      'images that offline training for this chip sees first (default: 40000 with state-injection and no convolutions, else 0)',
      wholeNumber(0, 1e9),
    )
    .option('--epochs <n>', 'passes over the training images; fractions are allowed', positive, 6)
    .option('--batch <n>', 'images between two updates of the chip', wholeNumber(1, 10000), 32)
    .option(
      '--rate <r>',
      'largest step of a weight in one update, as a share of the largest weight (default: 0.001, without --adapt 0.005)',
      positive,
    )
    .option(
      '--deadband <share>',
      'share of the window by which a cell must be off target to get a pulse',
      decimal,
      0.02,
    )
    .option('--max-pulses <n>', 'pulses that fine-tuning may apply in all', wholeNumber(0, 1e12))
    .option('--max-energy <J>', 'energy that its pulses may take in all', decimal)
    .option('--decimation <n>', 'board steps between two membrane samples', wholeNumber(1, 1000))
    .option('--samples <n>', 'only the first n test images', wholeNumber(1, 1e6))
    .option('--seed <n>', 'order of the images (default: that of training)', wholeNumber(0, 2 ** 31))
    .option('--ledger <file>', 'output of `memloop ledger --json`, to be shown in the report')
    .option(
      '--out <file>',
      'where the fine-tuned network goes (default: in the run folder); the same command resumes an interrupted run',
    )
    .action(action(finetune, { show: 'dashboard', run: true }));
}

async function finetune(session: Session, options: Options): Promise<Outcome> {
  const loop = await import('../../loop/index.js');
  const ledger = options.ledger === undefined ? undefined : loop.readLedger(options.ledger);
  const loaded = await loadForBoard(options.model, options);
  const { network, metadata, scales, train, test } = loaded;
  const { dir } = session.run!;
  const { model, method, epochs, batch, deadband, decimation, adapt, rate } = options;
  const { out = join(dir, 'finetuned.safetensors'), seed = loaded.seed } = options;
  const deployment = await deploy(session, loaded, { ...(decimation !== undefined && { decimation }) });
  const settings = { ...settingsOf(options), seed, checkpoint: `${out}.checkpoint` };
  const recovery = await loop.recover(deployment, { train, test }, settings);
  loop.saveOnChip(out, network, metadata, scales);
  const report = join(dir, 'report.html');
  const chosen = { ...(adapt !== undefined && { adapt }), ...(rate !== undefined && { rate }) };
  const shown = { model, method, epochs, batch, deadband, seed, ...chosen };
  writeAtomically(report, loop.recoveryPage(deployment, recovery, shown, ledger));
  const { software, before, tuning, after, samples } = recovery;
  const { pulses, energy } = before.programming;
  return {
    result: {
      softwareAccuracy: software,
      accuracyBefore: before.accuracy,
      accuracyAfter: after.accuracy,
      samples,
      pulses: pulses + tuning.pulses,
      tuningPulses: tuning.pulses,
      energy: energy + tuning.energy,
      images: tuning.images,
      ended: tuning.ended,
      ...deployment.origin,
      out,
      report,
    },
    text: [
      `software    ${percent(software)}`,
      `programmed  ${percent(before.accuracy)}   ${pulses} pulses${inBrackets(deployment)}`,
      `fine-tuned  ${percent(after.accuracy)}   ${tuning.pulses} pulses, ${tuning.images} images, ended: ${tuning.ended}`,
      `network     ${out}`,
      `report      ${report}`,
    ].join('\n'),
  };
}

/** What is not given is left to the method. */
function settingsOf(options: Options): Partial<FinetuneOptions> {
  const { method, epochs, batch, deadband, adapt, rate, maxPulses, maxEnergy } = options;
  return {
    method,
    epochs,
    batch,
    deadband,
    ...(adapt !== undefined && { adapt }),
    ...(rate !== undefined && { learningRate: rate }),
    ...(maxPulses !== undefined && { maxPulses }),
    ...(maxEnergy !== undefined && { maxEnergy }),
  };
}
