import { describe, expect, it } from 'vitest';
import { keepLedger } from '../../src/loop/ledger/ledger.js';
import { Random } from '../../src/model/random.js';
import { accuracyInterval, type Interval, student, wilson } from '../../src/shared/statistics.js';

const covers = ({ low, high }: Interval, truth: number): boolean => low <= truth && truth <= high;

describe('intervals', () => {
  it("are Wilson's for one chip (Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20)", () => {
    for (const [right, count, low, high] of [
      [81, 263, 0.2553, 0.3662],
      [15, 148, 0.0624, 0.1605],
      [0, 20, 0, 0.1611],
    ]) {
      const correct = Uint8Array.from({ length: count }, (_, i) => Number(i < right));
      for (const interval of [wilson(right, count), accuracyInterval([correct])]) {
        expect(interval.value).toBeCloseTo(right / count, 12);
        expect(interval.low).toBeCloseTo(low, 4);
        expect(interval.high).toBeCloseTo(high, 4);
      }
    }
  });

  it("take Student's t for few chips", () => {
    for (const [degrees, t] of [
      [1, 12.706],
      [4, 2.776],
      [11, 2.201],
      [15, 2.131],
      [30, 2.042],
      [1e6, 1.96],
    ])
      expect(student(degrees)).toBeCloseTo(t, 2);
  });
});

const EFFECTS = { stuck: 1.5, mismatch: 0.7, noise: 0.1 };
const names = Object.keys(EFFECTS) as (keyof typeof EFFECTS)[];

/**
 * Chips in software: an image has a margin, a chip shifts all margins in its own way for each imperfection that it has,
 * and each of them once more. Says which images are right, 1 or 0, as `keepLedger` wants it.
 */
function drawn(chips: number, images: number, random: Random) {
  const normals = (length: number) => Float64Array.from({ length }, () => random.normal());
  const margins = normals(images);
  const shifts = names.map(() => normals(chips));
  const scatter = names.map(() => normals(chips * images));
  return async (enabled: ReadonlySet<string>, chip: number) =>
    margins.map((margin, i) => {
      let left = 1.2 + margin;
      names.forEach((name, k) => {
        if (enabled.has(name))
          left += EFFECTS[name] * (0.3 * scatter[k][chip * images + i] - Math.abs(shifts[k][chip]));
      });
      return Number(left > 0);
    });
}

describe('a ledger of drawn chips and drawn images', async () => {
  const population = await keepLedger(names, drawn(1000, 200, new Random(5)), { chips: 1000 });
  it.each([
    [3, 60],
    [5, 60],
    [10, 40],
  ])('of %i chips and %i images covers the truth in at least nine of ten cases', async (chips, images) => {
    const hits = new Map<string, number>();
    let intervals = 0;
    let ordered = 0;
    const repeats = 150;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const ledger = await keepLedger(names, drawn(chips, images, new Random(repeat + 100)), { chips });
      const count = (name: string, interval: Interval, truth: Interval) => {
        hits.set(name, (hits.get(name) ?? 0) + Number(covers(interval, truth.value)));
        intervals++;
      };
      for (const name of ['none', 'all', 'cost', 'sum', 'interaction'] as const)
        count(name, ledger[name], population[name]);
      for (const entry of ledger.effects) {
        const truth = population.effects.find(({ effect }) => effect === entry.effect)!;
        for (const name of ['alone', 'without', 'cost', 'gain'] as const)
          count(`${entry.effect} ${name}`, entry[name], truth[name]);
      }
      if (`${ledger.effects.map(({ effect }) => effect)}` === `${names}`) ordered++;
    }
    const covered = [...hits.values()];
    expect(covered.reduce((sum, n) => sum + n, 0) / intervals).toBeGreaterThan(0.92);
    expect(Math.min(...covered) / repeats).toBeGreaterThan(0.84);
    // Not by being wide.
    expect(hits.get('all')! / repeats).toBeLessThan(0.99);
    expect(ordered / repeats).toBeGreaterThan(0.8);
  });
});
