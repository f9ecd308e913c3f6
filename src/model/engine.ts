/**
 * A network on the kernel: lays one batch out in the kernel's memory and runs forward, backward and Adam.
 * A batch is cut into shards, the tasks that threads claim; gradients are summed shard by shard, so the
 * result does not depend on the number of threads.
 */
import { MemloopError } from '../errors.js';
import { type Call, KernelMemory, Layout, type Task } from './kernel.js';
import { alphaStep, type IntegratorName, integratorNames, type MifParameters, restState } from './mif.js';
import { checkSpec, type Network, type NetworkSpec, PEAK_SCALE, WAVEFORM_UNIT } from './network.js';

const SHARDS = 8;
/** Bytes: one neuron's constants and rest in the kernel's layout. */
const CONSTANTS = 80;
const REST = 16;
const VECTOR = 16;
const STATE = 3 * VECTOR;

const pad4 = (n: number): number => (n + 3) & ~3;

/** The kernel's constants of one neuron, in the order it expects. */
export function neuronConstants(p: MifParameters, integrator: IntegratorName, dt: number): Float32Array {
  const alpha = alphaStep(p.tauAlpha, integrator, dt);
  const gates = [(p.e1 + p.von) / p.k, (p.e1 + p.voff) / p.k, (p.e2 + p.von) / p.k, (p.e2 + p.voff) / p.k];
  // Beyond this e^(−v/k) every gate is saturated; larger values would overflow float32 products.
  const largest = Math.min(30, ...[0, 2].map((i) => (80 - gates[i] - gates[i + 1]) / 2));
  return Float32Array.of(
    -1 / p.k,
    ...gates.map(Math.exp),
    dt / p.tau,
    dt / p.capacitance,
    1 / p.roff,
    1 / p.ron - 1 / p.roff,
    p.e1,
    p.e2,
    alpha.before,
    alpha.after,
    alpha.keep,
    alpha.gain,
    alpha.meanKeep,
    alpha.meanGain,
    Math.exp(largest),
  );
}

/** The kernel's exponential step uses a series in dt/τ that is exact to float32 up to this. */
const LARGEST_EXPONENTIAL_STEP = 0.25;

/** Throws if the kernel cannot take steps of dt (s) with these parameters. */
function checkStep(p: MifParameters, integrator: IntegratorName, dt: number): void {
  if (integrator === 'exponential' && dt > LARGEST_EXPONENTIAL_STEP * p.tau * (1 + 1e-9))
    throw new MemloopError(
      'limit',
      `a step of ${dt} s is too coarse for the exponential integrator: at most τ/4 = ${LARGEST_EXPONENTIAL_STEP * p.tau} s, so use more steps`,
    );
}

/** A population of MIF neurons over one group of four samples at a time. */
export class Population {
  readonly constants: number;
  readonly stride: number;
  readonly rest: number;
  readonly restStride: number;

  constructor(
    readonly neurons: number,
    private readonly parameters: readonly MifParameters[],
    readonly integrator: IntegratorName,
    readonly steps: number,
    private readonly dt: number,
    layout: Layout,
  ) {
    for (const p of parameters) checkStep(p, integrator, dt);
    const each = parameters.length > 1;
    this.constants = layout.take(parameters.length * CONSTANTS);
    this.rest = layout.take(parameters.length * REST);
    this.stride = each ? CONSTANTS : 0;
    this.restStride = each ? REST : 0;
  }

  /** Fills the constants once the memory is there. */
  fill(memory: KernelMemory): void {
    this.parameters.forEach((p, i) => {
      memory
        .floats(this.constants + i * CONSTANTS, CONSTANTS / 4)
        .set(neuronConstants(p, this.integrator, this.dt));
      const { v, x1, x2 } = restState(p);
      memory.floats(this.rest + i * REST, 3).set([v, x1, x2]);
    });
  }

  get trajectoryBytes(): number {
    return (this.steps + 1) * this.neurons * STATE;
  }

  get kind(): number {
    return integratorNames.indexOf(this.integrator);
  }

  forward(slots: number, drives: number, trajectory: number, alpha: number, peaks: number): Call[] {
    return [
      ['mifStart', this.rest, this.restStride, this.neurons, trajectory, alpha, peaks],
      [
        'mifForward',
        this.kind,
        this.constants,
        this.stride,
        slots,
        drives,
        this.steps,
        this.neurons,
        trajectory,
        alpha,
        peaks,
      ],
    ];
  }

