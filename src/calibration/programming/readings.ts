/** Reads of the cells of a job, and how well they tell a conductance. */
import { type CalibratedBoard, readVoltageOf } from '../converters/calibrated-board.js';
import type { ArrayPassport } from '../passport/passport.js';
import type { JobCell } from './job-cell.js';

/** Share of a read's relative noise believed before it was measured, and the weight of that belief in reads. */
const NOISE_GUESS = 0.01;
const NOISE_WEIGHT = 8;
/** Largest number of ADC samples of one read. */
const SAMPLES_MAX = 64;

export class Readings {
  /** As last read, rows x columns, S; NaN where this job has not read. */
  readonly conductance: Float64Array;
  /** Largest error that counts as done, S. */
  readonly tolerance: number;

  /** Relative noise of one sample of a read. */
  #noise = NOISE_GUESS * 3;
  /** Variance of a read by the steps of the converter, S², and by noise, relative. */
  readonly #stepVariance: number;
  #relativeVariance: number;
  readonly #voltage: number;
  readonly #rows: number[];
  /** S */
  readonly #highestTarget: number;
  /** ADC samples that were asked for. */
  readonly #samplesMin: number;

  readonly #board: CalibratedBoard;
  readonly #passport: ArrayPassport;
  readonly #array: number;
  readonly #cells: readonly JobCell[];

  constructor(
    board: CalibratedBoard,
    passport: ArrayPassport,
    array: number,
    cells: readonly JobCell[],
    { tolerance, samples = 8 }: { tolerance: number; samples?: number | undefined },
  ) {
    this.#board = board;
    this.#passport = passport;
    this.#array = array;
    this.#cells = cells;
    this.tolerance = tolerance;
    this.conductance = new Float64Array(passport.rows * passport.columns).fill(Number.NaN);
    this.#voltage = readVoltageOf(board.description);
    this.#rows = [...new Set(cells.map(({ row }) => row))];
    this.#highestTarget = cells.reduce((max, { target }) => Math.max(max, target), 0);
    this.#samplesMin = samples;
    this.#stepVariance = (board.description.currentRanges[0].step / this.#voltage) ** 2 / 12;
    this.#relativeVariance = this.#noise ** 2 / this.#samples();
  }

  /** Reads in two halves, whose difference is the noise. */
  async measureNoise(): Promise<void> {
    const samples = Math.max(1, Math.ceil(this.#samplesMin / 2));
    const first = await this.#read(samples);
    const second = await this.#read(samples);
    let squares = NOISE_WEIGHT * 2 * (this.#noise ** 2 / samples);
    let count = NOISE_WEIGHT;
    for (const { index } of this.#cells) {
      const mean = (first[index] + second[index]) / 2;
      if (!(mean > 0)) continue;
      // A cell whose state jumped between the two reads is no noise.
      squares += Math.min(((first[index] - second[index]) / mean) ** 2, 0.04);
      count += 1;
    }
    this.#noise = Math.sqrt((squares / count / 2) * samples);
    this.#relativeVariance = this.#noise ** 2 / this.#samples();
    this.#accept(first.map((value, i) => (value + second[i]) / 2));
  }

  async update(): Promise<void> {
    this.#accept(await this.#read(this.#samples()));
  }

  #read(samples: number): Promise<Float64Array> {
    return this.#board.conductances(this.#array, { voltage: this.#voltage, samples, rows: this.#rows });
  }

  #accept(measured: Float64Array): void {
    const { conductance } = this.#passport.tables;
    for (let i = 0; i < measured.length; i++) {
      const g = measured[i];
      if (Number.isNaN(g)) continue;
      this.conductance[i] = g;
      conductance[i] = g;
    }
    for (const { index, belief } of this.#cells) {
      const g = this.conductance[index];
      if (g >= belief.low && g <= belief.high) continue;
      const sigma = this.sigma(g);
      if (g > belief.high + 2 * sigma) belief.high = g;
      if (g < belief.low - 2 * sigma && g > 0) belief.low = g;
    }
  }

  /** Enough samples to see a fifth of the tolerance at the highest target, at least the number asked for. */
  #samples(): number {
    const needed = ((4 * this.#noise * this.#highestTarget) / this.tolerance) ** 2;
    return Math.min(SAMPLES_MAX, Math.max(this.#samplesMin, Math.ceil(needed)));
  }

  /** Standard deviation of a read of conductance g, S. */
  sigma(g: number): number {
    return Math.sqrt(this.#stepVariance + this.#relativeVariance * g * g);
  }

  /** Within tolerance by so much that noise will not deny it. */
  near({ index, target }: JobCell): boolean {
    const sigma = this.sigma(this.conductance[index]);
    const inner = Math.max(0.5 * this.tolerance, this.tolerance - 2 * sigma);
    return Math.abs(this.conductance[index] - target) <= inner;
  }

  /** Half the tolerance in units of the cell's state. */
  stateTolerance({ belief }: JobCell): number {
    return (0.5 * this.tolerance) / (belief.high - belief.low);
  }

  /** Standard deviation of a read in units of the cell's state. */
  stateNoise({ index, belief }: JobCell): number {
    return this.sigma(this.conductance[index]) / (belief.high - belief.low);
  }
}
