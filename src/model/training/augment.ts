/** Random changes to training images; each draws all it needs from the generator it is given. */
import type { Random } from '../random.js';

export const augmentations = ['none', 'shift', 'shift-mirror', 'affine'] as const;
export type Augmentation = (typeof augmentations)[number];

/** Writes one square image of side² values from `source` into `target`, moved by whole pixels. */
function shift(source: Float32Array, target: Float32Array, side: number, dx: number, dy: number): void {
  target.fill(0);
  for (let y = Math.max(0, dy); y < Math.min(side, side + dy); y++) {
    const from = (y - dy) * side - dx;
    for (let x = Math.max(0, dx); x < Math.min(side, side + dx); x++) target[y * side + x] = source[from + x];
  }
}

/** Left and right swapped, in place. */
function mirror(image: Float32Array, side: number): void {
  for (let start = 0; start < image.length; start += side) image.subarray(start, start + side).reverse();
}

/** Rotates, scales, shears and moves an image, bilinearly. */
function affine(source: Float32Array, target: Float32Array, side: number, random: Random): void {
  const between = (limit: number) => (2 * random.uniform() - 1) * limit;
  const angle = between(0.2);
  const scaleX = 1 + between(0.12);
  const scaleY = 1 + between(0.12);
  const shear = between(0.2);
  const middle = (side - 1) / 2;
  const dx = between(1.5);
  const dy = between(1.5);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const a = cos / scaleX;
  const b = (sin + shear * cos) / scaleX;
  const c = -sin / scaleY;
  const d = (cos - shear * sin) / scaleY;
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const u = a * (x - middle - dx) + b * (y - middle - dy) + middle;
      const v = c * (x - middle - dx) + d * (y - middle - dy) + middle;
      const x0 = Math.floor(u);
      const y0 = Math.floor(v);
      if (x0 < 0 || y0 < 0 || x0 >= side - 1 || y0 >= side - 1) {
        target[y * side + x] = 0;
        continue;
      }
      const fx = u - x0;
      const fy = v - y0;
      const at = y0 * side + x0;
      const top = source[at] + fx * (source[at + 1] - source[at]);
      const bottom = source[at + side] + fx * (source[at + side + 1] - source[at + side]);
      target[y * side + x] = top + fy * (bottom - top);
    }
}

/** @param source @param target one image, side² values each */
export function augment(
  kind: Augmentation,
  source: Float32Array,
  target: Float32Array,
  side: number,
  random: Random,
): void {
  if (kind === 'none') target.set(source);
  else if (kind === 'affine') affine(source, target, side, random);
  else {
    shift(source, target, side, random.integer(3) - 1, random.integer(3) - 1);
    if (kind === 'shift-mirror' && random.integer(2) === 1) mirror(target, side);
  }
}
