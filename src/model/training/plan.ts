/** What a dataset is trained with: its recipe, changed where the user asks for something else. */
import { describedLayers, type NetworkDescription } from '../network/description.js';
import { isImageLayer } from '../network/layers.js';
import { type NetworkSpec, networkSpec } from '../network/network.js';
import { largestEulerDrive } from '../network/stability.js';
import { recipeOf, tableRecipe } from './recipes.js';
import type { TrainSettings } from './settings.js';

export interface PlanOptions extends Partial<Pick<NetworkSpec, 'integrator' | 'driveScale' | 'driveMax'>> {
  /** Name of the dataset, whose recipe fills in the rest. */
  dataset: string;
  /** Of own data: how many training samples there are, which decides the recipe. */
  samples?: number;
  features: number;
  classes: number;
  /** The layers, instead of `hidden` and `hiddenNeurons`. */
  network?: NetworkDescription;
  /** Outputs of the hidden layers. */
  hidden?: readonly number[];
  hiddenNeurons?: 'relu' | 'mif';
  /** Steps of the neurons for one input; default 250. */
  steps?: number;
}

export interface TrainingPlan {
  spec: NetworkSpec;
  settings: Partial<TrainSettings>;
  /** With forward Euler: the drive (A) that was set because larger ones are unstable. */
  limitedDrive?: number;
}

/** Error: `bad-input` for a network that does not fit the dataset. */
export function planTraining(options: PlanOptions): TrainingPlan {
  const { dataset, features, classes, network, integrator, driveMax, steps = 250 } = options;
  const recipe = options.samples === undefined ? recipeOf(dataset) : tableRecipe(options.samples);
  const layers = network
    ? describedLayers(network, { features, classes })
    : [features, ...(options.hidden ?? recipe.hidden), classes];
  const spec = networkSpec(layers, {
    ...(integrator !== undefined && { integrator }),
    steps,
    hidden: options.hiddenNeurons ?? 'relu',
    driveScale: options.driveScale ?? recipe.driveScale,
    ...(driveMax !== undefined && { driveMax }),
  });
  const settings = { ...recipe.settings, ...(spec.layers.some(isImageLayer) && recipe.images) };
  if (spec.integrator !== 'forward-euler' || driveMax !== undefined) return { spec, settings };
  const limitedDrive = largestEulerDrive(spec);
  return { spec: { ...spec, driveMax: limitedDrive }, settings, limitedDrive };
}