  backward(
    slots: number,
    driveBars: number,
    driveSlots: number,
    trajectory: number,
    bars: number,
    source:
      | { voltageBars: number }
      | {
          labels: number;
          smoothing: number;
          scale: number;
          losses: number;
          scratch: number;
          decision: number;
          peaks: number;
        },
  ): Call[] {
    const fused = 'labels' in source;
    return [
      ['clear', driveBars, driveSlots * this.neurons * VECTOR],
      ['clear', bars, this.neurons * 5 * VECTOR],
      [
        'mifBackward',
        this.kind,
        this.constants,
        this.stride,
        slots,
        driveBars,
        this.steps,
        this.neurons,
        trajectory,
        bars,
        ...(fused
          ? [
              0,
              source.labels,
              source.smoothing,
              source.scale,
              source.losses,
              source.scratch,
              source.decision,
              source.peaks,
              1 / PEAK_SCALE,
            ]
          : [source.voltageBars, 0, 0, 0, 0, 0, 0, 0]),
      ],
    ];
  }
}

export interface EngineOptions {
  /** Keep what the backward pass and Adam need. */
  training?: boolean;
  /** Share of the target spread evenly over the classes. */
  smoothing?: number;
  /** Weight of the loss over each neuron's highest v, which is what decides, beside the paper's. */
  decision?: number;
  /** Multiply each ReLU layer's outputs with a mask that the caller fills. */
  masks?: boolean;
}

export interface AdamSettings {
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled weight decay: weights shrink by rate × decay a step. */
  decay: number;
  /** Share of the new weights in the running average. */
  averaging: number;
}

/** Where a layer's padded weights and biases are, in floats from the start of a parameter list. */
interface LayerPlace {
  weights: number;
  biases: number;
  inputs: number;
  outputs: number;
}

export class Engine {
  /** rows × inputStride; the caller writes a batch here. */
  readonly inputs: Float32Array;
  readonly inputStride: number;
  /** One label a row, −1 for rows that do not count. */
  readonly labels: Int32Array;
  /** rows × mask stride of each ReLU layer. */
  readonly masks: { values: Float32Array; stride: number; outputs: number }[] = [];
  /** Padded parameter lists: weights, Adam's moments, the running average. */
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  readonly average: Float32Array;
  /** Samples a batch can hold: rows rounded up to four. */
  readonly rows: number;
  private readonly memory: KernelMemory;
  private readonly places: LayerPlace[] = [];
  private readonly losses: Float32Array;
  private readonly peaks: Float32Array;
  private readonly settings: Float32Array;
  private readonly gradientLists: Float32Array[] = [];
  private readonly runForward: () => void;
  private readonly runGradient: (() => void) | undefined;
  private readonly runAdam: (() => void) | undefined;

