/** Waves of voltage, for limits, budgets and totals: each stretch of one polarity is a pulse. */

/** Samples of a wave that have one sign. */
export interface Stretch {
  first: number;
  end: number;
  /** The largest, V. */
  voltage: number;
  /** s */
  width: number;
}

/** The stretches of one polarity of a wave: samples in V, rate in Hz. Samples at 0 V belong to none. */
export function stretchesOfWave(samples: Float64Array, rate: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let first = 0; first < samples.length; ) {
    const sign = Math.sign(samples[first]);
    let voltage = samples[first];
    let end = first + 1;
    for (; end < samples.length && Math.sign(samples[end]) === sign; end++)
      if (sign * samples[end] > sign * voltage) voltage = samples[end];
    if (sign !== 0) stretches.push({ first, end, voltage, width: (end - first) / rate });
    first = end;
  }
  return stretches;
}
