import { expect, test } from 'vitest';
import { Random } from '../../../src/model/random.js';
import { augment } from '../../../src/model/training/augment.js';

const side = 5;
const at = (y: number, x: number) => y * side + x;

/** What a single bright pixel at (2, 1) becomes, as [y, x], over many draws. */
function places(kind: 'shift' | 'shift-mirror'): Set<string> {
  const random = new Random(3);
  const image = new Float32Array(side * side);
  image[at(2, 1)] = 1;
  const seen = new Set<string>();
  for (let draw = 0; draw < 200; draw++) {
    const moved = new Float32Array(side * side);
    augment(kind, image, moved, side, random);
    const bright = moved.indexOf(1);
    expect(moved.reduce((sum, value) => sum + value, 0)).toBe(1);
    seen.add(`${Math.floor(bright / side)} ${bright % side}`);
  }
  return seen;
}

test('images are moved by one pixel at most, and mirrored where asked', () => {
  const moved = [1, 2, 3].flatMap((y) => [0, 1, 2].map((x) => `${y} ${x}`));
  const mirrored = [1, 2, 3].flatMap((y) => [2, 3, 4].map((x) => `${y} ${x}`));
  expect(places('shift')).toEqual(new Set(moved));
  expect(places('shift-mirror')).toEqual(new Set([...moved, ...mirrored]));
});
