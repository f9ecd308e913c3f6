import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Augmentation, IntegratorName, TrainSettings } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { action } from '../command.js';
import { percent } from '../network.js';
import { decimal, wholeNumber } from '../numbers.js';

interface Options extends Partial<Omit<TrainSettings, 'augmentation'>> {
  dataset: string;
  dataDir?: string;
  out?: string;
  integrator: IntegratorName;
  steps: number;
  hidden?: number[];
  hiddenNeurons: 'relu' | 'mif';
  driveScale?: number;
  driveMax?: number;
  augment?: Augmentation;
  threads?: number;
  passport?: string;
}

function sizes(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.some((n) => !Number.isInteger(n) || n < 1))
    throw new InvalidArgumentError('Give sizes such as 100 or 100,50.');
  return values;
}

export function register(program: Command): void {
  program
    .command('train')
    .description(
      'train a network offline, on the device equations; the same command takes up what was interrupted',
    )
    .option('--dataset <name>', 'digits, mnist or fashion-mnist', 'digits')
    .option('--data-dir <dir>', 'folder of the dataset (default: the cache of `memloop data fetch`)')
    .option('--out <file>', 'network, as safetensors (default: NAME.safetensors in the run folder or here)')
    .option('--epochs <n>', 'passes over the training set', decimal)
    .option('--seed <n>', 'of weights, order and splits', wholeNumber(0, 2 ** 31 - 1), 1)
    .addOption(
      new Option('--integrator <name>', 'of the neurons')
        .choices(['forward-euler', 'semi-implicit', 'exponential'])
        .default('exponential'),
    )
    .option('--steps <n>', 'of the 10 ms an input is watched', wholeNumber(1, 1_000_000), 250)
    .option('--hidden <sizes>', 'outputs of the hidden layers, such as 100 or 100,50', sizes)
    .addOption(
      new Option('--hidden-neurons <kind>', 'of the hidden layers').choices(['relu', 'mif']).default('relu'),
    )
    .option('--batch <n>', 'images a step', decimal)
    .option('--rate <x>', "Adam's learning rate", decimal)
    .addOption(new Option('--schedule <kind>', 'of the learning rate').choices(['constant', 'cosine']))
    .option('--decay <x>', 'decoupled weight decay', decimal)
    .option('--dropout <share>', 'of hidden ReLU outputs', decimal)
    .option('--smoothing <share>', 'of the labels', decimal)
    .option('--decision <weight>', "of the loss over the neurons' highest v", decimal)
    .option('--averaging <epochs>', 'average the weights over about this many epochs', decimal)
    .addOption(new Option('--augment <kind>', 'of the training images').choices(['none', 'shift', 'affine']))
    .option('--validation <share>', 'of the training set to hold back', decimal)
    .option('--drive-scale <A>', 'jump of the alpha current per unit of a layer', decimal)
    .option('--drive-max <A>', 'largest such jump', decimal)
    .option(
      '--passport <serial>',
      'train for one chip, on what its passport (serial number of the board, or folder) knows of it',
    )
    .option(
      '--weight-noise <share>',
      "deviation of a weight, drawn anew each batch, as a share of the layer's largest",
      decimal,
    )
    .option(
      '--sum-noise <share>',
      "deviation of a layer's sums, as a share of its largest weight at full input",
      decimal,
    )
    .option(
      '--neuron-spread <share>',
      'relative deviation of the output neurons, drawn anew each batch',
      decimal,
    )
    .option('--threads <n>', 'of the kernel (default: all cores, at most 8)', wholeNumber(1, 64))
    .action(
      action(
        async (session, options: Options) => {
          const model = await import('../../model/index.js');
          const { trainingPlot } = await import('../../plots/model.js');
          const { emit, signal, run } = session;
          const { dataset, seed = 1, integrator, steps } = options;
          if (options.threads !== undefined) model.setKernelThreads(options.threads);
          const recipe = model.recipeOf(dataset);
          const settings: Partial<TrainSettings> = { ...recipe.settings, seed };
          // A bad or missing passport shows before the dataset is read.
          const passport =
            options.passport === undefined
              ? undefined
              : (await import('../../calibration/index.js')).Passport.stored(options.passport);
          const chosen: Partial<TrainSettings> = {};
          for (const key of [
            'epochs',
            'batch',
            'rate',
            'schedule',
            'decay',
            'dropout',
            'smoothing',
            'decision',
            'averaging',
            'validation',
            'weightNoise',
            'sumNoise',
            'neuronSpread',
          ] as const)
            if (options[key] !== undefined) Object.assign(chosen, { [key]: options[key] });
          if (options.augment) chosen.augmentation = options.augment;

          const { train, test } = await model.loadDataset(dataset, {
            seed,
            ...(options.dataDir !== undefined && { dataDir: options.dataDir }),
          });
          const spec = model.networkSpec(
            [train.features, ...(options.hidden ?? recipe.hidden), train.classes],
            {
              integrator,
              steps,
              hidden: options.hiddenNeurons,
              driveScale: options.driveScale ?? recipe.driveScale,
              ...(options.driveMax !== undefined && { driveMax: options.driveMax }),
            },
          );
          if (integrator === 'forward-euler' && options.driveMax === undefined) {
            spec.driveMax = model.largestEulerDrive(spec);
            emit({
              type: 'log',
              level: 'info',
              message: `forward-euler with ${steps} steps: drives are limited to ${spec.driveMax} A, where it is stable`,
            });
          }

          const chip = passport && (await import('../../loop/index.js')).twinTraining(passport, spec);
          Object.assign(settings, chip?.settings, chosen);

          const out = options.out ?? join(run?.dir ?? '.', `${dataset}.safetensors`);
          const folder = dirname(out);
          if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
          const checkpoint = `${out}.checkpoint`;
          const result = await model.train({
            spec,
            dataset: train,
            test,
            ...settings,
            ...(chip && { twin: chip.twin }),
            checkpoint,
            emit,
            signal,
          });
          const { network, history, trainAccuracy, validationAccuracy, testAccuracy, seconds } = result;
          model.saveNetwork(out, network, {
            'memloop.dataset': dataset,
            'memloop.seed': String(seed),
            ...(chip && { 'memloop.chip': chip.twin.name }),
            'memloop.training': JSON.stringify({ ...model.TRAIN_DEFAULTS, ...settings }),
          });
          const plot = out.replace(/(\.safetensors)?$/, '.svg');
          writePlot(plot, trainingPlot(`${dataset}, seed ${seed}`, history));
          rmSync(checkpoint, { force: true });
          if (testAccuracy !== undefined)
            emit({ type: 'accuracy', stage: 'software', accuracy: testAccuracy, samples: test.count });
          return {
            result: { trainAccuracy, validationAccuracy, testAccuracy, seconds, file: out, plot },
            text: [
              `test ${percent(testAccuracy!)}, training ${percent(trainAccuracy)}` +
                (validationAccuracy === undefined ? '' : `, validation ${percent(validationAccuracy)}`) +
                ` after ${history.length} epochs, ${seconds.toFixed(1)} s`,
              `network: ${out}`,
              `curves:  ${plot}`,
            ].join('\n'),
          };
        },
        { show: 'lines' },
      ),
    );
}

function writePlot(path: string, svg: string): void {
  try {
    writeFileSync(path, svg);
  } catch (error) {
    throw new MemloopError('disk', `cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}
