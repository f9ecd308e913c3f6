/** `memloop/tfjs`: MIF layers in TensorFlow.js models, and such models as memloop networks. */
export { type BackendName, installedBackend, loadBackend } from './tfjs/backend.js';
export { networkFromModel } from './tfjs/from-model.js';
export { type MifConfig, type MifLayer, mif } from './tfjs/layer.js';
export { type MifLayerSpec, mifLayer } from './tfjs/operation.js';
export type { Tensorflow } from './tfjs/tensorflow.js';
export { modelFromNetwork } from './tfjs/to-model.js';
