/**
 * Stand-ins for foreign boards: they speak the real interface over simulated cells. A new one is a folder here and a line
 * in the list below.
 */
import { MemloopError } from '../../shared/errors.js';
import { waveFormsStandIn } from './ad2/index.js';
import { arcOneStandIn } from './arc-one/index.js';
import { ktramStandIn } from './ktram/index.js';
import type { StandIn } from './stand-in.js';

export type { ServedStandIn, StandIn, StandInOptions } from './stand-in.js';

export const STAND_INS: readonly StandIn[] = [waveFormsStandIn, ktramStandIn, arcOneStandIn];

/** Throws `usage` for a name that is none. */
export function standInOf(name: string): StandIn {
  const found = STAND_INS.find((one) => one.name === name);
  if (found) return found;
  throw new MemloopError(
    'usage',
    `no stand-in "${name}": give one of ${STAND_INS.map((one) => one.name).join(', ')}`,
  );
}
