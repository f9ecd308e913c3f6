/** The differentiable network: device equations, MIF neuron, layers, training, datasets. */
export * from './datasets.js';
export * from './memristor.js';
export * from './mif.js';
export { Random } from './random.js';
