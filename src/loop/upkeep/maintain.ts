/**
 * Upkeep of a network on a chip whose cells relax and drift: look first, mend in software what can be mended there,
 * and give pulses only where that was not enough. A cell that is pulsed begins to drift anew, fastest at first, so
 * that pulses cost more than they win where old cells can be left to their slow drift.
 */
import type { Dataset } from '../../model/index.js';
import type { Deployment, LayerScales } from '../chip/deployment.js';
import { type ArrayConductances, forEachPair, targetConductances, weightsOf } from '../chip/mapping.js';
import { summarise } from '../report/summary.js';
import { heldBack } from '../tuning/finetune.js';

/** A network on its chip when it was last known to be good. */
export interface Normal {
  /** On the held-back images. */
  accuracy: number;
  /** Weights as they stood on the chip over those wanted, in common, of each layer. */
  left: number[];
}

export interface UpkeepOptions {
  /** What to compare with; undefined: nothing is known yet, and this round only takes note. */
  normal?: Normal | undefined;
  /** What may be lost of it before pulses are given. */
  threshold: number;
  /** A cell is put back if it is off by more than this share of the window: more than fine-tuning leaves. */
  tolerance: number;
  /** Passes over the training images, each time that something is tuned. */
  epochs: number;
  /** Of the biases, as a share of the largest weight; of weights it is fine-tuning's own. */
  biasRate: number;
  seed: number;
  /** Whether cells may be pulsed at all. */
  pulses: boolean;
  /**
   * Called when network or scales have changed and before pulses are given: who keeps them then can cut a round off
   * at any moment and begin another, which goes by what it finds.
   */
  keep?: ((normal: Normal) => void) | undefined;
}

export const UPKEEP_DEFAULTS: Readonly<Omit<UpkeepOptions, 'normal' | 'keep'>> = Object.freeze({
  threshold: 0.01,
  tolerance: 0.05,
  epochs: 0.5,
  biasRate: 1e-2,
  seed: 1,
  pulses: true,
});

/** Scales are not changed for less. */
const NEGLIGIBLE = 0.01;

/** What a round did, and the accuracy on the held-back images after it. */
export interface UpkeepStep {
  /** In this order; the first two give no pulse. */
  step: 'rescaled' | 'biases tuned' | 'cells put back' | 're-tuned';
  accuracy: number;
  pulses: number;
  /** Images shown for tuning. */
  images: number;
}

export interface Upkeep {
  did: UpkeepStep[];
  /** What the next round is to compare with. */
  normal: Normal;
  accuracyBefore: number;
  accuracyAfter: number;
  /** Held-back images. */
  samples: number;
  /** Cells that carry weights and still move, and those of them that were off by more than the tolerance. */
  cells: number;
  moved: number;
  /** Mean and RMS of the distance from the targets when the round began, as shares of the window. */
  shift: { mean: number; rms: number };
  /** What was left of the weights of each layer, in common: what rescaling makes up for. */
  left: number[];
  pulses: number;
  /** J, an estimate from the device equations. */
  energy: number;
  /** Images shown for tuning. */
  images: number;
}

/** The scales as they stand: upkeep changes them. */
export const scalesOf = ({ hardware }: Deployment): LayerScales =>
  hardware.map.layers.map(({ weightMax, inputMin, inputMax }) => ({ weightMax, inputMin, inputMax }));

/**
 * One round of upkeep. Reads all arrays; what the weights of a layer have lost in common is made up for by its scale,
 * and the biases are tuned to the rest (and kept as they were if that does not help). Where accuracy on the held-back
 * images has fallen by more than the threshold all the same, puts back the cells that have moved far; where that is not
 * enough, takes the weights for what the cells have become and fine-tunes them. Network and scales (`scalesOf`) may change, and then belong to the chip.
 */
