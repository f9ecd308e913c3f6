/** `arc1:/dev/ttyACM0?rows=32&columns=32&sneak=v3&series=10000`: what the instrument cannot tell of itself is in its URL. */
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';

export const EXAMPLE = 'arc1:/dev/ttyACM0?rows=32&columns=32&series=10000';

const number = z
  .string()
  .regex(/^-?[\d.]+(e-?\d+)?$/i)
  .transform(Number)
  .pipe(z.number());
const lines = number.pipe(z.int().min(1).max(32)).default(32);

const parameters = z.strictObject({
  /** Word- and bitlines of the package, counted from 1 by the instrument. */
  rows: lines,
  columns: lines,
  /** Voltage of unselected lines, share of the pulse's. */
  sneak: z.enum(['v3', 'v2']).default('v3'),
  /** Resistor of the package adapter in series with each cell, Ω; 0: none. */
  series: number.pipe(z.number().min(0).max(1e6)).default(0),
  /** Largest current that a pulse may be expected to drive, A. */
  current: number.pipe(z.number().positive().max(0.01)).default(1e-3),
  /** Limits of a pulse, V. */
  min: number.pipe(z.number().min(-1).max(-0.05)).default(-1),
  max: number.pipe(z.number().min(0.05).max(0.75)).default(0.75),
  /** Which way raises conductance: a wordline more positive than its bitline, or less. */
  polarity: z.enum(['normal', 'reversed']).default('normal'),
  /** Its own read cycles for one reading. */
  cycles: number.pipe(z.int().min(1).max(255)).default(30),
  /** Name of the chip in the package: its passport is kept under it. */
  chip: z
    .string()
    .regex(/^[\w.-]{1,40}$/)
    .default('package'),
  /** Time that it hears nothing after a reset, s. */
  boot: number.pipe(z.number().min(0).max(10)).default(2),
  /** Silence after which an answer counts as lost, s, beside the pulse itself. */
  timeout: number.pipe(z.number().min(0.01).max(60)).default(1),
});

export type ArcOneSettings = z.infer<typeof parameters> & { path: string };

/** Throws `usage`. */
export function parseArcOneUrl(url: string): ArcOneSettings {
  const [path, query = '', ...rest] = url.replace(/^arc1:(\/\/(?=\/))?/i, '').split('?');
  const parsed = parameters.safeParse(Object.fromEntries(new URLSearchParams(query)));
  if (parsed.success && path && rest.length === 0) return { path, ...parsed.data };
  const issue = parsed.error?.issues[0];
  const name =
    issue?.code === 'unrecognized_keys' ? `unknown parameter "${issue.keys[0]}"` : issue?.path.join('.');
  throw new MemloopError(
    'usage',
    `cannot read ${url}${name ? `: ${name}` : ''}; write ${EXAMPLE} (docs/how-to/arc-one.md lists the parameters)`,
  );
}
