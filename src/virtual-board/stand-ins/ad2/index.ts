/** `mock --as waveforms`. */
import type { StandIn } from '../stand-in.js';

export const waveFormsStandIn: StandIn = {
  name: 'waveforms',
  what: "Digilent's WaveForms library with an Analog Discovery 2 and KNOWM's Memristor Discovery board behind it",
  profile: 'knowm-discrete-16',
  serve: async (options) => (await import('./serve.js')).serveWaveForms(options),
};
