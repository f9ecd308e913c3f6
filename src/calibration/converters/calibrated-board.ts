/** A board whose reads, products and voltages are true SI values: the converters' errors are taken out. */
import type { Board, BoardDescription } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import type { GuardedBoard } from '../passport/gate.js';
import type { Passport } from '../passport/passport.js';
import { resistanceAt } from './read-profile.js';
import type { ConverterCalibration, ConverterLine } from './types.js';

export const DEFAULT_READ_VOLTAGE = 0.05;
/** A converter calibration older than this is refused, s. */
export const CALIBRATION_LIFETIME = 30 * 24 * 3600;

/** V, within the board's limit. */
export const readVoltageOf = (
  { limits }: Pick<BoardDescription, 'limits'>,
  wanted: number = DEFAULT_READ_VOLTAGE,
): number => Math.min(wanted, limits.maxReadVoltage);

const EXACT: ConverterLine = { offset: 0, offsetSigma: 0, gain: 1, gainSigma: 0 };

/** The calibration of a board without errors: for boards that have no references, and for comparisons. */
export function nominalCalibration(board: Board): ConverterCalibration {
  const { boardSerial, rows, columns, currentRanges } = board.description;
  return {
    boardSerial,
    measured: new Date().toISOString(),
    rows: Array.from({ length: rows }, () => EXACT),
    columns: currentRanges.map(() => Array.from({ length: columns }, () => EXACT)),
    residuals: currentRanges.map(() => 0),
  };
}

export interface ReadOptions {
  /** V; default 0.05, or less where the board's read limit is lower. */
  voltage?: number;
  /** ADC samples averaged by the board, 1 to 255; default 8. */
  samples?: number;
  /** Only these rows are read (others are NaN); default all. */
  rows?: readonly number[];
  /** Ends the read between two requests, by its reason; default: that of the board. */
  signal?: AbortSignal | undefined;
}

/** How long a request may read while a person waits for Ctrl-C to be heard, s. */
const LONGEST_READ = 1;

export class CalibratedBoard {
  /** Throws `calibration` when the calibration is of another board, of another size, or too old. */
  constructor(
    readonly board: GuardedBoard,
    readonly calibration: ConverterCalibration,
    now: Date = new Date(),
    /** Of the job that the board is used for. */
    readonly signal?: AbortSignal,
  ) {
    const { boardSerial, rows, columns, currentRanges } = board.description;
    if (calibration.boardSerial !== boardSerial) {
      throw new MemloopError(
        'calibration',
        `the converter calibration is of board ${calibration.boardSerial}, this is ${boardSerial}: run \`memloop calibrate\``,
      );
    }
    if (
      calibration.rows.length !== rows ||
      calibration.columns.length !== currentRanges.length ||
      calibration.columns.some((range) => range.length !== columns) ||
      (calibration.reads && calibration.reads.columns.length !== columns)
    ) {
      throw new MemloopError(
        'calibration',
        `the converter calibration of board ${boardSerial} does not fit its ${rows} rows, ${columns} columns and ${currentRanges.length} ranges: run \`memloop calibrate\``,
      );
    }
    const age = (now.getTime() - Date.parse(calibration.measured)) / 1000;
    if (!(age < CALIBRATION_LIFETIME)) {
      throw new MemloopError(
        'calibration',
        `the converter calibration of board ${boardSerial} is ${Math.round(age / 86400)} days old: run \`memloop calibrate\``,
      );
    }
  }

  get description() {
    return this.board.description;
  }

  get passport(): Passport {
    return this.board.passport;
  }

  /** The nominal voltage with which row `row` puts out `voltage`, V. */
  nominalVoltage(row: number, voltage: number): number {
    const line = this.calibration.rows[row];
    return (voltage - line.offset) / line.gain;
  }

  /** The voltage that row `row` puts out at the DAC code nearest to nominal `voltage`, V. */
  trueVoltage(row: number, voltage: number): number {
    const line = this.calibration.rows[row];
    const step = this.description.rowVoltageStep;
    return line.offset + line.gain * Math.round(voltage / step) * step;
  }

  /**
   * Conductances at the read voltage, rows x columns, S; NaN in rows not asked for. Adjacent rows share a
   * request; slow boards are asked for fewer at once. Rejects with the signal's reason when it aborts.
   */
  async conductances(array: number, options: ReadOptions = {}): Promise<Float64Array> {
    const { rows, columns, products, readTime } = this.description;
    const voltage = readVoltageOf(this.description, options.voltage);
    const { samples = 8, signal = this.signal } = options;
    // A board that drives whole arrays reads the cells of a row at once, others one after the other.
    const rowTime = samples * readTime * (products === 'analog' ? 1 : columns);
    const most = Math.max(1, Math.floor(LONGEST_READ / rowTime));
    const wanted = options.rows ? [...new Set(options.rows)].sort((a, b) => a - b) : undefined;
    const result = new Float64Array(rows * columns).fill(Number.NaN);
    const stretches: [first: number, count: number][] = [];
    for (const row of wanted ?? Array.from({ length: rows }, (_, r) => r)) {
      const last = stretches.at(-1);
      if (last && last[0] + last[1] === row && last[1] < most) last[1]++;
      else stretches.push([row, 1]);
    }
    const conductance = this.#conductanceAt(voltage);
    const read = async ([first, count]: (typeof stretches)[number]) => {
      const currents = await this.board.readRows(array, first, count, voltage, samples);
      for (let r = 0; r < count; r++) {
        const applied = this.trueVoltage(first + r, voltage);
        for (let c = 0; c < columns; c++)
          result[(first + r) * columns + c] = conductance(c, currents[r * columns + c], applied);
      }
    };
    if (most >= rows) await Promise.all(stretches.map(read));
    else
      for (const stretch of stretches) {
        signal?.throwIfAborted();
        await read(stretch);
      }
    return result;
  }

  /** How a column's reading (A, finest range) at a true voltage becomes a conductance, S: R(v) holds at its voltage alone. */
  #conductanceAt(voltage: number): (column: number, reading: number, applied: number) => number {
    const { columns, reads } = this.calibration;
    if (reads && Math.abs(voltage - reads.voltage) < this.description.rowVoltageStep) {
      const { max } = this.description.currentRanges[0];
      const ofRow0 = this.trueVoltage(0, voltage);
      return (column, reading, applied) =>
        1 / resistanceAt(reads.columns[column], ((reading / max) * ofRow0) / applied);
    }
    return (column, reading, applied) => {
      const line = columns[0][column];
      return (reading - line.offset) / line.gain / applied;
    };
  }

  /** Column currents, A, vectors x columns, for true row voltages, V, vectors x rows. */
  async multiply(
    array: number,
    voltages: Float32Array,
    options: { range?: number; samples?: number } = {},
  ): Promise<Float32Array> {
    const { rows, columns, currentRanges } = this.description;
    const range = options.range ?? currentRanges.length - 1;
    const lines = this.calibration.columns[range];
    if (!lines) {
      throw new MemloopError(
        'bad-input',
        `there is no current range ${range}: the board has ${currentRanges.length}, counted from 0`,
      );
    }
    const nominal = voltages.map((voltage, i) => this.nominalVoltage(i % rows, voltage));
    const currents = await this.board.multiply(array, nominal, { ...options, range });
    return currents.map((current, i) => {
      const line = lines[i % columns];
      return (current - line.offset) / line.gain;
    });
  }
}

/** Conductances of an array, rows x columns, S. */
export const measureConductance = (
  board: CalibratedBoard,
  array: number,
  options?: ReadOptions,
): Promise<Float64Array> => board.conductances(array, options);
