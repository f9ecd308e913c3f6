/** How a request fails. Each error has a code of the one list (codes.ts). */
import type { Status } from '../../../firmware-protocol/generated/protocol.js';
import { STATUS } from '../../../firmware-protocol/generated/protocol.js';
import { type ErrorReason, MemloopError } from '../../shared/errors.js';
import type { OutcomeCode } from '../codes.js';

/** Whether a request that got no answer may have been executed. */
export type Fate = 'unknown' | 'not-sent';

/** The request got no answer; `fate` says whether it may have been executed. */
export class LinkError extends MemloopError {
  constructor(
    reason: ErrorReason,
    message: string,
    readonly fate: Fate,
    options?: ErrorOptions,
  ) {
    super(reason, message, options);
  }

  get code(): OutcomeCode {
    return this.fate === 'not-sent' ? 'NOT_SENT' : 'BOARD_LOST';
  }
}

/** The board did not execute a request, or cut it short. */
export class RefusedError extends MemloopError {
  readonly code: OutcomeCode;

  constructor(request: string, status: Status) {
    // A refusal that says OK is no refusal.
    const code = status === 'OK' ? 'PROTOCOL_BREACH' : status;
    super('board-refused', `the board refused ${request}: ${STATUS[status].doc} (${code})`);
    this.code = code;
  }
}

/** The board answered, but not what was asked: what it has done is not known. */
export class ProtocolError extends MemloopError {
  readonly code: OutcomeCode = 'PROTOCOL_BREACH';

  constructor(what: string) {
    super('board-refused', `${what}; host and board do not agree on the protocol: run \`memloop info\``);
  }
}

/** A request without effect was too large for the noise of the line: ask for less at once. */
export class TooLargeError extends Error {}
