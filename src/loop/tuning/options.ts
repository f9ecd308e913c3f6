/** Settings and result of a fine-tuning. */
import {
  type Augmentation,
  type Dataset,
  isImageLayer,
  type NetworkSpec,
  recipeOf,
} from '../../model/index.js';
import type { TuningCheck } from './tuning-state.js';

export interface Method {
  /** What loss and adjoint see of the neurons. */
  trajectory: 'measured' | 'modelled';
  /** First layer that is trained, of so many, after this share of the way. */
  firstLayer(progress: number, layers: number): number;
}

/**
 * - `state-injection`: loss and adjoint along the measured voltages, all layers.
 * - `model-gradient`: loss and adjoint of the model's own neuron at the measured sums, all layers.
 * - `progressive`: as NeuRRAM's: layer by layer, the layers behind those already programmed are trained anew at the
 *   outputs measured of them, on the model's neuron.
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
   * Images shown in offline training for this chip, before the board is tuned, in whole passes: this takes no image on
   * the board and few pulses. 0: none. Default: 40,000 with state injection; none with convolutions, to which it does
   * more harm than good, and none with the other methods, which serve for comparison.
   */
  adapt?: number;
  /** Passes over the training images; a fraction is enough for large sets. */
  epochs: number;
  /** Images between two updates of the chip. */
  batch: number;
  /**
   * Largest step of a weight in one update, as a share of its layer's largest weight. It falls to a tenth along a
   * cosine, so that programming noise does not undo the last updates. Default: 0.001 after offline training for the
   * chip, which leaves little to do; else 0.005.
   */
  learningRate?: number;
  /** Seed of the order of the images and of the choice of validation images; best that of offline training. */
  seed: number;
  /** A cell is re-programmed when its target has moved by more than this share of the window. */
  deadband: number;
  /** Total number of pulses that fine-tuning may apply. */
  maxPulses: number;
  /** Total energy of these pulses, J, an estimate from the device equations. */
  maxEnergy: number;
  /**
   * Share of the ReLU outputs that are not driven in an update, and zeroed in offline training for the chip. Default: 0.1; with
   * convolutions that of the dataset's recipe.
   */
  dropout: number;
  /** How images are changed in offline training for the chip. Default: none; with convolutions as in the dataset's recipe. */
  augmentation: Augmentation;
  /** Share of the images (at most 500) that is held back as validation images, to choose the best state. */
  validation: number;
  /** Ends after so many checks on the validation images without a better state. */
  patience: number;
  /** File that keeps the state after every update; if it exists, fine-tuning goes on from it. */
  checkpoint?: string;
  /** Name of the stage in progress events, for a caller that announces its own stages. Default: `fine-tune`. */
  stage?: string;
}

export const FINETUNE_DEFAULTS: Readonly<Omit<FinetuneOptions, 'checkpoint'>> = Object.freeze({
  method: 'state-injection',
  epochs: 6,
  batch: 32,
  seed: 1,
  deadband: 0.02,
  maxPulses: Infinity,
  maxEnergy: Infinity,
  dropout: 0.1,
  augmentation: 'none',
  validation: 0.1,
  patience: 12,
});

/**
 * The defaults for this network. Few shared weights learn best on the chip itself, from images such as they were trained on.
 */
export function defaultsFor({ layers }: NetworkSpec, { name }: Dataset): Omit<FinetuneOptions, 'checkpoint'> {
  if (!layers.some(isImageLayer)) return FINETUNE_DEFAULTS;
  const { images } = recipeOf(name);
  const { dropout = FINETUNE_DEFAULTS.dropout, augmentation = FINETUNE_DEFAULTS.augmentation } = images;
  return { ...FINETUNE_DEFAULTS, adapt: 0, dropout, augmentation };
}

export interface FinetuneResult {
  /** Checks on the validation images, before the first update and along the way. */
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
