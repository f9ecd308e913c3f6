/**
 * Fine-tuning in the loop: forward on the board, gradient at what was measured there, master weights in software,
 * and pulses only for cells whose target has moved far enough to be worth them.
 */
import type { ProgramOptions } from '../../calibration/index.js';
import { Adam, type Dataset, Random, subset } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import type { Deployment } from '../chip/deployment.js';
import { evaluateOnBoard } from '../chip/evaluate.js';
import { type ArrayConductances, targetConductances } from '../mapping/mapping.js';
import { adapt, twinOf } from './adapt.js';
import { type BatchGradient, measuredGradient } from './gradient.js';
import { heldBack } from './held-back.js';
import { defaultsFor, type FinetuneOptions, type FinetuneResult, METHODS, type Method } from './options.js';
import { PulseEconomy, worthAPulse } from './pulse-economy.js';
import {
  saveTuning,
  type TuningCheck,
  type TuningLists,
  type TuningProgress,
  takeUpTuning,
} from './tuning-state.js';
import type { TwinTraining } from './twin.js';

/** Rounds of write-verify in one update: the next forward pass measures what is left of the error. */
const PROGRAM_ROUNDS = 4;
/** Multiple of the deadband by which a cell must be off to count as moved, where all arrays are read. */
const MOVED = 2;
/** Images of offline training for the chip, unless the options say otherwise. */
const ADAPTATION = 40_000;
/** Learning rates without and with offline training for the chip. */
const RATE = 5e-3;
const RATE_ADAPTED = 1e-3;
/** Largest number of images between two checks on the validation images. */
const CHECK_EVERY = 1000;

/**
 * Fine-tunes the network on the board, after offline training for what the passport knows of the chip. The master
 * weights are `deployment.network`'s; they, and the board, end in the best state that was measured on the validation
 * images. With a checkpoint, a fine-tuning that was cut off goes on: the chip is first programmed to the checkpoint's
 * weights.
 *
 * Throws `interrupted` when the context's signal aborts, `bad-input` if the checkpoint belongs to other settings or
 * another chip, `bad-file` if it is damaged, `calibration` if the passport's calibration is too old to adapt to.
 */
export async function finetune(
  deployment: Deployment,
  dataset: Dataset,
  settings: Partial<FinetuneOptions> = {},
): Promise<FinetuneResult> {
  return new FineTuning(deployment, dataset, {
    ...defaultsFor(deployment.network.spec, dataset),
    ...settings,
  }).run();
}

/** Sums over the training images since the last check. */
const nothingShown = () => ({ images: 0, correct: 0, loss: 0 });

class FineTuning {
  readonly #deployment: Deployment;
  readonly #options: FinetuneOptions;
  readonly #method: Method;
  readonly #validation: Dataset;
  readonly #train: Dataset;
  readonly #random: Random;
  readonly #twin: TwinTraining | undefined;
  readonly #adaptation: number;
  /** S */
  readonly #deadband: number;
  readonly #updates: number;
  readonly #perEpoch: number;
  readonly #checkEvery: number;

  /** What the checkpoint keeps: master weights, best weights and Adam's state; and how far it is. */
  readonly #lists: TuningLists;
  readonly #identity: string;
  readonly #economy: PulseEconomy;
  readonly #resumed: boolean;
  readonly #progress: TuningProgress;
  /** What the cells were set to in the best state, S. */
  #bestTargets: ArrayConductances = new Map();
  #shown = nothingShown();

