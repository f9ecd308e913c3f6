/** When a fault is due. */
import type { Random } from '../../model/random.js';
import type { Fault } from './faults.js';

/** Counts what passes, and tells when a fault is due: after gaps drawn from its own stream. */
export class Schedule<F extends Fault> {
  readonly fault: F;
  readonly random: Random;
  #left: number;
  #times: number;

  constructor(fault: F, random: Random) {
    this.fault = fault;
    this.random = random;
    this.#times = fault.times ?? Infinity;
    this.#left = this.#gap();
  }

  /** One more byte, frame or pulse has passed; true if the fault is due now. */
  due(): boolean {
    if (--this.#left > 0 || this.#times === 0) return false;
    this.#times--;
    this.#left = this.#gap();
    return true;
  }

  /** A time within the bounds, s. */
  time([low, high]: readonly [number, number]): number {
    return low + (high - low) * this.random.uniform();
  }

  #gap(): number {
    const [low, high] = this.fault.every;
    return low + this.random.integer(high - low + 1);
  }
}
