/** Networks on disk with the scales by which they are mapped to a chip. */
import { z } from 'zod';
import { type Dataset, type Network, saveNetwork } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { parseJson } from '../../shared/json.js';
import { type LayerScales, layerScales } from './scales.js';

const KEY = 'memloop.scales';
const scalesSchema = z.array(
  z.object({
    weightMax: z.number().positive(),
    inputMin: z.number().max(0).optional(),
    inputMax: z.number().positive(),
  }),
);

/**
 * The scales that a network was fine-tuned with, or new ones from a sample of its inputs if it was never on a chip.
 * Throws `bad-file` for damaged metadata.
 *
 * @param path the network's file, for messages.
 */
export function networkScales(
  path: string,
  network: Network,
  metadata: Readonly<Record<string, string>>,
  sample: Dataset,
): LayerScales {
  const text = metadata[KEY];
  if (text === undefined) return layerScales(network, sample);
  const hint = 'take the file it was fine-tuned from';
  const scales = parseJson(text, scalesSchema, { what: `${path}: its ${KEY}`, hint });
  if (scales.length !== network.spec.layers.length)
    throw new MemloopError('bad-file', `${path}: its ${KEY} does not describe its layers; ${hint}`);
  return scales;
}

/** Writes a network with its scales; the file is whole at any moment. Error: `disk`. */
export const saveOnChip = (
  path: string,
  network: Network,
  metadata: Readonly<Record<string, string>>,
  scales: LayerScales,
): void => saveNetwork(path, network, { ...metadata, [KEY]: JSON.stringify(scales) });
