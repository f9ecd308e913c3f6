/**
 * The exact gradient at what the board measured. The loss comes from the measured membrane voltages, by the
 * decision's own loss (the paper's, a mean over time, would work against differences of the neurons' rest potentials,
 * which no drive can change); the neuron's adjoint runs along the measured trajectory, and layers are
 * differentiated at their measured inputs, sums and conductances.
 */
import {
  adjointAlong,
  type Dataset,
  inputBarsFromPool,
  inputBarsFromVectors,
  layerMatrix,
  layerVectors,
  type MifParameters,
  peakLoss,
  runMif,
  WAVEFORM_UNIT,
} from '../../model/index.js';
import type { BoardForward, BoardNetwork, Dropout } from '../chip/board-network.js';
import { type ArrayConductances, weightsOf } from '../mapping/mapping.js';

/** Images on the board at once: while it works on some, the gradient of those before is computed. */
const CHUNK = 8;

/** Gradients of the mean loss of a batch: one list per layer, weights outputs × inputs, biases outputs. */
export interface BatchGradient {
  /** Mean over the images. */
  loss: number;
  /** Images decided correctly. */
  correct: number;
  weights: Float64Array[];
  biases: Float64Array[];
}

/** What loss and adjoint see of the neurons: measured, or the model's own neuron at the measured sums. */
export type Trajectory = 'measured' | 'modelled';

const noGradient = ({ network }: BoardNetwork): BatchGradient => ({
  loss: 0,
  correct: 0,
  weights: network.weights.map((w) => new Float64Array(w.length)),
  biases: network.biases.map((b) => new Float64Array(b.length)),
});

/**
 * The gradient of a batch, measured on the board; it already has the next images while those before are differentiated.
 *
 * @param measured the conductances that the arrays stand at, S.
 */
export async function measuredGradient(
  hardware: BoardNetwork,
  measured: ArrayConductances,
  batch: Dataset,
  trajectory: Trajectory,
  dropout: Dropout,
): Promise<BatchGradient> {
  const weights = weightsOf(hardware.map, measured);
  const sum = noGradient(hardware);
  const add = (total: Float64Array, part: Float64Array, share: number) => {
    for (let i = 0; i < part.length; i++) total[i] += share * part[i];
  };
  for await (const { images, forward } of hardware.forward(batch, CHUNK, dropout)) {
    // Lets the request go out before the thread is busy.
    await new Promise((resolve) => setImmediate(resolve));
    const part = gradientAtMeasured(hardware, forward, images.labels, weights, trajectory);
    const share = images.count / batch.count;
    sum.loss += part.loss * share;
    sum.correct += part.correct;
    part.weights.forEach((list, l) => {
      add(sum.weights[l], list, share);
    });
    part.biases.forEach((list, l) => {
      add(sum.biases[l], list, share);
    });
  }
  return sum;
}

/**
 * The gradient at one forward pass.
 *
 * @param labels the class of each image.
 * @param weights what the layers' conductances stand for: one list per layer, outputs × inputs.
 */
export function gradientAtMeasured(
  hardware: BoardNetwork,
  forward: BoardForward,
  labels: Uint8Array,
  weights: readonly Float32Array[],
  trajectory: Trajectory = 'measured',
): BatchGradient {
  return new Backward(hardware, forward, weights, trajectory).run(labels);
}

class Backward {
  readonly #hardware: BoardNetwork;
  readonly #forward: BoardForward;
  readonly #weights: readonly Float32Array[];
  readonly #trajectory: Trajectory;
  readonly #result: BatchGradient;
  /** Of each layer: the neurons that it drives, and when, s. */
  readonly #neurons: MifParameters[][];
  readonly #times: number[][];

