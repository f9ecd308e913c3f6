/**
 * What any board can do, whatever it is made of. All values are SI and nominal: they are converted with
 * the board's stated converter steps; offset and gain errors are `calibration`'s to correct.
 */
import type { Observable } from 'rxjs';
import type { OutcomeCode } from '../codes.js';

export interface BoardDescription {
  /** What it is, for people: `memloop board`, `KNOWM kT-RAM server`. */
  kind: string;
  boardSerial: string;
  firmwareVersion: string;
  /** Of memloop's own protocol; absent on boards that speak another. */
  protocolVersion?: number | undefined;
  /** What a board of this kind cannot promise, one sentence each; empty for a memloop board. */
  caveats: readonly string[];
  /** One serial number per array. */
  arraySerials: string[];
  arrays: number;
  rows: number;
  columns: number;
  /** MIF neurons on the board; 0: the host runs them on the measured column currents. */
  neurons: number;
  /**
   * How column sums come about. `analog`: by the array, all rows driven at once. `bit-planes`: by the array, one bit of
   * the inputs after another. `none`: not at all, so the host sums measured conductances.
   */
  products: 'analog' | 'bit-planes' | 'none';
  /** Row DACs: nominal step and largest magnitude, V. */
  rowVoltageStep: number;
  rowVoltageMax: number;
  /** Column ADCs by range, lowest first: nominal step and the magnitude at which they saturate, A. */
  currentRanges: { step: number; max: number }[];
  /**
   * A neuron's drive, i.e. the jump of the alpha current's state a at an input pulse, A. This and the next five are 0 on a
   * board without neurons.
   */
  driveStep: number;
  driveMax: number;
  /** Membrane ADC, V. */
  membraneStep: number;
  membraneMax: number;
  /** s */
  stepTime: number;
  maxSteps: number;
  /** Ω, in series with a cell during a pulse. */
  seriesResistance: number;
  /** Share of a pulse's voltage seen by cells on the selected row or column. */
  halfSelect: number;
  /**
   * Whether unselected lines float: half-selected cells then see that share of the voltage across the selected cell alone,
   * as the series resistor stands before the line.
   */
  linesFloat: boolean;
  limits: {
    maxVoltage: number;
    minVoltage: number;
    maxReadVoltage: number;
    minWidth: number;
    maxWidth: number;
    maxEnergy: number;
    /** Pulses per cell in one boot; Infinity where the board does not count. */
    maxPulses: number;
  };
  /** Widths of pulses are multiples of this, s. */
  widthStep: number;
  /** How long the voltage is applied for each ADC sample, s. */
  readTime: number;
  /** For the product of one vector, s, where that is not `readTime` for each sample. */
  productTime?: number;
  /** Silence of the host after which the board puts all lines to 0 V, s; Infinity where it never does. */
  deadManTime: number;
  /** Resistors that the converters are calibrated by, Ω; empty: the converters are taken at their word. */
  references: number[];
}

export interface CellAddress {
  array: number;
  row: number;
  column: number;
}

export type CellOperation =
  | (CellAddress & { kind: 'pulse' /** V */; voltage: number /** s */; width: number })
  | (CellAddress & { kind: 'read' /** V */; voltage: number; samples: number });

/**
 * `unknown`: the board was lost or rebooted before it answered, so the operation may or may not have been
 * applied; read the cell before anything is pulsed.
 */
export type CellOutcome =
  | { status: 'applied' /** A, for a read */; current?: number; saturated?: boolean }
  | { status: 'refused'; code: OutcomeCode; reason: string }
  | { status: 'unknown'; code: OutcomeCode; reason: string };

/** A stretch of membrane samples as it came from the board. */
export interface NeuronFrame {
  run: number;
  /** Step of the first sample. */
  step: number;
  /** Steps between two samples. */
  decimation: number;
  neurons: number;
  /**
   * V, samples × neurons. A view into the voltages of the whole run: it keeps them in memory, and is not to be written
   * to. Its content stays.
   */
  voltages: Float32Array;
  /** Samples (of each neuron) missing between the previous frame of this run and this one. */
  lost: number;
}

