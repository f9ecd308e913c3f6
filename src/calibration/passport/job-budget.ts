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
type Totals = z.infer<typeof totalsSchema>;

/** Throws `limit` where `more` than the totals `now` would be over the budget. */
export function checkBudget({ pulses, energy, file }: JobBudget, now: Totals, more: Totals): void {
  let before = readJson(file, totalsSchema, { hint: 'submit the job again', missing: 'undefined' });
  if (!before) {
    before = now;
    writeAtomically(file, JSON.stringify(now));
  }
  const had = { pulses: now.pulses - before.pulses, energy: now.energy - before.energy };
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
