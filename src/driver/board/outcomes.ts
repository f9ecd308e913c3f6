/** What becomes of operations on cells, as outcomes and as events. */
import type { EventBody } from '../../shared/events.js';
import { type OutcomeCode, outcomeText } from '../codes.js';
import type { CellOperation, CellOutcome } from './board.js';

type PulsesEvent = Extract<EventBody, { type: 'pulses' }>;

const reasonOf = (code: OutcomeCode, why?: string): string =>
  why === undefined ? outcomeText(code) : `${outcomeText(code)}: ${why}`;

/** The outcome of an operation that was not applied; `why` tells more than the code. */
export const refusal = (code: OutcomeCode, why?: string): CellOutcome => ({
  status: 'refused',
  code,
  reason: reasonOf(code, why),
});

/** The outcome of an operation that may or may not have been applied. */
export const unknownFate = (code: OutcomeCode, why?: string): CellOutcome => ({
  status: 'unknown',
  code,
  reason: reasonOf(code, why),
});

/** Unknown, or held back because the session with the board was lost: the cells may not be in the states that were assumed. */
export const isUnsettled = (outcome: CellOutcome): boolean =>
  outcome.status === 'unknown' || (outcome.status === 'refused' && outcome.code === 'NOT_SENT');

/** What became of the pulses among some operations: one event for those with one status. */
export function pulsesEvents(
  operations: readonly CellOperation[],
  outcomes: readonly CellOutcome[],
  indices: Iterable<number> = operations.keys(),
): PulsesEvent[] {
  const pulses: Record<CellOutcome['status'], PulsesEvent['pulses']> = {
    applied: [],
    refused: [],
    unknown: [],
  };
  for (const i of indices) {
    const [operation, outcome] = [operations[i], outcomes[i]];
    if (operation.kind !== 'pulse') continue;
    const { array, row, column, voltage, width } = operation;
    const why = outcome.status === 'applied' ? {} : { code: outcome.code, reason: outcome.reason };
    pulses[outcome.status].push({ array, row, column, voltage, width, ...why });
  }
  return (['applied', 'refused', 'unknown'] as const)
    .filter((status) => pulses[status].length > 0)
    .map((status) => ({ type: 'pulses', status, pulses: pulses[status] }));
}