  constructor(
    readonly spec: NetworkSpec,
    rows: number,
    options: EngineOptions = {},
  ) {
    checkSpec(spec);
    const { training = false, smoothing = 0, decision = 0, masks = false } = options;
    this.rows = pad4(rows);
    const layout = new Layout();
    const { layers, steps } = spec;
    const dt = spec.duration / steps;
    const last = layers.length - 1;
    const firstMif = layers.findIndex((layer) => layer.activation === 'mif');
    const pulsed = firstMif < 0 ? last : Math.min(firstMif, last);

    let size = 0;
    for (const { inputs, outputs } of layers) {
      const place = {
        weights: size,
        biases: size + pad4(inputs) * pad4(outputs),
        inputs: pad4(inputs),
        outputs: pad4(outputs),
      };
      this.places.push(place);
      size = place.biases + place.outputs;
    }
    const listBytes = size * 4;
    const list = layout.take(listBytes);
    const moments = training ? [layout.take(listBytes), layout.take(listBytes), layout.take(listBytes)] : [];
    const groups = this.rows / 4;
    const shards = Math.min(SHARDS, groups);
    const gradients = training ? layout.take(listBytes * shards) : 0;
    const settings = layout.take(32);
    const labels = layout.take(this.rows * 4);
    const losses = layout.take(this.rows * 4);
    const pulseSlots = layout.take(steps * 4);
    const waveSlots = layout.take(steps * 4);

    // Activations of the static layers: rows × padded outputs, with their gradients.
    const activations = [layout.take(this.rows * this.places[0].inputs * 4)];
    const bars = [0];
    const maskAddresses: number[] = [];
    for (let l = 0; l <= pulsed; l++) {
      const bytes = this.rows * this.places[l].outputs * 4;
      activations.push(layout.take(bytes));
      bars.push(training ? layout.take(bytes) : 0);
      maskAddresses.push(masks && layers[l].activation === 'relu' ? layout.take(bytes) : 0);
    }

    const populations = layers.slice(pulsed).map((layer, i) => {
      const output = pulsed + i === last;
      const parameters = output && spec.outputNeurons ? spec.outputNeurons : [spec.neuron];
      return new Population(layer.outputs, parameters, spec.integrator, steps, dt, layout);
    });
    const peaksOf = layout.take(groups * populations.at(-1)!.neurons * VECTOR);

    // What a shard works in, one group of four samples after the other.
    const scratches = Array.from({ length: shards }, () =>
      populations.map((population, i) => {
        const slots = i === 0 ? 1 : steps;
        const inputs = layers[pulsed + i].inputs;
        return {
          slots,
          trajectory: layout.take(population.trajectoryBytes),
          alpha: layout.take(population.neurons * 2 * VECTOR),
          peaks: layout.take(population.neurons * VECTOR),
          bars: layout.take(population.neurons * 5 * VECTOR),
          row: layout.take(3 * population.neurons * VECTOR),
          drives: layout.take(slots * population.neurons * VECTOR),
          driveBars: training ? layout.take(slots * population.neurons * VECTOR) : 0,
          voltageBars:
            training && i < populations.length - 1 ? layout.take(steps * population.neurons * VECTOR) : 0,
          signals: i > 0 ? layout.take(inputs * VECTOR) : 0,
          weightBars: training && i > 0 ? layout.take(inputs * population.neurons * VECTOR) : 0,
          biasBars: training && i > 0 ? layout.take(population.neurons * VECTOR) : 0,
        };
      }),
    );

    const memory = new KernelMemory(layout.bytes);
    this.memory = memory;
    this.parameters = memory.floats(list, size);
    this.firstMoment = memory.floats(moments[0] ?? list, training ? size : 0);
    this.secondMoment = memory.floats(moments[1] ?? list, training ? size : 0);
    this.average = memory.floats(moments[2] ?? list, training ? size : 0);
    this.inputStride = this.places[0].inputs;
    this.inputs = memory.floats(activations[0], this.rows * this.inputStride);
    this.labels = memory.ints(labels, this.rows).fill(-1);
    this.losses = memory.floats(losses, this.rows);
    this.peaks = memory.floats(peaksOf, groups * populations.at(-1)!.neurons * 4);
    this.settings = memory.floats(settings, 8);
    maskAddresses.forEach((address, l) => {
      const stride = this.places[l].outputs;
      if (address)
        this.masks.push({
          values: memory.floats(address, this.rows * stride).fill(1),
          stride,
          outputs: layers[l].outputs,
        });
    });
    if (training)
      for (let s = 0; s < shards; s++)
        this.gradientLists.push(memory.floats(gradients + s * listBytes, size));
    memory.ints(pulseSlots, steps).fill(-1);
    for (const step of spec.pulseSteps) memory.ints(pulseSlots, steps)[step] = 0;
    memory.ints(waveSlots, steps).forEach((_, t, slots) => {
      slots[t] = t;
    });
    for (const population of populations) population.fill(memory);

    const weightsAt = (l: number) => list + this.places[l].weights * 4;
    const biasesAt = (l: number) => list + this.places[l].biases * 4;
    const waveScale = (spec.driveScale * dt) / spec.neuron.tauAlpha;
    const lossScale = 1 / steps;

    const task = (shard: number, withGradient: boolean): Task => {
      const calls: Call[] = [];
      const from = Math.floor((shard * groups) / shards);
      const to = Math.floor(((shard + 1) * groups) / shards);
      const count = (to - from) * 4;
      const rowsAt = (list: number, width: number) => list + from * 4 * width * 4;
      const gradientAt = gradients + shard * listBytes;
      for (let l = 0; l <= pulsed; l++) {
        const { inputs, outputs } = this.places[l];
        const mask = withGradient && maskAddresses[l] ? rowsAt(maskAddresses[l], outputs) : 0;
        calls.push([
          'denseForward',
          rowsAt(activations[l], inputs),
          inputs,
          weightsAt(l),
          biasesAt(l),
          rowsAt(activations[l + 1], outputs),
          outputs,
          count,
          layers[l].activation === 'relu' && l < pulsed ? 1 : 0,
          mask,
        ]);
      }
      const scratch = scratches[shard];
      if (withGradient)
        for (let i = 1; i < populations.length; i++) {
          calls.push([
            'clear',
            scratch[i].weightBars,
            layers[pulsed + i].inputs * populations[i].neurons * VECTOR,
          ]);
          calls.push(['clear', scratch[i].biasBars, populations[i].neurons * VECTOR]);
        }
      for (let group = from; group < to; group++) {
        const width = this.places[pulsed].outputs * 4;
        const outputs = activations[pulsed + 1] + group * 4 * width;
        const gather = [outputs, width, populations[0].neurons, spec.driveScale, spec.driveMax] as const;
        calls.push(['gatherDrives', ...gather, scratch[0].drives]);
        populations.forEach((population, i) => {
          const s = scratch[i];
          const l = pulsed + i;
          const { rest, restStride, neurons } = populations[Math.max(0, i - 1)];
          if (i > 0)
            calls.push([
              'waveForward',
              scratch[i - 1].trajectory,
              steps,
              neurons,
              rest,
              restStride,
              1 / WAVEFORM_UNIT,
              weightsAt(l),
              this.places[l].inputs * 4,
              biasesAt(l),
              population.neurons,
              waveScale,
              s.drives,
              s.signals,
            ]);
          const peaks = l === last ? peaksOf + group * population.neurons * VECTOR : s.peaks;
          calls.push(
            ...population.forward(i === 0 ? pulseSlots : waveSlots, s.drives, s.trajectory, s.alpha, peaks),
          );
        });
        if (!withGradient) continue;
        for (let i = populations.length - 1; i >= 0; i--) {
          const population = populations[i];
          const s = scratch[i];
          const l = pulsed + i;
          const slots = i === 0 ? pulseSlots : waveSlots;
          const source =
            l === last
              ? {
                  labels: labels + group * 16,
                  smoothing,
                  scale: lossScale,
                  losses: losses + group * 16,
                  scratch: s.row,
                  decision,
                  peaks: peaksOf + group * population.neurons * VECTOR,
                }
              : { voltageBars: s.voltageBars };
          calls.push(...population.backward(slots, s.driveBars, s.slots, s.trajectory, s.bars, source));
          if (i > 0) {
            const { rest, restStride, neurons } = populations[i - 1];
            calls.push([
              'waveBackward',
              scratch[i - 1].trajectory,
              steps,
              neurons,
              rest,
              restStride,
              1 / WAVEFORM_UNIT,
              weightsAt(l),
              this.places[l].inputs * 4,
              population.neurons,
              waveScale,
              s.driveBars,
              scratch[i - 1].voltageBars,
              s.weightBars,
              s.biasBars,
            ]);
          }
        }
        calls.push([
          'scatterDriveBars',
          ...gather,
          scratch[0].driveBars,
          bars[pulsed + 1] + group * 4 * width,
        ]);
      }
      if (!withGradient) return calls;
      for (let i = 1; i < populations.length; i++) {
        const place = this.places[pulsed + i];
        calls.push([
          'waveReduce',
          scratch[i].weightBars,
          scratch[i].biasBars,
          layers[pulsed + i].inputs,
          populations[i].neurons,
          gradientAt + place.weights * 4,
          place.inputs * 4,
          gradientAt + place.biases * 4,
        ]);
      }
      for (let l = pulsed; l >= 0; l--) {
        const { inputs, outputs, weights, biases } = this.places[l];
        const x = rowsAt(activations[l], inputs);
        const yBar = rowsAt(bars[l + 1], outputs);
        calls.push([
          'denseBackward',
          x,
          inputs,
          yBar,
          outputs,
          count,
          gradientAt + weights * 4,
          gradientAt + biases * 4,
        ]);
        if (l > 0) {
          const mask = maskAddresses[l - 1] ? rowsAt(maskAddresses[l - 1], inputs) : 0;
          const relu = layers[l - 1].activation === 'relu' ? 1 : 0;
          calls.push([
            'denseBackwardInput',
            x,
            inputs,
            weightsAt(l),
            yBar,
            outputs,
            count,
            rowsAt(bars[l], inputs),
            relu,
            mask,
          ]);
        }
      }
      return calls;
    };
    const tasks = (withGradient: boolean) => Array.from({ length: shards }, (_, s) => task(s, withGradient));
    this.runForward = memory.program(tasks(false));
    if (training) {
      this.runGradient = memory.program(tasks(true));
      const cut = (i: number) => pad4(Math.floor((i * size) / SHARDS));
      this.runAdam = memory.program(
        Array.from({ length: SHARDS }, (_, i) => [
          [
            'adam',
            list,
            moments[0],
            moments[1],
            gradients,
            shards,
            listBytes,
            cut(i),
            Math.min(size, cut(i + 1)),
            settings,
            moments[2],
          ],
        ]),
      );
    }
  }

