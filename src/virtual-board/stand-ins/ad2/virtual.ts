/** A simulated Analog Discovery with the Memristor Discovery board and a chip of sixteen single cells. */
import { MemloopError } from '../../../shared/errors.js';
import { builtInProfiles, loadProfile, type Profile } from '../../profile.js';
import { BareChip, type BareChipOptions } from '../bare-chip.js';
import { type BoardOptions, DiscoveryBoard } from './discovery-board.js';
import { type Ad2Faults, loadFaults } from './faults.js';
import { SimulatedWaveForms } from './waveforms.js';

export const PROFILE = 'knowm-discrete-16';
/** What that profile is made of where it is not built in. */
const LIKE = 'w-sdc-8x8x4';

/** Sixteen cells by themselves, whatever array the profile has: nothing is half-selected, and there are no lines. */
export function discreteCells(name: string): Profile {
  const profile = loadProfile(name === PROFILE && !builtInProfiles().includes(name) ? LIKE : name);
  const effects = structuredClone(profile.effects);
  effects.lineResistance.enabled = false;
  effects.halfSelectDisturb.enabled = false;
  const pulse = { ...profile.pulse, halfSelect: 0 };
  return { ...profile, effects, pulse, arrays: 1, rows: 8, columns: 2 };
}

export interface VirtualAd2Options extends BareChipOptions, BoardOptions {
  profile?: string | Profile | undefined;
  faults?: Ad2Faults | undefined;
}

export function simulatedWaveForms({ profile = PROFILE, faults, mode, series, ...chip }: VirtualAd2Options): {
  chip: BareChip;
  library: SimulatedWaveForms;
} {
  const bare = new BareChip(typeof profile === 'string' ? discreteCells(profile) : profile, chip);
  return { chip: bare, library: new SimulatedWaveForms(new DiscoveryBoard(bare, { mode, series }), faults) };
}

/**
 * `virtual-ad2:PROFILE?seed=N&faults=FILE&…`, and what is left of it as a URL of `ad2:`. Errors: `usage` for the URL,
 * `bad-input` for profile and faults.
 */
export function virtualWaveForms(url: string): { library: SimulatedWaveForms; rest: string } {
  const [profile, query = ''] = url.slice(url.indexOf(':') + 1).split('?');
  const parameters = new URLSearchParams(query);
  const text = parameters.get('seed') ?? '1';
  const seed = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(seed) || seed < 0)
    throw new MemloopError('usage', `the seed in ${url} is not a whole number from 0`);
  const faults = parameters.get('faults');
  parameters.delete('seed');
  parameters.delete('faults');
  const mode = parameters.get('mode') === '2' ? 2 : 1;
  const series = Number(parameters.get('series') ?? (mode === 1 ? 10e3 : 20e3));
  const { library } = simulatedWaveForms({
    profile: profile === '' ? PROFILE : profile,
    seed,
    mode,
    series,
    faults: faults === null ? undefined : loadFaults(faults),
  });
  return { library, rest: `ad2:?${parameters}` };
}
