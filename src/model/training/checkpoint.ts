/** The state of a training run after an epoch, on disk: a killed run goes on from it to the same weights. */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { parseJson } from '../../shared/json.js';
import { loadTensors, saveTensors, type Tensor } from '../../shared/safetensors.js';
import type { Engine } from '../kernel/engine.js';
import type { Network } from '../network/network.js';
import { networkFrom, networkTensors } from '../network/network-file.js';

export interface EpochRecord {
  /** Counted from 1. */
  epoch: number;
  loss: number;
  /** On the training images as they were trained on, while the weights were moving. */
  trainAccuracy: number;
  validationAccuracy?: number;
}

const epochSchema = z.object({
  epoch: z.number(),
  loss: z.number(),
  trainAccuracy: z.number(),
  validationAccuracy: z.number().exactOptional(),
});

const LISTS = ['parameters', 'firstMoment', 'secondMoment', 'average'] as const;

/**
 * @param runIdentity what must be the same in the run that goes on from here
 * @param network of the engine's shape. Error: `disk`.
 */
export function saveCheckpoint(
  path: string,
  runIdentity: string,
  engine: Engine,
  network: Network,
  history: readonly EpochRecord[],
): void {
  const tensors: Record<string, Tensor> = networkTensors(network);
  for (const name of LISTS)
    tensors[`checkpoint.${name}`] = { shape: [engine[name].length], data: engine[name].slice() };
  saveTensors(path, tensors, {
    'memloop.spec': JSON.stringify(engine.spec),
    'memloop.run': runIdentity,
    'memloop.history': JSON.stringify(history),
  });
}

/** Puts a checkpoint's state into the engine; returns the epochs done. Errors: `bad-file`, `bad-input`. */
export function loadCheckpoint(path: string, runIdentity: string, engine: Engine): EpochRecord[] {
  const { tensors, metadata } = loadTensors(path);
  networkFrom(path, tensors, metadata);
  if (metadata['memloop.run'] !== runIdentity)
    throw new MemloopError(
      'bad-input',
      `${path} belongs to a run with other settings: give another --out, or repeat the command that wrote it`,
    );
  for (const name of LISTS) {
    const tensor = tensors[`checkpoint.${name}`];
    if (tensor?.data.length !== engine[name].length)
      throw new MemloopError(
        'bad-file',
        `${path} is not a checkpoint: ${name} is missing or of the wrong size`,
      );
    engine[name].set(tensor.data);
  }
  return parseJson(metadata['memloop.history'] ?? '[]', z.array(epochSchema), {
    what: `${path}: its memloop.history`,
    hint: 'remove the checkpoint and train again',
  });
}
