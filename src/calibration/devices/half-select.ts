/**
 * What pulses do to the half-selected cells of their row and column. Such a cell sees a share of the pulse's
 * voltage, far below its threshold, where its rate is exp((v − threshold)/vt)/tau. So the pulses on a line add up
 * to one number per polarity, its dose ∫exp(v/vt) dt, and a cell answers with the exponent dose·exp(−threshold/vt)/tau.
 */
import type { BoardDescription } from '../../driver/board/board.js';
import { dividedVoltage, type MemristorParameters } from '../../model/devices/memristor.js';
import { type Answer, type Belief, believeThreshold, type Prior, type Pulse } from './device-estimate.js';

/** Doses of one cell, s. */
export interface Doses {
  up: number;
  down: number;
}

/** How a board drives the lines that a pulse does not select. */
export type Biasing = Pick<
  BoardDescription,
  'rows' | 'columns' | 'halfSelect' | 'linesFloat' | 'seriesResistance'
>;

/**
 * Dose (s) of a pulse on either of its lines. Where lines float, they follow the selected cell, which conducts more or less
 * at the end of its path than at its start: the mean of both.
 *
 * @param path parameters of the selected cell, and the states between which the pulse takes it
 */
export function doseOf(
  { voltage, width }: Pulse,
  { halfSelect, linesFloat, seriesResistance }: Biasing,
  { p, from, to }: { p: MemristorParameters; from: number; to: number },
): number {
  if (halfSelect === 0) return 0;
  if (!linesFloat) return width * Math.expm1((Math.abs(voltage) * halfSelect) / p.vt);
  const at = (state: number) =>
    Math.expm1((Math.abs(dividedVoltage(p, state, voltage, seriesResistance)) * halfSelect) / p.vt);
  return (width * (at(from) + at(to))) / 2;
}

export class LineDoses {
  /** s; rows, then columns. */
  readonly #on: Float64Array;
  readonly #off: Float64Array;

  readonly #rows: number;
  readonly #vt: number;

  constructor({ rows, columns }: Pick<Biasing, 'rows' | 'columns'>, vt: number) {
    this.#rows = rows;
    this.#vt = vt;

    this.#on = new Float64Array(rows + columns);
    this.#off = new Float64Array(rows + columns);
  }

  /** A pulse of this dose (s) on one cell, towards on or towards off. */
  add(row: number, column: number, up: boolean, dose: number): void {
    const lines = up ? this.#on : this.#off;
    lines[row] += dose;
    lines[this.#rows + column] += dose;
  }

  /** Whether anything was done on either line of a cell. */
  reach(row: number, column: number): boolean {
    const onColumn = this.#rows + column;
    return this.#on[row] + this.#on[onColumn] + this.#off[row] + this.#off[onColumn] > 0;
  }

  /**
   * Doses (s) that a cell has had from its lines, towards on and towards off; `own` is its own pulse, which counts in
   * both lines but is no disturb.
   */
  of(row: number, column: number, own?: { up: boolean; dose: number }): Doses {
    const up = this.#on[row] + this.#on[this.#rows + column];
    const down = this.#off[row] + this.#off[this.#rows + column];
    const mine = own ? 2 * own.dose : 0;
    const isUp = own?.up ?? false;
    return { up: Math.max(0, isUp ? up - mine : up), down: Math.max(0, isUp ? down : down - mine) };
  }

  /** Expected change of state of a cell in state x. */
  disturb(
    belief: Belief,
    x: number,
    row: number,
    column: number,
    own?: { up: boolean; dose: number },
  ): number {
    const tau = Math.exp(belief.logTau);
    const doses = this.of(row, column, own);
    const up = (doses.up * Math.exp(-belief.von / this.#vt)) / tau;
    const down = (doses.down * Math.exp(-belief.voff / this.#vt)) / tau;
    return -Math.expm1(-up) * (1 - x) + Math.expm1(-down) * x;
  }
}

/**
 * Learns a threshold from the way a cell was moved by its lines. A cell that stands still while its lines were
 * driven shows that it is no weaker than that; one that runs away is weak and is to be set last.
 */
export function learnFromDisturb(
  prior: Prior,
  belief: Belief,
  doses: Doses,
  { before, after, noise }: Answer,
): void {
  const { vt } = prior.parameters;
  const tau = Math.exp(belief.logTau);
  const change = after - before;
  for (const up of [true, false]) {
    const dose = up ? doses.up : doses.down;
    if (dose === 0) continue;
    const room = up ? 1 - before : before;
    const moved = Math.max(0, up ? change : -change);
    const opposite = Math.max(0, up ? -change : change);
    const clear = 4 * Math.SQRT2 * noise;
    const seen = Math.max(moved, clear);
    // A move the other way says nothing about this polarity.
    if (opposite > clear || seen >= 0.98 * room) continue;
    const threshold = vt * Math.log(dose / tau / -Math.log1p(-seen / room));
    const mean = up ? belief.von : belief.voff;
    const sigma = up ? belief.vonSigma : belief.voffSigma;
    // Nothing seen: only a threshold below this one is ruled out.
    if (moved < clear && threshold < mean) continue;
    const spread = vt * Math.hypot(1, noise / seen);
    const gain = sigma ** 2 / (sigma ** 2 + spread ** 2);
    believeThreshold(prior, belief, up, mean + gain * (threshold - mean), sigma * Math.sqrt(1 - gain));
  }
}
