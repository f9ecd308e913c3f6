/** What goes wrong on an ArC ONE and its line. Gaps are drawn from the seed, so the same traffic gives the same faults. */
import { z } from 'zod';
import { readJson } from '../../../shared/json.js';

const gap = z
  .tuple([z.int().min(1), z.int().min(1)])
  .refine(([low, high]) => low <= high, 'a gap must be [lowest, highest]')
  .describe('gap to the next one, drawn anew each time');
const every = { every: gap };

export const arcOneFaultsSchema = z.strictObject({
  seed: z.int().min(0).default(0),
  oldFirmware: z.boolean().default(false).describe('says nothing to 999'),
  strictNumbers: z
    .boolean()
    .default(false)
    .describe('whole numbers are read as digits only: anything else is 0'),
  boot: z.number().min(0).max(10).default(1).describe('how long it hears nothing after a reset, s'),
  hurry: z
    .number()
    .positive()
    .optional()
    .describe('lines that come sooner than this after the one before are lost, s'),
  faults: z
    .array(
      z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('lose-line'), ...every }).describe('gaps in lines from the host'),
        z
          .strictObject({ kind: z.literal('twist-line'), ...every })
          .describe('one digit is another; gaps in lines'),
        z
          .strictObject({ kind: z.literal('twist-bit'), ...every })
          .describe('one bit of a line is another, line ends included; gaps in lines'),
        z
          .strictObject({ kind: z.literal('twist-answer'), ...every })
          .describe('one bit is another; gaps in answers'),
        z
          .strictObject({ kind: z.literal('tear-answer'), ...every })
          .describe('its end is lost; gaps in answers'),
        z.strictObject({ kind: z.literal('lose-answer'), ...every }).describe('gaps in answers'),
        z
          .strictObject({ kind: z.literal('silence'), ...every })
          .describe('hears nothing for 20 lines; gaps in lines'),
        z
          .strictObject({ kind: z.literal('unplug'), every: gap, time: z.number().min(0).max(60) })
          .describe('gone for a time, s, and starts anew; gaps in pulses that the cells received'),
      ]),
    )
    .default([]),
});

export type ArcOneFaults = z.infer<typeof arcOneFaultsSchema>;
export type ArcOneFaultKind = ArcOneFaults['faults'][number]['kind'];

/** Errors: `bad-input`. */
export const loadArcOneFaults = (path: string): ArcOneFaults =>
  readJson(path, arcOneFaultsSchema, {
    what: `faults of the ArC ONE ${path}`,
    hint: 'docs/how-to/arc-one.md lists the fields',
    reason: 'bad-input',
  });

export const NO_FAULTS: ArcOneFaults = arcOneFaultsSchema.parse({});
