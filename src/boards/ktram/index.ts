/** KNOWM's kT-RAM server (kTPi): crossbars of 2×2 to 32×32 behind HTTP. */
import type { BoardKind } from '../kind.js';
import { EXAMPLE } from './url.js';

export const ktram: BoardKind = {
  schemes: ['ktram+https', 'ktram+http'],
  name: 'KNOWM kT-RAM server',
  example: EXAMPLE,
  open: async (url, options) => (await import('./open.js')).openKtram(url, options),
  /** A server cannot be found by looking. */
  find: async () => [],
};
