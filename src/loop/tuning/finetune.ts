/**
 * Fine-tuning in the loop: forward on the board, gradient at what was measured there, master weights in software,
 * and pulses only for cells whose target has moved far enough to be worth them.
 */
import type { ProgramOptions } from '../../calibration/index.js';
import { Adam, type Dataset, Random, split, subset, train as trainOffline } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import type { BoardNetwork, Dropout } from '../chip/board-network.js';
import type { Chip } from '../chip/chip.js';
import { evaluateOnBoard } from '../chip/evaluate.js';
import { type ArrayConductances, targetConductances, weightsOf } from '../chip/mapping.js';
import { type BatchGradient, gradientAtMeasured } from './gradient.js';
import { PulseEconomy, worthAPulse } from './pulse-economy.js';
import { saveTuning, type TuningCheck, type TuningProgress, takeUpTuning } from './tuning-state.js';
import type { TwinTraining } from './twin.js';

/** Pulses that one update may give a cell: what is left of the error, the next forward pass measures. */
const PROGRAM_ROUNDS = 4;
/** Times the deadband that a cell must be off, where the arrays are read before a look at the held-back images. */
const MOVED = 2;
/** Images of offline training for the chip. */
const ADAPTATION = 40_000;
/** Rates in the loop, without and with offline training for the chip before. */
const RATE = 5e-3;
const RATE_ADAPTED = 1e-3;
/** Adam's rate in offline training for the chip, as a share of the largest weight of the layer where that is least. */
const ADAPTATION_RATE = 2.5e-3;
/** Weight of the decision's loss there, so that the paper's hardly counts, which the loop does without. */
const ADAPTATION_DECISION = 100;
/** Images on the board at once: while it works on some, the gradient of those before is computed. */
const CHUNK = 8;
/** Largest number of images between two looks at the held-back ones, and of those. */
const CHECK_EVERY = 1000;
const HELD_BACK = 500;

interface Method {
  /** What loss and adjoint see of the neurons. */
  trajectory: 'measured' | 'modelled';
  /** First layer that is trained, of so many, after this share of the way. */
  firstLayer(progress: number, layers: number): number;
}

/**
 * - `state-injection`: loss and adjoint along the measured voltages, all layers.
 * - `model-gradient`: loss and adjoint of the model's own neuron at the measured sums, all layers.
 * - `progressive`: as NeuRRAM's: layer by layer, those behind what is programmed are trained anew at its measured
 *   outputs, on the model's neuron.
 * - `output-only`: as state injection, the last layer alone.
 */
export const METHODS = {
  'state-injection': { trajectory: 'measured', firstLayer: () => 0 },
  'model-gradient': { trajectory: 'modelled', firstLayer: () => 0 },
  progressive: {
    trajectory: 'modelled',
    firstLayer: (progress, layers) => Math.min(layers - 1, 1 + Math.floor(progress * (layers - 1))),
  },
  'output-only': { trajectory: 'measured', firstLayer: (_, layers) => layers - 1 },
} as const satisfies Record<string, Method>;

export type MethodName = keyof typeof METHODS;
export const methodNames = Object.keys(METHODS) as MethodName[];

export interface FinetuneOptions {
  method: MethodName;
  /**
   * Images that offline training on what is known of this chip is shown first, in whole passes: what it finds out costs
   * no image on the board and few pulses. 0: none; unless given, 40,000 by state injection and none by the other methods,
   * which are there to be compared.
   */
  adapt?: number;
  /** Passes over the training images; a part of one is enough for large sets. */
  epochs: number;
  /** Images between two updates of the chip. */
  batch: number;
  /**
   * Largest step of a weight in one update, as a share of its layer's largest weight; falls to a tenth along a
   * cosine, so that the last updates are not undone by the noise of programming. Unless given, small where offline
   * training for the chip went before, which generalises better and leaves little to do.
   */
  learningRate?: number;
  /** Of the order of the images and of those held back; that of offline training unless there is a reason. */
  seed: number;
  /** A cell is re-programmed when its target has moved by more than this share of the window. */
  deadband: number;
  /** Pulses that fine-tuning may give in all. */
  maxPulses: number;
  /** J that they may take in all. */
  maxEnergy: number;
  /** Share of the ReLU outputs that are not driven in an update, as in offline training. */
  dropout: number;
  /** Share of the images (at most 500) that is held back to choose the best state. */
  validation: number;
  /** Ends after so many looks at the held-back images without a better state. */
  patience: number;
  /** File that the state is kept in after every update, and taken up from if it is there. */
  checkpoint?: string;
  emit?: Emit;
  signal?: AbortSignal;
}

