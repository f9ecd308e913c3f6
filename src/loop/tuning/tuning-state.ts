/** The state that a fine-tuning needs to go on after an interruption, in one file. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import type { Adam } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { parseJson } from '../../shared/json.js';
import { loadTensors, saveTensors, type Tensor } from '../../shared/safetensors.js';

/** A measurement of the validation images on the board. */
export interface TuningCheck {
  /** Images shown and pulses applied since fine-tuning began. */
  images: number;
  pulses: number;
  accuracy: number;
  loss: number;
}

export interface TuningProgress {
  /** Updates done. */
  updates: number;
  pulses: number;
  /** J */
  energy: number;
  history: TuningCheck[];
  /** Entry of the history to which the best weights belong. */
  best: number;
}

const checkSchema = z.object({
  images: z.number(),
  pulses: z.number(),
  accuracy: z.number(),
  loss: z.number(),
});
const progressSchema = z.object({
  updates: z.int().min(0),
  pulses: z.number(),
  energy: z.number(),
  history: z.array(checkSchema).min(1),
  best: z.int().min(0),
  steps: z.array(z.int().min(0)),
});

/** The lists that fine-tuning changes: weights and biases of all layers, and Adam's state, one per layer. */
export interface TuningLists {
  master: readonly Float32Array[];
  best: readonly Float32Array[];
  optimisers: readonly Adam[];
}

function tensorsOf({ master, best, optimisers }: TuningLists): Record<string, Float32Array | Float64Array> {
  const lists: Record<string, Float32Array | Float64Array> = {};
  master.forEach((list, k) => {
    lists[`master.${k}`] = list;
  });
  best.forEach((list, k) => {
    lists[`best.${k}`] = list;
  });
  optimisers.forEach((adam, l) => {
    adam.first.forEach((list, k) => {
      lists[`adam.${l}.first.${k}`] = list;
    });
    adam.second.forEach((list, k) => {
      lists[`adam.${l}.second.${k}`] = list;
    });
  });
  return lists;
}

/**
 * Writes the state of a fine-tuning; the file is whole at any moment. Error: `disk`.
 *
 * @param identity what a fine-tuning that goes on from it must have in common with this one.
 */
export function saveTuning(
  path: string,
  identity: string,
  progress: TuningProgress,
  lists: TuningLists,
): void {
  const tensors: Record<string, Tensor> = {};
  for (const [name, list] of Object.entries(tensorsOf(lists)))
    tensors[name] = { shape: [list.length], data: Float32Array.from(list) };
  const steps = lists.optimisers.map((adam) => adam.count);
  saveTensors(path, tensors, {
    'memloop.tuning': identity,
    'memloop.progress': JSON.stringify({ ...progress, steps }),
  });
}

/**
 * Reads an interrupted fine-tuning's state into the lists. Undefined if there is no file; throws `bad-input` if the
 * file is of another fine-tuning and `bad-file` if it is damaged.
 */
export function takeUpTuning(path: string, identity: string, lists: TuningLists): TuningProgress | undefined {
  if (!existsSync(path)) return undefined;
  const { tensors, metadata } = loadTensors(path);
  if (metadata['memloop.tuning'] !== identity)
    throw new MemloopError(
      'bad-input',
      `${path} belongs to a fine-tuning with other settings or on another chip; give another --out, or repeat the command it was made with`,
    );
  const hint = 'the file is damaged; remove it to start anew';
  const { steps, ...progress } = parseJson(metadata['memloop.progress'] ?? '', progressSchema, {
    what: `${path}: its memloop.progress`,
    hint,
  });
  const wanted = Object.entries(tensorsOf(lists));
  if (
    progress.best >= progress.history.length ||
    steps.length !== lists.optimisers.length ||
    wanted.some(([name, list]) => tensors[name]?.data.length !== list.length)
  )
    throw new MemloopError('bad-file', `${path} does not fit the network: ${hint}`);
  for (const [name, list] of wanted) list.set(tensors[name].data);
  lists.optimisers.forEach((adam, l) => {
    adam.count = steps[l];
  });
  return progress;
}
