import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { MethodName } from '../../loop/index.js';
import { writeAtomically } from '../../shared/files.js';
import { percent } from '../../shared/text.js';
import { action } from '../command.js';
import { type DatasetOptions, deploy, loadForBoard } from '../network.js';
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
  samples?: number;
  seed?: number;
  ledger?: string;
  out?: string;
}

export function register(program: Command): void {
  program
    .command('finetune')
    .description('program a network and fine-tune it on the board with what is measured there')
    .requiredOption('--model <file>', 'network (safetensors)')
    .option('--dataset <name>', 'dataset that it was trained on, where its file does not say')
    .option('--data-dir <dir>', 'folder of the dataset')
    .addOption(
      new Option('--method <name>', 'how the gradient is computed: see docs/explanation/loop.md')
        .choices(['state-injection', 'model-gradient', 'progressive', 'output-only'])
        .default('state-injection'),
    )
    .option(
      '--adapt <images>',
      'images that offline training for this chip sees before fine-tuning (default: 40000; other methods: 0)',
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
    .action(
      action(
        async (session, options: Options) => {
          const loop = await import('../../loop/index.js');
          const { slice } = await import('../../model/index.js');
          const ledger = options.ledger === undefined ? undefined : loop.readLedger(options.ledger);
          const loaded = await loadForBoard(options.model, options);
          const count = Math.min(options.samples ?? loaded.test.count, loaded.test.count);
          const test = slice(loaded.test, 0, count);
          const { decimation, maxPulses, maxEnergy, rate, adapt } = options;
          const seed = options.seed ?? Number(loaded.metadata['memloop.seed'] ?? 1);
          const deployment = await deploy(session, loaded, decimation === undefined ? {} : { decimation });
          const out = options.out ?? join(session.run!.dir, 'finetuned.safetensors');
          const recovery = await loop.recover(
            deployment,
            { train: loaded.train, test },
            {
              method: options.method,
              epochs: options.epochs,
              batch: options.batch,
              ...(adapt !== undefined && { adapt }),
              ...(rate !== undefined && { learningRate: rate }),
              deadband: options.deadband,
              ...(maxPulses !== undefined && { maxPulses }),
              ...(maxEnergy !== undefined && { maxEnergy }),
              seed,
              checkpoint: `${out}.checkpoint`,
            },
          );
          const { software, before, tuning, after } = recovery;
          loop.saveOnChip(out, loaded.network, loaded.metadata, loaded.scales);
          const report = join(session.run!.dir, 'report.html');
          const { model, method, epochs, batch, deadband } = options;
          writeAtomically(
            report,
            loop.recoveryPage(
              deployment,
              recovery,
              {
                model,
                method,
                epochs,
                batch,
                deadband,
                seed,
                ...(adapt !== undefined && { adapt }),
                ...(rate !== undefined && { rate }),
              },
              ledger,
            ),
          );
          return {
            result: {
              softwareAccuracy: software,
              accuracyBefore: before.accuracy,
              accuracyAfter: after.accuracy,
              samples: count,
              pulses: before.programming.pulses + tuning.pulses,
              tuningPulses: tuning.pulses,
              energy: before.programming.energy + tuning.energy,
              images: tuning.images,
              ended: tuning.ended,
              out,
              report,
            },
            text: [
              `software    ${percent(software)}`,
              `programmed  ${percent(before.accuracy)}   ${before.programming.pulses} pulses`,
              `fine-tuned  ${percent(after.accuracy)}   ${tuning.pulses} pulses, ${tuning.images} images, ended: ${tuning.ended}`,
              `network     ${out}`,
              `report      ${report}`,
            ].join('\n'),
          };
        },
        { show: 'dashboard', run: true },
      ),
    );
}
