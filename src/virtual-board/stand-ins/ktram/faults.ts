/** What a kT-RAM server is equipped with, and what goes wrong with it: the file of `mock --as ktram --faults`. */
import { z } from 'zod';
import { Random } from '../../../model/random.js';
import { readJson } from '../../../shared/json.js';

const gap = z.int().min(1);
const when = {
  on: z.enum(['write', 'read', 'any']).describe('requests that it strikes'),
  every: z
    .tuple([gap, gap])
    .refine(([low, high]) => low <= high, 'a gap must be [lowest, highest]')
    .describe('gap to the next one, in such requests, drawn anew each time'),
  times: gap.optional().describe('how often at most'),
};
const time = z.number().min(0).max(600);
const share = z.enum(['none', 'half', 'all']).describe('how much of the request is done');

const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('slow'), time, ...when }).describe('is done and answered after a time, s'),
  z.strictObject({ kind: z.literal('silent'), done: share, ...when }).describe('is never answered'),
  z.strictObject({ kind: z.literal('close'), done: share, ...when }).describe('the connection is closed'),
  z
    .strictObject({ kind: z.literal('cut'), ...when })
    .describe('is done; the connection is closed within the answer'),
  z.strictObject({ kind: z.literal('torn'), ...when }).describe('is done; the answer is no whole JSON'),
  z.strictObject({ kind: z.literal('deny'), ...when }).describe('nothing is done; 401'),
  z.strictObject({ kind: z.literal('error'), done: share, ...when }).describe('500 with a text'),
  z.strictObject({ kind: z.literal('false'), done: share, ...when }).describe('answers false'),
  z
    .strictObject({ kind: z.literal('restart'), done: share, time, ...when })
    .describe('all connections are closed, and no new one is taken for a time, s'),
]);

export const ktramFaultsSchema = z.strictObject({
  seed: z.int().min(0).default(0),
  modules: z
    .array(z.int().min(0).max(5))
    .max(6)
    .refine((slots) => new Set(slots).size === slots.length, 'a slot is named twice')
    .default([0])
    .describe('slots with a module in them'),
  calibrated: z.boolean().default(true).describe('it has calibration profiles'),
  certificate: z.string().optional().describe('path of a PEM file: it is served over TLS'),
  key: z.string().optional().describe('path of the PEM file of its key'),
  faults: z.array(fault).default([]),
});

export type KtramFaults = z.infer<typeof ktramFaultsSchema>;
export type KtramFault = KtramFaults['faults'][number];

export const NO_FAULTS: KtramFaults = ktramFaultsSchema.parse({});

/** Errors: `bad-input`, naming the file and the field. */
export const loadKtramFaults = (path: string): KtramFaults =>
  readJson(path, ktramFaultsSchema, {
    what: `faults of the kT-RAM server ${path}`,
    hint: 'docs/how-to/ktram.md lists the fields',
    reason: 'bad-input',
  });

/** Tells of each request which fault strikes it. */
export class Incidents {
  readonly #random: Random;
  readonly #waiting: { fault: KtramFault; left: number; times: number }[];

  constructor({ seed, faults }: KtramFaults) {
    this.#random = new Random(seed).fork('ktram faults');
    this.#waiting = faults.map((one) => ({ fault: one, left: this.#gap(one), times: one.times ?? Infinity }));
  }

  next(kind: 'write' | 'read' | 'other'): KtramFault | undefined {
    let due: KtramFault | undefined;
    for (const waiting of this.#waiting) {
      const { on } = waiting.fault;
      if ((on !== 'any' && on !== kind) || waiting.times === 0 || --waiting.left > 0) continue;
      waiting.left = this.#gap(waiting.fault);
      if (due) continue;
      waiting.times--;
      due = waiting.fault;
    }
    return due;
  }

  #gap({ every: [low, high] }: KtramFault): number {
    return low + this.#random.integer(high - low + 1);
  }
}
