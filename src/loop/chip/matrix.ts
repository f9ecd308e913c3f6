/** One array programmed to a matrix from a file. */
import { arrayWindow, Passport, type ProgramOptions, programArray } from '../../calibration/index.js';
import { calibratedBoard } from './chip.js';
import type { LoopContext } from './deployment.js';
import { type ProgrammingSummary, summarise } from './summary.js';
import { readTarget } from './target.js';

type Settings = Pick<ProgramOptions, 'tolerance'>;

/**
 * A job that programs one array. The file of targets is read and checked before anything is sent to the arrays.
 * Throws `bad-file` or `bad-input` for the file, and what calibration throws.
 *
 * @returns `program`, and `rehearse`, which only reads: cells with a target, and those out of tolerance.
 */
export async function matrixJob(context: LoopContext, file: string, array: number) {
  const { board, emit, signal } = context;
  const passport = Passport.open(board.description, context.home);
  const { low, high } = arrayWindow(passport.array(array));
  const targets = readTarget(file, board.description, { min: low, max: high });
  const calibrated = await calibratedBoard(board, passport, context);
  return {
    async program(settings: Settings): Promise<ProgrammingSummary> {
      return summarise([
        await programArray(calibrated, passport, array, targets, { ...settings, emit, signal }),
      ]);
    },
    async rehearse({ tolerance = 0.02 * (high - low) }: Settings) {
      const measured = await calibrated.conductances(array);
      const cells = targets.filter((target) => !Number.isNaN(target)).length;
      const outside = targets.filter((target, i) => Math.abs(target - measured[i]) > tolerance).length;
      return { cells, outside };
    },
  };
}