export const FINETUNE_DEFAULTS: Readonly<Omit<FinetuneOptions, 'checkpoint' | 'emit' | 'signal'>> =
  Object.freeze({
    method: 'state-injection',
    epochs: 6,
    batch: 32,
    seed: 1,
    deadband: 0.02,
    maxPulses: Infinity,
    maxEnergy: Infinity,
    dropout: 0.1,
    validation: 0.1,
    patience: 12,
  });

export interface FinetuneResult {
  /** The held-back images before the first update and along the way. */
  history: TuningCheck[];
  /** Entry of the history whose state the board ends with; 0 is the state before fine-tuning. */
  best: number;
  pulses: number;
  /** J, an estimate from the device equations. */
  energy: number;
  /** Images shown for training. */
  images: number;
  /** Why it ended: all epochs done, no better state for long, or no pulse left. */
  ended: 'done' | 'no better state' | 'budget';
}

/**
 * Trains the network on the board, after it was trained offline for what is known of the chip. The master weights are
 * `hardware.network`'s and end as the best state measured on the held-back images, which is also what the board ends
 * with. With a checkpoint, a fine-tuning that was cut off goes on where it was: the chip is first brought back to the
 * checkpoint's weights.
 */
export async function finetune(
  chip: Chip,
  hardware: BoardNetwork,
  dataset: Dataset,
  settings: Partial<FinetuneOptions> = {},
  knownOfChip: () => TwinTraining | undefined = () => undefined,
): Promise<FinetuneResult> {
  const options = { ...FINETUNE_DEFAULTS, ...settings };
  const { emit = () => {}, signal, checkpoint } = options;
  const [validation, train] = heldBack(dataset, options.seed, options.validation);
  const { network, map } = hardware;
  const random = new Random(options.seed).fork('finetune');
  const adaptation = options.adapt ?? (options.method === 'state-injection' ? ADAPTATION : 0);
  const twin = adaptation > 0 ? knownOfChip() : undefined;
  const learningRate = options.learningRate ?? (twin ? RATE_ADAPTED : RATE);
  const method: Method = METHODS[options.method];

  const master = [...network.weights, ...network.biases];
  const best = master.map((list) => list.slice());
  const optimisers = network.weights.map((weights, l) => new Adam([weights, network.biases[l]]));
  const lists = { master, best, optimisers };
  const identity = JSON.stringify({
    ...options,
    checkpoint: undefined,
    emit: undefined,
    signal: undefined,
    dataset: [dataset.name, dataset.count],
    layers: network.spec.layers,
    chip: chip.serials,
  });
  const resumed = checkpoint === undefined ? undefined : takeUpTuning(checkpoint, identity, lists);

  const economy = new PulseEconomy(
    { pulses: options.maxPulses, energy: options.maxEnergy },
    { pulses: resumed?.pulses ?? 0, energy: resumed?.energy ?? 0 },
    PROGRAM_ROUNDS,
  );
  // The job's progress is images, not the cells of each small re-programming.
  const quiet: Emit = (event) => event.type !== 'progress' && emit(event);
  const programming = { emit: quiet, ...(signal ? { signal } : {}) };
  const deadband = options.deadband * (map.window.max - map.window.min);
  const targets = () => targetConductances(map, network.weights, chip.frozen);
  const program = async (pulses: number, rounds: Partial<ProgramOptions>): Promise<void> => {
    const wanted = worthAPulse(chip.targets, targets(), deadband, economy.cellsFor(pulses));
    economy.note(await chip.program(wanted, { ...programming, ...rounds }));
  };

  const perEpoch = Math.ceil(train.count / options.batch);
  const updates = Math.max(1, Math.round(options.epochs * perEpoch));
  const checkEvery = Math.ceil(Math.min(train.count / 2, CHECK_EVERY) / options.batch);
  const check = async (images: number): Promise<TuningCheck> => {
    const { accuracy, loss } = await evaluateOnBoard(hardware, validation, { signal });
    return { images, pulses: economy.spent.pulses, accuracy, loss };
  };

  const progress: TuningProgress = resumed ?? {
    updates: 0,
    pulses: 0,
    energy: 0,
    history: [await check(0)],
    best: 0,
  };
  const { history } = progress;
  if (resumed) {
    emit({ type: 'log', level: 'info', message: `goes on after update ${resumed.updates} of ${updates}` });
    economy.note(await chip.programWeights(network.weights, programming));
  }
  const keep = () => {
    Object.assign(progress, { pulses: economy.spent.pulses, energy: economy.spent.energy });
    if (checkpoint !== undefined) saveTuning(checkpoint, identity, progress, lists);
  };
  keep();

  let bestTargets = new Map([...chip.targets].map(([array, g]) => [array, g.slice()]));
  const look = async (images: number): Promise<TuningCheck> => {
    const now = await check(images);
    history.push(now);
    if (now.loss <= history[progress.best].loss) {
      progress.best = history.length - 1;
      best.forEach((list, k) => {
        list.set(master[k]);
      });
      bestTargets = new Map([...chip.targets].map(([array, g]) => [array, g.slice()]));
    }
    return now;
  };
  const restore = (lists: readonly Float32Array[]) => {
    master.forEach((list, k) => {
      list.set(lists[k]);
    });
  };
  if (twin && progress.updates === 0 && history.length === 1) {
    try {
      await adapt(hardware, train, twin, { ...options, images: adaptation });
    } catch (error) {
      throw signal?.aborted ? stopped(checkpoint) : error;
    }
    await chip.findMoved(MOVED * deadband);
    // Half of a budget is kept for what the board has to say; half of the way would be no way.
    const share = economy.left / 2;
    if (cellsApart(targets(), chip.targets, deadband) <= economy.cellsFor(share)) {
      await program(share, economy.left === Infinity ? {} : { maxRounds: PROGRAM_ROUNDS });
      await look(0);
    } else {
      emit({ type: 'log', level: 'info', message: 'not trained offline: the budget does not pay for it' });
      restore(best);
    }
    keep();
  }
  let ended: FinetuneResult['ended'] = 'done';
  /** Of the training images since the last look at the held-back ones. */
  let since = { images: 0, correct: 0, loss: 0 };
  while (progress.updates < updates) {
    if (signal?.aborted) throw stopped(checkpoint);
    const update = progress.updates;
    const epoch = Math.floor(update / perEpoch);
    const order = random
      .fork(`epoch ${epoch}`)
      .shuffle(Uint32Array.from({ length: train.count }, (_, i) => i));
    const from = (update % perEpoch) * options.batch;
    const images = subset(train, order.subarray(from, from + options.batch));
    const gradient = await batchGradient(hardware, chip, images, method.trajectory, {
      share: options.dropout,
      random: random.fork(`update ${update}`),
    });
    if (signal?.aborted) throw stopped(checkpoint);

    const first = method.firstLayer(update / updates, network.weights.length);
    const rate = learningRate * annealed(update / updates);
    for (let l = first; l < network.weights.length; l++) {
      const most = map.layers[l].weightMax;
      const weights = network.weights[l];
      optimisers[l].step([gradient.weights[l], gradient.biases[l]], rate * most);
      for (let i = 0; i < weights.length; i++) weights[i] = Math.max(-most, Math.min(most, weights[i]));
    }
    const checking = (update + 1) % checkEvery === 0 || update + 1 === updates;
    if (checking) await chip.findMoved(MOVED * deadband);
    const wayBack = economy.left === Infinity ? 0 : cellsApart(bestTargets, chip.targets, deadband);
    await program(economy.allowance(updates - update, wayBack), {
      maxRounds: PROGRAM_ROUNDS,
      settle: checking,
    });
    progress.updates++;
    const shown = epoch * train.count + from + images.count;
    emit({
      type: 'training',
      phase: 'in-loop',
      epoch: progress.updates / perEpoch,
      epochs: options.epochs,
      loss: gradient.loss,
      pulses: economy.spent.pulses,
    });
    since.images += images.count;
    since.correct += gradient.correct;
    since.loss += gradient.loss * images.count;
    if (checking) {
      const now = await look(shown);
      emit({
        type: 'training',
        phase: 'in-loop',
        epoch: progress.updates / perEpoch,
        epochs: options.epochs,
        loss: since.loss / since.images,
        trainAccuracy: since.correct / since.images,
        validationAccuracy: now.accuracy,
        pulses: now.pulses,
      });
      since = { images: 0, correct: 0, loss: 0 };
    }
    keep();
    if (history.length - 1 - progress.best >= options.patience) {
      ended = 'no better state';
      break;
    }
  }
  if (progress.best !== history.length - 1) {
    restore(best);
    await chip.findMoved(MOVED * deadband);
    // The way back can be long: without a budget it takes the rounds it needs.
    await program(economy.left, economy.left === Infinity ? {} : { maxRounds: PROGRAM_ROUNDS });
    keep();
  }
  if (ended === 'done' && economy.left < PROGRAM_ROUNDS) ended = 'budget';
  const images = history.at(-1)!.images;
  return { history, best: progress.best, ...economy.spent, images, ended };
}

