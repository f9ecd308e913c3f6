/** One cell that is driven by a wave, from moment to moment: what a circuit around it needs to know. */
import {
  type MemristorParameters,
  memristorCurrent,
  sigmoid,
  stateAfter,
  switchConductance,
} from '../../model/devices/memristor.js';

export class DrivenCell {
  readonly #draw: () => MemristorParameters;
  readonly #moves: boolean;
  #parameters: MemristorParameters;
  /** In [0, 1]. */
  state: number;

  /** @param draw the cell as it answers the next stretch of one polarity */
  constructor(draw: () => MemristorParameters, state: number, moves: boolean) {
    this.#draw = draw;
    this.#parameters = draw();
    this.state = state;
    this.#moves = moves;
  }

  /** A stretch of the other polarity begins. */
  turn(): void {
    this.#parameters = this.#draw();
  }

  /** A, at `voltage` (V) across the cell. */
  current(voltage: number): number {
    return memristorCurrent(this.#parameters, this.state, voltage);
  }

  /** dI/dV, S. */
  slope(voltage: number): number {
    const p = this.#parameters;
    const schottky = (1 - p.phi) * 2 * p.alpha * p.beta * Math.cosh(p.beta * voltage);
    return p.phi * switchConductance(p, this.state) + schottky;
  }

  /** How fast the state can move at `voltage` (V), 1/s. */
  speed(voltage: number): number {
    if (!this.#moves) return 0;
    const { von, voff, vt, tau } = this.#parameters;
    return (sigmoid((voltage - von) / vt) + sigmoid(-(voltage + voff) / vt)) / tau;
  }

  /** `voltage` (V) across the cell for `time` (s). */
  move(voltage: number, time: number): void {
    if (this.#moves) this.state = stateAfter(this.#parameters, this.state, voltage, time);
  }
}
