/**
 * Faults as data: what goes wrong on a virtual board and on its line, and when. The time of a fault is counted in what
 * passes (bytes, frames, pulses), never in seconds, and drawn from the schedule's seed: the same file with the same
 * traffic gives the same faults. docs/reference/link.md describes the file.
 */
import { z } from 'zod';
import { checkJson, readJson } from '../../shared/json.js';

const ordered = (number: z.ZodType<number>, what: string) =>
  z
    .tuple([number, number])
    .refine((pair) => Number(pair[0]) <= Number(pair[1]), `${what} must be [lowest, highest]`);
const when = {
  every: ordered(z.int().min(1), 'a gap').describe('gap to the next one, drawn anew each time'),
  times: z.int().min(1).optional().describe('how often at most'),
};
const seconds = ordered(z.number().min(0).max(60), 'a time');
const way = z.enum(['to-board', 'to-host']);

/** One byte is lost, has one bit flipped, comes twice, or is followed by one that nobody sent. Gaps in bytes. */
const byteFault = z.strictObject({ kind: z.enum(['drop', 'flip', 'double', 'insert']), way, ...when });

/** Gaps in frames. */
const frameFault = z.strictObject({
  kind: z.enum([
    'lose', // never arrives
    'repeat', // arrives twice
    'swap', // arrives after the next one
    'stale', // arrives, and one of the last 64 before it arrives once more
  ]),
  way,
  ...when,
});
const lateFault = z.strictObject({ kind: z.literal('late'), way, ...when, time: seconds });

/** Frames from the host, pulses that the cells received, or bytes to the host (the rest of the frame is lost). */
const of = z.enum(['frames', 'pulses', 'bytes']);
const reboot = z.strictObject({ kind: z.literal('reboot'), of, ...when });
/** The board does nothing for a while; or its port is gone for a while. */
const pause = z.strictObject({ kind: z.enum(['hang', 'unplug']), of, ...when, time: seconds });
/** All ADCs show full scale until so many more frames have come from the host. */
const saturate = z.strictObject({ kind: z.literal('saturate'), of, ...when, frames: z.int().min(1) });

export const faultsSchema = z.strictObject({
  seed: z.int().min(0),
  faults: z.array(z.discriminatedUnion('kind', [byteFault, frameFault, lateFault, reboot, pause, saturate])),
});

export type Faults = z.infer<typeof faultsSchema>;
export type Fault = Faults['faults'][number];
export type ByteFault = z.infer<typeof byteFault>;
export type FrameFault = z.infer<typeof frameFault> | z.infer<typeof lateFault>;
export type Incident = z.infer<typeof reboot> | z.infer<typeof pause> | z.infer<typeof saturate>;
export type FaultKind = Fault['kind'];
/** How often each kind of fault has happened. */
export type FaultCounts = Partial<Record<FaultKind, number>>;

const source = (name: string) => ({
  what: `fault schedule ${name}`,
  hint: 'docs/reference/link.md lists the fields',
  reason: 'bad-input' as const,
});

/** Reads a schedule. Errors: `bad-input`, naming the file and the field. */
export const loadFaults = (path: string): Faults => readJson(path, faultsSchema, source(path));

/** Validates a schedule; `name` names it in the error. */
export const parseFaults = (json: unknown, name: string): Faults =>
  checkJson(json, faultsSchema, source(name));
