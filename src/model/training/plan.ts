/** What a dataset is trained with: its recipe, changed where the user asks for something else. */
import { describedLayers, type NetworkDescription } from '../network/description.js';
import { isImageLayer } from '../network/layers.js';
import { type NetworkSpec, networkSpec } from '../network/network.js';
import { largestEulerDrive } from '../network/stability.js';
import { type Recipe, recipeOf, SIGNAL_TIME, signalRecipe, signalSteps, tableRecipe } from './recipes.js';
import type { TrainSettings } from './settings.js';

export interface PlanOptions
  extends Partial<Pick<NetworkSpec, 'integrator' | 'driveScale' | 'driveMax' | 'duration' | 'times'>> {
  /** Name of the dataset, whose recipe fills in the rest. */
  dataset: string;
  /** Of own data: how many training samples there are, which decides the recipe. */
  samples?: number;
  /** Values of a sample: of a signal in time those of all `times`. */
  features: number;
  classes: number;
  /** The layers, instead of `hidden` and `hiddenNeurons`. */
  network?: NetworkDescription;
  /** The network to train on, instead of all that says what it is; only drives can be changed. */
  from?: NetworkSpec;
  /** Outputs of the hidden layers. */
  hidden?: readonly number[];
  /** Default relu; of a signal in time mif. */
  hiddenNeurons?: 'relu' | 'mif';
  /** Steps of the neurons for one input; default 250; of a signal in time 35, or 5 for 4 vectors if those are more. */
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
  const { dataset, classes, network, from, integrator, driveScale, driveMax, times = 1 } = options;
  const ofData = options.samples === undefined ? recipeOf(dataset) : tableRecipe(options.samples);
  const recipe = times > 1 ? signalRecipe(ofData) : ofData;
  const drives = {
    ...(driveScale !== undefined && { driveScale }),
    ...(driveMax !== undefined && { driveMax }),
  };
  if (from) return { spec: { ...from, ...drives }, settings: settingsFor(from, recipe) };
  const features = options.features / times;
  const layers = network
    ? describedLayers(network, { features, classes })
    : [features, ...(options.hidden ?? recipe.hidden), classes];
  const steps = options.steps ?? (times > 1 ? signalSteps(times) : 250);
  const duration = options.duration ?? (times > 1 ? SIGNAL_TIME : 10e-3);
  const spec = networkSpec(layers, {
    ...(integrator !== undefined && { integrator }),
    ...(times > 1 && { times }),
    steps,
    duration,
    hidden: options.hiddenNeurons ?? (times > 1 ? 'mif' : 'relu'),
    driveScale: recipe.driveScale,
    ...drives,
  });
  const settings = settingsFor(spec, recipe);
  if (spec.integrator !== 'forward-euler' || driveMax !== undefined) return { spec, settings };
  const limitedDrive = largestEulerDrive(spec);
  return { spec: { ...spec, driveMax: limitedDrive }, settings, limitedDrive };
}

const settingsFor = ({ layers }: NetworkSpec, recipe: Recipe): Partial<TrainSettings> => ({
  ...recipe.settings,
  ...(layers.some(isImageLayer) && recipe.images),
});
