/** The cells of one array as a chip is made: drawn from the profile's distributions, or as measured. */
import type { Random } from '../../model/random.js';
import type { Profile } from '../profile.js';
import { alphaStable, lognormal, within } from './spread.js';

/** Properties of each cell, row by row; units as in the profile. */
export interface Cells {
  ron: Float64Array;
  roff: Float64Array;
  von: Float64Array;
  voff: Float64Array;
  tau: Float64Array;
  /** In [0, 1]. */
  state: Float64Array;
  /** 0: moves; −1: stuck low; 1: stuck high. */
  stuck: Int8Array;
  driftExponent: Float64Array;
}

/**
 * Draws the cells of array `index`; what the profile has measured of it is not drawn. Each property has its own
 * stream of `chip`: switching one effect off leaves the draws of the others as they were.
 */
export function drawCells({ device, effects, rows, columns }: Profile, chip: Random, index: number): Cells {
  const cells = rows * columns;
  const { deviceSpread: spread, stuckCells, drift } = effects;
  const known = spread.enabled ? spread.measured?.[index] : undefined;
  const each = (fill: (cell: number) => number) => Float64Array.from({ length: cells }, (_, i) => fill(i));
  const draw = (name: 'ron' | 'roff' | 'tau' | 'von' | 'voff', value: (random: Random) => number) => {
    const random = chip.fork(name);
    return each((i) => {
      const drawn = spread.enabled ? value(random) : device[name];
      return known?.[name][i] ?? drawn;
    });
  };
  const { von, voff } = spread;
  const initial = chip.fork('initial state');
  const [lowest, highest] = device.initialState;
  const fate = chip.fork('stuck');
  const exponent = chip.fork('drift');
  return {
    ron: draw('ron', (r) => device.ron * lognormal(r, spread.ron)),
    roff: draw('roff', (r) => device.roff * lognormal(r, spread.roff)),
    von: draw('von', (r) => within(von.min, von.max, () => device.von + von.deviation * r.normal())),
    voff: draw('voff', (r) =>
      within(voff.min, voff.max, () => device.voff + voff.scale * alphaStable(r, voff.alpha, voff.beta)),
    ),
    tau: draw('tau', (r) => device.tau * lognormal(r, spread.tau)),
    state: each((i) => {
      const drawn = lowest + (highest - lowest) * initial.uniform();
      return known?.state[i] ?? drawn;
    }),
    stuck: Int8Array.from({ length: cells }, (_, i) => {
      const u = fate.uniform();
      if (!stuckCells.enabled) return 0;
      const fated = u < stuckCells.low ? -1 : u > 1 - stuckCells.high ? 1 : 0;
      return known?.stuck[i] ?? fated;
    }),
    driftExponent: each(() => Math.max(0, drift.exponent + drift.deviation * exponent.normal())),
  };
}
