/** What a fine-tuning needs to go on after an interruption: one file, written after every update of the chip. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import type { Adam } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { loadTensors, saveTensors, type Tensor } from '../../shared/safetensors.js';

/** The held-back images on the board at one moment. */
export interface TuningCheck {
  /** Images shown and pulses given since fine-tuning began. */
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
  /** Entry of the history that the best weights belong to. */
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

/** The lists that fine-tuning changes. */
export interface TuningLists {
  master: readonly Float32Array[];
  best: readonly Float32Array[];
  optimisers: readonly Adam[];
}

function tensorsOf({ master, best, optimisers }: TuningLists): Record<string, ArrayLike<number>> {
  const lists: Record<string, ArrayLike<number>> = {};
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

/** @param identity what a fine-tuning must agree on with this one to take it up. */
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
 * Puts an interrupted fine-tuning's state into the lists. Undefined if there is none; throws `bad-input` if the
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
  const damaged = new MemloopError('bad-file', `${path} is damaged; remove it to start anew`);
  let json: unknown;
  try {
    json = JSON.parse(metadata['memloop.progress'] ?? '');
  } catch {
    throw damaged;
  }
  const parsed = progressSchema.safeParse(json);
  const wanted = tensorsOf(lists);
  if (!parsed.success || parsed.data.best >= parsed.data.history.length) throw damaged;
  for (const [name, list] of Object.entries(wanted))
    if (tensors[name]?.data.length !== list.length) throw damaged;
  for (const [name, list] of Object.entries(wanted)) (list as Float32Array).set(tensors[name].data);
  const { steps, ...progress } = parsed.data;
  if (steps.length !== lists.optimisers.length) throw damaged;
  lists.optimisers.forEach((adam, l) => {
    adam.count = steps[l];
  });
  return progress;
}
