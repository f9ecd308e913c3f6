/**
 * Upkeep of a network on a chip whose cells relax and drift: measure first, correct in software what can be corrected
 * there, and apply pulses only where that was not enough. A cell that is pulsed begins to drift anew, fastest at first,
 * so pulses cost more than they gain while old cells drift slowly.
 */
import type { Dataset } from '../../model/index.js';
import type { Deployment } from '../chip/deployment.js';
import type { LayerScales } from '../chip/scales.js';
import { summarise } from '../chip/summary.js';
import {
  type ArrayConductances,
  forEachPair,
  mappedWeight,
  targetConductances,
  weightsOf,
} from '../mapping/mapping.js';
import { finetune } from '../tuning/finetune.js';
import { heldBack } from '../tuning/held-back.js';
import type { FinetuneOptions, FinetuneResult } from '../tuning/options.js';

/** A network on its chip when it was last known to be good. */
export interface Normal {
  /** On the validation images. */
  accuracy: number;
  /** Of each layer, the factor between the weights as they stood on the chip and as they should be. */
  left: number[];
}

export interface UpkeepOptions {
  /** What to compare with; undefined: nothing is known yet, and this round only measures it. */
  normal?: Normal | undefined;
  /** Accuracy that may be lost before pulses are applied. */
  threshold: number;
  /** A cell is put back if it is off by more than this share of the window: more than fine-tuning leaves. */
  tolerance: number;
  /** Passes over the training images, each time that something is tuned. */
  epochs: number;
  /** Learning rate of the biases, as a share of the largest weight; that of weights is fine-tuning's own. */
  biasRate: number;
  /** Order of the images and choice of the validation images: as in fine-tuning. */
  seed: number;
  /** Whether cells may be pulsed at all. */
  pulses: boolean;
  /**
   * Called when network or scales have changed, and before pulses are applied. If both are saved then, a round may be
   * cut off at any moment, and the next one starts from what it measures.
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

/** Name of the stage in progress events. */
const STAGE = 'upkeep';
/** Smallest relative change of the weights that the scales are changed for. */
const NEGLIGIBLE = 0.01;

/** One step of a round, and the accuracy on the validation images after it. */
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
  /** Validation images. */
  samples: number;
  /** Cells that carry weights and still move, and those of them that were off by more than the tolerance. */
  cells: number;
  moved: number;
  /** Mean and RMS of the distance from the targets when the round began, as shares of the window. */
  shift: { mean: number; rms: number };
  /** Of each layer, the factor between the weights on the chip and as they should be: what rescaling makes up for. */
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
 * One round of upkeep. Reads all arrays. What the weights of a layer have lost in common is made up for by its scale,
 * and the biases are tuned to the rest (and kept as they were if that does not help). If accuracy on the validation
 * images is still below normal by more than the threshold, the cells that have moved far are put back; if that is not
 * enough, the weights are set to what the cells have become and fine-tuned. Network and scales (`scalesOf`) may change,
 * and then belong to the chip.
 *
 * @param train the training images; the same part is held back as in fine-tuning with this seed.
 */
export async function maintain(
  deployment: Deployment,
  train: Dataset,
  settings: Partial<UpkeepOptions> = {},
): Promise<Upkeep> {
  return new Round(deployment, train, { ...UPKEEP_DEFAULTS, ...settings }).run();
}

class Round {
  readonly #deployment: Deployment;
  readonly #options: UpkeepOptions;
  readonly #validation: Dataset;
  readonly #tuning: Dataset;
  readonly #keep: (normal: Normal) => void;

  constructor(deployment: Deployment, train: Dataset, options: UpkeepOptions) {
    this.#deployment = deployment;
    this.#options = options;
    [this.#validation, this.#tuning] = heldBack(train, options.seed);
    this.#keep = options.keep ?? (() => {});
  }

  async run(): Promise<Upkeep> {
    const round = await this.#inspect();
    const good = () => round.accuracyAfter >= round.normal.accuracy - this.#options.threshold;
    await this.#rescale(round);
    this.#aimAtWeights();
    if (good() && round.did.length === 0) return round;
    await this.#tuneBiases(round);
    if (good() || !this.#options.pulses) return round;
    await this.#putBack(round);
    if (good()) return round;
    await this.#retune(round);
    return round;
  }

  /** Reads the arrays and compares them with the weights. */
  async #inspect(): Promise<Upkeep> {
    const { chip } = this.#deployment;
    this.#stage('reading the arrays');
    await chip.measure();
    takeOverFrozen(this.#deployment);
    const { far: _, ...distance } = this.#distances();
    const accuracy = await this.#evaluate();
    const left = weightsLeft(this.#deployment);
    return {
      did: [],
      normal: this.#options.normal ?? { accuracy, left },
      accuracyBefore: accuracy,
      accuracyAfter: accuracy,
      samples: this.#validation.count,
      ...distance,
      left,
      pulses: 0,
      energy: 0,
      images: 0,
    };
  }

  async #rescale(round: Upkeep): Promise<void> {
    const { normal, left } = round;
    const shrunk = left.map((share, l) => share / normal.left[l]);
    if (shrunk.every((share) => Math.abs(share - 1) <= NEGLIGIBLE)) return;
    this.#deployment.hardware.map.layers.forEach((layer, l) => {
      layer.weightMax /= shrunk[l];
    });
    await this.#note(round, 'rescaled');
    this.#keep(normal);
  }

