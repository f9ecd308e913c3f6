/** Offline training on the kernel: one path for every network, resumable after a kill to the same weights. */
import { existsSync } from 'node:fs';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import type { Dataset } from '../data/datasets.js';
import { Engine } from '../kernel/engine.js';
import { isImageLayer } from '../network/layers.js';
import { Network, type NetworkSpec } from '../network/network.js';
import { Random } from '../random.js';
import { type Augmentation, augment } from './augment.js';
import { type EpochRecord, loadCheckpoint, saveCheckpoint } from './checkpoint.js';
import { predictWith } from './evaluate.js';
import { checkNetwork, checkSettings, settingsFrom, type TrainSettings } from './settings.js';
import { type ChipTwin, checkTwin, Variation, variedSpec } from './variation.js';

export interface TrainOptions extends Partial<TrainSettings> {
  spec: NetworkSpec;
  dataset: Dataset;
  /** Network of the same shape to begin with; otherwise one is drawn. */
  initial?: Network;
  /** Read once, after the last epoch. */
  test?: Dataset;
  /** The chip that the network is for: it gets that chip's neurons and only weights that its cells can be. */
  twin?: ChipTwin;
  /** File for the state after every epoch; if it is there already, training goes on from it. */
  checkpoint?: string;
  emit?: Emit;
  signal?: AbortSignal;
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

/** A network with random weights. */
function startOf(spec: NetworkSpec, { seed, centred }: TrainSettings, dataset: Dataset): Network {
  const network = Network.initialise(spec, seed);
  if (!centred || isImageLayer(spec.layers[0])) return network;
  const [weights] = network.weights;
  const [biases] = network.biases;
  const { inputs: values } = dataset;
  const { inputs } = spec.layers[0];
  const means = new Float64Array(inputs);
  for (let k = 0; k < values.length; k++) means[k % inputs] += values[k] / (values.length / inputs);
  for (let k = 0; k < weights.length; k++) biases[Math.floor(k / inputs)] -= weights[k] * means[k % inputs];
  return network;
}

/** Batches before a loss that never left ln(classes) counts as dead. */
const DEAD_AFTER = 100;
/** Time between two progress events, ms. */
const PROGRESS_PERIOD = 500;

/**
 * Trains a network. The same options give the same weights, whatever the number of threads and however often the run
 * was stopped and went on from its checkpoint.
 *
 * Errors: `bad-input` before it begins; `training` for a loss that is not a number and for neurons that do not respond;
 * `interrupted` by `signal`; `disk`, `bad-file` of the checkpoint.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const started = performance.now();
  const training = new Training(options);
  try {
    await training.run();
    return { ...training.result(), seconds: (performance.now() - started) / 1000 };
  } finally {
    training.dispose();
  }
}

class Training {
  readonly #options: TrainOptions;
  readonly #settings: TrainSettings;
  readonly #spec: NetworkSpec;
  readonly #random: Random;
  /** Takes the weights to save or evaluate; the engine's are those being trained. */
  readonly #network: Network;
  /** Indices into the dataset. */
  readonly #training: Uint32Array;
  readonly #validation: Uint32Array;
  readonly #engine: Engine;
  readonly #evaluator: Engine;
  readonly #variation: Variation | undefined;
  #history: EpochRecord[] = [];
  /** For the rate: when the first batch of this process began (ms), batches since, when progress was last told (ms). */
  #begun = 0;
  #batchesHere = 0;
  #lastTold = 0;

