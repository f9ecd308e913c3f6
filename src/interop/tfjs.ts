/** `memloop/tfjs`: MIF layers in TensorFlow.js models. */
export { type BackendName, installedBackend, loadBackend, type Tensorflow } from './backend.js';
export { type MifLayerSpec, mifLayer } from './mif-layer.js';
