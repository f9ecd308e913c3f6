/** Settings that were found to train each dataset well; see docs/results/training.md. */
import type { TrainSettings } from './settings.js';

export interface Recipe {
  /** Outputs of the hidden layers. */
  hidden: number[];
  driveScale: number;
  settings: Partial<TrainSettings>;
  /** What differs for networks with convolutions: their few weights learn more from moved images. */
  images: Partial<TrainSettings>;
}

const RECIPES: Readonly<Record<string, Recipe>> = {
  digits: {
    hidden: [32],
    driveScale: 3e-6,
    settings: { epochs: 60, batch: 50, rate: 5e-3, dropout: 0.1, decision: 1 },
    images: { dropout: 0 },
  },
  mnist: {
    hidden: [100],
    driveScale: 1e-6,
    settings: { epochs: 40, rate: 3e-3, dropout: 0.25, decision: 1 },
    images: { dropout: 0, rate: 6e-3, augmentation: 'affine' },
  },
  'fashion-mnist': {
    hidden: [100],
    driveScale: 1e-6,
    settings: { epochs: 40, rate: 3e-3, dropout: 0.1, decision: 1 },
    images: { dropout: 0, rate: 6e-3, augmentation: 'shift' },
  },
};

/**
 * For people's own data, by their number: about 3,000 steps whatever it is, the fewer samples the smaller the
 * batches. The rate and the centred start were chosen on parts of the training samples of a few tables; the rest is a
 * first guess.
 */
export function tableRecipe(samples: number): Recipe {
  const batch = samples < 2000 ? 16 : samples < 20_000 ? 50 : 200;
  const epochs = Math.max(10, Math.min(300, Math.round((3000 * batch) / samples)));
  return {
    hidden: [32],
    driveScale: 3e-6,
    settings: {
      epochs,
      batch,
      rate: 1e-2,
      dropout: 0,
      decay: 0.01,
      decision: 1,
      centred: true,
      validation: 0,
    },
    images: {},
  };
}

/** The dataset's recipe; the digits' for one that has none. */
export const recipeOf = (dataset: string): Recipe => RECIPES[dataset] ?? RECIPES.digits;

/** s for a signal: so short that neurons, whose time constants are 1 ms, still know its beginning at its end. */
export const SIGNAL_TIME = 2.8e-3;

/** Steps in that time: at most 80 µs, and no two vectors in one. */
export const signalSteps = (times: number): number => Math.max(35, Math.ceil(1.25 * times));

/**
 * For signals in time, from the dataset's own recipe. The decision counts most: the paper's loss asks for the class at
 * every step, and so before the signal has come.
 */
export const signalRecipe = (recipe: Recipe): Recipe => ({
  ...recipe,
  driveScale: 6e-6,
  settings: {
    ...recipe.settings,
    batch: Math.min(50, recipe.settings.batch ?? 50),
    rate: 5e-3,
    dropout: 0,
    decision: 20,
  },
  images: {},
});
