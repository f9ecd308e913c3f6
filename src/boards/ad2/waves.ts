/** What W1 is asked for. */
import { BUFFER, type Wave } from './device.js';

/** One pulse of W1, then as long at 0: V, s. The amplitude is the pulse's own, so that the generator's fine range is used. */
export function pulseWave(voltage: number, width: number): Wave {
  const half = BUFFER.generator / 2;
  const data = new Float64Array(BUFFER.generator).fill(Math.sign(voltage), 0, half);
  return { data, amplitude: Math.abs(voltage), time: 2 * width };
}

/** Straight lines between samples (V of W1, at `rate` a second), each of which stands in the middle of its time. */
export function sampledWave(samples: Float64Array, rate: number): Wave {
  const amplitude = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const last = samples.length - 1;
  const data = Float64Array.from({ length: BUFFER.generator }, (_, i) => {
    const at = Math.min(last, Math.max(0, ((i + 0.5) / BUFFER.generator) * samples.length - 0.5));
    const before = Math.floor(at);
    const after = Math.min(last, before + 1);
    return (samples[before] + (samples[after] - samples[before]) * (at - before)) / amplitude;
  });
  return { data, amplitude, time: samples.length / rate };
}
