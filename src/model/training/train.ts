/** Offline training on the kernel: one path for every network, resumable after a kill to the same weights. */
import { existsSync } from 'node:fs';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { loadTensors, saveTensors, type Tensor } from '../../shared/safetensors.js';
import type { Dataset } from '../data/datasets.js';
import { Engine } from '../kernel/engine.js';
import { Network, type NetworkSpec } from '../network/network.js';
import { networkFrom, networkTensors } from '../network/network-file.js';
import { checkStability } from '../network/stability.js';
import { Random } from '../random.js';
import { type Augmentation, augment } from './augment.js';
import { predictWith } from './evaluate.js';
import { type ChipTwin, checkTwin, Variation, type VariationSettings, variedSpec } from './variation.js';

export interface TrainSettings extends VariationSettings {
  epochs: number;
  /** Samples a step. */
  batch: number;
  /** Adam's learning rate: at the start, and with `cosine` falling to 0 at the end. */
  rate: number;
  schedule: 'constant' | 'cosine';
  /** Decoupled weight decay: weights shrink by rate × decay a step. */
  decay: number;
  /** Share of ReLU outputs silenced in each step of training. */
  dropout: number;
  /** Share of the target spread evenly over the classes. */
  smoothing: number;
  /** Weight of the loss over each neuron's highest v, which is what decides, beside the paper's loss. */
  decision: number;
  /** The result is the running average of the weights over about this many epochs; 0 for the last weights. */
  averaging: number;
  augmentation: Augmentation;
  /** Share of the training set held back to validate on. */
  validation: number;
  seed: number;
}

export const TRAIN_DEFAULTS: Readonly<TrainSettings> = Object.freeze({
  epochs: 40,
  batch: 200,
  rate: 2e-3,
  schedule: 'cosine',
  decay: 0,
  dropout: 0,
  smoothing: 0,
  decision: 0,
  averaging: 0,
  augmentation: 'none',
  validation: 0.1,
  seed: 1,
  weightNoise: 0,
  sumNoise: 0,
  neuronSpread: 0,
});

export interface TrainOptions extends Partial<TrainSettings> {
  spec: NetworkSpec;
  dataset: Dataset;
  /** Network of the same shape to begin with; otherwise one is drawn. */
  initial?: Network;
  /** Read once, after the last epoch. */
  test?: Dataset;
  /** The chip that the network is for: it gets that chip's neurons and only weights that its cells can be. */
  twin?: ChipTwin;
  /** File that the state is saved to after every epoch, and taken up from if it is there. */
  checkpoint?: string;
  emit?: Emit;
  signal?: AbortSignal;
}

export interface EpochRecord {
  epoch: number;
  loss: number;
  /** On the training images as they were trained on, while the weights were moving. */
  trainAccuracy: number;
  validationAccuracy?: number;
}

export interface TrainResult {
  network: Network;
  history: EpochRecord[];
  /** Of the final network, on all images it was trained on. */
  trainAccuracy: number;
  validationAccuracy?: number;
  testAccuracy?: number;
  /** s spent in this process. */
  seconds: number;
}

/** Batches before a loss that never left ln(classes) counts as dead. */
const DEAD_AFTER = 100;

function checkSettings(settings: TrainSettings, dataset: Dataset): void {
  const fail = (message: string): never => {
    throw new MemloopError('bad-input', message);
  };
  if (!(Number.isInteger(settings.epochs) && settings.epochs > 0))
    fail(`epochs must be a whole number above 0, not ${settings.epochs}`);
  if (!(Number.isInteger(settings.batch) && settings.batch > 0))
    fail(`batch must be a whole number above 0, not ${settings.batch}`);
  if (!(settings.rate > 0)) fail(`the learning rate must be above 0, not ${settings.rate}`);
  for (const name of ['dropout', 'smoothing', 'validation'] as const)
    if (!(settings[name] >= 0 && settings[name] < 1)) fail(`${name} must be in 0…1, not ${settings[name]}`);
  for (const name of ['decision', 'weightNoise', 'sumNoise', 'neuronSpread'] as const)
    if (!(settings[name] >= 0)) fail(`${name} must not be negative, but is ${settings[name]}`);
  if (settings.augmentation !== 'none' && !Number.isInteger(Math.sqrt(dataset.features)))
    fail(`augmentation ${settings.augmentation} needs square images, not ${dataset.features} features`);
}

/** What a checkpoint must agree on with the run that takes it up. */
const identity = (
  spec: NetworkSpec,
  settings: TrainSettings,
  dataset: Dataset,
  twin: ChipTwin | undefined,
): string =>
  JSON.stringify({ spec, settings, dataset: dataset.name, count: dataset.count, twin: twin?.name });

