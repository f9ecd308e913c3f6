/** What goes wrong with an Analog Discovery, and when, as data: the file of `mock --as waveforms --faults`. */
import { z } from 'zod';
import { Random } from '../../../model/random.js';
import { readJson } from '../../../shared/json.js';

const gap = z.int().min(1);
const when = {
  every: z
    .tuple([gap, gap])
    .refine(([low, high]) => low <= high, 'a gap must be [lowest, highest]')
    .describe('gap to the next one, in starts of W1, drawn anew each time'),
  times: gap.optional().describe('how often at most'),
};

/** Gaps are counted in starts of W1. */
const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('no-trigger'), ...when }).describe('W1 runs, the scope is not triggered'),
  z.strictObject({ kind: z.literal('no-start'), ...when }).describe('the start is accepted, W1 stays at 0'),
  z.strictObject({ kind: z.literal('fail-before'), ...when }).describe('the start fails, W1 stays at 0'),
  z.strictObject({ kind: z.literal('fail-after'), ...when }).describe('the start fails, but W1 runs'),
  z.strictObject({ kind: z.literal('cut'), ...when }).describe('W1 stops in the middle of the wave'),
  z.strictObject({ kind: z.literal('weak'), ...when }).describe('W1 gives half the voltage'),
  z.strictObject({ kind: z.literal('late'), ...when }).describe('the switches do not close for this start'),
  z
    .strictObject({ kind: z.literal('unplug'), after: z.boolean(), calls: gap, ...when })
    .describe('unplugged before W1 runs or after; so many calls fail, and the switches have opened'),
  z
    .strictObject({ kind: z.literal('supplies-off'), calls: gap, ...when })
    .describe('the supplies are off for so many starts'),
]);

export const faultsSchema = z.strictObject({
  seed: z.int().min(0),
  mode: z
    .union([z.literal(1), z.literal(2)])
    .optional()
    .describe('where the slide switch stands'),
  suppliesOff: z.boolean().optional().describe('all the time'),
  inUse: z.boolean().optional().describe('another program holds the device'),
  absent: z.boolean().optional().describe('no device is plugged in'),
  leak: z.number().min(0).optional().describe('of a switch that does not open, S'),
  faults: z.array(fault).default([]),
});

export type Ad2Faults = z.infer<typeof faultsSchema>;
export type Ad2Fault = Ad2Faults['faults'][number];

/** Errors: `bad-input`, naming the file and the field. */
export const loadFaults = (path: string): Ad2Faults =>
  readJson(path, faultsSchema, {
    what: `fault schedule ${path}`,
    hint: 'docs/how-to/analog-discovery.md lists the fields',
    reason: 'bad-input',
  });

/** Tells at each start of W1 which fault is due. */
export class Incidents {
  readonly #random: Random;
  readonly #waiting: { fault: Ad2Fault; left: number; times: number }[];

  constructor({ seed, faults }: Ad2Faults) {
    this.#random = new Random(seed).fork('ad2 faults');
    this.#waiting = faults.map((one) => ({ fault: one, left: this.#gap(one), times: one.times ?? Infinity }));
  }

  next(): Ad2Fault | undefined {
    let due: Ad2Fault | undefined;
    for (const waiting of this.#waiting) {
      if (--waiting.left > 0 || waiting.times === 0) continue;
      waiting.left = this.#gap(waiting.fault);
      if (due) continue;
      waiting.times--;
      due = waiting.fault;
    }
    return due;
  }

  #gap({ every: [low, high] }: Ad2Fault): number {
    return low + this.#random.integer(high - low + 1);
  }
}
