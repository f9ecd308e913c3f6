/** What one job may put into a chip, over all its attempts: counted from the passports' totals when it first pulses. */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { writeAtomically } from '../../shared/files.js';
import { readJson } from '../../shared/json.js';

export const budgetSchema = z.object({
  pulses: z.number().int().nonnegative().optional(),
  /** J, by the gate's estimates */
  energy: z.number().nonnegative().optional(),
  /** Where the totals before the first attempt are kept. */
  file: z.string(),
});
/** A job's budget; what is not given is without limit. */
export type JobBudget = z.infer<typeof budgetSchema>;

const totalsSchema = z.object({ pulses: z.number(), energy: z.number() });
/** Pulses, and what they took, J. */
export type Totals = z.infer<typeof totalsSchema>;

/** Keeps a job to its budget. */
export class JobMeter {
  readonly #budget: JobBudget;
  /** Totals before the first attempt. */
  #before: Totals | undefined;

  constructor(budget: JobBudget) {
    this.#budget = budget;
  }

  /** Throws `limit` where `more` than the totals `now` would be over the budget; `bad-file`, `disk`. */
  check(now: Totals, more: Totals): void {
    const { pulses, energy } = this.#budget;
    this.#before ??= this.#begin(now);
    const had = { pulses: now.pulses - this.#before.pulses, energy: now.energy - this.#before.energy };
    if (pulses !== undefined && had.pulses + more.pulses > pulses)
      throw new MemloopError(
        'limit',
        `the job has had ${had.pulses} of the ${pulses} pulses in its budget and would get ${more.pulses} more: submit it with a larger --budget-pulses`,
      );
    if (energy !== undefined && had.energy + more.energy > energy)
      throw new MemloopError(
        'limit',
        `the job has had ${had.energy.toPrecision(3)} of the ${energy} J in its budget and would get ${more.energy.toPrecision(3)} more: submit it with a larger --budget-energy`,
      );
  }

  #begin(now: Totals): Totals {
    const { file } = this.#budget;
    const kept = readJson(file, totalsSchema, { hint: 'submit the job again', missing: 'undefined' });
    if (!kept) writeAtomically(file, JSON.stringify(now));
    return kept ?? now;
  }
}