  constructor(deployment: Deployment, dataset: Dataset, options: FinetuneOptions) {
    const { network, hardware } = deployment;
    this.#deployment = deployment;
    this.#options = options;
    this.#method = METHODS[options.method];
    [this.#validation, this.#train] = heldBack(dataset, options.seed, options.validation);
    this.#random = new Random(options.seed).fork('finetune');
    this.#adaptation = options.adapt ?? (options.method === 'state-injection' ? ADAPTATION : 0);
    this.#twin = this.#adaptation > 0 ? twinOf(deployment) : undefined;
    this.#deadband = options.deadband * (hardware.map.window.max - hardware.map.window.min);
    this.#perEpoch = Math.ceil(this.#train.count / options.batch);
    this.#updates = Math.max(1, Math.round(options.epochs * this.#perEpoch));
    this.#checkEvery = Math.ceil(Math.min(this.#train.count / 2, CHECK_EVERY) / options.batch);

    const master = [...network.weights, ...network.biases];
    this.#lists = {
      master,
      best: master.map((list) => list.slice()),
      optimisers: network.weights.map((weights, l) => new Adam([weights, network.biases[l]])),
    };
    this.#identity = identityOf(deployment, dataset, options);
    const { checkpoint, maxPulses, maxEnergy } = options;
    const resumed =
      checkpoint === undefined ? undefined : takeUpTuning(checkpoint, this.#identity, this.#lists);
    this.#resumed = resumed !== undefined;
    this.#progress = resumed ?? { updates: 0, pulses: 0, energy: 0, history: [], best: 0 };
    this.#economy = new PulseEconomy(
      { pulses: maxPulses, energy: maxEnergy },
      { pulses: this.#progress.pulses, energy: this.#progress.energy },
      PROGRAM_ROUNDS,
    );
  }

  async run(): Promise<FinetuneResult> {
    await this.#begin();
    if (this.#twin && this.#progress.updates === 0 && this.#progress.history.length === 1)
      await this.#adapt(this.#twin);
    this.#tellStage('fine-tune', 'forward on the board, backward at what it measured');
    const ended = await this.#tune();
    await this.#returnToBest();
    const { history, best } = this.#progress;
    const { spent, left } = this.#economy;
    return {
      history,
      best,
      ...spent,
      images: history.at(-1)!.images,
      ended: ended === 'done' && left < PROGRAM_ROUNDS ? 'budget' : ended,
    };
  }

  /** Checks where the chip stands, or brings it to the checkpoint's weights. */
  async #begin(): Promise<void> {
    const { chip, network } = this.#deployment;
    this.#tellStage('fine-tune', this.#resumed ? 'taking up a checkpoint' : 'checking the validation images');
    if (this.#resumed) {
      this.#log(`resumed from the checkpoint, with update ${this.#progress.updates + 1} of ${this.#updates}`);
      this.#economy.note(await chip.programWeights(network.weights, this.#programming));
    } else this.#progress.history.push(await this.#measure(0));
    this.#keep();
    this.#bestTargets = copied(chip.targets);
  }

  /** Trains offline for the chip and programs what that moved, if the budget allows it. */
  async #adapt(twin: TwinTraining): Promise<void> {
    const { context, chip } = this.#deployment;
    const { seed, dropout, augmentation } = this.#options;
    const { emit, signal } = context;
    this.#tellStage('adapt', 'offline, to what is known of this chip');
    try {
      const options = { images: this.#adaptation, seed, dropout, augmentation, emit, signal };
      await adapt(this.#deployment, this.#train, twin, options);
    } catch (error) {
      throw signal.aborted ? this.#stopped() : error;
    }
    this.#tellStage('program', 'what offline training has changed');
    await chip.findMoved(MOVED * this.#deadband);
    // Half of a budget is kept for the updates on the board; moving only some of the cells would help nothing.
    const share = this.#economy.left / 2;
    if (cellsApart(this.#targets(), chip.targets, this.#deadband) <= this.#economy.cellsFor(share)) {
      await this.#program(share, this.#wholeWay());
      await this.#check(0);
    } else {
      this.#log('not trained offline for this chip: the budget is too small for it');
      this.#restoreBest();
    }
    this.#keep();
  }

  /** All updates that are left, until there has been no better state for long. */
  async #tune(): Promise<'done' | 'no better state'> {
    const { history } = this.#progress;
    const { patience, stage = 'fine-tune' } = this.#options;
    const total = this.#shownAfter(this.#updates);
    const progress = progressOf(this.#emit, stage, 'images', total, this.#shownAfter(this.#progress.updates));
    while (this.#progress.updates < this.#updates) {
      await this.#update();
      progress.set(this.#shownAfter(this.#progress.updates));
      this.#keep();
      if (history.length - 1 - this.#progress.best >= patience) return 'no better state';
    }
    return 'done';
  }

  /** One update: gradient of a batch at what the board measures, a step of the weights, pulses for cells worth them. */
  async #update(): Promise<void> {
    const { chip, hardware } = this.#deployment;
    const update = this.#progress.updates;
    this.#orStop();
    const images = this.#batch(update);
    const gradient = await measuredGradient(hardware, chip.measured, images, this.#method.trajectory, {
      share: this.#options.dropout,
      random: this.#random.fork(`update ${update}`),
    });
    this.#orStop();

    this.#step(gradient, update / this.#updates);
    const checking = (update + 1) % this.#checkEvery === 0 || update + 1 === this.#updates;
    if (checking) await chip.findMoved(MOVED * this.#deadband);
    const wayBack =
      this.#economy.left === Infinity ? 0 : cellsApart(this.#bestTargets, chip.targets, this.#deadband);
    await this.#program(this.#economy.allowance(this.#updates - update, wayBack), {
      maxRounds: PROGRAM_ROUNDS,
      settle: checking,
    });
    this.#progress.updates++;
    this.#tellTraining({ loss: gradient.loss, pulses: this.#economy.spent.pulses });
    this.#shown.images += images.count;
    this.#shown.correct += gradient.correct;
    this.#shown.loss += gradient.loss * images.count;
    if (checking) {
      const { accuracy, pulses } = await this.#check(this.#shownAfter(update + 1));
      const since = this.#shown;
      this.#tellTraining({
        loss: since.loss / since.images,
        trainAccuracy: since.correct / since.images,
        validationAccuracy: accuracy,
        pulses,
      });
      this.#shown = nothingShown();
    }
  }

  /** The images of an update; every epoch has its own order. */
  #batch(update: number): Dataset {
    const { batch } = this.#options;
    const order = this.#random
      .fork(`epoch ${Math.floor(update / this.#perEpoch)}`)
      .shuffle(Uint32Array.from({ length: this.#train.count }, (_, i) => i));
    const from = (update % this.#perEpoch) * batch;
    return subset(this.#train, order.subarray(from, from + batch));
  }

  /** Images shown for training in the first so many updates. */
  #shownAfter(updates: number): number {
    const epochs = Math.floor(updates / this.#perEpoch);
    return epochs * this.#train.count + (updates % this.#perEpoch) * this.#options.batch;
  }

  /** A step of Adam on the layers that the method trains, after this share of the way. */
  #step(gradient: BatchGradient, progress: number): void {
    const { network, hardware } = this.#deployment;
    const rate = (this.#options.learningRate ?? (this.#twin ? RATE_ADAPTED : RATE)) * annealed(progress);
    const layers = network.weights.length;
    for (let l = this.#method.firstLayer(progress, layers); l < layers; l++) {
      const max = hardware.map.layers[l].weightMax;
      const weights = network.weights[l];
      this.#lists.optimisers[l].step([gradient.weights[l], gradient.biases[l]], rate * max);
      for (let i = 0; i < weights.length; i++) weights[i] = Math.max(-max, Math.min(max, weights[i]));
    }
  }

  /** Programs the cells whose targets have moved, for so many pulses. */
  async #program(pulses: number, options: Partial<ProgramOptions>): Promise<void> {
    const { chip } = this.#deployment;
    const cells = this.#economy.cellsFor(pulses);
    const wanted = worthAPulse(chip.targets, this.#targets(), this.#deadband, cells);
    this.#economy.note(await chip.program(wanted, { ...this.#programming, ...options }));
  }

  /** The validation images on the board. */
  async #measure(images: number): Promise<TuningCheck> {
    const { hardware, context } = this.#deployment;
    const { accuracy, loss } = await evaluateOnBoard(hardware, this.#validation, { signal: context.signal });
    return { images, pulses: this.#economy.spent.pulses, accuracy, loss };
  }

  /** Measures the validation images and notes the state if it is the best so far. */
  async #check(images: number): Promise<TuningCheck> {
    const { history, best } = this.#progress;
    const now = await this.#measure(images);
    history.push(now);
    if (now.loss <= history[best].loss) {
      this.#progress.best = history.length - 1;
      this.#lists.best.forEach((list, k) => {
        list.set(this.#lists.master[k]);
      });
      this.#bestTargets = copied(this.#deployment.chip.targets);
    }
    return now;
  }

  /** Brings weights and board back to the best state if they are not in it. */
  async #returnToBest(): Promise<void> {
    if (this.#progress.best === this.#progress.history.length - 1) return;
    this.#restoreBest();
    await this.#deployment.chip.findMoved(MOVED * this.#deadband);
    await this.#program(this.#economy.left, this.#wholeWay());
    this.#keep();
  }

  #restoreBest(): void {
    this.#lists.master.forEach((list, k) => {
      list.set(this.#lists.best[k]);
    });
  }

  #keep(): void {
    const { pulses, energy } = this.#economy.spent;
    Object.assign(this.#progress, { pulses, energy });
    const { checkpoint } = this.#options;
    if (checkpoint !== undefined) saveTuning(checkpoint, this.#identity, this.#progress, this.#lists);
  }

  #targets(): ArrayConductances {
    const { network, hardware, chip } = this.#deployment;
    return targetConductances(hardware.map, network.weights, chip.frozen);
  }

  /** Rounds of write-verify where cells may have far to go: without a budget, as many as it takes. */
  #wholeWay(): Partial<ProgramOptions> {
    return this.#economy.left === Infinity ? {} : { maxRounds: PROGRAM_ROUNDS };
  }

  /** The job's progress is counted in images, not in the cells of each small re-programming. */
  get #programming(): ProgramOptions {
    const { emit, signal } = this.#deployment.context;
    return { emit: (event) => event.type !== 'progress' && emit(event), signal };
  }

