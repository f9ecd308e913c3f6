/** `mock --as ktram`. */
import type { StandIn } from '../stand-in.js';

export const ktramStandIn: StandIn = {
  name: 'ktram',
  what: "KNOWM's kT-RAM server on a TCP port, with array modules in it",
  profile: 'knowm-8x8x4',
  serve: async (options) => (await import('./serve.js')).serveKtram(options),
};
