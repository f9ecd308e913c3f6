/** Networks on disk that know how they are laid on a chip. */
import { z } from 'zod';
import { type Dataset, type Network, saveNetwork } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { type LayerScales, layerScales } from './deployment.js';

const KEY = 'memloop.scales';
const scalesSchema = z.array(
  z.object({
    weightMax: z.number().positive(),
    inputMin: z.number().max(0).optional(),
    inputMax: z.number().positive(),
  }),
);

/**
 * The scales that a network was fine-tuned with, or new ones from a sample of its inputs if it was never on a
 * chip. Throws `bad-file` for damaged metadata.
 */
export function networkScales(
  path: string,
  network: Network,
  metadata: Readonly<Record<string, string>>,
  sample: Dataset,
): LayerScales {
  const text = metadata[KEY];
  if (text === undefined) return layerScales(network, sample);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const scales = scalesSchema.safeParse(json);
  if (!scales.success || scales.data.length !== network.spec.layers.length)
    throw new MemloopError(
      'bad-file',
      `${path}: its ${KEY} does not describe its layers; take the file it was fine-tuned from`,
    );
  return scales.data;
}

/** Writes a network with its scales; atomic. */
export const saveOnChip = (
  path: string,
  network: Network,
  metadata: Readonly<Record<string, string>>,
  scales: LayerScales,
): void => saveNetwork(path, network, { ...metadata, [KEY]: JSON.stringify(scales) });