  get #emit(): Emit {
    return this.#deployment.context.emit;
  }

  #log(message: string): void {
    this.#emit({ type: 'log', level: 'info', message });
  }

  #tellStage(stage: string, detail: string): void {
    if (this.#options.stage === undefined) this.#emit({ type: 'stage', stage, detail });
  }

  #tellTraining(measured: {
    loss: number;
    pulses: number;
    trainAccuracy?: number;
    validationAccuracy?: number;
  }): void {
    const { epochs } = this.#options;
    const epoch = this.#progress.updates / this.#perEpoch;
    this.#emit({ type: 'training', phase: 'in-loop', epoch, epochs, ...measured });
  }

  #orStop(): void {
    if (this.#deployment.context.signal.aborted) throw this.#stopped();
  }

  #stopped(): MemloopError {
    const { checkpoint } = this.#options;
    const remedy = checkpoint === undefined ? '' : `; the same command resumes from ${checkpoint}`;
    return new MemloopError('interrupted', `stopped while fine-tuning; the board is at 0 V${remedy}`);
  }
}

/** What a checkpoint and the fine-tuning that takes it up must have in common. */
const identityOf = ({ network, chip }: Deployment, dataset: Dataset, options: FinetuneOptions): string =>
  JSON.stringify({
    ...options,
    checkpoint: undefined,
    stage: undefined,
    dataset: [dataset.name, dataset.count],
    layers: network.spec.layers,
    chip: chip.serials,
  });

const copied = (conductances: ArrayConductances): ArrayConductances =>
  new Map([...conductances].map(([array, g]) => [array, g.slice()]));

/** Cells whose targets differ by more than the deadband. */
function cellsApart(a: ArrayConductances, b: ArrayConductances, deadband: number): number {
  let cells = 0;
  for (const [array, targets] of a) {
    const others = b.get(array)!;
    for (let i = 0; i < targets.length; i++) if (Math.abs(targets[i] - others[i]) > deadband) cells++;
  }
  return cells;
}

/** From 1 at the start to 0.1 at the end. */
const annealed = (progress: number): number => 0.1 + 0.45 * (1 + Math.cos(Math.PI * progress));
