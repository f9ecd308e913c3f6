/** The differentiable network: device equations, MIF neuron, layers, training, datasets. */
export { Adam } from './adam.js';
export { type AlongOptions, adjointAlong } from './along.js';
export { type Augmentation, augmentations } from './augment.js';
export { type BackendName, loadBackend } from './backend.js';
export * from './catalogue.js';
export * from './datasets.js';
export { evaluate, predict } from './evaluate.js';
export { loadIdx } from './idx.js';
export { backendName, kernelThreads, setKernelThreads } from './kernel.js';
export * from './memristor.js';
export * from './mif.js';
export * from './network.js';
export { tracePlot, trainingPlot } from './plots.js';
export { Random } from './random.js';
export { type Recipe, recipeOf } from './recipes.js';
export { outputVoltages } from './reference.js';
export { loadNetwork, loadTensors, saveNetwork, saveTensors, type Tensor } from './safetensors.js';
export * from './simulate.js';
export { networkNetlist, neuronNetlist, readSpiceOutput, type SpiceOptions } from './spice.js';
export { fewestEulerSteps, largestEulerDrive } from './stability.js';
export { type Line, linePlot, type Panel, textPlot } from './svg.js';
export { type MifLayerSpec, mifLayer } from './tfjs.js';
export {
  type EpochRecord,
  TRAIN_DEFAULTS,
  type TrainOptions,
  type TrainResult,
  type TrainSettings,
  train,
} from './train.js';
export type { ChipTwin, VariationSettings } from './variation.js';
