import { type Dataset, split } from '../../model/index.js';
import { FINETUNE_DEFAULTS } from './options.js';

/** Largest number of validation images. */
const HELD_BACK = 500;

/**
 * The training images in two parts: validation images, and those to tune with. The split is that of offline training:
 * with the network's own seed, the validation images were never learnt.
 *
 * @param share of the images that is held back, at most 500 images.
 */
export function heldBack(
  dataset: Dataset,
  seed: number,
  share: number = FINETUNE_DEFAULTS.validation,
): [validation: Dataset, tuning: Dataset] {
  const held = Math.min(share, HELD_BACK / dataset.count);
  return split(dataset, seed, [held, 1 - held]) as [Dataset, Dataset];
}
