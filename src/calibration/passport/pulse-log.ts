/**
 * Pulses about to be sent, written down before they are, so that a passport's totals survive a kill between
 * sending and saving. The board applies pulses in order and counts them, so its counter tells how many of an
 * unfinished batch arrived.
 */
import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import { z } from 'zod';
import type { Board, BoardHealth } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import type { ArrayPassport } from './passport.js';

export interface LoggedPulse {
  cell: number;
  /** J */
  energy: number;
}

const begun = z.object({
  sequence: z.number().int().positive(),
  /** s since 1970 */
  time: z.number(),
  /** The board's, before the batch. */
  uptime: z.number(),
  pulsesApplied: z.number().int().nonnegative(),
  cells: z.array(z.number().int().nonnegative()),
  energies: z.array(z.number().nonnegative()),
});
const ended = z.object({
  ended: z.number().int().positive(),
  applied: z.array(z.union([z.literal(0), z.literal(1)])),
});
type Begun = z.infer<typeof begun>;

/** Logs of this process: a job that follows another on the same board need not read the file again. */
const logs = new WeakMap<ArrayPassport, PulseLog>();

export class PulseLog {
  readonly #path: string;
  /** A batch was begun and its outcome is not known. */
  #unsettled = false;
  #sequence: number;
  /** The board's counters at the last look, moved on by what it acknowledged since. */
  #uptime = 0;
  #uptimeSeen = 0;
  #pulsesApplied = 0;

  readonly #board: Board;
  readonly #passport: ArrayPassport;

  private constructor(board: Board, passport: ArrayPassport) {
    this.#board = board;
    this.#passport = passport;

    this.#path = passport.path.replace(/\.json$/, '.pulses.ndjson');
    this.#sequence = passport.pulseLog;
  }

  /**
   * Brings the passport's totals up to date with what an earlier process sent. Returns the log and how many
   * pulses had to be counted without knowing whether they were applied.
   */
  static async open(board: Board, passport: ArrayPassport): Promise<{ log: PulseLog; uncertain: number }> {
    const known = logs.get(passport);
    if (known !== undefined && known.#board === board && !known.#unsettled) {
      await known.#look();
      return { log: known, uncertain: 0 };
    }
    const log = new PulseLog(board, passport);
    const uncertain = await log.recover();
    logs.set(passport, log);
    return { log, uncertain };
  }

  /** Takes the board's counters, which pulses on other arrays have moved on. */
  async #look(): Promise<BoardHealth> {
    const health = await this.#board.health();
    this.#uptime = health.uptime;
    this.#uptimeSeen = Date.now() / 1000;
    this.#pulsesApplied = health.pulsesApplied;
    return health;
  }

  #read(): { begun: Begun[]; ended: Map<number, (0 | 1)[]> } {
    let text = '';
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        throw new MemloopError(
          'disk',
          `cannot read the pulse log ${this.#path}: ${(error as Error).message}`,
          { cause: error },
        );
      }
    }
    const result = { begun: [] as Begun[], ended: new Map<number, (0 | 1)[]>() };
    const lines = text.split('\n');
    lines.forEach((line, index) => {
      if (line === '') return;
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        // A kill in the middle of writing leaves a torn last line; its pulses were never sent.
        if (index === lines.length - 1) return;
        throw new MemloopError(
          'bad-file',
          `the pulse log ${this.#path} is damaged in line ${index + 1}: mend it or move it away`,
        );
      }
      const end = ended.safeParse(value);
      if (end.success) result.ended.set(end.data.ended, end.data.applied);
      else {
        const begin = begun.safeParse(value);
        if (!begin.success) {
          throw new MemloopError(
            'bad-file',
            `the pulse log ${this.#path} is damaged in line ${index + 1}: mend it or move it away`,
          );
        }
        result.begun.push(begin.data);
      }
    });
    return result;
  }

  #count(batch: Pick<Begun, 'cells' | 'energies'>, applied: readonly (0 | 1)[]): void {
    const { pulses, energy } = this.#passport.tables;
    batch.cells.forEach((cell, i) => {
      if (!applied[i]) return;
      pulses[cell] += 1;
      energy[cell] += batch.energies[i];
    });
  }

  /** Settles every batch that the passport does not contain yet; saves it and empties the log. */
  async recover(): Promise<number> {
    const entries = this.#read();
    const health = await this.#look();
    const now = this.#uptimeSeen;
    let uncertain = 0;
    for (const batch of entries.begun) {
      if (batch.sequence <= this.#passport.pulseLog) continue;
      let applied = entries.ended.get(batch.sequence);
      if (!applied) {
        const arrived = health.pulsesApplied - batch.pulsesApplied;
        const sameBoot = health.uptime + 1 >= batch.uptime + (now - batch.time);
        const known = sameBoot && arrived >= 0 && arrived <= batch.cells.length;
        // What cannot be known is counted as applied: a cell must never get more than its budget.
        if (!known) uncertain += batch.cells.length;
        applied = batch.cells.map((_, i) => (!known || i < arrived ? 1 : 0));
      }
      this.#count(batch, applied);
      this.#passport.pulseLog = batch.sequence;
      this.#sequence = batch.sequence;
    }
    this.#unsettled = false;
    if (entries.begun.length > 0) this.save();
    return uncertain;
  }

  /** Writes a batch down; call `end` with its outcome, or `recover` when that is unknown. */
  begin(pulses: readonly LoggedPulse[]): void {
    this.#sequence += 1;
    const now = Date.now() / 1000;
    const entry: Begun = {
      sequence: this.#sequence,
      time: now,
      uptime: this.#uptime + (now - this.#uptimeSeen),
      pulsesApplied: this.#pulsesApplied,
      cells: pulses.map(({ cell }) => cell),
      energies: pulses.map(({ energy }) => Number(energy.toPrecision(4))),
    };
    this.#unsettled = true;
    this.#append(entry);
  }

  end(pulses: readonly LoggedPulse[], applied: readonly (0 | 1)[]): void {
    this.#append({ ended: this.#sequence, applied });
    this.#unsettled = false;
    this.#count(
      {
        cells: pulses.map(({ cell }) => cell),
        energies: pulses.map(({ energy }) => Number(energy.toPrecision(4))),
      },
      applied,
    );
    this.#passport.pulseLog = this.#sequence;
    this.#pulsesApplied += applied.reduce<number>((sum, one) => sum + one, 0);
  }

  /** Saves the passport, which then contains all that the log knows. */
  save(): void {
    this.#passport.save();
    try {
      truncateSync(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
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
