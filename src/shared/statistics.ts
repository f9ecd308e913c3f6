/** Confidence intervals of accuracies that were measured on samples of images and of chips. */

/** A value with its 95 % interval. */
export interface Interval {
  value: number;
  low: number;
  high: number;
}

/** The normal distribution's 97.5 % point. */
const Z = 1.959964;
/** The same for 1 to 10 degrees of freedom. */
const T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** Student's t at 97.5 % (Cornish–Fisher beyond the table: Abramowitz and Stegun 26.7.5). */
export function student(degrees: number): number {
  if (degrees < 11) return T[Math.max(1, Math.floor(degrees)) - 1];
  return (
    Z +
    (Z ** 3 + Z) / (4 * degrees) +
    (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / (96 * degrees ** 2) +
    (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / (384 * degrees ** 3)
  );
}

/** Wilson's score interval of a proportion at 95 %. `trials` need not be whole. */
export function wilson(successes: number, trials: number, z = Z): Interval {
  const p = successes / trials;
  const spread = z * Math.sqrt((p * (1 - p)) / trials + (z * z) / (4 * trials * trials));
  const scale = 1 + (z * z) / trials;
  const middle = p + (z * z) / (2 * trials);
  return {
    value: p,
    low: Math.max(0, (middle - spread) / scale),
    high: Math.min(1, (middle + spread) / scale),
  };
}

/** Values for the same images on several chips: one list per chip, all of the same length. */
export type Crossed = readonly ArrayLike<number>[];

/**
 * Mean of a quantity that was measured for every image on every chip, and the variance of that mean when both chips
 * and images are random samples: two-way random effects,
 *
 *     var = s²(chips)/C + (s²(images)/n − s²(rest)/(C·n)).
 *
 * `half` is half the 95 % interval: each of the two parts by Student's t of its own degrees of freedom, added as
 * squares. With one chip both are over the images alone.
 */
export function crossedMean(values: Crossed): { mean: number; variance: number; half: number } {
  const chips = values.length;
  const images = values[0].length;
  const byChip = values.map((row) => sum(row) / images);
  const byImage = Float64Array.from(
    { length: images },
    (_, i) => values.reduce((s, row) => s + row[i], 0) / chips,
  );
  const mean = sum(byChip) / chips;
  const ofMean = (list: ArrayLike<number>) => {
    let squares = 0;
    for (let i = 0; i < list.length; i++) squares += (list[i] - mean) ** 2;
    return list.length > 1 ? squares / (list.length - 1) / list.length : 0;
  };
  const ofImages = ofMean(byImage);
  const ofChips = ofMean(byChip);
  let rest = 0;
  if (chips > 1)
    values.forEach((row, c) => {
      for (let i = 0; i < images; i++) rest += (row[i] - byChip[c] - byImage[i] + mean) ** 2;
    });
  const ofBoth = rest / Math.max(1, (chips - 1) * (images - 1)) / (chips * images);
  const common = Math.max(0, ofImages - ofBoth);
  return {
    mean,
    variance: ofChips + common,
    half: Math.hypot(student(chips - 1) * Math.sqrt(ofChips), student(images - 1) * Math.sqrt(common)),
  };
}

/**
 * An accuracy from decisions that were right (1) or wrong (0). The interval is Wilson's: with one chip, for that chip;
 * with several, for chips of that kind, with the number of independent images that would vary as much.
 */
export function accuracyInterval(correct: Crossed): Interval {
  const { mean, variance, half } = crossedMean(correct);
  const chips = correct.length;
  const images = correct[0].length;
  if (chips === 1 || !(variance > 0)) return wilson(mean * images, images);
  const effective = Math.min(chips * images, (mean * (1 - mean)) / variance);
  return wilson(mean * effective, effective, half / Math.sqrt(variance));
}

/**
 * The mean of paired differences. Two images are added, one won and one lost, so that the interval keeps a width where
 * no image changed (Agresti and Min, Statistics in Medicine 24, 2005).
 *
 * @param comparisons how many such differences were added up.
 */
export function differenceInterval(differences: Crossed, comparisons = 1): Interval {
  const { mean, half } = crossedMean(differences);
  const images = differences[0].length;
  const wide = Math.hypot(half, (Z * Math.sqrt(comparisons)) / (images + 2));
  return { value: mean, low: mean - wide, high: mean + wide };
}

function sum(list: ArrayLike<number>): number {
  let s = 0;
  for (let i = 0; i < list.length; i++) s += list[i];
  return s;
}
