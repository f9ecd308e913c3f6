/** Networks on disk that know how they are laid on a chip. */
import { z } from 'zod';
import { MemloopError } from '../errors.js';
import { type Dataset, loadNetwork, type Network, saveNetwork } from '../model/index.js';
import { type LayerScales, layerScales } from './deployment.js';

const KEY = 'memloop.scales';
const scalesSchema = z.array(z.object({ weightMax: z.number().positive(), inputMax: z.number().positive() }));

export type Metadata = Record<string, string>;

/**
 * A network and its scales: those it was fine-tuned with, or new ones from a sample of its inputs (which only a
 * network that was never on a chip needs). Throws `bad-file`.
 */
export function loadCheckpoint(
  path: string,
  sample: (network: Network, metadata: Metadata) => Dataset,
): { network: Network; metadata: Metadata; scales: LayerScales } {
  const { network, metadata } = loadNetwork(path);
  const text = metadata[KEY];
  if (text === undefined)
    return { network, metadata, scales: layerScales(network, sample(network, metadata)) };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const scales = scalesSchema.safeParse(json);
  if (!scales.success || scales.data.length !== network.spec.layers.length)
    throw new MemloopError('bad-file', `${path}: its ${KEY} does not describe its layers; take the file it was fine-tuned from`);
  return { network, metadata, scales: scales.data };
}

/** Writes a network with its scales; atomic. */
export const saveCheckpoint = (path: string, network: Network, metadata: Metadata, scales: LayerScales): void =>
  saveNetwork(path, network, { ...metadata, [KEY]: JSON.stringify(scales) });
