/** What a chip costs a network and how much of it comes back: program, evaluate, fine-tune, evaluate. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { type Dataset, evaluate } from '../../model/index.js';
import { MemloopError } from '../../shared/errors.js';
import { writeAtomically } from '../../shared/files.js';
import type { Deployment } from '../chip/deployment.js';
import type { Ledger } from '../ledger/ledger.js';
import { finetunePage } from '../report/page.js';
import type { ProgrammingSummary } from '../report/summary.js';
import type { FinetuneOptions, FinetuneResult } from './finetune.js';

/** Accuracy on the test images, and how often an image of class r was decided as c. */
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
 * The test images are only looked at before and after. With a checkpoint, what was cut off goes on: what is known
 * of the chip as programmed lies beside it, and both files are removed at the end.
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
  const arrays = (): ArrayMap[] =>
    [...chip.measured].map(([array, g]) => ({
      array,
      conductance: Array.from(g, (value) => (Number.isNaN(value) ? null : value)),
    }));

  const software = evaluate(network, test);
  tell('software', software);
  const kept = options.checkpoint && `${options.checkpoint}.before`;
  let before = kept === undefined ? undefined : readBefore(kept);
  const resuming = options.checkpoint !== undefined && existsSync(options.checkpoint);
  if (!resuming) emit({ type: 'stage', stage: 'program', detail: context.board.description.boardSerial });
  // A fine-tuning that is taken up brings the chip to its own weights.
  const programmed = resuming && before ? undefined : await deployment.program();
  if (before) tell('programmed', before.accuracy);
  else {
    const { failed: _, ...programming } = programmed!;
    emit({ type: 'stage', stage: 'evaluate', detail: 'as programmed' });
    const { accuracy, confusion } = await deployment.evaluate(test);
    tell('programmed', accuracy);
    before = { accuracy, confusion, programming, arrays: arrays() };
    if (kept !== undefined) writeAtomically(kept, JSON.stringify(before));
  }
  emit({ type: 'stage', stage: 'fine-tune', detail: 'forward on the board, backward at what it measured' });
  const tuning = await deployment.finetune(train, options);
  emit({ type: 'stage', stage: 'evaluate', detail: 'fine-tuned' });
  const { accuracy, confusion } = await deployment.evaluate(test);
  tell('finetuned', accuracy);
  if (options.checkpoint !== undefined)
    for (const file of [options.checkpoint, `${options.checkpoint}.before`]) rmSync(file, { force: true });
  return { software, samples, before, tuning, after: { accuracy, confusion, arrays: arrays() } };
}

/** The report page of a recovery: one HTML file. `settings` is everything that the run was started with. */
export function recoveryPage(
  { context, hardware, chip }: Deployment,
  { software, samples, before, tuning, after }: Recovery,
  settings: Readonly<Record<string, string | number>>,
  ledger?: Ledger,
): string {
  const { rows, columns } = hardware.map;
  const { boardSerial, arraySerials } = context.board.description;
  return finetunePage({
    title: 'Fine-tuning on the chip',
    board: boardSerial,
    chip: [...chip.measured.keys()].map((array) => arraySerials[array]).join(', '),
    time: Date.now() / 1000,
    accuracies: { software, programmed: before.accuracy, finetuned: after.accuracy, samples },
    history: tuning.history,
    best: tuning.best,
    confusionBefore: before.confusion,
    confusionAfter: after.confusion,
    arrays: before.arrays.map(({ array, conductance }, i) => ({
      array,
      rows,
      columns,
      before: conductance,
      after: after.arrays[i].conductance,
    })),
    pulses: { programmed: before.programming.pulses, finetuned: tuning.pulses },
    energy: { programmed: before.programming.energy, finetuned: tuning.energy },
    cells: before.programming.cells,
    settings,
    ledger,
  });
}

function readBefore(path: string): Before | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return beforeSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new MemloopError('bad-file', `${path} is damaged; remove it to start anew`, { cause: error });
  }
}
