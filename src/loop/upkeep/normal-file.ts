/** What rounds of upkeep leave in the network's file for the next one: how the chip was when it was good. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Network } from '../../model/index.js';
import { parseJson } from '../../shared/json.js';
import { saveOnChip } from '../chip/checkpoint.js';
import type { Deployment } from '../chip/deployment.js';
import { type Normal, scalesOf } from './maintain.js';

const KEY = 'memloop.upkeep';
const schema = z.object({
  accuracy: z.number().min(0).max(1),
  left: z.array(z.number().positive()),
  weights: z.string(),
});

/**
 * The normal state that an earlier round has kept in the network's metadata; undefined if there is none, or if the
 * weights have changed since. Throws `bad-file` for damaged metadata.
 *
 * @param path the network's file, for messages.
 */
export function readNormal(
  path: string,
  network: Network,
  metadata: Readonly<Record<string, string>>,
): Normal | undefined {
  const text = metadata[KEY];
  if (text === undefined) return undefined;
  const hint = 'take the file that was fine-tuned';
  const { weights, ...normal } = parseJson(text, schema, { what: `${path}: its ${KEY}`, hint });
  const same = weights === fingerprint(network) && normal.left.length === network.weights.length;
  return same ? normal : undefined;
}

/** Writes the deployed network with its scales and its normal state; the file is whole at any moment. Error: `disk`. */
export function saveNormal(
  path: string,
  deployment: Deployment,
  metadata: Readonly<Record<string, string>>,
  normal: Normal,
): void {
  const { network } = deployment;
  const note = JSON.stringify({ ...normal, weights: fingerprint(network) });
  saveOnChip(path, network, { ...metadata, [KEY]: note }, scalesOf(deployment));
}

/** Tells whether weights are those that the state was measured with. */
function fingerprint({ weights }: Network): string {
  const hash = createHash('sha256');
  for (const list of weights) hash.update(new Uint8Array(list.buffer, list.byteOffset, list.byteLength));
  return hash.digest('hex');
}
