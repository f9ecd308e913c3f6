/** A network in float64 on the readable neuron: the oracle of the kernel, and traces of single inputs. */
import { type MifParameters, type MifState, restState, runMif } from '../devices/mif.js';
import {
  averagePool,
  inputBarsFromPool,
  inputBarsFromVectors,
  layerMatrix,
  layerVectors,
  outputsFromSums,
} from './layers.js';
import { type Network, type NetworkSpec, timesOf, WAVEFORM_UNIT } from './network.js';

/** Weights may be of any precision here. */
export interface NetworkLike {
  spec: NetworkSpec;
  weights: readonly ArrayLike<number>[];
  biases: readonly ArrayLike<number>[];
}

/** Outputs of layer l, before its activation. */
export function layerOutputs(network: NetworkLike, l: number, x: ArrayLike<number>): ArrayLike<number> {
  const layer = network.spec.layers[l];
  if (layer.kind === 'avgpool') return averagePool(layer, x);
  const { inputs, outputs, vectors } = layerMatrix(layer);
  const driven = layerVectors(layer, x);
  const sums = new Float64Array(vectors * outputs);
  for (let v = 0; v < vectors; v++)
    for (let o = 0; o < outputs; o++) {
      let sum = network.biases[l][o];
      for (let i = 0; i < inputs; i++) sum += network.weights[l][o * inputs + i] * driven[v * inputs + i];
      sums[v * outputs + o] = sum;
    }
  return outputsFromSums(layer, sums);
}

/**
 * Adjoint of `layerOutputs`.
 * @param bars the gradient of the layer's outputs before its activation
 * @returns gradients of its inputs, weights and biases
 */
export function layerBackward(
  network: NetworkLike,
  l: number,
  x: ArrayLike<number>,
  bars: ArrayLike<number>,
): { inputs: Float64Array; weights: Float64Array; biases: Float64Array } {
  const layer = network.spec.layers[l];
  const { inputs, outputs, vectors } = layerMatrix(layer);
  const weights = new Float64Array(outputs * inputs);
  const biases = new Float64Array(outputs);
  if (layer.kind === 'avgpool') return { inputs: inputBarsFromPool(layer, bars), weights, biases };
  const driven = layerVectors(layer, x);
  const vectorBars = new Float64Array(vectors * inputs);
  for (let o = 0; o < outputs; o++)
    for (let v = 0; v < vectors; v++) {
      const bar = bars[o * vectors + v];
      biases[o] += bar;
      for (let i = 0; i < inputs; i++) {
        weights[o * inputs + i] += bar * driven[v * inputs + i];
        vectorBars[v * inputs + i] += bar * network.weights[l][o * inputs + i];
      }
    }
  return { inputs: inputBarsFromVectors(layer, vectorBars), weights, biases };
}

/** Jump of a (A) of every neuron of the first MIF population at each input pulse, and which layer that is. */
export function pulsedDrives(
  network: NetworkLike,
  input: ArrayLike<number>,
): { layer: number; drives: number[][] } {
  const { spec } = network;
  const vectors = timesOf(spec);
  const given = Array.from(input);
  const channels = given.length / vectors;
  const each = Array.from({ length: vectors }, (_, t) =>
    drivesOf(network, given.slice(t * channels, (t + 1) * channels)),
  );
  return {
    layer: each[0].layer,
    drives: spec.pulseSteps.map((_, pulse) => each[vectors === 1 ? 0 : pulse].drives),
  };
}

/** Of one vector. */
function drivesOf(network: NetworkLike, input: ArrayLike<number>): { layer: number; drives: number[] } {
  const { layers, driveScale, driveMax } = network.spec;
  let x = input;
  for (let l = 0; ; l++) {
    const y = Array.from(layerOutputs(network, l, x));
    if (l === layers.length - 1 || layers[l].activation === 'mif')
      return {
        layer: l,
        drives: y.map((value) => Math.max(-driveMax, Math.min(driveMax, value * driveScale))),
      };
    x = layers[l].activation === 'relu' ? y.map((value) => Math.max(0, value)) : y;
  }
}

/** Parameters of neuron n of layer l. */
export const neuronOf = (
  { layers, outputNeurons, neuron }: NetworkSpec,
  l: number,
  n: number,
): MifParameters => (l === layers.length - 1 ? outputNeurons?.[n] : undefined) ?? neuron;

/** States of the output neurons for one input, each after 0, 1, … steps. */
export function outputStates(network: NetworkLike, input: ArrayLike<number>): MifState[][] {
  const { spec } = network;
  const { steps, integrator, pulseSteps } = spec;
  const dt = spec.duration / steps;
  const { layer, drives } = pulsedDrives(network, input);
  const run = (l: number, n: number, drive: Map<number, number>) =>
    runMif(neuronOf(spec, l, n), integrator, dt, steps, drive).states;
  let states = Array.from({ length: spec.layers[layer].outputs }, (_, n) =>
    run(layer, n, new Map(pulseSteps.map((step, pulse) => [step, drives[pulse][n]]))),
  );
  const rest = restState(spec.neuron).v;
  const scale = (spec.driveScale * dt) / spec.neuron.tauAlpha;
  for (let l = layer + 1; l < spec.layers.length; l++) {
    const before = states;
    const waves = Array.from({ length: steps }, (_, t) =>
      layerOutputs(
        network,
        l,
        before.map((s) => (s[t].v - rest) / WAVEFORM_UNIT),
      ),
    );
    states = Array.from({ length: spec.layers[l].outputs }, (_, n) =>
      run(l, n, new Map(waves.map((y, t) => [t, y[n] * scale]))),
    );
  }
  return states;
}

/** Membrane potentials of the output neurons after each step, steps × neurons, V. */
export function outputVoltages(network: Network | NetworkLike, input: ArrayLike<number>): Float64Array {
  const states = outputStates(network, input);
  const neurons = states.length;
  const voltages = new Float64Array(network.spec.steps * neurons);
  states.forEach((list, n) => {
    for (let t = 0; t < network.spec.steps; t++) voltages[t * neurons + n] = list[t + 1].v;
  });
  return voltages;
}
