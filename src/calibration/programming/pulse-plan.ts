/**
 * From the pulse that is wanted to the one that the board gives: the row DAC has steps, the pulse's width has steps, and
 * the board has a shortest width. The one place where a pulse is planned.
 *
 *     const pulse = planPulse(board, row, estimate.aim(…));      // programming: the nearest width
 *     const pulse = planPulse(board, row, wanted, Math.floor);   // at a limit: never a longer one
 *     await board.board.cells([{ kind: 'pulse', array, row, column, voltage: pulse.nominal, width: pulse.width, energy }]);
 */
import type { BoardDescription } from '../../driver/board/board.js';
import { longestPulse, SLACK } from '../../driver/board/limits.js';
import { dividedVoltage, type MemristorParameters, memristorCurrent } from '../../model/devices/memristor.js';

/** What a plan needs of a `CalibratedBoard`. */
interface RowDacs {
  description: Pick<BoardDescription, 'rowVoltageStep' | 'widthStep' | 'seriesResistance' | 'limits'>;
  nominalVoltage(row: number, voltage: number): number;
  trueVoltage(row: number, voltage: number): number;
}

export interface PlannedPulse {
  /** What the row DAC is asked for: on one of its steps, V. */
  nominal: number;
  /** What the row then puts out, across cell and series resistor, V. */
  voltage: number;
  /** s */
  width: number;
}

/**
 * @param wanted true voltage across cell and series resistor, V, and width, s; within the board's limits
 * @param toStep how the width is brought to its steps
 */
export function planPulse(
  board: RowDacs,
  row: number,
  wanted: { voltage: number; width: number },
  toStep: (steps: number) => number = Math.round,
): PlannedPulse {
  const { rowVoltageStep, widthStep, seriesResistance, limits } = board.description;
  const most = Math.floor(limits.maxVoltage / rowVoltageStep);
  const least = Math.ceil(limits.minVoltage / rowVoltageStep);
  const volts = Math.round(board.nominalVoltage(row, wanted.voltage) / rowVoltageStep);
  // The limits hold for what the DAC is asked for: a row that puts out too little cannot reach them.
  const asked = volts * rowVoltageStep;
  const beyond = asked > limits.maxVoltage || asked < limits.minVoltage;
  const nominal = beyond ? (asked > 0 ? most : least) * rowVoltageStep : asked;
  // Not multiplied by the step: 3 · 1e-7 is not 3e-7.
  const perSecond = Math.round(1 / widthStep);
  // The energy, too, is that of what the DAC is asked for, which may be a step more than was wanted.
  const longest = longestPulse(limits.maxEnergy * SLACK, nominal, seriesResistance);
  const steps = Math.min(toStep(wanted.width * perSecond), Math.floor(longest * perSecond));
  return {
    nominal,
    voltage: board.trueVoltage(row, nominal),
    width: Math.max(limits.minWidth, steps / perSecond),
  };
}

/** What a pulse (V across cell and series resistor, s) puts into a cell that stays in this state, J. */
export function pulseEnergy(
  p: MemristorParameters,
  state: number,
  { voltage, width }: { voltage: number; width: number },
  seriesResistance: number,
): number {
  const device = dividedVoltage(p, state, voltage, seriesResistance);
  return device * memristorCurrent(p, state, device) * width;
}
