/** Offline training for one chip, from what its passport knows of it. */
import { type Augmentation, type Dataset, finerSteps, train as trainOffline } from '../../model/index.js';
import type { Deployment, LoopContext } from '../chip/deployment.js';
import { type TwinTraining, twinTraining } from './twin.js';

/** Adam's rate, as a share of the largest weight of the layer where that is smallest. */
const RATE = 2.5e-3;
/** Weight of the decision's loss: the paper's loss hardly counts, as in the loop, which does without it. */
const DECISION = 100;

/** The chip's twin; undefined, with a message that says why, where the passport knows too little. */
export function twinOf({ network, hardware, context }: Deployment): TwinTraining | undefined {
  const { spec } = network;
  const { passport } = context.board;
  const { neurons } = passport.description;
  const hidden = spec.layers.slice(0, -1).some(({ activation }) => activation === 'mif');
  if (!hidden || neurons === 0) return twinTraining(passport, spec, hardware.map.layers);
  const message = 'not trained offline for this chip: hidden MIF neurons are taken as nominal there';
  context.emit({ type: 'log', level: 'info', message });
  return undefined;
}

export interface AdaptOptions extends Pick<LoopContext, 'emit' | 'signal'> {
  /** Images to show, rounded up to whole passes. */
  images: number;
  seed: number;
  dropout: number;
  augmentation: Augmentation;
}

/** Trains the network's weights and biases further on the chip's twin, in place; programming errors are drawn in. */
export async function adapt(
  { network, hardware: { map } }: Deployment,
  train: Dataset,
  { twin, settings }: TwinTraining,
  { images, seed, dropout, augmentation, emit, signal }: AdaptOptions,
): Promise<void> {
  const adapted = await trainOffline({
    spec: finerSteps(
      network.spec,
      twin.neurons.map(({ parameters }) => parameters),
    ),
    initial: network,
    dataset: train,
    twin,
    decision: DECISION,
    weightNoise: settings.weightNoise,
    epochs: Math.ceil(images / train.count),
    batch: Math.min(200, Math.ceil(train.count / 30)),
    rate:
      RATE * Math.min(...map.layers.filter(({ tiles }) => tiles.length > 0).map((layer) => layer.weightMax)),
    dropout,
    augmentation,
    validation: 0,
    seed,
    emit,
    signal,
  });
  adapted.network.weights.forEach((list, l) => {
    network.weights[l].set(list);
    network.biases[l].set(adapted.network.biases[l]);
  });
}
