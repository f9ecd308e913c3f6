/** What a network decides, computed on the kernel. */
import type { Dataset } from '../data/datasets.js';
import { Engine } from '../kernel/engine.js';
import type { Network } from '../network/network.js';

const ROWS = 200;

/** The engine of the last spec, so that repeated evaluation does not lay out memory anew. */
let kept: { key: string; engine: Engine } | undefined;

function engineFor(network: Network): Engine {
  const key = JSON.stringify(network.spec);
  if (kept?.key !== key) {
    kept?.engine.dispose();
    kept = { key, engine: new Engine(network.spec, ROWS) };
  }
  kept.engine.setWeights(network);
  return kept.engine;
}

/**
 * The deciding neuron (highest v over time) of each input.
 * @param inputs count × features
 */
export function predict(network: Network, inputs: Float32Array): Uint8Array {
  return predictWith(engineFor(network), inputs, inputs.length / network.features);
}

/** Share of the dataset that the network classifies correctly. */
export function evaluate(network: Network, dataset: Dataset): number {
  const decisions = predict(network, dataset.inputs);
  let correct = 0;
  for (let i = 0; i < dataset.count; i++) if (decisions[i] === dataset.labels[i]) correct++;
  return correct / dataset.count;
}

/** Decisions for `indices` of the inputs (all `count` of them unless given), on an engine with its weights. */
export function predictWith(
  engine: Engine,
  inputs: Float32Array,
  count: number,
  indices: ArrayLike<number> = Uint32Array.from({ length: count }, (_, i) => i),
): Uint8Array {
  const decisions = new Uint8Array(indices.length);
  for (let from = 0; from < indices.length; from += engine.rows) {
    const to = Math.min(from + engine.rows, indices.length);
    engine.load(inputs, Array.prototype.slice.call(indices, from, to));
    engine.forward();
    decisions.set(engine.decisions(to - from), from);
  }
  return decisions;
}
