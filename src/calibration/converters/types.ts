/** What is known of a board's converters. SI units. */

/** A straight line with its uncertainty (one standard deviation) and the RMS of its residuals. */
export interface ConverterLine {
  offset: number;
  offsetSigma: number;
  gain: number;
  gainSigma: number;
}

/**
 * Converter errors of a board. A row DAC puts out `offset + gain x nominal` (V), a column ADC shows
 * `offset + gain x true` (A). Rows and columns are only ever seen in series, so one factor common to all
 * row gains (and inverse in all column gains) cannot be told: the mean row gain is set to 1. Conductances
 * and products do not depend on it.
 */
export interface ConverterCalibration {
  boardSerial: string;
  /** ISO 8601 */
  measured: string;
  rows: ConverterLine[];
  /** Ranges x columns. */
  columns: ConverterLine[][];
  /** RMS of what the lines leave unexplained, in each range, A. */
  residuals: number[];
  /** The vendor's R(v), where it was chosen: arrays are read by it; products and sweeps by the lines. */
  reads?: ReadProfile | undefined;
}

/**
 * R(v) = a0·(a1/v^a3 + a2) of Knowm's software, reduced to what can be told apart:
 * R = scale·v^−exponent + offset, Ω, with v the reading as a share of the range.
 */
export interface ReadCurve {
  scale: number;
  exponent: number;
  offset: number;
  /** RMS over the reference resistors, relative. */
  residual: number;
}

/** One curve per column, of reads at this voltage (V) in the finest range. */
export interface ReadProfile {
  voltage: number;
  columns: ReadCurve[];
}