export async function maintain(
  deployment: Deployment,
  train: Dataset,
  settings: Partial<UpkeepOptions> = {},
): Promise<Upkeep> {
  const options = { ...UPKEEP_DEFAULTS, ...settings };
  const { chip, network, hardware, context } = deployment;
  const { map } = hardware;
  const { emit, signal } = context;
  const { epochs, seed, keep = () => {} } = options;
  const [look, tune] = heldBack(train, seed);
  const window = map.window.max - map.window.min;
  const stage = (detail: string) => emit({ type: 'stage', stage: 'upkeep', detail });
  const evaluate = async () => (await deployment.evaluate(look, 'upkeep')).accuracy;
  const targets = () => targetConductances(map, network.weights, chip.frozen);

  stage('reading the arrays');
  await chip.measure();
  takeOverFrozen(deployment);
  const { far: _, ...distance } = distances(targets(), chip.measured, window, options.tolerance);
  const accuracyBefore = await evaluate();
  const left = weightsLeft(deployment);
  const normal = options.normal ?? { accuracy: accuracyBefore, left };
  const round: Upkeep = {
    did: [],
    normal,
    accuracyBefore,
    accuracyAfter: accuracyBefore,
    samples: look.count,
    ...distance,
    left,
    pulses: 0,
    energy: 0,
    images: 0,
  };
  const did = async (
    step: UpkeepStep['step'],
    { pulses = 0, energy = 0, images = 0 }: { pulses?: number; energy?: number; images?: number } = {},
  ) => {
    const accuracy = await evaluate();
    round.did.push({ step, accuracy, pulses, images });
    round.pulses += pulses;
    round.energy += energy;
    round.images += images;
    round.accuracyAfter = accuracy;
  };
  const good = () => round.accuracyAfter >= normal.accuracy - options.threshold;

  const shrunk = left.map((share, l) => share / normal.left[l]);
  if (shrunk.some((share) => Math.abs(share - 1) > NEGLIGIBLE)) {
    map.layers.forEach((layer, l) => {
      layer.weightMax /= shrunk[l];
    });
    await did('rescaled');
    keep(normal);
  }
  // What fine-tuning compares with: the cells are taken to be where they should be.
  const settle = () => {
    for (const [array, list] of targets()) chip.targets.get(array)!.set(list);
  };
  settle();
  if (good() && round.did.length === 0) return round;

  stage('tuning the biases');
  const kept = [...network.weights, ...network.biases].map((list) => list.slice());
  const before = round.accuracyAfter;
  const tuned = await deployment.finetune(tune, {
    epochs,
    seed,
    adapt: 0,
    learningRate: options.biasRate,
    maxPulses: 0,
  });
  network.weights.forEach((list, l) => {
    list.set(kept[l]);
  });
  await did('biases tuned', tuned);
  if (round.accuracyAfter < before) {
    network.biases.forEach((list, l) => {
      list.set(kept[network.weights.length + l]);
    });
    round.accuracyAfter = before;
  }
  keep(normal);
  if (good() || !options.pulses) return round;

  const { far, moved } = distances(targets(), chip.measured, window, options.tolerance);
  if (moved > 0) {
    stage(`putting ${moved} cells back`);
    await did('cells put back', summarise(await chip.program(far, { emit, signal, stage: 'upkeep' })));
    if (good()) return round;
  }

  stage('re-tuning');
  weightsOf(map, chip.measured).forEach((list, l) => {
    network.weights[l].set(list);
  });
  // A weight is the difference of two cells: one that has moved away from its target is not to wait for its partner.
  for (const [array, list] of chip.targets) list.set(chip.measured.get(array)!);
  keep({ ...normal, left: weightsLeft(deployment) });
  await did('re-tuned', await deployment.finetune(tune, { adapt: 0, epochs, seed }));
  round.normal = { ...normal, left: weightsLeft(deployment) };
  keep(round.normal);
  return round;
}

/** What the passport knows of cells that do not move, where they stand now. */
function takeOverFrozen({ chip, context }: Deployment): void {
  const { passport } = context.board;
  for (const [array, frozen] of chip.frozen)
    for (const cell of passport.array(array).unhealthy.keys())
      if (cell < frozen.length) frozen[cell] = chip.measured.get(array)![cell];
}

/** The factor between the weights as they stand on the chip and as they should be, of each layer, least squares. */
function weightsLeft({ chip, network, hardware: { map } }: Deployment): number[] {
  const standing = weightsOf(map, chip.measured);
  return map.layers.map((layer, l) => {
    let [product, square] = [0, 0];
    forEachPair(map, layer, (weight, array, plus, minus) => {
      const frozen = chip.frozen.get(array)!;
      if (!Number.isNaN(frozen[plus]) || !Number.isNaN(frozen[minus])) return;
      const wanted = network.weights[l][weight];
      product += standing[l][weight] * wanted;
      square += wanted * wanted;
    });
    // A layer that nothing is left of is no matter of scale.
    return product > 0.1 * square ? product / square : 1;
  });
}

/** How far cells are from their targets; `far` has the targets of those beyond the tolerance, NaN elsewhere. */
function distances(
  targets: ArrayConductances,
  measured: ArrayConductances,
  window: number,
  tolerance: number,
): Pick<Upkeep, 'cells' | 'moved' | 'shift'> & { far: ArrayConductances } {
  let [cells, moved, sum, squares] = [0, 0, 0, 0];
  const far: ArrayConductances = new Map();
  for (const [array, list] of targets) {
    const now = measured.get(array)!;
    const wanted = list.map((target, i) => {
      if (Number.isNaN(target)) return Number.NaN;
      const off = (now[i] - target) / window;
      cells++;
      sum += off;
      squares += off * off;
      if (!(Math.abs(off) > tolerance)) return Number.NaN;
      moved++;
      return target;
    });
    far.set(array, wanted);
  }
  return { cells, moved, shift: { mean: sum / cells || 0, rms: Math.sqrt(squares / cells) || 0 }, far };
}
