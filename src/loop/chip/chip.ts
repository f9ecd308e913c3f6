/** The arrays of a board that carry a network: the targets of their cells and what was measured. */
import {
  type CalibratedBoard,
  outOfUse,
  type ProgrammingReport,
  type ProgramOptions,
  programArray,
} from '../../calibration/index.js';
import {
  type Area,
  type ArrayConductances,
  emptyConductances,
  type NetworkMap,
  targetConductances,
} from '../mapping/mapping.js';
import type { CostMeter } from './cost.js';

/** ADC samples averaged in each product. */
export const MULTIPLY_SAMPLES = 4;
/** Products of nothing that an offset is averaged over. */
const ZERO_VECTORS = 16;
/** Largest share of a current range that products are expected to use. */
const MARGIN = 0.8;

/** Largest number of parts that a vector is multiplied in to avoid a higher range. */
const MAX_PARTS = 4;

/** Rows `first` to `end` of a vector, to be multiplied at once. */
interface Part {
  vector: number;
  first: number;
  end: number;
}

export class Chip {
  /** Is told of products, where someone asks what they take. */
  meter: CostMeter | undefined;
  /** The cells' last targets, S. */
  targets: ArrayConductances;
  /** Their last measured conductances, S. */
  readonly measured: ArrayConductances;
  /** Cells that no longer move, get no pulse or are at the end of their range, at their measured conductance; NaN for healthy ones, S. */
  readonly frozen: ArrayConductances;

  readonly #map: NetworkMap;
  /** Arrays whose conductances were all read since they last got pulses: what the host may sum. */
  readonly #known = new Map<number, Promise<void>>();
  /** By array and range, what products show of nothing, since its last pulses. */
  readonly #zeros = new Map<number, Promise<Float32Array>[]>();

  constructor(
    readonly board: CalibratedBoard,
    map: NetworkMap,
  ) {
    this.#map = map;

    this.targets = emptyConductances(map);
    this.measured = emptyConductances(map);
    this.frozen = emptyConductances(map);
  }

  /** Serial numbers of the board and of the arrays that carry the network. */
  get serials(): string[] {
    const { boardSerial, arraySerials } = this.board.description;
    return [boardSerial, ...[...this.measured.keys()].map((array) => arraySerials[array])];
  }

  /** What the board takes for the product of one vector, s. */
  get productTime(): number {
    const { products, readTime, productTime = MULTIPLY_SAMPLES * readTime } = this.board.description;
    return products === 'none' ? 0 : productTime;
  }

