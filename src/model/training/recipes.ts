/** Settings that were found to train each dataset well; see docs/results/training.md. */
import type { TrainSettings } from './settings.js';

export interface Recipe {
  /** Outputs of the hidden layers. */
  hidden: number[];
  driveScale: number;
  settings: Partial<TrainSettings>;
}

const RECIPES: Readonly<Record<string, Recipe>> = {
  digits: {
    hidden: [32],
    driveScale: 3e-6,
    settings: { epochs: 60, batch: 50, rate: 5e-3, dropout: 0.1, decision: 1 },
  },
  mnist: {
    hidden: [100],
    driveScale: 1e-6,
    settings: { epochs: 40, rate: 3e-3, dropout: 0.25, decision: 1 },
  },
  'fashion-mnist': {
    hidden: [100],
    driveScale: 1e-6,
    settings: { epochs: 40, rate: 3e-3, dropout: 0.1, decision: 1 },
  },
};

/** The dataset's recipe; the digits' for one that has none. */
export const recipeOf = (dataset: string): Recipe => RECIPES[dataset] ?? RECIPES.digits;

/** What networks with convolutions are trained with instead: few weights take longer, and learn more from moved images. */
const IMAGE_SETTINGS: Partial<TrainSettings> = { dropout: 0, augmentation: 'affine' };

/** The dataset's settings for networks with image layers. */
export const imageSettingsOf = (dataset: string): Partial<TrainSettings> => ({
  ...recipeOf(dataset).settings,
  ...IMAGE_SETTINGS,
});
