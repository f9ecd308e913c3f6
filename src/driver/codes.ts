/**
 * Why an operation was not applied, or may not have been: the one list of codes, from the wire up to the library.
 * docs/reference/codes.md says what to do about each.
 */
import { STATUS, type Status } from '../../firmware-protocol/generated/protocol.js';

/** What only the host can know. */
export const HOST_CODE = Object.freeze({
  NOT_SENT:
    'not sent: the session with the board was lost before, so the cell may not be in the state that was assumed',
  BOARD_LOST: 'the board was lost before it answered',
  PROTOCOL_BREACH: 'the answer of the board does not fit the request, so what the board did is not known',
  QUARANTINED: 'refused: the cell is quarantined in the passport',
  LIMIT_CURRENT: 'refused: the pulse could drive more current through the cell than the limit',
  NO_CURRENT: 'refused: no current flows through the cell, so nothing could confirm a pulse',
  BUDGET: 'refused: the cell has had all the pulses that its passport allows',
});
export type HostCode = keyof typeof HOST_CODE;

/** The board's status, or a code of the host. Code decides by these; words are for people. */
export type OutcomeCode = Exclude<Status, 'OK'> | HostCode;

export const outcomeText = (code: OutcomeCode): string =>
  code in HOST_CODE ? HOST_CODE[code as HostCode] : STATUS[code as Status].doc;
