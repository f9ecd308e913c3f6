/** `mock --as arc-one`. */
import type { StandIn } from '../stand-in.js';

export const arcOneStandIn: StandIn = {
  name: 'arc-one',
  what: 'ArC ONE on a pseudo-terminal, with a chip in its package',
  profile: 'knowm-32x32x1',
  serve: async (options) => (await import('./serve.js')).serveArcOne(options),
};