  constructor(
    hardware: BoardNetwork,
    forward: BoardForward,
    weights: readonly Float32Array[],
    trajectory: Trajectory,
  ) {
    this.#hardware = hardware;
    this.#forward = forward;
    this.#weights = weights;
    this.#trajectory = trajectory;
    this.#result = noGradient(hardware);
    const { network, map, stepTime } = hardware;
    this.#neurons = network.spec.layers.map(({ outputs }) =>
      trajectory === 'measured'
        ? hardware.neurons(outputs)
        : Array.from({ length: outputs }, () => network.spec.neuron),
    );
    this.#times = map.layers.map((_, l) => hardware.pulseSteps(l).map((step) => step * stepTime));
  }

  run(labels: Uint8Array): BatchGradient {
    const { count, layers, decisions } = this.#forward;
    const last = layers.length - 1;
    for (let n = 0; n < count; n++) {
      const voltages = this.#voltages(last, n);
      const { loss, gradient } = peakLoss(voltages, this.#hardware.outputs, labels[n]);
      this.#result.loss += loss / count;
      if (decisions[n] === labels[n]) this.#result.correct++;
      const slope = gradient.map((g) => g / count);
      let upstream = this.#throughNeurons(last, n, voltages, slope);
      for (let l = last; l > 0; l--)
        upstream = this.#throughActivation(l, n, this.#throughLayer(l, n, upstream));
      this.#throughLayer(0, n, upstream);
    }
    return this.#result;
  }

  /** Membrane voltages of the neurons that layer l drives, V, samples × outputs. */
  #voltages(l: number, n: number): Float32Array {
    if (this.#trajectory === 'measured') return this.#forward.layers[l].voltages![n];
    return modelled(this.#hardware, this.#forward, l, n);
  }

  /** dLoss/d(sums) of layer l, vectors × outputs, given dLoss/dv along the neurons it drives. */
  #throughNeurons(l: number, n: number, voltages: Float32Array, slope: Float64Array): Float64Array {
    const hardware = this.#hardware;
    const width = hardware.network.spec.layers[l].outputs;
    const { vectors, sums } = this.#forward.layers[l];
    const scale = hardware.driveScale(l);
    const drives = adjointAlong(
      this.#neurons[l],
      voltages,
      width,
      hardware.samplePeriod,
      this.#times[l],
      slope,
    );
    const upstream = new Float64Array(vectors * width);
    drives.forEach((value, k) => {
      upstream[vectors === 1 ? k % width : k] += value * scale;
    });
    for (let k = 0; k < upstream.length; k++)
      if (Math.abs(sums[n * upstream.length + k] * scale) > hardware.driveMax) upstream[k] = 0;
    return upstream;
  }

  /** Adds the gradient of layer l's weights and biases; returns dLoss/d(inputs), vectors × inputs. */
  #throughLayer(l: number, n: number, upstream: Float64Array): Float64Array {
    const { inputs, outputs, kind } = this.#hardware.network.spec.layers[l];
    const { inputMin, inputMax } = this.#hardware.map.layers[l];
    const { vectors, inputs: driven } = this.#forward.layers[l];
    const below = new Float64Array(vectors * inputs);
    for (let t = 0; t < vectors; t++) {
      const x = driven.subarray((n * vectors + t) * inputs, (n * vectors + t + 1) * inputs);
      const bars = this.#throughMatrix(l, x, upstream.subarray(t * outputs, (t + 1) * outputs));
      if (l === 0) continue;
      // An input that was clipped does not follow what drives it; nor does one that was rectified or dropped.
      const [low, high] = kind === 'avgpool' ? [this.#lowest(l), Infinity] : [inputMin, inputMax];
      for (let i = 0; i < inputs; i++) if (x[i] > low && x[i] < high) below[t * inputs + i] = bars[i];
    }
    return below;
  }

  /** What layer l's inputs are when the layer before has rectified them. */
  #lowest(l: number): number {
    return this.#hardware.network.spec.layers[l - 1].activation === 'relu' ? 0 : -Infinity;
  }

  /** The same for inputs that go through once; nothing for the first layer's inputs. */
  #throughMatrix(l: number, x: Float32Array, upstream: Float64Array): Float64Array {
    const layer = this.#hardware.network.spec.layers[l];
    if (layer.kind === 'avgpool') return inputBarsFromPool(layer, upstream);
    const { inputs, outputs, vectors } = layerMatrix(layer);
    const driven = layerVectors(layer, x);
    const bars = new Float64Array(l === 0 ? 0 : driven.length);
    const w = this.#weights[l];
    const weightGradient = this.#result.weights[l];
    const biasGradient = this.#result.biases[l];
    for (let v = 0; v < vectors; v++) {
      const first = v * inputs;
      for (let j = 0; j < outputs; j++) {
        const g = upstream[j * vectors + v];
        if (g === 0) continue;
        biasGradient[j] += g;
        const row = j * inputs;
        for (let i = 0; i < inputs; i++) weightGradient[row + i] += g * driven[first + i];
        if (l > 0) for (let i = 0; i < inputs; i++) bars[first + i] += g * w[row + i];
      }
    }
    return l === 0 ? bars : inputBarsFromVectors(layer, bars);
  }

  /** dLoss/d(sums) of the layer before l, given dLoss/d(inputs) of layer l. */
  #throughActivation(l: number, n: number, below: Float64Array): Float64Array {
    if (!this.#hardware.takesWaveforms(l)) {
      const rectified = this.#hardware.network.spec.layers[l - 1].activation === 'relu';
      const kept = rectified ? 1 / (1 - this.#forward.dropout) : 1;
      return below.map((g) => kept * g);
    }
    const before = this.#voltages(l - 1, n);
    const slope = new Float64Array(before.length);
    below.forEach((g, k) => {
      slope[k] = g / WAVEFORM_UNIT;
    });
    return this.#throughNeurons(l - 1, n, before, slope);
  }
}

/** What nominal neurons would have done at the sums that layer l measured for image n, V, samples × outputs. */
function modelled(hardware: BoardNetwork, forward: BoardForward, l: number, n: number): Float32Array {
  const { spec } = hardware.network;
  const { vectors, sums, voltages } = forward.layers[l];
  const width = spec.layers[l].outputs;
  const samples = voltages![n].length / width;
  const scale = hardware.driveScale(l);
  const pulses = hardware.pulseSteps(l).map((step) => Math.round(step / hardware.decimation));
  const limit = hardware.driveMax;
  const result = new Float32Array(samples * width);
  for (let j = 0; j < width; j++) {
    const drives = pulses.map((step, p): [number, number] => {
      const sum = sums[(n * vectors + (vectors === 1 ? 0 : p)) * width + j];
      return [step, Math.max(-limit, Math.min(limit, sum * scale))];
    });
    const { states } = runMif(spec.neuron, 'exponential', hardware.samplePeriod, samples, new Map(drives));
    for (let t = 0; t < samples; t++) result[t * width + j] = states[t + 1].v;
  }
  return result;
}