  /** Fine-tuning compares with the chip's targets: the cells are taken to be where the weights ask for them. */
  #aimAtWeights(): void {
    const { chip } = this.#deployment;
    for (const [array, list] of this.#targets()) chip.targets.get(array)!.set(list);
  }

  async #tuneBiases(round: Upkeep): Promise<void> {
    const { network } = this.#deployment;
    this.#stage('tuning the biases');
    const weights = network.weights.map((list) => list.slice());
    const biases = network.biases.map((list) => list.slice());
    const before = round.accuracyAfter;
    const tuned = await this.#finetune({ learningRate: this.#options.biasRate, maxPulses: 0 });
    network.weights.forEach((list, l) => {
      list.set(weights[l]);
    });
    await this.#note(round, 'biases tuned', tuned);
    if (round.accuracyAfter < before) {
      network.biases.forEach((list, l) => {
        list.set(biases[l]);
      });
      round.accuracyAfter = before;
    }
    this.#keep(round.normal);
  }

  async #putBack(round: Upkeep): Promise<void> {
    const { chip, context } = this.#deployment;
    const { emit, signal } = context;
    const { far, moved } = this.#distances();
    if (moved === 0) return;
    this.#stage(`putting ${moved} cells back`);
    const reports = await chip.program(far, { emit, signal, stage: STAGE });
    await this.#note(round, 'cells put back', summarise(reports));
  }

  async #retune(round: Upkeep): Promise<void> {
    const { chip, network, hardware } = this.#deployment;
    this.#stage('re-tuning');
    weightsOf(hardware.map, chip.measured).forEach((list, l) => {
      network.weights[l].set(list);
    });
    // A weight is the difference of two cells: one that has moved away from its target must not wait for its partner.
    for (const [array, list] of chip.targets) list.set(chip.measured.get(array)!);
    this.#keep({ ...round.normal, left: weightsLeft(this.#deployment) });
    await this.#note(round, 're-tuned', await this.#finetune());
    round.normal = { ...round.normal, left: weightsLeft(this.#deployment) };
    this.#keep(round.normal);
  }

  #finetune(options: Partial<FinetuneOptions> = {}): Promise<FinetuneResult> {
    const { epochs, seed } = this.#options;
    return finetune(this.#deployment, this.#tuning, { ...options, epochs, seed, adapt: 0, stage: STAGE });
  }

  /** Adds a step to the round, with the accuracy after it. */
  async #note(
    round: Upkeep,
    step: UpkeepStep['step'],
    { pulses = 0, energy = 0, images = 0 }: { pulses?: number; energy?: number; images?: number } = {},
  ): Promise<void> {
    const accuracy = await this.#evaluate();
    round.did.push({ step, accuracy, pulses, images });
    round.pulses += pulses;
    round.energy += energy;
    round.images += images;
    round.accuracyAfter = accuracy;
  }

  async #evaluate(): Promise<number> {
    return (await this.#deployment.evaluate(this.#validation, STAGE)).accuracy;
  }

  #targets(): ArrayConductances {
    const { hardware, network, chip } = this.#deployment;
    return targetConductances(hardware.map, network.weights, chip.frozen);
  }

  #distances() {
    const { chip, hardware } = this.#deployment;
    const { min, max } = hardware.map.window;
    return distances(this.#targets(), chip.measured, max - min, this.#options.tolerance);
  }

  #stage(detail: string): void {
    this.#deployment.context.emit({ type: 'stage', stage: STAGE, detail });
  }
}

/** Freezes the cells that do not move or get no pulse by what the passport knows, at what they were measured at. */
function takeOverFrozen({ chip, context }: Deployment): void {
  const { passport } = context.board;
  for (const [array, frozen] of chip.frozen) {
    const known = passport.array(array);
    const measured = chip.measured.get(array)!;
    for (const cell of frozen.keys())
      if (known.unhealthy.has(cell) || known.refusal(cell) !== undefined) frozen[cell] = measured[cell];
  }
}

/** The factor between the weights as they stand on the chip and as they should be, of each layer, least squares. */
function weightsLeft({ chip, network, hardware: { map } }: Deployment): number[] {
  const standing = weightsOf(map, chip.measured);
  return map.layers.map((layer, l) => {
    let [product, square] = [0, 0];
    forEachPair(map, layer, (weight, array, plus, minus) => {
      const frozen = chip.frozen.get(array)!;
      if (!Number.isNaN(frozen[plus]) || !Number.isNaN(frozen[minus])) return;
      const wanted = mappedWeight(layer, network.weights[l], weight);
      product += standing[l][weight] * wanted;
      square += wanted * wanted;
    });
    // Rescaling cannot bring back a layer that almost nothing is left of.
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
