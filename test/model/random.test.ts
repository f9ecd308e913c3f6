import { expect, it } from 'vitest';
import { Random } from '../../src/model/random.js';

it('repeats from its seed; another seed or label gives other numbers', () => {
  const draw = (r: Random) => Array.from({ length: 8 }, () => r.uniform());
  expect(draw(new Random(7))).toEqual(draw(new Random(7)));
  expect(draw(new Random(7))).not.toEqual(draw(new Random(8)));
  const used = new Random(7);
  draw(used);
  expect(draw(used.fork('a'))).toEqual(draw(new Random(7).fork('a')));
  expect(draw(new Random(7).fork('a'))).not.toEqual(draw(new Random(7).fork('b')));
});

it('uniform and normal have their moments', () => {
  const r = new Random(1);
  const n = 100_000;
  const mean = (f: () => number) => Array.from({ length: n }, f).reduce((a, b) => a + b, 0) / n;
  expect(mean(() => r.uniform())).toBeCloseTo(0.5, 2);
  expect(mean(() => r.uniform() ** 2)).toBeCloseTo(1 / 3, 2);
  expect(mean(() => r.normal())).toBeCloseTo(0, 1);
  expect(mean(() => r.normal() ** 2)).toBeCloseTo(1, 1);
});

it('shuffles to a permutation', () => {
  const shuffled = new Random(3).shuffle(Array.from({ length: 100 }, (_, i) => i));
  expect([...shuffled].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(shuffled).not.toEqual([...shuffled].sort((a, b) => a - b));
});
