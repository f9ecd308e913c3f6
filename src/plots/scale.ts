/** Values to places: linear scales, their ticks and the range of data. */
import { type ScaleLinear, scaleLinear } from 'd3-scale';

export type Range = readonly [low: number, high: number];
export type Scale = ScaleLinear<number, number>;

/** From values to places, linear. */
export const scaleOf = (domain: Range, places: Range): Scale => scaleLinear(domain, places);

/** Least and greatest finite value; [Infinity, -Infinity] if there is none. */
export function extent(values: Iterable<number>): [low: number, high: number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** What an axis shows of values: their range, wider by the share `pad` at each end; never empty. */
export function axisRange(values: Iterable<number>, pad = 0): Range {
  const [low, high] = extent(values);
  if (high > low) return [low - pad * (high - low), high + pad * (high - low)];
  return high === low ? [low - 0.5, low + 0.5] : [0, 1];
}

export interface Tick {
  value: number;
  place: number;
  text: string;
}

/** Round values across a scale, about `count`, with as many decimals as tell them apart. */
export function ticksOf(scale: Scale, count = 5): Tick[] {
  const large = Math.max(...scale.domain().map(Math.abs)) >= 1e4;
  const text = scale.tickFormat(count, large ? '~s' : undefined);
  return scale.ticks(count).map((value) => ({ value, place: scale(value), text: text(value) }));
}
