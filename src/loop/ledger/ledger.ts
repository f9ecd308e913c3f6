/** How much accuracy each imperfection costs: alone, within the whole, and their sum beside all together. */

import type { Dataset } from '../../model/index.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import {
  accuracyInterval,
  type Crossed,
  differenceInterval,
  type Interval,
} from '../../shared/statistics.js';
import type { BoardNetwork } from '../chip/board-network.js';
import { BATCH } from '../chip/evaluate.js';

export interface LedgerEntry {
  effect: string;
  /** Accuracy with this imperfection and no other. */
  alone: Interval;
  /** Accuracy with all of the chip's imperfections but this one. */
  without: Interval;
  /** What it costs alone: `none` minus `alone`, image by image and chip by chip. */
  cost: Interval;
  /** What is gained without it: `without` minus `all`. */
  gain: Interval;
}

/** Accuracies and differences of accuracies, with intervals over the images and, if there are several, the chips. */
export interface Ledger {
  chips: number;
  images: number;
  /** Without any imperfection: mapping and the resolution of the converters alone. */
  none: Interval;
  /** With all of them: the chip. */
  all: Interval;
  /** What all cost together: `none` minus `all`. */
  cost: Interval;
  /** The costs of each alone, added up. */
  sum: Interval;
  /** `cost` minus `sum`: above 0 where they make each other worse, below 0 where they hide each other. */
  interaction: Interval;
  /** Sorted by what they cost alone, the costliest first. */
  effects: LedgerEntry[];
  /** The real chip that is modelled: its accuracy, and `none` minus that. */
  measured?: { accuracy: Interval; cost: Interval };
}

export interface LedgerOptions {
  /** Number of chips of this kind; default 1. */
  chips?: number;
  /** Which of the same images the real chip decided correctly, 1 or 0 each. */
  measured?: ArrayLike<number>;
  emit?: Emit;
}

/**
 * Measures the ledger of a kind of chip.
 *
 * @param effects the names of the chip's imperfections.
 * @param measure makes, programs and evaluates chip 0, 1, … with just these imperfections, always on the same images:
 * 1 for each that is decided correctly, 0 for the others.
 */
export async function keepLedger(
  effects: readonly string[],
  measure: (enabled: ReadonlySet<string>, chip: number) => Promise<ArrayLike<number>>,
  { chips = 1, measured, emit }: LedgerOptions = {},
): Promise<Ledger> {
  const total = chips * (2 + 2 * effects.length);
  const progress = progressOf(emit, 'ledger', 'chips', total);
  const run = async (enabled: readonly string[]): Promise<ArrayLike<number>[]> => {
    const correct: ArrayLike<number>[] = [];
    for (let chip = 0; chip < chips; chip++) {
      correct.push(await measure(new Set(enabled), chip));
      progress.step();
    }
    return correct;
  };
  const none = await run([]);
  const all = await run(effects);
  const costs: Crossed[] = [];
  const entries: LedgerEntry[] = [];
  for (const effect of effects) {
    const alone = await run([effect]);
    const without = await run(effects.filter((other) => other !== effect));
    const cost = combine([none, alone], [1, -1]);
    costs.push(cost);
    entries.push({
      effect,
      alone: accuracyInterval(alone),
      without: accuracyInterval(without),
      cost: differenceInterval(cost),
      gain: differenceInterval(combine([without, all], [1, -1])),
    });
  }
  entries.sort((a, b) => b.cost.value - a.cost.value);
  const cost = combine([none, all], [1, -1]);
  // `none` has the factor 0, so that the sum exists without effects too.
  const sum = combine([none, ...costs], [0, ...costs.map(() => 1)]);
  return {
    chips,
    images: none[0].length,
    none: accuracyInterval(none),
    all: accuracyInterval(all),
    cost: differenceInterval(cost),
    sum: differenceInterval(sum, effects.length),
    interaction: differenceInterval(combine([cost, sum], [1, -1]), effects.length + 1),
    effects: entries,
    ...(measured && {
      measured: {
        accuracy: accuracyInterval([measured]),
        cost: differenceInterval(
          combine([...none.map((row) => [row]), [measured]], [...none.map(() => 1 / chips), -1]),
        ),
      },
    }),
  };
}

/** The weighted sum, image by image and chip by chip. */
const combine = (parts: readonly Crossed[], factors: readonly number[]): Float64Array[] =>
  parts[0].map((row, c) =>
    Float64Array.from({ length: row.length }, (_, i) =>
      parts.reduce((total, part, k) => total + factors[k] * part[c][i], 0),
    ),
  );

/** Which images the network on a board decides correctly: 1 or 0 each. */
export async function correctOnBoard(hardware: BoardNetwork, dataset: Dataset): Promise<Uint8Array> {
  const correct: number[] = [];
  for await (const { images, forward } of hardware.forward(dataset, BATCH))
    forward.decisions.forEach((decision, n) => {
      correct.push(Number(decision === images.labels[n]));
    });
  return Uint8Array.from(correct);
}
