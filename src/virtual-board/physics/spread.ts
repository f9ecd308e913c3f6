/** Distributions that chips are drawn from. */
import type { Random } from '../../model/random.js';

export const lognormal = (random: Random, deviation: number): number => Math.exp(deviation * random.normal());

/** Draws again until the value lies within [min, max]. */
export function within(min: number, max: number, draw: () => number): number {
  for (;;) {
    const value = draw();
    if (value >= min && value <= max) return value;
  }
}

/**
 * Alpha-stable number of scale 1 at location 0, in Nolan's S0 form, in which the location stays near the
 * mode whatever the skewness (Chambers, Mallows & Stuck, JASA 71, 1976; Weron's correction, 1996).
 */
export function alphaStable(random: Random, alpha: number, beta: number): number {
  const u = Math.PI * (random.uniform() - 0.5);
  const w = -Math.log(1 - random.uniform());
  if (Math.abs(alpha - 1) < 1e-9) {
    const right = Math.PI / 2 + beta * u;
    return (2 / Math.PI) * (right * Math.tan(u) - beta * Math.log(((Math.PI / 2) * w * Math.cos(u)) / right));
  }
  const skew = beta * Math.tan((Math.PI * alpha) / 2);
  const shift = Math.atan(skew) / alpha;
  const scale = (1 + skew * skew) ** (1 / (2 * alpha));
  const angle = alpha * (u + shift);
  const s1 =
    scale *
    (Math.sin(angle) / Math.cos(u) ** (1 / alpha)) *
    (Math.cos(u - angle) / w) ** ((1 - alpha) / alpha);
  return s1 - skew;
}
