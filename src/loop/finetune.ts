/**
 * Fine-tuning in the loop with state injection: the forward pass is what the board measured; the loss and its
 * gradient come from the measured membrane voltages, by the decision's own loss (the paper's, a mean over time,
 * would fight differences of the neurons' rest potentials that no drive can mend); the neuron's exact adjoint runs
 * along that measured trajectory, and the dense layers are differentiated at their measured inputs, sums and
 * conductances.
 */
import { MemloopError } from '../errors.js';
import type { Emit } from '../events.js';
import { Adam, adjointAlong, type Dataset, peakLoss, Random, split, subset } from '../model/index.js';
import type { BoardForward, BoardNetwork } from './board-network.js';
import type { Chip } from './chip.js';
import { evaluateOnBoard } from './evaluate.js';
import { type ArrayConductances, targetConductances, weightsOf } from './mapping.js';

/** Pulses that one update may give a cell: what is left of the error, the next forward pass measures. */
const PROGRAM_ROUNDS = 4;

export interface FinetuneOptions {
  epochs: number;
  /** Images between two updates of the chip. */
  batch: number;
  /**
   * Largest step of a weight in one update, as a share of its layer's largest weight; falls to a tenth along a
   * cosine, so that the last updates are not undone by the noise of programming.
   */
  learningRate: number;
  seed: number;
  /** A cell is re-programmed when its target has moved by more than this share of the window. */
  deadband: number;
  /** Share of the hidden outputs that are not driven in an update, as in offline training. */
  dropout: number;
  /** Share of the images that is held back to choose the best state. */
  validation: number;
  emit?: Emit;
  signal?: AbortSignal;
}

export const FINETUNE_DEFAULTS: Readonly<Omit<FinetuneOptions, 'emit' | 'signal'>> = Object.freeze({
  epochs: 6,
  batch: 32,
  learningRate: 5e-3,
  seed: 1,
  deadband: 0.02,
  dropout: 0.1,
  validation: 0.1,
});

export interface FinetuneResult {
  /** Validation accuracy on the board before the first update and after each epoch. */
  validation: number[];
  /** Epoch whose weights the board ends with; 0 is the state before fine-tuning. */
  bestEpoch: number;
  pulses: number;
  images: number;
}

/** Gradients of the mean loss of a batch. */
export interface BatchGradient {
  /** Mean over the images. */
  loss: number;
  correct: number;
  weights: Float32Array[];
  biases: Float32Array[];
}

/**
 * Exact gradient at the measured states.
 * @param weights what the layers' conductances stand for, outputs × inputs.
 */
export function gradientAtMeasured(
  hardware: BoardNetwork,
  forward: BoardForward,
  labels: Uint8Array,
  weights: readonly Float32Array[],
): BatchGradient {
  const { map, network } = hardware;
  const { count } = forward;
  const last = map.layers.length - 1;
  let loss = 0;
  let correct = 0;
  let upstream = new Float32Array(count * hardware.outputs);
  for (let n = 0; n < count; n++) {
    const image = neuronGradient(hardware, forward.voltages[n], labels[n]);
    loss += image.loss / count;
    if (forward.decisions[n] === labels[n]) correct++;
    for (let j = 0; j < hardware.outputs; j++)
      upstream[n * hardware.outputs + j] = (image.sums[j] * network.spec.driveScale) / count;
  }
  const kept = 1 / (1 - forward.dropout);
  const gradients = { weights: [] as Float32Array[], biases: [] as Float32Array[] };
  for (let l = last; l >= 0; l--) {
    const layer = map.layers[l];
    const { inputs, outputs } = layer;
    const inputMax = l === 0 ? Number.POSITIVE_INFINITY : layer.inputMax;
    const weightGradient = new Float32Array(outputs * inputs);
    const biasGradient = new Float32Array(outputs);
    const below = new Float32Array(count * inputs);
    for (let n = 0; n < count; n++)
      for (let j = 0; j < outputs; j++) {
        const g = upstream[n * outputs + j];
        if (g === 0) continue;
        biasGradient[j] += g;
        for (let i = 0; i < inputs; i++) {
          const x = forward.inputs[l][n * inputs + i];
          weightGradient[j * inputs + i] += g * x;
          // A rectified, clipped or dropped input does not follow what drives it.
          if (x > 0 && x < inputMax) below[n * inputs + i] += kept * g * weights[l][j * inputs + i];
        }
      }
    gradients.weights.unshift(weightGradient);
    gradients.biases.unshift(biasGradient);
    upstream = below;
  }
  return { loss, correct, ...gradients };
}

