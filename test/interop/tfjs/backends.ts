import { type BackendName, loadBackend } from '../../../src/interop/tfjs/backend.js';

const wanted = process.env.MEMLOOP_TFJS === 'tfjs-node';
const node = await loadBackend('tfjs-node').catch((error) => {
  if (wanted) throw error;
});
/** tfjs-node downloads libtensorflow while it installs, so it is tested where it loads; MEMLOOP_TFJS=tfjs-node insists. */
export const backends: BackendName[] = node ? ['tfjs-node', 'wasm', 'cpu'] : ['wasm', 'cpu'];
