/**
 * Programming methods of others, cell by cell, to compare with `programArray`: the vendor's voltage sweep and width sweep
 * (`knowm/kt-ram-client`) and NeuRRAM's incremental steps (Wan et al., Nature 608, 2022), scaled to these devices.
 */

import {
  type CalibratedBoard,
  DEFAULT_READ_VOLTAGE,
} from '../src/calibration/converters/calibrated-board.js';
import { arrayWindow } from '../src/calibration/devices/beliefs.js';
import { planPulse } from '../src/calibration/programming/pulse-plan.js';
import type { FailedCell, ProgrammingReport } from '../src/calibration/programming/report.js';
import type { CellOperation } from '../src/driver/board/board.js';

export type AlternativeName = 'vendor voltage sweep' | 'vendor width sweep' | 'incremental steps';

interface Rule {
  /** Next pulse for a cell, or undefined to give it up. `steps` counts its pulses in this pass. */
  next(cell: {
    conductance: number;
    target: number;
    steps: number;
    memory: Record<string, number>;
  }): { voltage: number; width: number } | undefined;
  /** Reads in tolerance in a row that finish a cell. */
  confirm: number;
  /** Times over the array. */
  passes: number;
}

const RULES: Record<AlternativeName, () => Rule> = {
  'vendor voltage sweep': () => ({
    confirm: 3,
    passes: 1,
    next({ conductance, target, steps, memory }) {
      if (steps >= 200) return undefined;
      if (conductance > target) {
        memory.voltage = 0.25;
        return { voltage: -0.125, width: 5e-4 };
      }
      const voltage = memory.voltage ?? 0.25;
      memory.voltage = Math.min(0.5, voltage + 0.005);
      return { voltage, width: 5e-4 };
    },
  }),
  'vendor width sweep': () => ({
    confirm: 3,
    passes: 1,
    next({ conductance, target, steps }) {
      if (steps >= 200) return undefined;
      // 1 µs for 10 kΩ of error, as in the vendor's rule.
      const width = Math.min(5e-4, Math.max(2.5e-6, (Math.abs(1 / conductance - 1 / target) / 1e4) * 1e-6));
      return { voltage: conductance > target ? -0.2 : 0.45, width };
    },
  }),
  'incremental steps': () => ({
    confirm: 1,
    passes: 3,
    next({ conductance, target, steps, memory }) {
      const way = conductance < target ? 1 : -1;
      if (way !== memory.way) {
        memory.changes = (memory.changes ?? -1) + 1;
        memory.way = way;
        memory.voltage = way > 0 ? 0.2 : -0.08;
      } else memory.voltage = memory.voltage! + (way > 0 ? 0.0167 : -0.0067);
      if (memory.changes! > 20 || steps >= 200) return undefined;
      return { voltage: Math.max(-0.6, Math.min(0.6, memory.voltage!)), width: 5e-5 };
    },
  }),
};

export const ALTERNATIVES = Object.keys(RULES) as AlternativeName[];

/** Programs cell after cell by another's rule. Options and report as for `programArray`. */
export async function programBy(
  name: AlternativeName,
  board: CalibratedBoard,
  array: number,
  targets: Float64Array,
  options: { tolerance?: number; samples?: number } = {},
): Promise<ProgrammingReport> {
  const rule = RULES[name]();
  const window = arrayWindow(board.passport.array(array));
  const tolerance = options.tolerance ?? 0.02 * (window.high - window.low);
  const samples = options.samples ?? 8;
  const before = board.board.counters.requests;
  let pulses = 0;
  const wanted = Array.from(targets.keys()).filter((cell) => !Number.isNaN(targets[cell]));
  for (let pass = 0; pass < rule.passes; pass++) {
    for (const cell of wanted) {
      const bench = new OneCell(board, array, cell, samples);
      pulses += await programCell(rule, bench, targets[cell], tolerance);
    }
  }
  board.board.save(array);
  const conductance = await board.conductances(array, { samples: 4 * samples });
  const failed = wanted
    .filter((cell) => !(Math.abs(conductance[cell] - targets[cell]) <= tolerance))
    .map(
      (cell): FailedCell => ({
        array,
        row: Math.floor(cell / board.description.columns),
        column: cell % board.description.columns,
        reason: 'pulse budget',
        conductance: conductance[cell],
        target: targets[cell],
      }),
    );
  const squares = wanted.reduce((sum, cell) => sum + (conductance[cell] - targets[cell]) ** 2, 0);
  return {
    array,
    cells: wanted.length,
    inTolerance: 1 - failed.length / wanted.length,
    pulsesPerCell: pulses / wanted.length,
    pulses,
    failed,
    conductance,
    targets,
    tolerance,
    roundTrips: board.board.counters.requests - before,
    energy: 0,
    rmsError: Math.sqrt(squares / wanted.length),
  };
}

/** Returns the number of pulses that were given. */
async function programCell(rule: Rule, cell: OneCell, target: number, tolerance: number): Promise<number> {
  const memory: Record<string, number> = {};
  let conductance = await cell.read();
  let confirmed = 0;
  for (let steps = 0; ; ) {
    if (Math.abs(conductance - target) <= tolerance) {
      confirmed += 1;
      if (confirmed >= rule.confirm) return steps;
      conductance = await cell.read();
      continue;
    }
    confirmed = 0;
    const pulse = rule.next({ conductance, target, steps, memory });
    if (!pulse) return steps;
    steps += 1;
    conductance = await cell.pulse(pulse);
  }
}

/** Pulses and reads one cell, one request a step. */
class OneCell {
  readonly #board: CalibratedBoard;
  readonly #address: { array: number; row: number; column: number };
  readonly #read: CellOperation & { kind: 'read' };

  constructor(board: CalibratedBoard, array: number, cell: number, samples: number) {
    this.#board = board;
    const { columns, rowVoltageStep } = board.description;
    this.#address = { array, row: Math.floor(cell / columns), column: cell % columns };
    const nominal = board.nominalVoltage(this.#address.row, DEFAULT_READ_VOLTAGE);
    const voltage = Math.round(nominal / rowVoltageStep) * rowVoltageStep;
    this.#read = { kind: 'read', ...this.#address, voltage, samples };
  }

  /** S */
  read(): Promise<number> {
    return this.#request([this.#read]);
  }

  /** The conductance after the pulse, S. */
  async pulse(wanted: { voltage: number; width: number }): Promise<number> {
    const width = Math.min(this.#board.description.limits.maxWidth, wanted.width);
    const pulse = planPulse(this.#board, this.#address.row, { ...wanted, width });
    return this.#request([
      { kind: 'pulse', ...this.#address, voltage: pulse.nominal, width: pulse.width },
      this.#read,
    ]);
  }

  async #request(operations: CellOperation[]): Promise<number> {
    const outcome = (await this.#board.board.cells(operations)).at(-1);
    const { row, column } = this.#address;
    const adc = this.#board.calibration.columns[0][column];
    const shown = outcome?.status === 'applied' ? (outcome.current ?? 0) : Number.NaN;
    return (shown - adc.offset) / adc.gain / this.#board.trueVoltage(row, this.#read.voltage);
  }
}