  /**
   * Column currents of an area, A, vectors × columns, for its row voltages, V, vectors × rows. A larger current range has more noise,
   * so each vector is multiplied in the lowest range that fits the currents expected from the measured conductances. If
   * need be it is multiplied in parts, which are added: in a few, or in the highest range in as many as it takes. Where the
   * board has no analog products, the host sums the conductances.
   */
  readonly multiply = async (area: Area, voltages: Float32Array): Promise<Float32Array> => {
    const { array, row, column, rows, columns } = area;
    if (this.board.description.products === 'none') return this.#sumsByHost(area, voltages);
    if (this.measured.get(array)!.every(Number.isNaN))
      this.measured.set(array, await this.board.conductances(array));
    const vectors = voltages.length / rows;
    const byRange = this.board.description.currentRanges.map(() => [] as Part[]);
    for (let vector = 0; vector < vectors; vector++) {
      const { range, parts } = this.#partsOf(area, voltages.subarray(vector * rows, (vector + 1) * rows));
      for (const [first, end] of parts) byRange[range].push({ vector, first, end });
    }
    const sums = new Float32Array(vectors * columns);
    await Promise.all(
      byRange.map(async (parts, range) => {
        if (parts.length === 0) return;
        const driven = new Float32Array(parts.length * this.#map.rows);
        parts.forEach(({ vector, first, end }, p) => {
          const some = voltages.subarray(vector * rows + first, vector * rows + end);
          this.meter?.product(
            { ...area, row: row + first, rows: end - first },
            some,
            this.measured.get(array)!,
            this.#map.columns,
            this.productTime,
          );
          driven.set(some, p * this.#map.rows + row + first);
        });
        const currents = await this.board.multiply(array, driven, { samples: MULTIPLY_SAMPLES, range });
        const zero = this.#tared ? await this.#zeroOf(array, range) : undefined;
        parts.forEach(({ vector }, p) => {
          for (let c = 0; c < columns; c++)
            sums[vector * columns + c] +=
              currents[p * this.#map.columns + column + c] - (zero ? zero[column + c] : 0);
        });
      }),
    );
    return sums;
  };

  /** Whether products show offsets that no reference has told of. */
  get #tared(): boolean {
    const { products, references } = this.board.description;
    return products === 'analog' && references.length === 0;
  }

  /** Column currents with all rows at 0 V, A: offsets of the columns, and those of the rows across the cells. */
  #zeroOf(array: number, range: number): Promise<Float32Array> {
    const known = this.#zeros.get(array) ?? [];
    this.#zeros.set(array, known);
    known[range] ??= this.#measureZero(array, range).catch((error: unknown) => {
      delete known[range];
      throw error;
    });
    return known[range];
  }

  async #measureZero(array: number, range: number): Promise<Float32Array> {
    const { rows, columns } = this.#map;
    const options = { samples: MULTIPLY_SAMPLES, range };
    const currents = await this.board.multiply(array, new Float32Array(ZERO_VECTORS * rows), options);
    const zero = new Float32Array(columns);
    currents.forEach((current, i) => {
      zero[i % columns] += current / ZERO_VECTORS;
    });
    return zero;
  }

  /** The same from the conductances, which are read again after pulses. */
  async #sumsByHost(
    { array, row, column, rows, columns }: Area,
    voltages: Float32Array,
  ): Promise<Float32Array> {
    await (this.#known.get(array) ?? this.#read(array));
    const conductance = this.measured.get(array)!;
    const sums = new Float32Array((voltages.length / rows) * columns);
    const vector = new Float64Array(columns);
    for (let v = 0; v < voltages.length / rows; v++) {
      vector.fill(0);
      for (let r = 0; r < rows; r++) {
        const voltage = voltages[v * rows + r];
        if (voltage === 0) continue;
        const first = (row + r) * this.#map.columns + column;
        for (let c = 0; c < columns; c++) vector[c] += voltage * conductance[first + c];
      }
      sums.set(vector, v * columns);
    }
    return sums;
  }

  #read(array: number): Promise<void> {
    const reading = this.board.conductances(array).then(
      (conductances) => void this.measured.set(array, conductances),
      (error: unknown) => {
        this.#known.delete(array);
        throw error;
      },
    );
    this.#known.set(array, reading);
    return reading;
  }

  /** The lowest range that a vector can be multiplied in, and the stretches of rows [first, end) that this takes. */
  #partsOf(
    { array, row, column, rows, columns }: Area,
    voltages: Float32Array,
  ): { range: number; parts: [number, number][] } {
    const { currentRanges } = this.board.description;
    const conductance = this.measured.get(array)!;
    for (let range = 0; ; range++) {
      const most = range === currentRanges.length - 1 ? rows : MAX_PARTS;
      const limit = MARGIN * currentRanges[range].max;
      const parts: [number, number][] = [];
      const currents = new Float64Array(columns);
      let first = 0;
      for (let r = 0; r < rows && parts.length < most; r++) {
        if (!(voltages[r] > 0)) continue;
        let largest = 0;
        const start = (row + r) * this.#map.columns + column;
        for (let c = 0; c < columns; c++) {
          const current = currents[c] + (voltages[r] * conductance[start + c] || 0);
          currents[c] = current;
          if (current > largest) largest = current;
        }
        if (largest <= limit || r === first) continue;
        parts.push([first, r]);
        first = r;
        for (let c = 0; c < columns; c++) currents[c] = voltages[r] * conductance[start + c] || 0;
      }
      if (parts.length < most) return { range, parts: [...parts, [first, rows]] };
    }
  }

  /**
   * Programs the weights: a first pass over all cells, then a second in which the partners of cells that failed make up
   * for them as far as they can. Cells within tolerance get no pulse, so calling it again finishes an interrupted job.
   *
   * @param weights one list per layer, outputs × inputs.
   * @returns one report per array.
   */
  async programWeights(
    weights: readonly Float32Array[],
    options: ProgramOptions,
  ): Promise<ProgrammingReport[]> {
    const first = await this.program(targetConductances(this.#map, weights), options);
    if (first.every((report) => report.failed.length === 0)) return first;
    const second = await this.program(targetConductances(this.#map, weights, this.frozen), options);
    return first.map((report, i) => merged(report, second[i], this.#map.columns));
  }

  /** Programs the arrays to these conductances, S; NaN leaves a cell alone. One report per array. */
  async program(targets: ArrayConductances, options: ProgramOptions): Promise<ProgrammingReport[]> {
    const reports: ProgrammingReport[] = [];
    for (const [array, wanted] of targets) {
      if (!wanted.every(Number.isNaN)) {
        this.#known.delete(array);
        this.#zeros.delete(array);
      }
      const report = await programArray(this.board, array, wanted, options);
      this.#note(report);
      reports.push(report);
    }
    return reports;
  }

  /**
   * Reads all mapped arrays. Where a cell is off its target by more than this (S), the target becomes what was measured,
   * so that the cell is programmed again: small jobs leave cells on their way, and do not read those that their pulses
   * disturb.
   */
  async findMoved(off: number): Promise<void> {
    await this.measure();
    for (const [array, targets] of this.targets) {
      const measured = this.measured.get(array)!;
      for (let i = 0; i < targets.length; i++)
        if (Math.abs(measured[i] - targets[i]) > off) targets[i] = measured[i];
    }
  }

  /** Reads all mapped arrays again. */
  async measure(): Promise<void> {
    for (const array of this.measured.keys()) await this.#read(array);
  }

  #note({ array, conductance, targets, failed }: ProgrammingReport): void {
    const measured = this.measured.get(array)!;
    const wanted = this.targets.get(array)!;
    for (let i = 0; i < measured.length; i++) {
      if (!Number.isNaN(conductance[i])) measured[i] = conductance[i];
      if (!Number.isNaN(targets[i])) wanted[i] = targets[i];
    }
    const frozen = this.frozen.get(array)!;
    const passport = this.board.passport.array(array);
    for (const { row, column, reason, conductance } of failed) {
      const cell = row * this.#map.columns + column;
      // A cell out of reach is the partner of a stuck one; it is left where the weight is closest to right.
      const stays = outOfUse(reason) || reason === 'out of reach' || passport.refusal(cell) !== undefined;
      if (stays) frozen[cell] = conductance;
    }
  }
}

/** Both passes of a job as one: the second had fewer cells (the failed ones were left alone). */
function merged(first: ProgrammingReport, second: ProgrammingReport, columns: number): ProgrammingReport {
  const pulses = first.pulses + second.pulses;
  const inTolerance = (second.inTolerance * second.cells) / first.cells;
  return {
    ...second,
    cells: first.cells,
    inTolerance,
    pulses,
    pulsesPerCell: pulses / first.cells,
    // Cells that the second pass took up again are reported by that pass alone.
    failed: [
      ...first.failed.filter(({ row, column }) => Number.isNaN(second.targets[row * columns + column])),
      ...second.failed,
    ],
    roundTrips: first.roundTrips + second.roundTrips,
    energy: first.energy + second.energy,
  };
}