/** Loss of one image and dLoss/d(drive), 1/A, summed over the input pulses. */
function neuronGradient(
  hardware: BoardNetwork,
  voltages: Float32Array,
  label: number,
): { loss: number; sums: Float64Array } {
  const { outputs, stepTime, decimation, pulseSteps, network } = hardware;
  const { loss, gradient } = peakLoss(voltages, outputs, label);
  const drives = adjointAlong(
    network.spec.outputNeurons ?? network.spec.neuron,
    voltages,
    outputs,
    decimation * stepTime,
    pulseSteps.map((step) => step * stepTime),
    gradient,
  );
  const sums = new Float64Array(outputs);
  drives.forEach((value, k) => {
    sums[k % outputs] += value;
  });
  return { loss, sums };
}

/**
 * Trains the network on the board. The master weights are `hardware.network`'s and end as the best state
 * measured on the held-back images, which is also what the board ends with.
 */
export async function finetune(
  chip: Chip,
  hardware: BoardNetwork,
  dataset: Dataset,
  settings: Partial<FinetuneOptions> = {},
): Promise<FinetuneResult> {
  const options = { ...FINETUNE_DEFAULTS, ...settings };
  const [train, validation] = split(dataset, options.seed, [1 - options.validation, options.validation]);
  const { network, map } = hardware;
  const { emit = () => {}, signal } = options;
  const random = new Random(options.seed).fork('finetune');
  const master = [...network.weights, ...network.biases];
  const optimisers = network.weights.map((weights, l) => new Adam([weights, network.biases[l]]));
  // The job's progress is images, not the cells of each small re-programming.
  const quiet: Emit = (event) => event.type !== 'progress' && emit(event);
  const programming = { emit: quiet, maxRounds: PROGRAM_ROUNDS, ...(signal ? { signal } : {}) };
  const deadband = options.deadband * (map.window.max - map.window.min);

  let pulses = 0;
  const program = async (settle: boolean) => {
    const targets = targetConductances(map, network.weights, chip.frozen);
    const changed = changedCells(chip.targets, targets, deadband);
    for (const report of await chip.program(changed, { ...programming, settle })) pulses += report.pulses;
  };

  let state = await evaluateOnBoard(hardware, validation, { signal });
  const history = [state.accuracy];
  let best = { epoch: 0, loss: state.loss, weights: master.map((w) => w.slice()) };
  const batches = Math.ceil(train.count / options.batch);
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const order = random.shuffle(Uint32Array.from({ length: train.count }, (_, i) => i));
    let correct = 0;
    let loss = 0;
    for (let b = 0; b < batches; b++) {
      const indices = order.subarray(b * options.batch, (b + 1) * options.batch);
      const images = subset(train, indices);
      const forward = await hardware.forward(images.inputs, images.count, { share: options.dropout, random });
      stopIfAborted(signal);
      const gradient = gradientAtMeasured(hardware, forward, images.labels, weightsOf(map, chip.measured));
      const rate = options.learningRate * annealed((epoch + b / batches) / options.epochs);
      network.weights.forEach((weights, l) => {
        const most = map.layers[l].weightMax;
        optimisers[l].step([gradient.weights[l], gradient.biases[l]], rate * most);
        for (let i = 0; i < weights.length; i++) weights[i] = Math.max(-most, Math.min(most, weights[i]));
      });
      await program(b === batches - 1);
      correct += gradient.correct;
      loss += gradient.loss / batches;
      emit({
        type: 'training',
        phase: 'in-loop',
        epoch: epoch + (b + 1) / batches,
        epochs: options.epochs,
        loss: gradient.loss,
        pulses,
      });
    }
    state = await evaluateOnBoard(hardware, validation, { signal });
    history.push(state.accuracy);
    emit({
      type: 'training',
      phase: 'in-loop',
      epoch: epoch + 1,
      epochs: options.epochs,
      loss,
      trainAccuracy: correct / train.count,
      validationAccuracy: state.accuracy,
      pulses,
    });
    if (state.loss <= best.loss)
      best = { epoch: epoch + 1, loss: state.loss, weights: master.map((w) => w.slice()) };
  }
  if (best.epoch !== options.epochs) {
    for (const [i, weights] of master.entries()) weights.set(best.weights[i]);
    await program(true);
  }
  return { validation: history, bestEpoch: best.epoch, pulses, images: options.epochs * train.count };
}

/**
 * The targets that differ from what the cells were last programmed to, NaN elsewhere. What is not worth a pulse
 * keeps its old target, so that small steps add up.
 */
function changedCells(
  before: ArrayConductances,
  after: ArrayConductances,
  deadband: number,
): ArrayConductances {
  return new Map(
    [...after].map(([array, targets]) => {
      const previous = before.get(array)!;
      return [array, targets.map((g, i) => (Math.abs(g - previous[i]) <= deadband ? Number.NaN : g))];
    }),
  );
}

/** From 1 at the start to 0.1 at the end. */
const annealed = (progress: number): number => 0.1 + 0.45 * (1 + Math.cos(Math.PI * progress));

const stopIfAborted = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted)
    throw new MemloopError('interrupted', 'stopped while fine-tuning; the board is at 0 V');
};