  /** Bytes of the kernel's memory. */
  get bytes(): number {
    return this.memory.bytes;
  }

  setWeights(network: Network): void {
    this.spec.layers.forEach(({ inputs, outputs }, l) => {
      const place = this.places[l];
      for (let o = 0; o < outputs; o++)
        this.parameters.set(
          network.weights[l].subarray(o * inputs, (o + 1) * inputs),
          place.weights + o * place.inputs,
        );
      this.parameters.set(network.biases[l], place.biases);
    });
  }

  /** Copies a padded list (the weights unless another is given) into a network of the same shape. */
  getWeights(network: Network, list: Float32Array = this.parameters): Network {
    this.spec.layers.forEach(({ inputs, outputs }, l) => {
      const place = this.places[l];
      for (let o = 0; o < outputs; o++) {
        const at = place.weights + o * place.inputs;
        network.weights[l].set(list.subarray(at, at + inputs), o * inputs);
      }
      network.biases[l].set(list.subarray(place.biases, place.biases + outputs));
    });
    return network;
  }

  /** Puts samples into the batch; rows beyond them do not count. */
  load(inputs: Float32Array, indices: ArrayLike<number>, labels?: ArrayLike<number>): void {
    const { inputs: features } = this.spec.layers[0];
    for (let r = 0; r < this.rows; r++) {
      const at = r * this.inputStride;
      if (r < indices.length) {
        const from = indices[r] * features;
        this.inputs.set(inputs.subarray(from, from + features), at);
        this.labels[r] = labels ? labels[indices[r]] : -1;
      } else {
        this.inputs.fill(0, at, at + this.inputStride);
        this.labels[r] = -1;
      }
    }
  }