export interface Stimulus {
  steps: number;
  decimation: number;
  /** Steps at which input pulses arrive, ascending. */
  pulseSteps: number[];
  /** A, pulses × neurons. */
  drives: Float32Array;
}

/** All samples of one stimulus. */
export interface NeuronRun {
  run: number;
  decimation: number;
  /**
   * V, samples × neurons; NaN where a sample was lost. The i-th sample follows step (i + 1) × decimation. The buffer of
   * which the frames of this run are views, and the caller's own once the run has ended.
   */
  voltages: Float32Array;
  samples: number;
  lost: number;
}

export interface BoardHealth {
  /** s since boot, or since it was opened where the board cannot tell */
  uptime: number;
  /** By the board's own counter; absent where it has none, and the fate of a lost pulse cannot be told afterwards. */
  pulsesApplied?: number | undefined;
  /** Of a memloop board's link. */
  framesReceived?: number | undefined;
  crcErrors?: number | undefined;
  duplicates?: number | undefined;
}

/** What a scope saw of a wave across cell and series resistor, one entry a sample. */
export interface CellTrace {
  /** Across the cell alone, V. */
  voltage: Float64Array;
  /** A */
  current: Float64Array;
  /** Samples a second, Hz. */
  rate: number;
}

/** Counted since the board was opened. A kind of board may have more: one behind a link has `LinkCounters`. */
export interface BoardCounters {
  /** Round trips that calls have asked for, however often each was sent; what keeps a link alive is not counted. */
  readonly requests: number;
  /** Membrane samples (of each neuron) that did not arrive, repeats of a run included. */
  readonly lostSamples: number;
}

export interface Board {
  readonly description: BoardDescription;
  /** As they stand now; each reading of this property counts anew. */
  readonly counters: BoardCounters;
  /**
   * Every frame of membrane voltages of every run, as it comes, repeats of a run included. Hot: what came before the
   * subscription is not given again. Completes when the board is closed, never fails: a run that fails rejects the
   * promise of `run`.
   */
  readonly neurons: Observable<NeuronFrame>;
  /**
   * Operations in order, in as few round trips as board and line allow; one outcome each. Never rejects for a lost
   * board: those outcomes are `unknown`. Rejects with `bad-input`, `limit` or `usage` (read-only) before anything is
   * sent.
   */
  cells(operations: readonly CellOperation[]): Promise<CellOutcome[]>;
  /** Currents of the cells of some rows, A, rowCount × columns, in a buffer of their own. */
  readRows(
    array: number,
    firstRow: number,
    rowCount: number,
    voltage: number,
    samples: number,
  ): Promise<Float32Array>;
  /** Column currents, A, vectors × columns, in a buffer of their own, for row voltages, V, vectors × rows. */
  multiply(
    array: number,
    voltages: Float32Array,
    options?: { range?: number; samples?: number },
  ): Promise<Float32Array>;
  /**
   * Stimuli one after the other, pipelined; results in order. Every run begins with the neurons at rest, so one of
   * which samples were lost can be repeated; what the repeat loses is taken from the run before.
   */
  run(stimuli: readonly Stimulus[]): Promise<NeuronRun[]>;
  /** Currents, A, through a reference resistor (undefined: open path) between a row and a column. */
  reference(
    row: number,
    column: number,
    reference: number | undefined,
    voltages: Float32Array,
    options?: { range?: number; samples?: number },
  ): Promise<Float32Array>;
  /**
   * Drives one cell by a wave of voltages across cell and series resistor, V, at `rate` samples a second, Hz, and measures
   * it meanwhile. Absent on boards without a scope. For limits, budgets and totals each stretch of one polarity is a pulse.
   * Rejects with `board-lost` when the board is gone: the wave may then have been applied or not.
   */
  readonly trace?:
    | ((address: CellAddress, samples: Float64Array, rate: number) => Promise<CellTrace>)
    | undefined;
  health(): Promise<BoardHealth>;
  /** All lines to 0 V; ends a streaming run, and refuses what was asked for before it and not sent yet. */
  stop(): Promise<void>;
  /** Stops the board, then closes the port. */
  close(): Promise<void>;
}