/** Trains the network's weights and biases further on the twin of the chip, with what programming will add to them. */
async function adapt(
  { network, map }: BoardNetwork,
  train: Dataset,
  { twin, settings }: TwinTraining,
  { images, seed, dropout, emit, signal }: FinetuneOptions & { images: number },
): Promise<void> {
  emit?.({ type: 'stage', stage: 'adapt', detail: 'offline, to what is known of this chip' });
  const batch = Math.min(200, Math.ceil(train.count / 30));
  const adapted = await trainOffline({
    spec: network.spec,
    initial: network,
    dataset: train,
    twin,
    decision: ADAPTATION_DECISION,
    weightNoise: settings.weightNoise,
    epochs: Math.ceil(images / train.count),
    batch,
    rate: ADAPTATION_RATE * Math.min(...map.layers.map((layer) => layer.weightMax)),
    dropout,
    validation: 0,
    seed,
    ...(emit && { emit }),
    ...(signal && { signal }),
  });
  adapted.network.weights.forEach((list, l) => {
    network.weights[l].set(list);
    network.biases[l].set(adapted.network.biases[l]);
  });
}

/**
 * The training images in two parts: held back to look at, and to tune with. The split is that of offline training:
 * with the network's own seed, the first part was never learnt.
 */
export function heldBack(
  dataset: Dataset,
  seed: number,
  share: number = FINETUNE_DEFAULTS.validation,
): [look: Dataset, tune: Dataset] {
  const held = Math.min(share, HELD_BACK / dataset.count);
  return split(dataset, seed, [held, 1 - held]) as [Dataset, Dataset];
}