  constructor(options: TrainOptions) {
    const { dataset, twin } = options;
    const spec = twin
      ? { ...options.spec, outputNeurons: twin.neurons.map(({ parameters }) => parameters) }
      : options.spec;
    if (twin) checkTwin(twin, spec);
    const settings = settingsFrom(options);
    checkSettings(settings, dataset);
    checkNetwork(spec, dataset);
    this.#options = options;
    this.#settings = settings;
    this.#spec = spec;

    this.#random = new Random(settings.seed);
    const initial = options.initial?.clone() ?? startOf(spec, settings, dataset);
    this.#network = new Network(spec, initial.weights, initial.biases);
    const all = Uint32Array.from({ length: dataset.count }, (_, i) => i);
    const order = this.#random.fork('split').shuffle(all);
    const held = Math.round(settings.validation * dataset.count);
    this.#validation = order.slice(0, held).sort();
    this.#training = order.slice(held).sort();

    const { batch, smoothing, decision, dropout, weightNoise, sumNoise, neuronSpread } = settings;
    const varies = twin !== undefined || weightNoise > 0 || sumNoise > 0 || neuronSpread > 0;
    this.#engine = new Engine(varies ? variedSpec(spec) : spec, batch, {
      training: true,
      smoothing,
      decision,
      masks: dropout > 0,
    });
    this.#evaluator = new Engine(spec, Math.min(200, batch));
    this.#engine.setWeights(this.#network);
    this.#variation = varies ? new Variation(this.#engine, settings, twin) : undefined;
    this.#variation?.limit(this.#engine.parameters);
    this.#engine.average.set(this.#engine.parameters);
  }

  get #batches(): number {
    return Math.ceil(this.#training.length / this.#settings.batch);
  }

  /** All epochs that are not done. */
  async run(): Promise<void> {
    const { checkpoint, emit, dataset } = this.#options;
    const { epochs } = this.#settings;
    const identity = this.#identity();
    if (checkpoint && existsSync(checkpoint)) {
      this.#history = loadCheckpoint(checkpoint, identity, this.#engine);
      const done = this.#history.length;
      emit?.({ type: 'log', level: 'info', message: `resumed from ${checkpoint} after epoch ${done}` });
    }
    this.#begun = performance.now();
    for (let epoch = this.#history.length; epoch < epochs; epoch++) {
      const { loss, correct } = await this.#epoch(epoch);
      const record: EpochRecord = {
        epoch: epoch + 1,
        loss: loss / this.#training.length,
        trainAccuracy: correct / this.#training.length,
        ...(this.#validation.length > 0 && {
          validationAccuracy: this.#accuracy(dataset, this.#validation),
        }),
      };
      this.#history.push(record);
      if (checkpoint) saveCheckpoint(checkpoint, identity, this.#engine, this.#network, this.#history);
      emit?.({ type: 'training', phase: 'offline', epochs, ...record });
    }
  }

  /** What it came to; leaves the final weights in the network. */
  result(): Omit<TrainResult, 'seconds'> {
    const { dataset, test } = this.#options;
    const trainAccuracy = this.#accuracy(dataset, this.#training.sort());
    const testAccuracy =
      test &&
      this.#accuracy(
        test,
        Uint32Array.from({ length: test.count }, (_, i) => i),
      );
    const validationAccuracy = this.#history.at(-1)!.validationAccuracy;
    return {
      network: this.#network,
      history: this.#history,
      trainAccuracy,
      ...(validationAccuracy !== undefined && { validationAccuracy }),
      ...(testAccuracy !== undefined && { testAccuracy }),
    };
  }

  dispose(): void {
    this.#engine.dispose();
    this.#evaluator.dispose();
  }

  /** What a checkpoint must agree on with the run that goes on from it. */
  #identity(): string {
    const { dataset, twin } = this.#options;
    return JSON.stringify({
      spec: this.#spec,
      settings: this.#settings,
      dataset: dataset.name,
      count: dataset.count,
      ...(dataset.key !== undefined && { key: dataset.key }),
      twin: twin?.name,
    });
  }

  /** Sums over the epoch's images. */
  async #epoch(epoch: number): Promise<{ loss: number; correct: number }> {
    const { batch } = this.#settings;
    const draws = this.#random.fork(`epoch ${epoch}`);
    draws.shuffle(this.#training.sort());
    const sums = { loss: 0, correct: 0 };
    for (let b = 0; b < this.#batches; b++) {
      this.#checkSignal(epoch);
      const step = epoch * this.#batches + b;
      const indices = this.#training.subarray(b * batch, (b + 1) * batch);
      const { loss, correct } = this.#batch(indices, draws);
      if (!Number.isFinite(loss)) throw notANumber(this.#spec, epoch, b);
      sums.loss += loss * indices.length;
      sums.correct += correct;
      this.#step(step);
      if (step === DEAD_AFTER) {
        const seen = (b + 1) * batch;
        checkAlive(sums.loss / seen, sums.correct / seen, this.#options.dataset.classes);
      }
      this.#tell(step + 1);
      await new Promise(setImmediate);
    }
    return sums;
  }

  /** Forward and backward over one batch: its mean loss, and how many images it decided rightly. */
  #batch(indices: Uint32Array, draws: Random): { loss: number; correct: number } {
    const engine = this.#engine;
    loadBatch(engine, this.#options.dataset, indices, this.#settings.augmentation, draws);
    fillMasks(engine, this.#settings.dropout, draws);
    this.#variation?.apply(draws);
    const loss = engine.gradient();
    this.#variation?.restore();
    const decisions = engine.decisions(indices.length);
    let correct = 0;
    for (let i = 0; i < indices.length; i++) if (decisions[i] === engine.labels[i]) correct++;
    return { loss, correct };
  }

  /** Adam with the gradients of the last batch; `step` counts from 0. */
  #step(step: number): void {
    const { epochs, schedule, rate, decay, averaging } = this.#settings;
    const total = epochs * this.#batches;
    this.#engine.adam(step + 1, {
      rate: schedule === 'cosine' ? (rate * (1 + Math.cos((Math.PI * step) / total))) / 2 : rate,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      decay,
      averaging: averaging > 0 ? Math.max(1 / (averaging * this.#batches), 1 / (step + 1)) : 0,
    });
    this.#variation?.limit(this.#engine.parameters);
  }

  #checkSignal(epoch: number): void {
    const { signal, checkpoint } = this.#options;
    if (!signal?.aborted) return;
    const stopped = `training stopped in epoch ${epoch + 1}`;
    throw new MemloopError(
      'interrupted',
      checkpoint && epoch > 0 ? `${stopped}: the same command resumes after epoch ${epoch}` : stopped,
    );
  }

  #tell(done: number): void {
    this.#batchesHere++;
    const now = performance.now();
    if (now - this.#lastTold <= PROGRESS_PERIOD) return;
    this.#lastTold = now;
    const total = this.#settings.epochs * this.#batches;
    const rate = (1000 * this.#batchesHere) / (now - this.#begun);
    const timeLeft = (total - done) / rate;
    this.#options.emit?.({ type: 'progress', stage: 'train', done, total, units: 'batches', rate, timeLeft });
  }

  /** Of the weights as they would be returned now, which are left in the network. */
  #accuracy(from: Dataset, indices: Uint32Array): number {
    const list = this.#settings.averaging > 0 ? this.#engine.average : this.#engine.parameters;
    this.#variation?.limit(list);
    this.#evaluator.setWeights(this.#engine.getWeights(this.#network, list));
    const decisions = predictWith(this.#evaluator, from.inputs, from.count, indices);
    let correct = 0;
    for (let i = 0; i < indices.length; i++) if (decisions[i] === from.labels[indices[i]]) correct++;
    return correct / indices.length;
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
  const changed = new Float32Array(features);
  indices.forEach((index, row) => {
    const source = dataset.inputs.subarray(index * features, (index + 1) * features);
    augment(kind, source, changed, side, random);
    engine.put(row, changed);
  });
}

/** Inverted dropout: what stays is scaled up, so that nothing changes at evaluation. */
function fillMasks(engine: Engine, dropout: number, random: Random): void {
  const kept = 1 / (1 - dropout);
  for (const { values, stride, outputs } of engine.masks)
    for (let row = 0; row < values.length; row += stride)
      for (let o = 0; o < outputs; o++) values[row + o] = random.uniform() < dropout ? 0 : kept;
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
