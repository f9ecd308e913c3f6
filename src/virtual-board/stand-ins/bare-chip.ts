/** The arrays of a chip without a board of ours: what the stand-ins for foreign boards drive and measure. */
import { createHash } from 'node:crypto';
import { Random } from '../../model/random.js';
import { Crossbar } from '../physics/crossbar.js';
import type { TracedPulse } from '../physics/front-end.js';
import type { Profile } from '../profile.js';

export interface BareChipOptions {
  /** Decides the chip and all its noise. */
  seed: number;
  onPulse?: ((pulse: TracedPulse) => void) | undefined;
  /** How this board drives unselected lines, in place of what the profile says. */
  biasing?: { halfSelect: number; linesFloat?: boolean } | undefined;
}

export class BareChip {
  readonly profile: Profile;
  /** Of profile and seed, eight hexadecimal digits. */
  readonly identity: string;
  readonly crossbars: readonly Crossbar[];
  /** For the noise of what measures the chip. */
  readonly noise: Random;
  readonly #onPulse: BareChipOptions['onPulse'];
  /** Chip time, s: the sum of what it was driven for. */
  #time = 0;
  readonly #row: Float64Array;

  constructor(given: Profile, { seed, onPulse, biasing }: BareChipOptions) {
    const profile = biasing ? { ...given, pulse: { ...given.pulse, ...biasing } } : given;
    this.profile = profile;
    this.#onPulse = onPulse;
    this.identity = createHash('sha256')
      .update(JSON.stringify([profile, seed]))
      .digest('hex')
      .slice(0, 8);
    const chip = new Random(seed).fork('chip');
    this.noise = new Random(seed).fork('noise');
    this.crossbars = Array.from(
      { length: profile.arrays },
      (_, array) =>
        new Crossbar(profile, chip.fork(`array ${array}`), this.noise.fork(`array ${array}`), array),
    );
    this.#row = new Float64Array(profile.columns);
  }

  get time(): number {
    return this.#time;
  }

  /** One pulse, V across cell and series resistor (Ω), s; half-selected cells see the profile's share of it. */
  pulse(
    { array, row, column }: { array: number; row: number; column: number },
    { voltage, width }: { voltage: number; width: number },
    series: number,
  ): void {
    this.at(array).pulse(row, column, voltage, width, series);
    this.report({ array, row, column, voltage, width });
    this.elapse(width);
  }

  /** Currents of the cells of a row, A, at `voltage` (V) across the cells for `time` (s); the noise is that of `samples`. */
  readRow(array: number, row: number, voltage: number, time: number, samples = 1): Float64Array {
    this.at(array).readRow(row, voltage, time, samples, this.#row);
    this.elapse(time);
    return this.#row.slice();
  }

  /** Lets time pass, s: cells relax and drift. */
  elapse(time: number): void {
    this.#time += time;
  }

  /** Writes a pulse that was not given by `pulse` into the trace. */
  report(pulse: Omit<TracedPulse, 'time'>): void {
    this.#onPulse?.({ time: this.#time, ...pulse });
  }

  /** An array as it is now, for circuits that drive cells themselves. */
  at(array: number): Crossbar {
    const crossbar = this.crossbars[array];
    crossbar.advance(this.#time);
    return crossbar;
  }
}
