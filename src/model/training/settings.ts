/** How a network is trained: the settings, what they are unless given, and which make no sense. */
import { MemloopError } from '../../shared/errors.js';
import type { Dataset } from '../data/datasets.js';
import { type NetworkSpec, timesOf } from '../network/network.js';
import { checkStability } from '../network/stability.js';
import type { Augmentation } from './augment.js';
import type { VariationSettings } from './variation.js';

export interface TrainSettings extends VariationSettings {
  epochs: number;
  /** Samples per step. */
  batch: number;
  /** Adam's learning rate: at the start, and with `cosine` falling to 0 at the end. */
  rate: number;
  schedule: 'constant' | 'cosine';
  /** Decoupled weight decay: weights shrink by rate × decay per step. */
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
  /** Begins with biases of the first layer that cancel its mean input, so that few units of a narrow layer are silent. */
  centred: boolean;
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
  centred: false,
  validation: 0.1,
  seed: 1,
  weightNoise: 0,
  sumNoise: 0,
  neuronSpread: 0,
});

/** Defaults, with what is given (and not undefined) over them. */
export function settingsFrom(given: Partial<TrainSettings>): TrainSettings {
  const settings: TrainSettings = { ...TRAIN_DEFAULTS };
  for (const key of Object.keys(TRAIN_DEFAULTS) as (keyof TrainSettings)[])
    if (given[key] !== undefined) Object.assign(settings, { [key]: given[key] });
  return settings;
}

/** Error: `bad-input` for settings that make no sense. */
export function checkSettings(settings: TrainSettings, dataset: Dataset): void {
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

/** Error: `bad-input` for a network that does not take this dataset or whose neurons would not be stable. */
export function checkNetwork(spec: NetworkSpec, dataset: Dataset): void {
  checkStability(spec);
  const times = timesOf(spec);
  const inputs = times * spec.layers[0].inputs;
  const { outputs } = spec.layers.at(-1)!;
  if (inputs !== dataset.features || outputs !== dataset.classes)
    throw new MemloopError(
      'bad-input',
      `the network takes ${inputs} inputs to ${outputs} classes, but ${dataset.name} has ${dataset.features} and ${dataset.classes}`,
    );
}
