import { existsSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Augmentation, DataRecord, Dataset, IntegratorName, TrainSettings } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { makeFolder, writeAtomically } from '../../shared/files.js';
import { percent } from '../../shared/text.js';
import { action, type Session } from '../command.js';
import { dataOptions } from '../data-options.js';
import { decimal, wholeNumber } from '../numbers.js';

interface Options extends Partial<Omit<TrainSettings, 'augmentation'>> {
  dataset: string;
  dataDir?: string;
  label?: string;
  inputs?: string;
  header?: boolean;
  times?: number;
  channels?: number;
  test?: string;
  testShare?: number;
  folds?: number;
  out?: string;
  integrator: IntegratorName;
  steps?: number;
  duration?: number;
  network?: string;
  from?: string;
  hidden?: number[];
  hiddenNeurons?: 'relu' | 'mif';
  driveScale?: number;
  driveMax?: number;
  augment?: Augmentation;
  threads?: number;
  passport?: string;
}

function sizes(text: string): number[] {
  if (text === 'none') return [];
  const values = text.split(',').map(Number);
  if (values.some((n) => !Number.isInteger(n) || n < 1))
    throw new InvalidArgumentError('Give sizes such as 100 or 100,50, or none.');
  return values;
}

export function register(program: Command): void {
  const command = program
    .command('train')
    .description(
      'train a network offline, on the device equations; the same command resumes an interrupted run',
    )
    .option('--dataset <data>', 'digits, mnist, fashion-mnist, or a data file or folder', 'digits')
    .option('--data-dir <dir>', 'folder of the dataset (default: the cache of `memloop data fetch`)')
    .option('--out <file>', 'network, as safetensors (default: NAME.safetensors in the run folder or here)')
    .option('--epochs <n>', 'passes over the training set', decimal)
    .option(
      '--seed <n>',
      'decides the initial weights, the order and the splits',
      wholeNumber(0, 2 ** 31 - 1),
      1,
    );
  forChip(ownData(forSettings(forNetwork(command)))).action(action(train, { show: 'lines' }));
}

/** What the network is. */
const forNetwork = (command: Command): Command =>
  command
    .addOption(
      new Option('--integrator <name>', 'integrator of the neurons')
        .choices(['forward-euler', 'semi-implicit', 'exponential'])
        .default('exponential'),
    )
    .option(
      '--steps <n>',
      'steps of the neurons for one input (default: 250; of signals in time 35, or more for more than 28 vectors)',
      wholeNumber(1, 1_000_000),
    )
    .option('--duration <s>', 'time for one input (default: 0.01; of signals in time 0.0028)', decimal)
    .addOption(
      new Option(
        '--network <file>',
        'layers of the network, as JSON (schemas/network.schema.json)',
      ).conflicts(['hidden', 'hiddenNeurons']),
    )
    .addOption(
      new Option(
        '--from <file>',
        'go on from this network (safetensors): its layers, neurons and weights',
      ).conflicts(['network', 'hidden', 'hiddenNeurons', 'integrator', 'steps', 'duration', 'folds']),
    )
    .option('--hidden <sizes>', 'sizes of the hidden layers, such as 100 or 100,50, or none', sizes)
    .addOption(
      new Option(
        '--hidden-neurons <kind>',
        'neurons of the hidden layers (default: relu; of signals in time mif)',
      ).choices(['relu', 'mif']),
    );

/** How it is trained. */
const forSettings = (command: Command): Command =>
  command
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
      new Option('--augment <kind>', 'changes to the training images').choices([
        'none',
        'shift',
        'shift-mirror',
        'affine',
      ] satisfies Augmentation[]),
    )
    .option('--validation <share>', 'share of the training set to validate on', decimal);

/** What training on a data file needs beside. */
const ownData = (command: Command): Command =>
  dataOptions(command)
    .option('--test <file>', 'data file of test samples, instead of a share of the training file')
    .option('--test-share <share>', 'share of a data file to test on (default: 0.2)', decimal)
    .option('--folds <k>', 'cross-validate a data file instead: only reports', wholeNumber(2, 1000));

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

/** The network's plan and the settings that the options come to, for a dataset of this size. */
async function planOf({ emit }: Session, options: Options, dataset: Dataset, own: boolean) {
  const model = await import('../../model/index.js');
  // A bad or missing passport shows before training begins.
  const passport =
    options.passport === undefined
      ? undefined
      : (await import('../../calibration/index.js')).Passport.stored(options.passport);
  const { features, classes, count, times = 1 } = dataset;
  const samples = own ? { samples: count } : {};
  const { network, from: file, ...rest } = options;
  const from = file === undefined ? undefined : model.loadNetwork(file).network;
  const {
    spec,
    settings: recipe,
    limitedDrive,
  } = model.planTraining({
    ...rest,
    ...samples,
    ...(network !== undefined && { network: model.loadDescription(network) }),
    ...(from && { from: from.spec }),
    features,
    classes,
    times,
  });
  if (limitedDrive !== undefined) {
    const message = `forward-euler with ${spec.steps} steps: drives are limited to ${limitedDrive} A, where it is stable`;
    emit({ type: 'log', level: 'info', message });
  }
  const chip = passport && (await import('../../loop/index.js')).twinTraining(passport, spec);
  const chosen = Object.fromEntries(
    SETTINGS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  );
  const augmentation = options.augment && { augmentation: options.augment };
  const seed = options.seed ?? 1;
  const settings: Partial<TrainSettings> = { ...recipe, seed, ...chip?.settings, ...chosen, ...augmentation };
  return {
    spec,
    settings,
    chip,
    twin: chip ? { twin: chip.twin } : {},
    begin: from ? { initial: from } : {},
  };
}