export async function train(options: TrainOptions): Promise<TrainResult> {
  const { dataset, test, twin, checkpoint, emit, signal } = options;
  const spec = twin
    ? { ...options.spec, outputNeurons: twin.neurons.map(({ parameters }) => parameters) }
    : options.spec;
  if (twin) checkTwin(twin, spec);
  const settings: TrainSettings = { ...TRAIN_DEFAULTS };
  for (const key of Object.keys(TRAIN_DEFAULTS) as (keyof TrainSettings)[])
    if (options[key] !== undefined) Object.assign(settings, { [key]: options[key] });
  checkSettings(settings, dataset);
  checkStability(spec);
  if (spec.layers[0].inputs !== dataset.features || spec.layers.at(-1)!.outputs !== dataset.classes)
    throw new MemloopError(
      'bad-input',
      `the network takes ${spec.layers[0].inputs} inputs to ${spec.layers.at(-1)!.outputs} classes, but ${dataset.name} has ${dataset.features} and ${dataset.classes}`,
    );
  const started = performance.now();
  const { epochs, batch, seed } = settings;
  const random = new Random(seed);
  const initial = options.initial?.clone() ?? Network.initialise(spec, seed);
  const network = new Network(spec, initial.weights, initial.biases);
  const order = random.fork('split').shuffle(Uint32Array.from({ length: dataset.count }, (_, i) => i));
  const held = Math.round(settings.validation * dataset.count);
  const validation = order.slice(0, held).sort();
  const training = order.slice(held).sort();
  const batches = Math.ceil(training.length / batch);
  const total = epochs * batches;

  const varies =
    twin !== undefined || settings.weightNoise > 0 || settings.sumNoise > 0 || settings.neuronSpread > 0;
  const engine = new Engine(varies ? variedSpec(spec) : spec, batch, {
    training: true,
    smoothing: settings.smoothing,
    decision: settings.decision,
    masks: settings.dropout > 0,
  });
  const evaluator = new Engine(spec, Math.min(200, batch));
  try {
    engine.setWeights(network);
    const variation = varies ? new Variation(engine, settings, twin) : undefined;
    variation?.limit(engine.parameters);
    engine.average.set(engine.parameters);
    const history: EpochRecord[] = [];
    const runIdentity = identity(spec, settings, dataset, twin);
    let epoch = 0;
    if (checkpoint && existsSync(checkpoint)) {
      epoch = takeUp(checkpoint, runIdentity, engine, history);
      emit?.({ type: 'log', level: 'info', message: `resumed from ${checkpoint} after epoch ${epoch}` });
    }

    const accuracy = (indices: Uint32Array, from: Dataset): number => {
      const list = settings.averaging > 0 ? engine.average : engine.parameters;
      variation?.limit(list);
      evaluator.setWeights(engine.getWeights(network, list));
      const decisions = predictWith(evaluator, from.inputs, from.count, indices);
      let correct = 0;
      for (let i = 0; i < indices.length; i++) if (decisions[i] === from.labels[indices[i]]) correct++;
      return correct / indices.length;
    };

    const begun = performance.now();
    let doneHere = 0;
    let lastTold = 0;
    for (; epoch < epochs; epoch++) {
      const draws = random.fork(`epoch ${epoch}`);
      draws.shuffle(training.sort());
      let loss = 0;
      let correct = 0;
      for (let b = 0; b < batches; b++) {
        if (signal?.aborted)
          throw new MemloopError(
            'interrupted',
            checkpoint && epoch > 0
              ? `training stopped in epoch ${epoch + 1}: the same command takes it up after epoch ${epoch}`
              : `training stopped in epoch ${epoch + 1}`,
          );
        const step = epoch * batches + b;
        const indices = training.subarray(b * batch, (b + 1) * batch);
        loadBatch(engine, dataset, indices, settings.augmentation, draws);
        fillMasks(engine, settings.dropout, draws);
        variation?.apply(draws);
        const batchLoss = engine.gradient();
        variation?.restore();
        if (!Number.isFinite(batchLoss)) throw notANumber(spec, epoch, b);
        loss += batchLoss * indices.length;
        const decisions = engine.decisions(indices.length);
        for (let i = 0; i < indices.length; i++) if (decisions[i] === engine.labels[i]) correct++;
        engine.adam(step + 1, {
          rate:
            settings.schedule === 'cosine'
              ? (settings.rate * (1 + Math.cos((Math.PI * step) / total))) / 2
              : settings.rate,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
          decay: settings.decay,
          averaging:
            settings.averaging > 0 ? Math.max(1 / (settings.averaging * batches), 1 / (step + 1)) : 0,
        });
        variation?.limit(engine.parameters);
        doneHere++;
        if (step === DEAD_AFTER)
          checkAlive(loss / ((b + 1) * batch), correct / ((b + 1) * batch), dataset.classes);
        const now = performance.now();
        if (now - lastTold > 500) {
          lastTold = now;
          const rate = (1000 * doneHere) / (now - begun);
          emit?.({
            type: 'progress',
            stage: 'train',
            done: step + 1,
            total,
            units: 'batches',
            rate,
            timeLeft: (total - step - 1) / rate,
          });
        }
        await new Promise(setImmediate);
      }
      const record: EpochRecord = {
        epoch: epoch + 1,
        loss: loss / training.length,
        trainAccuracy: correct / training.length,
        ...(held > 0 && { validationAccuracy: accuracy(validation, dataset) }),
      };
      history.push(record);
      if (checkpoint) saveCheckpoint(checkpoint, runIdentity, engine, network, history);
      emit?.({ type: 'training', phase: 'offline', epochs, ...record });
    }

    const trainAccuracy = accuracy(training.sort(), dataset);
    const testAccuracy =
      test &&
      accuracy(
        Uint32Array.from({ length: test.count }, (_, i) => i),
        test,
      );
    const validationAccuracy = history.at(-1)!.validationAccuracy;
    return {
      network,
      history,
      trainAccuracy,
      ...(validationAccuracy !== undefined && { validationAccuracy }),
      ...(testAccuracy !== undefined && { testAccuracy }),
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    engine.dispose();
    evaluator.dispose();
  }
}

function loadBatch(
  engine: Engine,
  dataset: Dataset,
  indices: Uint32Array,
  kind: Augmentation,
  random: Random,
): void {
  engine.load(dataset.inputs, indices, dataset.labels);
  if (kind === 'none') return;
  const { features } = dataset;
  const side = Math.sqrt(features);
  indices.forEach((index, row) => {
    const source = dataset.inputs.subarray(index * features, (index + 1) * features);
    const target = engine.inputs.subarray(row * engine.inputStride, row * engine.inputStride + features);
    augment(kind, source, target, side, random);
  });
}

/** Inverted dropout: what stays is scaled up, so that nothing changes at evaluation. */
function fillMasks(engine: Engine, dropout: number, random: Random): void {
  const kept = 1 / (1 - dropout);
  for (const { values, stride, outputs } of engine.masks)
    for (let row = 0; row < engine.rows; row++)
      for (let o = 0; o < outputs; o++) values[row * stride + o] = random.uniform() < dropout ? 0 : kept;
}

function notANumber(spec: NetworkSpec, epoch: number, batch: number): MemloopError {
  const advice =
    spec.integrator === 'forward-euler'
      ? 'forward-euler overflowed: lower the drive (--drive-scale, --drive-max), take more steps, or use --integrator exponential'
      : 'lower the learning rate';
  return new MemloopError(
    'training',
    `the loss is not a number in epoch ${epoch + 1}, batch ${batch + 1}: ${advice}`,
  );
}

function checkAlive(loss: number, accuracy: number, classes: number): void {
  if (Math.abs(loss - Math.log(classes)) < 1e-3 * Math.log(classes) && accuracy < 1.5 / classes)
    throw new MemloopError(
      'training',
      `the output neurons do not respond: after ${DEAD_AFTER} batches the loss is still ln ${classes} = ${Math.log(classes).toFixed(4)}; raise the drive (--drive-scale) or let the last layer be linear`,
    );
}

const LISTS = ['parameters', 'firstMoment', 'secondMoment', 'average'] as const;

function saveCheckpoint(
  path: string,
  runIdentity: string,
  engine: Engine,
  network: Network,
  history: EpochRecord[],
): void {
  const tensors: Record<string, Tensor> = networkTensors(network);
  for (const name of LISTS)
    tensors[`checkpoint.${name}`] = { shape: [engine[name].length], data: engine[name].slice() };
  saveTensors(path, tensors, {
    'memloop.spec': JSON.stringify(engine.spec),
    'memloop.run': runIdentity,
    'memloop.history': JSON.stringify(history),
  });
}

/** Puts a checkpoint's state into the engine; returns the epochs done. */
function takeUp(path: string, runIdentity: string, engine: Engine, history: EpochRecord[]): number {
  const { tensors, metadata } = loadTensors(path);
  networkFrom(path, tensors, metadata);
  if (metadata['memloop.run'] !== runIdentity)
    throw new MemloopError(
      'bad-input',
      `${path} belongs to a run with other settings: give another --out or repeat the command it was made with`,
    );
  for (const name of LISTS) {
    const tensor = tensors[`checkpoint.${name}`];
    if (tensor?.data.length !== engine[name].length)
      throw new MemloopError(
        'bad-file',
        `${path} is not a checkpoint: ${name} is missing or of the wrong size`,
      );
    engine[name].set(tensor.data);
  }
  history.push(...(JSON.parse(metadata['memloop.history'] ?? '[]') as EpochRecord[]));
  return history.length;
}
