/** What a kind of board is that speaks no memloop protocol. */
import type { Board, BoardDescription } from '../driver/board/board.js';
import type { Emit } from '../shared/events.js';

export interface ForeignOptions {
  emit?: Emit | undefined;
  /** Tighter than the board's own; they cannot be loosened. */
  limits?: Partial<BoardDescription['limits']> | undefined;
  /** Time for which a lost connection is tried again, s; 0: not at all. */
  reconnect?: number | undefined;
}

/** A board that this machine can see. */
export interface FoundBoard {
  /** For `--port`. */
  url: string;
  /** What it is, for people. */
  what: string;
}

export interface BoardKind {
  /** Schemes of its URLs, lower case, without the colon. */
  schemes: readonly string[];
  /** What it is, and how its URL is written, for people. */
  name: string;
  example: string;
  /** Errors: `usage` for the URL, `limit`, `port-not-found`, `port-in-use`, `not-a-board`, `service`, with the remedy. */
  open(url: string, options: ForeignOptions): Promise<Board>;
  /** Looks without touching a board: nothing is driven, nothing is claimed. Empty where looking cannot find any. */
  find(): Promise<FoundBoard[]>;
}