/** The mean gradient of a batch; the board already has the next few images while those before are differentiated. */
async function batchGradient(
  hardware: BoardNetwork,
  chip: Chip,
  batch: Dataset,
  trajectory: Method['trajectory'],
  dropout: Dropout,
): Promise<BatchGradient> {
  const weights = weightsOf(hardware.map, chip.measured);
  const sum: BatchGradient = {
    loss: 0,
    correct: 0,
    weights: weights.map((w) => new Float64Array(w.length)),
    biases: hardware.network.biases.map((b) => new Float64Array(b.length)),
  };
  for await (const { images, forward } of hardware.forward(batch, CHUNK, dropout)) {
    // Lets the request go out before the thread is busy.
    await new Promise((resolve) => setImmediate(resolve));
    const part = gradientAtMeasured(hardware, forward, images.labels, weights, trajectory);
    const share = images.count / batch.count;
    sum.loss += part.loss * share;
    sum.correct += part.correct;
    part.weights.forEach((list, l) => {
      for (let i = 0; i < list.length; i++) sum.weights[l][i] += share * list[i];
    });
    part.biases.forEach((list, l) => {
      for (let i = 0; i < list.length; i++) sum.biases[l][i] += share * list[i];
    });
  }
  return sum;
}

/** Cells whose targets differ by more than the deadband. */
function cellsApart(a: ArrayConductances, b: ArrayConductances, deadband: number): number {
  let cells = 0;
  for (const [array, targets] of a) {
    const others = b.get(array)!;
    for (let i = 0; i < targets.length; i++) if (Math.abs(targets[i] - others[i]) > deadband) cells++;
  }
  return cells;
}

/** From 1 at the start to 0.1 at the end. */
const annealed = (progress: number): number => 0.1 + 0.45 * (1 + Math.cos(Math.PI * progress));

const stopped = (checkpoint: string | undefined): MemloopError =>
  new MemloopError(
    'interrupted',
    checkpoint === undefined
      ? 'stopped while fine-tuning; the board is at 0 V'
      : `stopped while fine-tuning; the board is at 0 V and the same command goes on from ${checkpoint}`,
  );
