/** One array programmed to a matrix that a person wrote. */
import {
  arrayWindow,
  calibratedBoard,
  type ProgramOptions,
  programArray,
  type Rehearsal,
  rehearseArray,
} from '../../calibration/index.js';
import type { LoopContext } from './deployment.js';
import { type ProgrammingSummary, summarise } from './summary.js';
import { readTarget } from './target.js';

export type MatrixSettings = Pick<ProgramOptions, 'tolerance'>;

/** Reads and checks the target file before anything is sent to the arrays. Errors: `bad-file`, `bad-input`. */
export async function matrixJob(context: LoopContext, file: string, array: number) {
  const { board, emit, signal } = context;
  const { low, high } = arrayWindow(board.passport.array(array));
  const targets = readTarget(file, board.description, { min: low, max: high });
  const calibrated = await calibratedBoard(board, context);
  return {
    async program(settings: MatrixSettings): Promise<ProgrammingSummary> {
      return summarise([await programArray(calibrated, array, targets, { ...settings, emit, signal })]);
    },
    rehearse(settings: MatrixSettings): Promise<Rehearsal> {
      return rehearseArray(calibrated, array, targets, settings);
    },
  };
}
