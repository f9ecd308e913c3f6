/** `ad2:`, loaded when it is first used. */
import type { BoardKind } from '../kind.js';

export const ad2: BoardKind = {
  schemes: ['ad2'],
  name: "Analog Discovery 2 or 3 with KNOWM's Memristor Discovery board V2",
  example: 'ad2:?mode=1&series=10000',
  open: async (url, options) => (await import('./open.js')).openByUrl(url, options),
  find: async () => (await import('./open.js')).findDevices(),
};