async function train(session: Session, options: Options) {
  const model = await import('../../model/index.js');
  if (options.threads !== undefined) model.setKernelThreads(options.threads);
  if (options.folds !== undefined) return crossValidate(session, options, options.folds);
  return trainOne(session, options);
}

/** Trains on all folds but one in turn and tests on that one; keeps no network. */
async function crossValidate(session: Session, options: Options, folds: number) {
  const model = await import('../../model/index.js');
  const { emit, signal } = session;
  const { dataset, seed = 1 } = options;
  if (model.isDatasetName(dataset) || options.test !== undefined)
    throw new MemloopError('usage', '--folds is for a data file as a whole: give its path, and no --test');
  const { parts, told } = await model.loadFolds(dataset, folds, { ...readOf(options), seed });
  emit({ type: 'log', level: 'info', message: told });
  const accuracies: number[] = [];
  let trainAccuracy = 0;
  let seconds = 0;
  for (const { train: part, test } of parts()) {
    const { spec, settings, twin } = await planOf(session, options, part, true);
    const result = await model.train({ spec, dataset: part, test, ...settings, ...twin, signal });
    accuracies.push(result.testAccuracy!);
    trainAccuracy += result.trainAccuracy / folds;
    seconds += result.seconds;
    const message = `fold ${accuracies.length} of ${folds}: ${percent(result.testAccuracy!)}`;
    emit({ type: 'log', level: 'info', message });
  }
  const testAccuracy = accuracies.reduce((sum, a) => sum + a, 0) / folds;
  const squares = accuracies.reduce((sum, a) => sum + (a - testAccuracy) ** 2, 0);
  const deviation = Math.sqrt(squares / (folds - 1));
  return {
    result: { trainAccuracy, testAccuracy, deviation, folds: accuracies, seconds },
    text: `test ${percent(testAccuracy)} in the mean of ${folds} folds, standard deviation ${percent(deviation)}, ${seconds.toFixed(1)} s; train without --folds to get a network`,
  };
}

const readOf = ({ label, inputs, header, times, channels }: Options) => ({
  label,
  inputs,
  header,
  times,
  channels,
});

/** A known dataset as published, a data file as the options say. */
async function dataOf(
  { emit }: Session,
  options: Options,
): Promise<{ train: Dataset; test: Dataset; record?: DataRecord }> {
  const model = await import('../../model/index.js');
  const { dataset, dataDir, seed = 1, test, testShare, times } = options;
  const forFiles = [options.label, options.inputs, options.channels, options.header, test, testShare];
  if (model.isDatasetName(dataset) || !existsSync(dataset)) {
    const loaded = await model.loadDataset(dataset, { seed, ...(dataDir !== undefined && { dataDir }) });
    if (forFiles.every((option) => option === undefined))
      return times === undefined
        ? loaded
        : { train: model.inTimes(loaded.train, times), test: model.inTimes(loaded.test, times) };
    throw new MemloopError(
      'usage',
      `--label, --inputs, --channels, --header, --test and --test-share are for data files, and ${dataset} is a known dataset`,
    );
  }
  const own = await model.loadOwnData(dataset, {
    ...readOf(options),
    seed,
    ...(test !== undefined && { test }),
    ...(testShare !== undefined && { testShare }),
  });
  emit({ type: 'log', level: 'info', message: own.told });
  return own;
}

async function trainOne(session: Session, options: Options) {
  const model = await import('../../model/index.js');
  const { trainingPlot } = await import('../../plots/index.js');
  const { emit, signal, run } = session;
  const { dataset, seed = 1 } = options;
  const { train, test, record } = await dataOf(session, options);
  const { spec, settings, chip, twin, begin } = await planOf(session, options, train, record !== undefined);

  const name = basename(dataset).replace(/(\.(gz|csv|tsv|txt|arff|np[yz]|h5|hdf5|train|data))+$/i, '');
  const out = options.out ?? join(run?.dir ?? '.', `${name}.safetensors`);
  makeFolder(dirname(out));
  const checkpoint = `${out}.checkpoint`;
  const result = await model.train({
    spec,
    dataset: train,
    test,
    ...settings,
    ...twin,
    ...begin,
    checkpoint,
    emit,
    signal,
  });
  const { network, history, trainAccuracy, validationAccuracy, testAccuracy, seconds } = result;
  model.saveNetwork(out, network, {
    'memloop.dataset': dataset,
    'memloop.seed': String(seed),
    ...(record !== undefined && { 'memloop.data': JSON.stringify(record) }),
    ...(chip && { 'memloop.chip': chip.twin.name }),
    'memloop.training': JSON.stringify({ ...model.TRAIN_DEFAULTS, ...settings }),
  });
  const plot = out.replace(/(\.safetensors)?$/, '.svg');
  writeAtomically(plot, trainingPlot(`${name}, seed ${seed}`, history));
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
