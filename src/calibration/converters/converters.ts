/** Converter calibration on the board's reference resistors and open path. */
import type { Board } from '../../driver/board/board.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import { readVoltageOf } from './calibrated-board.js';
import { measureReadProfile } from './read-profile.js';
import type { ConverterCalibration, ConverterLine } from './types.js';

export interface CalibrateOptions {
  /** ADC samples averaged at each voltage; default 16. */
  samples?: number;
  /** Voltages in each line, 3 to 64; default 17. */
  points?: number;
  /** How cells are read afterwards: by the line of their column, or by the vendor's R(v); default 'line'. */
  readProfile?: 'line' | 'vendor';
  emit?: Emit;
  signal?: AbortSignal;
}

interface Line extends ConverterLine {
  residual: number;
}

/** Least-squares line through y(x), with the standard deviations of its coefficients and of its residuals. */
export function fitLine(x: ArrayLike<number>, y: ArrayLike<number>): Line {
  const n = x.length;
  let meanX = 0;
  let meanY = 0;
  for (let i = 0; i < n; i++) {
    meanX += x[i] / n;
    meanY += y[i] / n;
  }
  let xx = 0;
  let xy = 0;
  for (let i = 0; i < n; i++) {
    xx += (x[i] - meanX) ** 2;
    xy += (x[i] - meanX) * (y[i] - meanY);
  }
  const gain = xy / xx;
  const offset = meanY - gain * meanX;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (y[i] - offset - gain * x[i]) ** 2;
  const residual = Math.sqrt(squares / (n - 2));
  return {
    offset,
    gain,
    residual,
    gainSigma: residual / Math.sqrt(xx),
    offsetSigma: residual * Math.sqrt(1 / n + meanX ** 2 / xx),
  };
}

/** The resistor that fills a range as far as possible without leaving it, and the voltage to which it may be driven. */
function bestReference(board: Board, range: number): { reference: number; voltage: number } {
  const { references, currentRanges, limits, rowVoltageMax } = board.description;
  const highest = Math.min(limits.maxReadVoltage, rowVoltageMax);
  // Room for a gain error of a few deviations before the ADC saturates.
  const ceiling = 0.75 * currentRanges[range].max;
  let best = { reference: -1, voltage: 0, current: 0 };
  references.forEach((resistance, reference) => {
    const voltage = Math.min(highest, ceiling * resistance);
    const current = voltage / resistance;
    // Among resistors that fill the range, the one that takes the highest voltage shows the DAC's offset least.
    if (current > best.current * 1.01 || (current > best.current * 0.99 && voltage > best.voltage)) {
      best = { reference, voltage, current };
    }
  });
  if (best.reference < 0) {
    throw new MemloopError(
      'calibration',
      `board ${board.description.boardSerial} has no reference resistor: its converters cannot be calibrated`,
    );
  }
  return best;
}

/** What was measured of one row in series with one column. */
interface Path {
  line: Line;
  /** What the ADC shows where nothing flows, A. */
  open: number;
  openSigma: number;
  /** Of the reference, Ω. */
  resistance: number;
}

/** The current range in which the rows are measured. */
const ROW_RANGE = 0;

/**
 * Offset and gain of every row DAC and, in every range, of every column ADC. Every column is measured through
 * row 0, every row through column 0, each over a line of voltages; the open path gives the ADC's own offset.
 * See `ConverterCalibration` for what cannot be separated. Throws `calibration` for a line that does not answer its
 * reference as it ought to.
 */
