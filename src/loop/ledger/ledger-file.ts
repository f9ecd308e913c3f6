/** Ledgers as printed by `memloop ledger --json`. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import { parseJson } from '../../shared/json.js';
import type { Ledger } from './ledger.js';

const interval = z.object({ value: z.number(), low: z.number(), high: z.number() });
const ledgerSchema = z.object({
  chips: z.number().int().positive(),
  images: z.number().int().positive(),
  none: interval,
  all: interval,
  cost: interval,
  sum: interval,
  interaction: interval,
  effects: z.array(
    z.object({ effect: z.string(), alone: interval, without: interval, cost: interval, gain: interval }),
  ),
  measured: z.object({ accuracy: interval, cost: interval }).exactOptional(),
});

/** Reads the last line of a file. Throws `bad-file` if it is missing or not a ledger. */
export function readLedger(path: string): Ledger {
  const hint = `make one with \`memloop ledger --model FILE --json > ${path}\``;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new MemloopError('bad-file', `cannot read ${path}: ${(error as Error).message}; ${hint}`, {
      cause: error,
    });
  }
  const [result] = text.trim().split('\n').slice(-1);
  return parseJson(result, ledgerSchema, { what: `${path} is not a ledger: its last line`, hint });
}
