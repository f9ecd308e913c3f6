/** Programs an array and compares with the simulated truth: what the benches of programming have in common. */
import { type CalibratedBoard, type ProgrammingReport, programArray } from '../src/calibration/index.js';
import type { Crossbar } from '../src/virtual-board/physics/crossbar.js';

export interface Programmed {
  report: ProgrammingReport;
  /** Cells that are not stuck. */
  healthy: number;
  /** Of these within the tolerance: by a last reading, by the truth, and by the truth within a quarter more. */
  read: number;
  truth: number;
  near: number;
  /** s */
  seconds: number;
}

/** @param targets conductances of the cells, S, row by row */
export async function programmed(
  board: CalibratedBoard,
  array: number,
  crossbar: Crossbar,
  targets: Float64Array,
  program: typeof programArray = programArray,
): Promise<Programmed> {
  const began = performance.now();
  const report = await program(board, array, targets);
  const seconds = (performance.now() - began) / 1e3;
  const reading = await board.conductances(array, { samples: 32 });
  const truth = crossbar.conductances(0.05);
  const isHealthy = (i: number) => crossbar.stuck[i] === 0;
  const within = (values: Float64Array, tolerance: number) =>
    values.filter((g, i) => isHealthy(i) && Math.abs(g - targets[i]) <= tolerance).length;
  return {
    report,
    healthy: truth.filter((_, i) => isHealthy(i)).length,
    read: within(reading, report.tolerance),
    truth: within(truth, report.tolerance),
    near: within(truth, 1.25 * report.tolerance),
    seconds,
  };
}
