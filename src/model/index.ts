/** The differentiable network: device equations, MIF neuron, layers, training, datasets. */

export * from './data/catalogue.js';
export * from './data/datasets.js';
export type { Column, ReadOptions, Samples } from './data/files/samples.js';
export { loadIdx } from './data/idx.js';
export {
  type DataDescription,
  type DataRecord,
  describeData,
  loadFolds,
  loadOwnData,
  type OwnData,
  type OwnDataOptions,
} from './data/own-data.js';
export { inTimes } from './data/signal.js';
export { type AlongOptions, adjointAlong } from './devices/along.js';
export * from './devices/memristor.js';
export * from './devices/mif.js';
export * from './devices/simulate.js';
export { loadStimulus } from './devices/stimulus-file.js';
export { backendName, kernelThreads, setKernelThreads } from './kernel/kernel.js';

export { type MifPopulation, MifRunner } from './kernel/mif-runner.js';
export {
  describedLayers,
  type LayerDescription,
  loadDescription,
  type NetworkDescription,
} from './network/description.js';
export {
  type Activation,
  type AvgPoolLayer,
  averagePool,
  type Conv2dLayer,
  type DenseLayer,
  type ImageLayer,
  type ImageShape,
  inputBarsFromPool,
  inputBarsFromVectors,
  isImageLayer,
  type LayerMatrix,
  type LayerSpec,
  layerMatrix,
  layerVectors,
  outputImage,
  outputsFromSums,
} from './network/layers.js';

export * from './network/network.js';
export { loadNetwork, saveNetwork } from './network/network-file.js';
export { layerBackward, layerOutputs, type NetworkLike, outputVoltages } from './network/reference.js';
export { fewestEulerSteps, finerSteps, largestEulerDrive } from './network/stability.js';
export { Random } from './random.js';
export { Adam } from './training/adam.js';
export { type Augmentation, augmentations } from './training/augment.js';
export type { EpochRecord } from './training/checkpoint.js';
export { evaluate, predict } from './training/evaluate.js';
export { type PlanOptions, planTraining, type TrainingPlan } from './training/plan.js';
export { type Recipe, recipeOf, tableRecipe } from './training/recipes.js';
export { TRAIN_DEFAULTS, type TrainSettings } from './training/settings.js';
export { type TrainOptions, type TrainResult, train } from './training/train.js';
export { loadTrained, type Trained } from './training/trained.js';
export type { ChipTwin, VariationSettings } from './training/variation.js';
