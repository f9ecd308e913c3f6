/**
 * What a chip will do with a network once it is programmed, from the passport alone: the network is drawn again and again as
 * the chip may come to hold it, and each draw decides the images in software.
 */
import type { Passport } from '../../calibration/index.js';
import { type Dataset, evaluate, type MifParameters, type Network, Random } from '../../model/index.js';
import type { LayerScales } from '../chip/scales.js';
import { clamp } from '../mapping/mapping.js';
import { type TwinTraining, twinTraining } from './twin.js';

/** Shares of correct decisions. */
export interface Prediction {
  accuracy: number;
  /** The chip's accuracy is between these with a probability of 90 %. */
  low: number;
  high: number;
}

export interface PredictOptions {
  /** Chips drawn; default 40. */
  draws?: number;
  /** Default 1. */
  seed?: number;
}

const DRAWS = 40;
/** Standard deviations on either side that hold 90 % of a normal distribution. */
const NINETY = 1.645;
/**
 * Standard deviation of what no draw knows of: lines, drift between measurements and programming, cells that end out of
 * tolerance; as a share of √(p(1 − p)/n). On fourteen chips (`npm run bench:predict -- --first 101 --chips 14`) the draws alone
 * were wide enough; this is a margin for others.
 */
const UNKNOWN = 0.2;

/**
 * Accuracy of a network on these images once it is programmed on the chip. Counts in: stuck cells and what their partners take
 * over, clipped weights, errors of write-verify within its tolerance, and the neurons as measured, with their uncertainty. Noise
 * of products is not: it is drawn anew for every image. Throws as `twinTraining` does.
 *
 * @param scales one entry per layer, as `layerScales` or `networkScales` give them
 */
export async function predictAccuracy(
  passport: Passport,
  network: Network,
  scales: LayerScales,
  images: Dataset,
  { draws = DRAWS, seed = 1 }: PredictOptions = {},
): Promise<Prediction> {
  const chip = twinTraining(passport, network.spec, scales);
  const random = new Random(seed);
  const accuracies: number[] = [];
  for (let i = 0; i < draws; i++) {
    accuracies.push(evaluate(drawn(network, scales, chip, random), images));
    // A board that is open wants to be heard.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const accuracy = accuracies.reduce((sum, value) => sum + value, 0) / draws;
  const squares = accuracies.reduce((sum, value) => sum + (value - accuracy) ** 2, 0);
  const ofImages = Math.sqrt((accuracy * (1 - accuracy)) / images.count);
  const half = NINETY * Math.hypot(Math.sqrt(squares / draws), UNKNOWN * ofImages, 0.5 / images.count);
  return { accuracy, low: Math.max(0, accuracy - half), high: Math.min(1, accuracy + half) };
}

/** The network as a chip may come to hold it. */
function drawn(
  network: Network,
  scales: LayerScales,
  { twin, settings }: TwinTraining,
  random: Random,
): Network {
  const chip = network.clone();
  network.spec.layers.forEach((_, l) => {
    const { weightMax } = scales[l];
    const { low, high } = twin.limits[l];
    const weights = chip.weights[l];
    for (let i = 0; i < weights.length; i++) {
      const held = clamp(weights[i], low[i] * weightMax, high[i] * weightMax);
      // A pair that is stuck is where it was measured.
      const error = low[i] === high[i] ? 0 : settings.weightNoise * weightMax * random.normal();
      weights[i] = held + error;
    }
  });
  const outputNeurons = twin.neurons.map(({ parameters, sigma }) => neuronOf(parameters, sigma, random));
  return Object.assign(chip, { spec: { ...chip.spec, outputNeurons } });
}

function neuronOf(parameters: MifParameters, sigma: MifParameters, random: Random): MifParameters {
  const neuron = { ...parameters };
  for (const name of Object.keys(neuron) as (keyof MifParameters)[]) {
    const value = parameters[name] + (sigma[name] ?? 0) * random.normal();
    // However far a draw goes, a value keeps its sign.
    neuron[name] = Math.sign(value) === Math.sign(parameters[name]) ? value : parameters[name];
  }
  return neuron;
}
