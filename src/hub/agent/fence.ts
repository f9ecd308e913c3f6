/** Tokens of the firmware's fence: u64 numbers that only grow, kept on disk. */
import { z } from 'zod';
import { writeAtomically } from '../../shared/files.js';
import { readJson } from '../../shared/json.js';

const schema = z.record(z.string(), z.string().regex(/^\d+$/));

export class Fences {
  readonly #path: string;
  readonly #last: Record<string, string>;

  constructor(path: string) {
    this.#path = path;
    this.#last = readJson(path, schema, { hint: 'move it away', missing: 'undefined' }) ?? {};
  }

  /**
   * The next token of a board: higher than all before, and not below the time (ms since 1970), so that it is also higher
   * than those of a bench where the board was before. On disk before it is handed out.
   */
  mint(serial: string, now = Date.now()): string {
    const last = BigInt(this.#last[serial] ?? 0);
    const next = last >= BigInt(now) ? last + 1n : BigInt(now);
    this.#last[serial] = next.toString();
    writeAtomically(this.#path, JSON.stringify(this.#last));
    return next.toString();
  }
}
