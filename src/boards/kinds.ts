/** The kinds of boards that speak no memloop protocol. A new kind is a folder here and a line in the list below. */
import { ad2 } from './ad2/index.js';
import { arcOne } from './arc-one/index.js';
import type { BoardKind } from './kind.js';
import { ktram } from './ktram/index.js';

export type { BoardKind, ForeignOptions, FoundBoard } from './kind.js';

export const BOARD_KINDS: readonly BoardKind[] = [ad2, ktram, arcOne];

/** The kind that a scheme names, if it is a foreign board's. */
export const kindOf = (scheme: string): BoardKind | undefined =>
  BOARD_KINDS.find(({ schemes }) => schemes.includes(scheme));
