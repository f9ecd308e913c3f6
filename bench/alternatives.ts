/**
 * Programming methods of others, cell by cell, to compare with `programArray`: the vendor's voltage sweep and width sweep
 * (`knowm/kt-ram-client`) and NeuRRAM's incremental steps (Wan et al., Nature 608, 2022), scaled to these devices.
 */

import type { CalibratedBoard } from '../src/calibration/converters/calibrated-board.js';
import type { ArrayPassport } from '../src/calibration/passport/passport.js';
import { PulseLog } from '../src/calibration/passport/pulse-log.js';
import { arrayWindow } from '../src/calibration/programming/program.js';
import type { FailedCell, ProgrammingReport } from '../src/calibration/types.js';
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
  passport: ArrayPassport,
  array: number,
  targets: Float64Array,
  options: { tolerance?: number; samples?: number } = {},
): Promise<ProgrammingReport> {
  const rule = RULES[name]();
  const { columns, limits, rowVoltageStep } = board.description;
  const window = arrayWindow(passport);
  const tolerance = options.tolerance ?? 0.02 * (window.high - window.low);
  const samples = options.samples ?? 8;
  const readVoltage = 0.05;
  const { log } = await PulseLog.open(board.board, passport);
  const before = board.board.counters.requests;
  let pulses = 0;
  const wanted = Array.from(targets.keys()).filter((cell) => !Number.isNaN(targets[cell]));
  for (let pass = 0; pass < rule.passes; pass++) {
    for (const cell of wanted) {
      const row = Math.floor(cell / columns);
      const column = cell % columns;
      const target = targets[cell];
      const nominalRead =
        Math.round(board.nominalVoltage(row, readVoltage) / rowVoltageStep) * rowVoltageStep;
      const adc = board.calibration.columns[0][column];
      const step = async (pulse?: { voltage: number; width: number }): Promise<number> => {
        const read: CellOperation = { kind: 'read', array, row, column, voltage: nominalRead, samples };
        const operations: CellOperation[] = [read];
        if (pulse) {
          const voltage =
            Math.round(board.nominalVoltage(row, pulse.voltage) / rowVoltageStep) * rowVoltageStep;
          const width = Math.min(
            limits.maxWidth,
            Math.max(limits.minWidth, Math.round(pulse.width * 1e7) / 1e7),
          );
          operations.unshift({ kind: 'pulse', array, row, column, voltage, width });
          pulses += 1;
        }
        const outcome = (await board.board.cells(operations)).at(-1)!;
        const shown = outcome.status === 'applied' ? (outcome.current ?? 0) : Number.NaN;
        return (shown - adc.offset) / adc.gain / board.trueVoltage(row, nominalRead);
      };
      const memory: Record<string, number> = {};
      let conductance = await step();
      let confirmed = 0;
      for (let steps = 0; ; ) {
        if (Math.abs(conductance - target) <= tolerance) {
          confirmed += 1;
          if (confirmed >= rule.confirm) break;
          conductance = await step();
          continue;
        }
        confirmed = 0;
        const pulse = rule.next({ conductance, target, steps, memory });
        if (!pulse) break;
        steps += 1;
        log.begin([{ cell, energy: 0 }]);
        conductance = await step(pulse);
        log.end([{ cell, energy: 0 }], [1]);
      }
    }
  }
  log.save();
  const conductance = await board.conductances(array, { samples: 4 * samples });
  const failed: FailedCell[] = wanted
    .filter((cell) => !(Math.abs(conductance[cell] - targets[cell]) <= tolerance))
    .map((cell) => ({
      array,
      row: Math.floor(cell / columns),
      column: cell % columns,
      reason: 'pulse budget',
      conductance: conductance[cell],
      target: targets[cell],
    }));
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
