/** How much accuracy a chip costs a network, and how much fine-tuning recovers. */
import { existsSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { type Dataset, evaluate } from '../../model/index.js';
import { writeAtomically } from '../../shared/files.js';
import { readJson } from '../../shared/json.js';
import type { Deployment } from '../chip/deployment.js';
import type { ProgrammingSummary } from '../chip/summary.js';
import type { ArrayConductances } from '../mapping/mapping.js';
import { finetune } from './finetune.js';
import type { FinetuneOptions, FinetuneResult } from './options.js';

/** Accuracy on the test images, and how often an image of class r was decided as c: classes × classes. */
export interface Measured {
  accuracy: number;
  confusion: number[][];
}

/** An array's conductances, S, rows × columns; null where nothing is mapped. */
export interface ArrayMap {
  array: number;
  conductance: (number | null)[];
}

/** How the chip was before fine-tuning. */
export interface Before extends Measured {
  programming: Omit<ProgrammingSummary, 'failed'>;
  arrays: ArrayMap[];
}

export interface Recovery {
  /** Accuracy in software. */
  software: number;
  /** Test images. */
  samples: number;
  before: Before;
  tuning: FinetuneResult;
  after: Measured & { arrays: ArrayMap[] };
}

const beforeSchema = z.object({
  accuracy: z.number(),
  confusion: z.array(z.array(z.number())),
  programming: z.object({
    cells: z.number(),
    inTolerance: z.number(),
    pulsesPerCell: z.number(),
    pulses: z.number(),
    tolerance: z.number(),
    roundTrips: z.number(),
    energy: z.number(),
  }),
  arrays: z.array(z.object({ array: z.number(), conductance: z.array(z.number().nullable()) })),
});

/**
 * Programs the network, evaluates it, fine-tunes it and evaluates it again. The test images are used before and after
 * fine-tuning only. With a checkpoint, a recovery that was cut off goes on: the measurements before fine-tuning are
 * kept beside it, and both files are removed at the end. Throws what `finetune` throws.
 */
export async function recover(
  deployment: Deployment,
  { train, test }: { train: Dataset; test: Dataset },
  options: Partial<FinetuneOptions> = {},
): Promise<Recovery> {
  const { context, network, chip } = deployment;
  const { emit } = context;
  const samples = test.count;
  const tell = (stage: 'software' | 'programmed' | 'finetuned', accuracy: number) =>
    emit({ type: 'accuracy', stage, accuracy, samples });

  const software = evaluate(network, test);
  tell('software', software);
  const { checkpoint } = options;
  const kept = checkpoint === undefined ? undefined : `${checkpoint}.before`;
  let before = kept === undefined ? undefined : readBefore(kept);
  // A fine-tuning that goes on programs the weights of its checkpoint itself.
  const resuming = checkpoint !== undefined && existsSync(checkpoint) && before !== undefined;
  const programmed = resuming ? undefined : await program(deployment);
  if (before) tell('programmed', before.accuracy);
  else {
    const { failed: _, ...programming } = programmed!;
    emit({ type: 'stage', stage: 'evaluate', detail: 'as programmed' });
    const { accuracy, confusion } = await deployment.evaluate(test);
    tell('programmed', accuracy);
    before = { accuracy, confusion, programming, arrays: arrayMaps(chip.measured) };
    if (kept !== undefined) writeAtomically(kept, JSON.stringify(before));
  }
  const tuning = await finetune(deployment, train, options);
  emit({ type: 'stage', stage: 'evaluate', detail: 'fine-tuned' });
  const { accuracy, confusion } = await deployment.evaluate(test);
  tell('finetuned', accuracy);
  if (checkpoint !== undefined)
    for (const file of [checkpoint, `${checkpoint}.before`]) rmSync(file, { force: true });
  return {
    software,
    samples,
    before,
    tuning,
    after: { accuracy, confusion, arrays: arrayMaps(chip.measured) },
  };
}

function program(deployment: Deployment): Promise<ProgrammingSummary> {
  const { emit, board } = deployment.context;
  emit({ type: 'stage', stage: 'program', detail: board.description.boardSerial });
  return deployment.program();
}

const arrayMaps = (measured: ArrayConductances): ArrayMap[] =>
  [...measured].map(([array, g]) => ({
    array,
    conductance: Array.from(g, (value) => (Number.isNaN(value) ? null : value)),
  }));

const readBefore = (path: string): Before | undefined =>
  readJson(path, beforeSchema, { hint: 'remove it to start anew', missing: 'undefined' });
