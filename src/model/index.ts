/** The differentiable network: device equations, MIF neuron, layers, training, datasets. */
export { Adam } from './adam.js';
export { type AlongOptions, adjointAlong } from './along.js';
export * from './datasets.js';
export { evaluate, predict } from './evaluate.js';
export { kernelThreads, setKernelThreads } from './kernel.js';
export * from './memristor.js';
export * from './mif.js';
export * from './network.js';
export { Random } from './random.js';
export { loadNetwork, loadTensors, saveNetwork, saveTensors, type Tensor } from './safetensors.js';