export async function calibrateConverters(
  board: Board,
  { samples = 16, points = 17, readProfile = 'line', emit, signal }: CalibrateOptions = {},
): Promise<ConverterCalibration> {
  const { rows, columns, currentRanges, boardSerial } = board.description;
  const progress = progressOf(emit, 'calibrate converters', 'lines', rows + columns * currentRanges.length);
  const measure = async (row: number, column: number, range: number) => {
    signal?.throwIfAborted();
    const path = await measurePath(board, row, column, range, { samples, points });
    progress.step();
    return path;
  };
  const [byRow, byColumn] = await Promise.all([
    Promise.all(Array.from({ length: rows }, (_, row) => measure(row, 0, ROW_RANGE))),
    Promise.all(
      currentRanges.map((_, range) =>
        Promise.all(Array.from({ length: columns }, (_, column) => measure(0, column, range))),
      ),
    ),
  ]);

  const lines = separated(byRow, byColumn);
  checkGains(boardSerial, 'row', lines.rows);
  for (const [range, list] of lines.columns.entries()) checkGains(boardSerial, `range ${range} column`, list);

  const reads =
    readProfile === 'vendor' &&
    (await measureReadProfile(board, readVoltageOf(board.description), { emit, signal }));
  return {
    boardSerial,
    measured: new Date().toISOString(),
    ...lines,
    residuals: byColumn.map((range) =>
      Math.sqrt(range.reduce((sum, { line }) => sum + line.residual ** 2, 0) / range.length),
    ),
    ...(reads && { reads }),
  };
}

async function measurePath(
  board: Board,
  row: number,
  column: number,
  range: number,
  { samples, points }: { samples: number; points: number },
): Promise<Path> {
  const { reference, voltage } = bestReference(board, range);
  // On DAC codes, so that rounding does not look like non-linearity.
  const { rowVoltageStep, references } = board.description;
  const voltages = Float32Array.from({ length: points }, (_, i) => {
    const wanted = voltage * ((2 * i) / (points - 1) - 1);
    return Math.trunc(wanted / rowVoltageStep) * rowVoltageStep;
  });
  const [currents, open] = await Promise.all([
    board.reference(row, column, reference, voltages, { range, samples }),
    board.reference(row, column, undefined, new Float32Array(4), { range, samples }),
  ]);
  const line = fitLine(voltages, currents);
  return {
    line,
    open: open.reduce((sum, value) => sum + value, 0) / open.length,
    openSigma: line.residual / Math.sqrt(open.length),
    resistance: references[reference],
  };
}

/** The errors of rows and columns apart, the mean row gain being 1. */
function separated(
  byRow: readonly Path[],
  byColumn: readonly (readonly Path[])[],
): Pick<ConverterCalibration, 'rows' | 'columns'> {
  const meanSlope = byRow.reduce((sum, { line }) => sum + line.gain, 0) / byRow.length;
  const rowGain = ({ line }: Path) => line.gain / meanSlope;
  const gainOfRow0 = rowGain(byRow[0]);
  const columns = byColumn.map((range) =>
    range.map(({ line, open, openSigma, resistance }): ConverterLine => {
      const scale = resistance / gainOfRow0;
      return {
        offset: open,
        offsetSigma: openSigma,
        gain: line.gain * scale,
        gainSigma: line.gainSigma * scale,
      };
    }),
  );
  const column0 = columns[ROW_RANGE][0];
  const rows = byRow.map((path): ConverterLine => {
    const { line, open, openSigma, resistance } = path;
    const voltsPerAmp = resistance / column0.gain;
    return {
      offset: (line.offset - open) * voltsPerAmp,
      offsetSigma: Math.hypot(line.offsetSigma, openSigma) * voltsPerAmp,
      gain: rowGain(path),
      gainSigma: line.gainSigma / meanSlope,
    };
  });
  return { rows, columns };
}

function checkGains(boardSerial: string, kind: string, lines: readonly ConverterLine[]): void {
  for (const [index, { gain }] of lines.entries()) {
    if (gain > 0.5 && gain < 2) continue;
    throw new MemloopError(
      'calibration',
      `${kind} ${index} of board ${boardSerial} answers its reference with ${gain.toFixed(3)} times the expected current: check that line and the reference resistors`,
    );
  }
}
