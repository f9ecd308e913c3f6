/** One call of `cells`: its operations in batches, and what became of each. */
import {
  type CellOp,
  type CellResult,
  MAX_OPS,
  type MessageOf,
  type ReplyOf,
} from '../../../firmware-protocol/generated/protocol.js';
import { MemloopError } from '../../shared/errors.js';
import type { EventBody } from '../../shared/events.js';
import type { OutcomeCode } from '../codes.js';
import { LinkError, ProtocolError, RefusedError, TooLargeError } from '../link/errors.js';
import type { RequestOptions } from '../link/link-machine.js';
import type { CellOperation, CellOutcome } from './board.js';
import { pulsesEvents, refusal } from './outcomes.js';

type PulsesEvent = Extract<EventBody, { type: 'pulses' }>;
type PulseOutcome = Exclude<CellOutcome, { status: 'applied' }>;

/** What a job needs of the board that it is done on. */
export interface CellDesk {
  /** Seconds that the board needs. */
  cost(operation: CellOperation): number;
  wire(operation: CellOperation): CellOp;
  outcome(operation: CellOperation, result: CellResult): CellOutcome;
  /** How many operations should go in one request on this line. */
  atOnce(): number;
  request(cells: MessageOf<'Cells'>, options: RequestOptions): Promise<ReplyOf<'Cells'>>;
  /** A pulse was applied, or may have been. */
  pulsed(operation: CellOperation): void;
  tell(event: PulsesEvent): void;
}

/** Bytes of an operation and its result, both ways. */
export const OPERATION_BYTES = 12;
/** Longest that one batch may keep the board busy, s. */
export const MAX_BOARD_TIME = 0.25;

export class CellJob {
  readonly outcomes: CellOutcome[];
  readonly #operations: readonly CellOperation[];
  readonly #desk: CellDesk;
  /** Indices of the operations that are to be sent, and how many of them are. */
  readonly #accepted: number[] = [];
  #sent = 0;
  /** Why pulses are held back: they were planned on one whose fate is unknown. */
  #broken: string | undefined;
  readonly #heldBack: number[] = [];

  constructor(operations: readonly CellOperation[], desk: CellDesk) {
    this.#operations = operations;
    this.#desk = desk;
    this.outcomes = new Array(operations.length);
  }

  accept(index: number): void {
    this.#accepted.push(index);
  }

  refuse(index: number, code: OutcomeCode): void {
    this.outcomes[index] = refusal(code);
  }

  /** Begins the next batch; undefined when all were begun. */
  next(): Promise<void> | undefined {
    const most = Math.min(MAX_OPS, this.#desk.atOnce());
    const batch: number[] = [];
    let time = 0;
    for (; this.#sent < this.#accepted.length && batch.length < most; this.#sent++) {
      const index = this.#accepted[this.#sent];
      const cost = this.#desk.cost(this.#operations[index]);
      if (batch.length > 0 && time + cost > MAX_BOARD_TIME) break;
      batch.push(index);
      time += cost;
    }
    return batch.length > 0 ? this.#send(batch) : undefined;
  }

  /** Emits what became of pulses: of those with one status one event. */
  tell(indices: Iterable<number>): void {
    for (const event of pulsesEvents(this.#operations, this.outcomes, indices)) this.#desk.tell(event);
  }

  finish(): CellOutcome[] {
    this.tell(this.#heldBack);
    return this.outcomes;
  }

  async #send(batch: number[]): Promise<void> {
    const effect = batch.some((i) => this.#operations[i].kind === 'pulse');
    try {
      if (this.#broken !== undefined && effect)
        throw new LinkError('board-lost', `not sent: ${this.#broken}`, 'not-sent');
      const results = await this.#ask(batch, effect);
      for (const [k, i] of batch.entries())
        this.outcomes[i] = this.#desk.outcome(this.#operations[i], results[k]);
    } catch (error) {
      if (error instanceof TooLargeError) return this.#sendHalves(batch);
      if (!(error instanceof MemloopError)) throw error;
      if (effect && !(error instanceof RefusedError)) this.#broken ??= error.message;
      const failed = failedOutcome(error);
      for (const i of batch) this.outcomes[i] = failed;
    }
    this.#settle(batch);
  }

  async #ask(batch: number[], effect: boolean): Promise<CellResult[]> {
    const ops = batch.map((i) => this.#desk.wire(this.#operations[i]));
    const boardTime = batch.reduce((sum, i) => sum + this.#desk.cost(this.#operations[i]), 0);
    const divisible = effect || batch.length < 2 ? undefined : batch.length * OPERATION_BYTES;
    const { results } = await this.#desk.request({ name: 'Cells', ops }, { effect, boardTime, divisible });
    if (results.length !== batch.length)
      throw new ProtocolError(`the board answered ${results.length} of ${batch.length} cell operations`);
    return results;
  }

  async #sendHalves(batch: number[]): Promise<void> {
    const half = batch.length >> 1;
    await Promise.all([this.#send(batch.slice(0, half)), this.#send(batch.slice(half))]);
  }

  #settle(batch: number[]): void {
    for (const i of batch) {
      const operation = this.#operations[i];
      if (operation.kind === 'pulse' && this.outcomes[i].status !== 'refused') this.#desk.pulsed(operation);
    }
    const heldBack = this.#broken !== undefined && this.outcomes[batch[0]].status === 'refused';
    if (heldBack) this.#heldBack.push(...batch);
    else this.tell(batch);
  }
}

/** What is known of the operations of a batch whose request failed. */
function failedOutcome(error: MemloopError): PulseOutcome {
  const { message: reason } = error;
  if (error instanceof LinkError)
    return { status: error.fate === 'unknown' ? 'unknown' : 'refused', code: error.code, reason };
  if (error instanceof RefusedError) return { status: 'refused', code: error.code, reason };
  if (error instanceof ProtocolError) return { status: 'unknown', code: error.code, reason };
  return { status: 'unknown', code: 'BOARD_LOST', reason };
}
