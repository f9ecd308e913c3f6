import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type {
  Augmentation,
  Dataset,
  IntegratorName,
  TrainingPlan,
  TrainSettings,
} from '../../model/index.js';
import type { Emit } from '../../shared/events.js';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { percent } from '../../shared/text.js';
import { action, type Session } from '../command.js';
import { decimal, wholeNumber } from '../numbers.js';

interface Options extends Partial<Omit<TrainSettings, 'augmentation'>> {
  dataset: string;
  dataDir?: string;
  out?: string;
  integrator: IntegratorName;
  steps: number;
  network?: string;
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
  const command = program
    .command('train')
    .description(
      'train a network offline, on the device equations; the same command resumes an interrupted run',
    )
    .option('--dataset <name>', 'digits, mnist or fashion-mnist', 'digits')
    .option('--data-dir <dir>', 'folder of the dataset (default: the cache of `memloop data fetch`)')
    .option('--out <file>', 'network, as safetensors (default: NAME.safetensors in the run folder or here)')
    .option('--epochs <n>', 'passes over the training set', decimal)
    .option(
      '--seed <n>',
      'decides the initial weights, the order and the splits',
      wholeNumber(0, 2 ** 31 - 1),
      1,
    )
    .addOption(
      new Option('--integrator <name>', 'integrator of the neurons')
        .choices(['forward-euler', 'semi-implicit', 'exponential'])
        .default('exponential'),
    )
    .option('--steps <n>', 'steps of the neurons in the 10 ms of one input', wholeNumber(1, 1_000_000), 250)
    .addOption(
      new Option(
        '--network <file>',
        'layers of the network, as JSON (schemas/network.schema.json)',
      ).conflicts(['hidden', 'hiddenNeurons']),
    )
    .option('--hidden <sizes>', 'sizes of the hidden layers, such as 100 or 100,50', sizes)
    .addOption(
      new Option('--hidden-neurons <kind>', 'neurons of the hidden layers')
        .choices(['relu', 'mif'])
        .default('relu'),
    )
    .option('--batch <n>', 'images in each step', decimal)
    .option('--rate <x>', "Adam's learning rate", decimal)
    .addOption(
      new Option('--schedule <kind>', 'schedule of the learning rate').choices(['constant', 'cosine']),
    )
    .option('--decay <x>', 'decoupled weight decay', decimal)
    .option('--dropout <share>', 'share of hidden ReLU outputs that are silenced', decimal)
    .option('--smoothing <share>', 'share of each label that is spread over all classes', decimal)
    .option('--decision <weight>', "weight of the loss over the neurons' highest voltage", decimal)
    .option('--averaging <epochs>', 'average the weights over about this many epochs', decimal)
    .addOption(
      new Option('--augment <kind>', 'changes to the training images').choices(['none', 'shift', 'affine']),
    )
    .option('--validation <share>', 'share of the training set to validate on', decimal);
  forChip(command).action(action(train, { show: 'lines' }));
}

/** What training on a model of real chips needs beside. */
const forChip = (command: Command): Command =>
  command
    .option('--drive-scale <A>', 'drive of a neuron for a layer output of 1', decimal)
    .option('--drive-max <A>', 'largest drive of a neuron', decimal)
    .option(
      '--passport <serial>',
      'train for one chip, with what its passport knows (serial number of the board, or a folder)',
    )
    .option(
      '--weight-noise <share>',
      "standard deviation of the weights, drawn for each batch, as a share of the layer's largest weight",
      decimal,
    )
    .option(
      '--sum-noise <share>',
      "standard deviation of a layer's sums, as a share of its largest weight at full input",
      decimal,
    )
    .option(
      '--neuron-spread <share>',
      'relative standard deviation of the output neurons, drawn for each batch',
      decimal,
    )
    .option('--threads <n>', 'threads of the kernel (default: all cores, at most 8)', wholeNumber(1, 64));

/** Settings that an option of the same name changes. */
const SETTINGS = [
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
] as const;

function plan(
  model: typeof import('../../model/index.js'),
  { network, ...options }: Options,
  { features, classes }: Dataset,
  emit: Emit,
): TrainingPlan {
  const planned = model.planTraining({
    ...options,
    ...(network !== undefined && { network: model.loadDescription(network) }),
    features,
    classes,
  });
  const { limitedDrive, spec } = planned;
  if (limitedDrive !== undefined) {
    const message = `forward-euler with ${spec.steps} steps: drives are limited to ${limitedDrive} A, where it is stable`;
    emit({ type: 'log', level: 'info', message });
  }
  return planned;
}

async function train({ emit, signal, run }: Session, options: Options) {
  const model = await import('../../model/index.js');
  const { trainingPlot } = await import('../../plots/index.js');
  const { dataset, dataDir, seed = 1 } = options;
  if (options.threads !== undefined) model.setKernelThreads(options.threads);
  // A bad or missing passport shows before the dataset is read.
  const passport =
    options.passport === undefined
      ? undefined
      : (await import('../../calibration/index.js')).Passport.stored(options.passport);
  const { train, test } = await model.loadDataset(dataset, {
    seed,
    ...(dataDir !== undefined && { dataDir }),
  });
  const { spec, settings: recipe } = plan(model, options, train, emit);
  const chip = passport && (await import('../../loop/index.js')).twinTraining(passport, spec);
  const chosen = Object.fromEntries(
    SETTINGS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  );
  const augmentation = options.augment && { augmentation: options.augment };
  const settings: Partial<TrainSettings> = { ...recipe, seed, ...chip?.settings, ...chosen, ...augmentation };

  const out = options.out ?? join(run?.dir ?? '.', `${dataset}.safetensors`);
  makeFolder(dirname(out));
  const checkpoint = `${out}.checkpoint`;
  const twin = chip && { twin: chip.twin };
  const result = await model.train({
    spec,
    dataset: train,
    test,
    ...settings,
    ...twin,
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
  writeAtomically(plot, trainingPlot(`${dataset}, seed ${seed}`, history));
  rmSync(checkpoint, { force: true });
  if (testAccuracy !== undefined)
    emit({ type: 'accuracy', stage: 'software', accuracy: testAccuracy, samples: test.count });
  return {
    result: { trainAccuracy, validationAccuracy, testAccuracy, seconds, file: out, plot },
    text: [
      `test ${percent(testAccuracy!)}, training ${percent(trainAccuracy)}` +
        (validationAccuracy === undefined ? '' : `, validation ${percent(validationAccuracy)}`) +
        ` after ${history.length} ${history.length === 1 ? 'epoch' : 'epochs'}, ${seconds.toFixed(1)} s`,
      `network: ${out}`,
      `curves:  ${plot}`,
    ].join('\n'),
  };
}
