/** Sends pulses of one array in batches, with the pulse log kept before and after each. */
import type { CellOperation, CellOutcome } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import type { CalibratedBoard } from '../converters/calibrated-board.js';
import type { ArrayPassport } from '../passport/passport.js';
import { PulseLog } from '../passport/pulse-log.js';

/** Pulses between two looks at the abort signal; a link has up to 8 requests of 200 on the way. */
const BATCH = 1600;

export interface PlannedPulse {
  /** row x columns + column */
  cell: number;
  /** The row DAC's nominal voltage, V. */
  nominal: number;
  /** s */
  width: number;
  /** Estimate, J. */
  energy: number;
}

/** Unknown, or held back because the session with the board was lost: what is planned on is no longer sure. */
const isUnsettled = (outcome: CellOutcome): boolean =>
  outcome.status === 'unknown' || (outcome.status === 'refused' && outcome.code === 'NOT_SENT');

export class PulseSender {
  readonly #board: CalibratedBoard;
  readonly #array: number;
  readonly #log: PulseLog;
  readonly #signal: AbortSignal | undefined;

  private constructor(board: CalibratedBoard, array: number, log: PulseLog, signal: AbortSignal | undefined) {
    this.#board = board;
    this.#array = array;
    this.#log = log;
    this.#signal = signal;
  }

  /** Brings the passport's totals up to date with what an interrupted job sent. */
  static async open(
    board: CalibratedBoard,
    passport: ArrayPassport,
    array: number,
    { emit, signal }: { emit?: Emit; signal?: AbortSignal },
  ): Promise<PulseSender> {
    const { log, uncertain } = await PulseLog.open(board.board, passport);
    if (uncertain > 0) {
      emit?.({
        type: 'log',
        level: 'warning',
        message: `array ${array}: ${uncertain} pulses of an interrupted job are counted without knowing whether they were applied`,
      });
    }
    return new PulseSender(board, array, log, signal);
  }

  /**
   * Applies pulses in order. `exhausted` are cells that the board refused for their number of pulses. With `unknown`
   * the fate of some was settled by the board's count only, and nothing after them was sent: read before pulsing
   * again. Throws `interrupted` on abort, `board-lost` when the board is gone, `board-refused` for any other refusal.
   */
  async send(pulses: readonly PlannedPulse[]): Promise<{ exhausted: number[]; unknown: boolean }> {
    const { columns } = this.#board.description;
    const exhausted: number[] = [];
    for (let first = 0; first < pulses.length; first += BATCH) {
      this.#signal?.throwIfAborted();
      const batch = pulses.slice(first, first + BATCH);
      this.#log.begin(batch);
      const outcomes = await this.#board.board.cells(
        batch.map(
          ({ cell, nominal, width }): CellOperation => ({
            kind: 'pulse',
            array: this.#array,
            row: Math.floor(cell / columns),
            column: cell % columns,
            voltage: nominal,
            width,
          }),
        ),
      );
      if (outcomes.some(isUnsettled)) {
        await this.#log.recover();
        return { exhausted, unknown: true };
      }
      this.#log.end(
        batch,
        outcomes.map(({ status }) => (status === 'applied' ? 1 : 0)),
      );
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status !== 'refused') continue;
        const { cell } = batch[i];
        if (outcome.code === 'LIMIT_PULSES') {
          exhausted.push(cell);
          continue;
        }
        // A board that is gone says so here, in its own words.
        await this.#board.board.health();
        throw new MemloopError(
          'board-refused',
          `the board refused a pulse on array ${this.#array} row ${Math.floor(cell / columns)} column ${cell % columns}: ${outcome.reason}`,
        );
      }
    }
    return { exhausted, unknown: false };
  }

  save(): void {
    this.#log.save();
  }
}
