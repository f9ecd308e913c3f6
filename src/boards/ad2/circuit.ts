/**
 * The circuit between W1 and a cell of the Memristor Discovery board V2, and what the scope's samples say of it.
 *
 *     W1 ── series ──┬── switch ── memristor ── ground
 *                    ├── capacitance ── ground
 *                    └── scope input, 1 MΩ ── ground
 *
 * Mode 1 has one node (scope 1; scope 2 is at W1), mode 2 one a column (scope 1 and 2; W1 is not measured, but the node of
 * the other column shows it while its switches are open). A positive voltage on W1 lowers the conductance, so memloop's
 * voltages are those of W1 and the scope upside down. Source: schematics in KNOWM's memristor-discovery.
 */
import type { CellTrace } from '../../driver/board/board.js';

/** Of a scope input, Ω. */
export const INPUT_RESISTANCE = 1e6;
/** Of a closed switch with its traces, Ω. */
const SWITCH_RESISTANCE = 75;
/** Samples on either side by which a derivative is taken. */
const REACH = 4;

export type Channel = 0 | 1;
export type Mode = 1 | 2;

/** What the scope saw since W1 was started. */
export interface Capture {
  /** Hz */
  rate: number;
  /** V, as they came. */
  channels: readonly [Float64Array, Float64Array];
}

/** The board as the self-check found it. */
export interface Circuit {
  mode: Mode;
  /** Between W1 and a node, Ω. */
  series: number;
  /** Of a node, F. */
  capacitance: number;
  /** From each node to ground while all switches are open, S; mode 1 has the first node only. */
  open: readonly [number, number];
  /** What the scope shows at 0 V, V. */
  offsets: readonly [number, number];
  /** What W1 gives for 0 V, V, and for each volt that is asked for. */
  w1: { offset: number; gain: number };
}

/** Mean and slope (V/s) of a channel between two times, s, in memloop's sign; `zero` is what it shows at 0 V. */
export interface Level {
  mean: number;
  slope: number;
}
export function levelOf(
  { rate, channels }: Capture,
  channel: Channel,
  from: number,
  to: number,
  zero = 0,
): Level {
  const first = Math.max(0, Math.ceil(from * rate));
  const samples = channels[channel].subarray(first, Math.max(first + 2, Math.floor(to * rate)));
  const end = Math.max(1, Math.floor(samples.length / 10));
  const apart = (samples.length - end) / rate;
  const slope = (meanOf(samples.subarray(-end)) - meanOf(samples.subarray(0, end))) / apart;
  return { mean: zero - meanOf(samples), slope: -slope };
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** The node that a cell's column hangs on. */
export const nodeOf = ({ mode }: Pick<Circuit, 'mode'>, column: number): Channel =>
  mode === 1 || column === 0 ? 0 : 1;

/** The channel that tells W1 while only cells of this column are closed. */
const referenceOf = ({ mode }: Pick<Circuit, 'mode'>, column: number): Channel =>
  mode === 1 || column === 0 ? 1 : 0;

/** W1 from the channel that tells it, V in memloop's sign. */
function sourceOf(circuit: Circuit, channel: Channel, { mean, slope }: Level): number {
  const { mode, series, capacitance, open } = circuit;
  return mode === 1 ? mean : mean * (1 + series * open[channel]) + series * capacitance * slope;
}

/** Conductance behind a node, S, beside what flows there while all switches are open. */
export function conductanceAt(
  { series, capacitance, open }: Pick<Circuit, 'series' | 'capacitance' | 'open'>,
  node: Channel,
  source: number,
  { mean, slope }: Level,
): number {
  return ((source - mean) / series - capacitance * slope) / mean - open[node];
}

/** The same without the switch. */
export const behindSwitch = (conductance: number): number =>
  conductance / (1 - SWITCH_RESISTANCE * conductance);

/** What a plateau of W1, `width` s long, says of the cell that was closed. */
export interface Plateau {
  /** Of W1, V in memloop's sign. */
  source: number;
  /** Of the cell, S. */
  conductance: number;
}

/**
 * @param zeros what the channels show at 0 V
 * @param settled share of the width after which the node hardly moves
 */
export function plateauOf(
  circuit: Circuit,
  capture: Capture,
  column: number,
  width: number,
  { zeros, settled }: { zeros: readonly [number, number]; settled: number },
): Plateau {
  const level = (channel: Channel) =>
    levelOf(capture, channel, settled * width, 0.98 * width, zeros[channel]);
  const reference = referenceOf(circuit, column);
  const node = nodeOf(circuit, column);
  const source = sourceOf(circuit, reference, level(reference));
  return { source, conductance: behindSwitch(conductanceAt(circuit, node, source, level(node))) };
}

/** What the channels show after the plateau, while W1 is at 0: better than what they showed at the self-check. */
export const zerosOf = (capture: Capture, width: number): [number, number] => {
  const zero = (channel: Channel) => -levelOf(capture, channel, 1.3 * width, 2 * width).mean;
  return [zero(0), zero(1)];
};

/** For how long W1 was beyond half of this voltage (memloop's sign), s. */
export function widthOf(circuit: Circuit, capture: Capture, column: number, voltage: number): number {
  const channel = referenceOf(circuit, column);
  const zero = circuit.offsets[channel];
  let samples = 0;
  for (const value of capture.channels[channel]) if ((zero - value) / voltage > 0.5) samples++;
  return samples / capture.rate;
}

/** W1 over time, V in memloop's sign, and voltage and current of the cell. */
export function traceOf(
  circuit: Circuit,
  capture: Capture,
  column: number,
): CellTrace & { source: Float64Array } {
  const { mode, series, capacitance, open, offsets } = circuit;
  const reference = referenceOf(circuit, column);
  const node = nodeOf(circuit, column);
  const { rate } = capture;
  const flipped = (channel: Channel) => capture.channels[channel].map((value) => offsets[channel] - value);
  const at = flipped(node);
  const slope = slopesOf(at, rate);
  let source = flipped(reference);
  if (mode === 2) {
    const lag = slopesOf(source, rate);
    source = source.map((value, i) => value * (1 + series * open[reference]) + series * capacitance * lag[i]);
  }
  const current = at.map((v, i) => (source[i] - v) / series - open[node] * v - capacitance * slope[i]);
  const voltage = at.map((v, i) => v - SWITCH_RESISTANCE * current[i]);
  return { voltage, current, rate, source };
}

/** V/s */
function slopesOf(values: Float64Array, rate: number): Float64Array {
  const last = values.length - 1;
  return values.map((_, i) => {
    const from = Math.max(0, i - REACH);
    const to = Math.min(last, i + REACH);
    return ((values[to] - values[from]) / (to - from)) * rate;
  });
}

/** How far a channel lags behind W1's step at time 0, s: the area that its rise misses under the plateau. */
export function lagOf({ rate, channels }: Capture, channel: Channel, width: number): number {
  const zero = levelOf({ rate, channels }, channel, 1.8 * width, 2 * width).mean;
  const plateau = levelOf({ rate, channels }, channel, 0.8 * width, 0.98 * width).mean - zero;
  const rise = channels[channel].subarray(0, Math.floor(0.8 * width * rate));
  let missing = 0;
  for (const value of rise) missing += 1 - (-value - zero) / plateau;
  return missing / rate;
}
