/**
 * Pulses about to be sent, written down before they are, so that an array's totals survive a kill between sending and
 * saving. The board applies pulses in order and counts them, so its counter tells how many of an unfinished batch
 * arrived. That holds as long as one batch at a time is on its way to a board, which the gate sees to.
 */
import { appendFileSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { z } from 'zod';
import { MemloopError } from '../../shared/errors.js';
import type { ArrayPassport } from './passport.js';

export interface LoggedPulse {
  /** row x columns + column */
  cell: number;
  /** J */
  energy: number;
}

/** A board's own counters, as last seen. */
export interface BoardCount {
  /** s since the board's boot */
  uptime: number;
  /** undefined: it does not count, so what is not known of a pulse cannot be told afterwards. */
  pulsesApplied: number | undefined;
  /** When it was asked, s since 1970. */
  seen: number;
}

/** 1: the pulse was applied, 0: it was not. */
type Applied = 0 | 1;

const begun = z.object({
  sequence: z.number().int().positive(),
  /** s since 1970 */
  time: z.number(),
  /** The board's, before the batch. */
  uptime: z.number(),
  pulsesApplied: z.number().int().nonnegative().optional(),
  cells: z.array(z.number().int().nonnegative()),
  energies: z.array(z.number().nonnegative()),
});
const ended = z.object({
  ended: z.number().int().positive(),
  applied: z.array(z.union([z.literal(0), z.literal(1)])),
});
type Begun = z.infer<typeof begun>;

/** A batch that the totals do not contain yet, with what is known of each of its pulses. */
interface Waiting {
  batch: Begun;
  known: readonly (Applied | undefined)[];
}

const nothingKnown = (batch: Begun): Waiting => ({ batch, known: batch.cells.map(() => undefined) });

export class PulseLog {
  readonly #path: string;
  readonly #passport: ArrayPassport;
  #waiting: Waiting[];
  #sequence: number;

  /** Reads what earlier processes left; drops what the passport contains already. Throws `bad-file` and `disk`. */
  constructor(passport: ArrayPassport) {
    this.#passport = passport;
    this.#path = pulseLogPath(passport.path);
    this.#waiting = readWaiting(this.#path, passport.pulseLog);
    this.#sequence = this.#waiting.at(-1)?.batch.sequence ?? passport.pulseLog;
    if (!this.waiting) this.#empty();
  }

  /** Whether there are batches that the totals do not contain; `settle` counts them. */
  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Writes a batch down; call `end` with its outcome, or `lose` where that is not known of all pulses. */
  begin(pulses: readonly LoggedPulse[], { uptime, pulsesApplied, seen }: BoardCount): void {
    const now = Date.now() / 1000;
    const batch: Begun = {
      sequence: this.#sequence + 1,
      time: now,
      uptime: uptime + (now - seen),
      pulsesApplied,
      cells: pulses.map(({ cell }) => cell),
      energies: pulses.map(({ energy }) => Number(energy.toPrecision(4))),
    };
    this.#append(batch);
    this.#sequence = batch.sequence;
    this.#waiting.push(nothingKnown(batch));
  }

  /** The batch begun last, all of it known. */
  end(applied: readonly Applied[]): void {
    const { batch } = this.#waiting.at(-1)!;
    this.#append({ ended: batch.sequence, applied });
    this.#waiting.pop();
    this.#count(batch, applied);
  }

  /** The batch begun last, known in part: `settle` tells the rest by the board's counter. */
  lose(known: Waiting['known']): void {
    this.#waiting.push({ ...this.#waiting.pop()!, known });
  }

  /**
   * Counts all that waits, by the board's counter where nothing else is known, saves the passport and empties the log.
   * Returns how many pulses were counted without knowing whether they were applied.
   */
  settle(count: BoardCount): number {
    let uncertain = 0;
    for (const { batch, known } of this.#waiting) {
      const counted = countedSince(batch, known, count);
      if (counted === undefined) uncertain += known.filter((one) => one === undefined).length;
      // What cannot be known is counted as applied: a cell must never get more than its budget.
      let arrived = counted ?? Number.POSITIVE_INFINITY;
      this.#count(
        batch,
        known.map((one) => one ?? (arrived-- > 0 ? 1 : 0)),
      );
    }
    this.#waiting = [];
    this.save();
    return uncertain;
  }

  /** Saves the passport, which then contains all that the log knows; what waits stays in the log. */
  save(): void {
    this.#passport.save();
    if (!this.waiting) this.#empty();
  }

  #empty(): void {
    try {
      truncateSync(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #count({ sequence, cells, energies }: Begun, applied: readonly Applied[]): void {
    const { pulses, energy } = this.#passport.tables;
    cells.forEach((cell, i) => {
      if (!applied[i]) return;
      pulses[cell] += 1;
      energy[cell] += energies[i];
    });
    this.#passport.pulseLog = sequence;
  }

  #append(entry: object): void {
    try {
      appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
    } catch (error) {
      throw new MemloopError(
        'disk',
        `cannot write the pulse log ${this.#path}: ${(error as Error).message}; free space or set MEMLOOP_HOME`,
        { cause: error },
      );
    }
  }
}

const pulseLogPath = (passportPath: string): string => passportPath.replace(/\.json$/, '.pulses.ndjson');

/** Whether a log lies beside an array's passport that may know more than it. */
export function hasPulseLog(passportPath: string): boolean {
  return (statSync(pulseLogPath(passportPath), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** How many pulses of unknown fate the board has applied, by its counter; undefined where the counter cannot tell. */
function countedSince(batch: Begun, known: Waiting['known'], count: BoardCount): number | undefined {
  const unknown = known.filter((one) => one === undefined).length;
  const sure = known.filter((one) => one === 1).length;
  if (unknown === 0) return 0;
  if (count.pulsesApplied === undefined || batch.pulsesApplied === undefined) return undefined;
  const arrived = count.pulsesApplied - batch.pulsesApplied - sure;
  const sameBoot = count.uptime + 1 >= batch.uptime + (count.seen - batch.time);
  return sameBoot && arrived >= 0 && arrived <= unknown ? arrived : undefined;
}

/** The batches of a log that come after number `settled`. */
function readWaiting(path: string, settled: number): Waiting[] {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new MemloopError('disk', `cannot read the pulse log ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const waiting: Waiting[] = [];
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const entry = parsed(line);
    if (entry === undefined) {
      // A kill in the middle of writing leaves a torn last line; its pulses were never sent.
      if (index === lines.length - 1) break;
      throw new MemloopError(
        'bad-file',
        `the pulse log ${path} is damaged in line ${index + 1}: mend it or move it away`,
      );
    }
    if ('sequence' in entry) {
      if (entry.sequence > settled) waiting.push(nothingKnown(entry));
      continue;
    }
    const of = waiting.find(({ batch }) => batch.sequence === entry.ended);
    if (of) of.known = entry.applied;
  }
  return waiting;
}

function parsed(line: string): z.infer<typeof begun> | z.infer<typeof ended> | undefined {
  try {
    return z.union([begun, ended]).parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
