/**
 * The exact gradient at what the board measured. The loss comes from the measured membrane voltages, by the
 * decision's own loss (the paper's, a mean over time, would fight differences of the neurons' rest potentials
 * that no drive can mend); the neuron's adjoint runs along the measured trajectory, and dense layers are
 * differentiated at their measured inputs, sums and conductances.
 */
import { adjointAlong, peakLoss, runMif, WAVEFORM_UNIT } from '../../model/index.js';
import type { BoardForward, BoardNetwork } from '../chip/board-network.js';

/** Gradients of the mean loss of a batch. */
export interface BatchGradient {
  /** Mean over the images. */
  loss: number;
  correct: number;
  weights: Float64Array[];
  biases: Float64Array[];
}

/**
 * @param weights what the layers' conductances stand for, outputs × inputs.
 * @param trajectory what loss and adjoint see of the neurons: what was measured of them, or what the model's own
 * neuron would have done at the measured sums.
 */
export function gradientAtMeasured(
  hardware: BoardNetwork,
  forward: BoardForward,
  labels: Uint8Array,
  weights: readonly Float32Array[],
  trajectory: 'measured' | 'modelled' = 'measured',
): BatchGradient {
  const { map, network } = hardware;
  const { count, layers } = forward;
  const result: BatchGradient = {
    loss: 0,
    correct: 0,
    weights: network.weights.map((w) => new Float64Array(w.length)),
    biases: network.biases.map((b) => new Float64Array(b.length)),
  };
  const kept = 1 / (1 - forward.dropout);
  const neurons = map.layers.map((layer) =>
    trajectory === 'measured'
      ? hardware.neurons(layer.outputs)
      : Array.from({ length: layer.outputs }, () => network.spec.neuron),
  );
  const times = map.layers.map((_, l) => hardware.pulseSteps(l).map((step) => step * hardware.stepTime));

  /** dLoss/d(sums) of layer l, vectors × outputs, given dLoss/dv along the neurons it drives. */
  const throughNeurons = (l: number, n: number, voltages: Float32Array, slope: Float64Array) => {
    const width = map.layers[l].outputs;
    const { vectors, sums } = layers[l];
    const scale = hardware.driveScale(l);
    const drives = adjointAlong(neurons[l], voltages, width, hardware.samplePeriod, times[l], slope);
    const upstream = new Float64Array(vectors * width);
    drives.forEach((value, k) => {
      upstream[vectors === 1 ? k % width : k] += value * scale;
    });
    for (let k = 0; k < upstream.length; k++)
      if (Math.abs(sums[n * upstream.length + k] * scale) > hardware.driveMax) upstream[k] = 0;
    return upstream;
  };
  const seen = (l: number, n: number): Float32Array =>
    trajectory === 'measured' ? layers[l].voltages![n] : modelled(hardware, forward, l, n);

  const last = layers.length - 1;
  for (let n = 0; n < count; n++) {
    const voltages = seen(last, n);
    const { loss, gradient } = peakLoss(voltages, hardware.outputs, labels[n]);
    result.loss += loss / count;
    if (forward.decisions[n] === labels[n]) result.correct++;
    let upstream = throughNeurons(
      last,
      n,
      voltages,
      gradient.map((g) => g / count),
    );
    for (let l = last; l >= 0; l--) {
      const { inputs, outputs, inputMin, inputMax } = map.layers[l];
      const { vectors } = layers[l];
      const below = l > 0 ? new Float64Array(vectors * inputs) : undefined;
      const w = weights[l];
      const weightGradient = result.weights[l];
      for (let t = 0; t < vectors; t++) {
        const x = layers[l].inputs.subarray((n * vectors + t) * inputs, (n * vectors + t + 1) * inputs);
        for (let j = 0; j < outputs; j++) {
          const g = upstream[t * outputs + j];
          if (g === 0) continue;
          result.biases[l][j] += g;
          const row = j * inputs;
          for (let i = 0; i < inputs; i++) weightGradient[row + i] += g * x[i];
          if (below) for (let i = 0; i < inputs; i++) below[t * inputs + i] += g * w[row + i];
        }
        // An input that was clipped does not follow what drives it; nor does one that was rectified or dropped.
        if (below)
          for (let i = 0; i < inputs; i++)
            if (!(x[i] > inputMin && x[i] < inputMax)) below[t * inputs + i] = 0;
      }
      if (!below) break;
      if (hardware.takesWaveforms(l)) {
        const before = seen(l - 1, n);
        const slope = new Float64Array(before.length);
        below.forEach((g, k) => {
          slope[k] = g / WAVEFORM_UNIT;
        });
        upstream = throughNeurons(l - 1, n, before, slope);
      } else upstream = below.map((g) => kept * g);
    }
  }
  return result;
}

/** What nominal neurons would have done at the sums that layer l measured for image n, V, samples × outputs. */
function modelled(hardware: BoardNetwork, forward: BoardForward, l: number, n: number): Float32Array {
  const { spec } = hardware.network;
  const { vectors, sums, voltages } = forward.layers[l];
  const width = hardware.map.layers[l].outputs;
  const samples = voltages![n].length / width;
  const scale = hardware.driveScale(l);
  const pulses = hardware.pulseSteps(l).map((step) => Math.round(step / hardware.decimation));
  const most = hardware.driveMax;
  const result = new Float32Array(samples * width);
  for (let j = 0; j < width; j++) {
    const drives = pulses.map((step, p): [number, number] => {
      const sum = sums[(n * vectors + (vectors === 1 ? 0 : p)) * width + j];
      return [step, Math.max(-most, Math.min(most, sum * scale))];
    });
    const { states } = runMif(spec.neuron, 'exponential', hardware.samplePeriod, samples, new Map(drives));
    for (let t = 0; t < samples; t++) result[t * width + j] = states[t + 1].v;
  }
  return result;
}