  /** Forward only; then `decisions`. */
  forward(): void {
    this.runForward();
  }

  /** Forward and backward: the mean loss of the labelled rows. Gradients of the batch's sum are kept. */
  gradient(): number {
    if (!this.runGradient) throw new MemloopError('training', 'this engine was made without training');
    this.losses.fill(0);
    this.runGradient();
    let sum = 0;
    let count = 0;
    for (let r = 0; r < this.rows; r++)
      if (this.labels[r] >= 0) {
        sum += this.losses[r];
        count++;
      }
    return sum / (count * this.spec.steps);
  }

  /** The gradient of the mean loss in the shape of a network's weights and biases. */
  readGradient(network: Network): Network {
    const count = this.labels.reduce((n, label) => n + (label >= 0 ? 1 : 0), 0);
    const sum = new Float32Array(this.parameters.length);
    for (const part of this.gradientLists) for (let i = 0; i < sum.length; i++) sum[i] += part[i];
    return this.getWeights(
      network,
      sum.map((g) => g / count),
    );
  }

  /** One step of Adam with the kept gradients; `count` counts steps from 1. */
  adam(count: number, settings: AdamSettings): void {
    const { beta1, beta2, rate, epsilon, decay, averaging } = settings;
    // The kept gradients are sums over the batch: the scale cancels but for epsilon.
    const samples = this.labels.reduce((n, label) => n + (label >= 0 ? 1 : 0), 0);
    this.settings.set([
      beta1,
      beta2,
      1 / (1 - beta1 ** count),
      1 / (1 - beta2 ** count),
      rate,
      epsilon * samples,
      rate * decay,
      averaging,
    ]);
    this.runAdam!();
  }

  /** Highest v of output neuron n over time for the sample in this row, V. */
  peak(row: number, n: number): number {
    const neurons = this.spec.layers.at(-1)!.outputs;
    return this.peaks[((row >> 2) * neurons + n) * 4 + (row & 3)];
  }

  /** The neuron with the highest v over time, for each of the first `count` rows. */
  decisions(count: number): Uint8Array {
    const neurons = this.spec.layers.at(-1)!.outputs;
    return Uint8Array.from({ length: count }, (_, row) => {
      let best = 0;
      for (let n = 1; n < neurons; n++) if (this.peak(row, n) > this.peak(row, best)) best = n;
      return best;
    });
  }

  dispose(): void {
    this.memory.dispose();
  }
}
