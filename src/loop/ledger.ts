/** Which imperfection costs how much accuracy: each alone, and all but each. */
import type { Emit } from '../events.js';

/** A share with its 95 % interval (Wilson). */
export interface Interval {
  value: number;
  low: number;
  high: number;
}

export interface LedgerEntry {
  effect: string;
  /** Accuracy with this imperfection and no other. */
  alone: Interval;
  /** Accuracy with all of the chip's imperfections but this one. */
  without: Interval;
}

export interface Ledger {
  /** Without any imperfection: what mapping and converters' resolution leave of the software's. */
  none: Interval;
  /** With all of them: the chip. */
  all: Interval;
  /** The costliest alone first. */
  effects: LedgerEntry[];
}

/** Wilson's score interval of a proportion at 95 %. */
export function wilson(successes: number, trials: number): Interval {
  const z = 1.96;
  const p = successes / trials;
  const spread = z * Math.sqrt((p * (1 - p)) / trials + (z * z) / (4 * trials * trials));
  const scale = 1 + (z * z) / trials;
  const middle = p + (z * z) / (2 * trials);
  return { value: p, low: (middle - spread) / scale, high: (middle + spread) / scale };
}

/**
 * @param effects the chip's imperfections.
 * @param measure programs and evaluates a chip with just these imperfections.
 */
export async function keepLedger(
  effects: readonly string[],
  measure: (enabled: ReadonlySet<string>) => Promise<{ accuracy: number; samples: number }>,
  emit: Emit = () => {},
): Promise<Ledger> {
  const total = 2 + 2 * effects.length;
  const start = performance.now();
  let done = 0;
  const run = async (enabled: Iterable<string>): Promise<Interval> => {
    const { accuracy, samples } = await measure(new Set(enabled));
    const rate = ++done / ((performance.now() - start) / 1000);
    emit({
      type: 'progress',
      stage: 'ledger',
      done,
      total,
      units: 'chips',
      rate,
      timeLeft: (total - done) / rate,
    });
    return wilson(Math.round(accuracy * samples), samples);
  };
  const none = await run([]);
  const all = await run(effects);
  const entries: LedgerEntry[] = [];
  for (const effect of effects) {
    const alone = await run([effect]);
    const without = await run(effects.filter((other) => other !== effect));
    entries.push({ effect, alone, without });
  }
  entries.sort((a, b) => a.alone.value - b.alone.value);
  return { none, all, effects: entries };
}
