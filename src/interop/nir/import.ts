/** NIR graphs as memloop networks, with a verdict on each node. */
import { isDeepStrictEqual } from 'node:util';
import type { LayerSpec } from '../../model/network/layers.js';
import { Network, type NetworkSpec, networkSpec } from '../../model/network/network.js';
import { specFrom } from '../../model/network/network-file.js';
import { chainOf } from './chain.js';
import { Unsupported } from './layers.js';
import { firingDrive } from './neurons.js';
import type { NirGraph } from './nodes.js';
import { Translation } from './translation.js';

/**
 * - `faithful`: the network computes the same.
 * - `approximate`: it does not quite; the note says what was done.
 * - `unsupported`: there is no network; the note says why.
 */
export type Verdict = 'faithful' | 'approximate' | 'unsupported';

export interface NodeVerdict {
  node: string;
  /** NIR's name of its kind. */
  type: string;
  verdict: Verdict;
  note: string;
  /** Of what it gives, without the batch; not known behind nodes that are unsupported. */
  shape?: number[];
}

export interface NirImport {
  verdicts: NodeVerdict[];
  /** Absent where a node is unsupported. */
  network?: Network;
  /** What memloop kept in the file beside the network; empty for others' files. */
  metadata: Record<string, string>;
}

export interface NirImportOptions {
  /**
   * What spiking neurons between layers become. Unless given: leaky ones (LIF, CubaLIF) MIF neurons; IF, whose rate of
   * spikes ReLU follows, ReLU, unless MIF neurons come before.
   */
  hiddenNeurons?: 'relu' | 'mif';
  /** Steps of the neurons for one input; default 250. */
  steps?: number;
  /** What the graph was read from, for messages. */
  source?: string;
}

/**
 * A network from a graph. Neurons become MIF neurons of the same shape, whose parameters are the paper's, and weights are
 * scaled so that 1 is the neuron's threshold; train on from there. Graphs that memloop wrote come back as they were.
 *
 * Error: `bad-file` for shapes that do not fit together.
 */
export function networkFromNir(graph: NirGraph, options: NirImportOptions = {}): NirImport {
  const { source = 'the graph' } = options;
  const { 'memloop.spec': written, ...metadata } = graph.metadata;
  const own = written === undefined ? undefined : specFrom(source, written);
  const { order, faults } = chainOf(graph);
  const verdicts = order.map((node) => structuralVerdict(graph, node, faults.get(node)));
  if (verdicts.some(({ verdict }) => verdict === 'unsupported')) return { verdicts, metadata };
  const translation = new Translation(graph, order, { ...options, source, own });
  for (const verdict of verdicts) {
    try {
      Object.assign(verdict, translation.take(verdict.node));
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      Object.assign(verdict, { verdict: 'unsupported', note: error.message });
      return { verdicts, metadata };
    }
  }
  const misfit = translation.misfit();
  if (misfit) {
    const found = verdicts.find(({ node }) => node === misfit.node)!;
    Object.assign(found, { verdict: 'unsupported', note: misfit.why });
    return { verdicts, metadata };
  }
  const { layers } = translation;
  const specs = layers.map(({ spec }) => spec);
  const holds = own && translation.asWritten && isDeepStrictEqual(own.layers.map(whole), specs.map(whole));
  // Somebody has changed the graph since: what memloop wrote beside it no longer tells what it is.
  if (own && !holds) return networkFromNir({ ...graph, metadata }, options);
  const spec = own ?? importedSpec(specs, options.steps);
  const lists = (key: 'weights' | 'biases') => layers.map((layer) => Float32Array.from(layer[key]));
  return { verdicts, metadata, network: new Network(spec, lists('weights'), lists('biases')) };
}

/** A dense layer need not say its kind. */
const whole = (layer: LayerSpec) => ({ kind: 'dense', ...layer });

function structuralVerdict({ nodes }: NirGraph, node: string, fault: string | undefined): NodeVerdict {
  const found = nodes.get(node)!;
  const type = found.type === 'other' ? found.name : found.type;
  const note = fault ?? (found.type === 'other' ? (REASONS[type] ?? 'memloop knows no such node') : '');
  const possible = NEURONS.has(type) ? 'approximate' : 'faithful';
  return { node, type, verdict: note === '' ? possible : 'unsupported', note };
}

const NEURONS: ReadonlySet<string> = new Set(['I', 'LI', 'CubaLI', 'IF', 'LIF', 'CubaLIF']);

/** Why nodes of the standard cannot be imported. */
const REASONS: Readonly<Record<string, string>> = {
  Conv1d: 'layers of images have two dimensions',
  Delay: 'signals cannot be delayed',
  Threshold: 'no layer gives spikes by itself',
  NIRGraph: 'a graph within the graph: write its nodes into the outer one',
};

/** The paper's MIF neuron, driven so that a layer's output of 1 brings it to where it fires. */
function importedSpec(layers: LayerSpec[], steps = 250): NetworkSpec {
  const spec = networkSpec(layers, { steps });
  return { ...spec, driveScale: firingDrive(spec) };
}
