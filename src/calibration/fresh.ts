/** Calibrations that are fresh: the passport's, or new ones that it then keeps. */
import type { BoardDescription } from '../driver/board/board.js';
import type { Emit } from '../shared/events.js';
import { CALIBRATION_LIFETIME, CalibratedBoard, nominalCalibration } from './converters/calibrated-board.js';
import { calibrateConverters } from './converters/converters.js';
import { calibrateNeurons, checkNeurons, type NeuronOptions } from './neurons/neurons.js';
import type { NeuronCalibration } from './neurons/types.js';
import type { GuardedBoard } from './passport/gate.js';

/** Age of a measurement, s. */
const ageOf = (calibration: { measured: string } | undefined): number =>
  calibration ? (Date.now() - Date.parse(calibration.measured)) / 1000 : Number.POSITIVE_INFINITY;

/** What the host calibrates of other boards and this one does not have: why not, one line each. */
export function notThere({ kind, boardSerial, references, neurons }: BoardDescription): {
  converters?: string;
  neurons?: string;
} {
  return {
    ...(references.length === 0 && {
      converters: `the ${kind} ${boardSerial} has no reference resistors: its converters are taken as exact`,
    }),
    ...(neurons === 0 && { neurons: `the ${kind} ${boardSerial} has no neurons: the host runs them` }),
  };
}

/** The board with its converters' calibration. A board without reference resistors is taken at its word. */
export async function calibratedBoard(
  board: GuardedBoard,
  options: { emit?: Emit; signal?: AbortSignal } = {},
): Promise<CalibratedBoard> {
  const { passport } = board;
  const { converters: message } = notThere(board.description);
  if (message !== undefined) {
    options.emit?.({ type: 'log', level: 'warning', message });
    return new CalibratedBoard(board, nominalCalibration(board), new Date(), options.signal);
  }
  if (ageOf(passport.converters) >= CALIBRATION_LIFETIME)
    passport.saveConverters(
      await calibrateConverters(board, {
        ...options,
        readProfile: passport.converters?.reads ? 'vendor' : 'line',
      }),
    );
  return new CalibratedBoard(board, passport.converters!, new Date(), options.signal);
}

/** The board with the converter calibration of its passport; taken to be exact where there is none. */
export const asLastCalibrated = (board: GuardedBoard): CalibratedBoard =>
  new CalibratedBoard(board, board.passport.converters ?? nominalCalibration(board));

/** The neurons' calibration. Throws `calibration` where the board has none. */
export async function freshNeurons(
  board: GuardedBoard,
  options: NeuronOptions = {},
): Promise<NeuronCalibration> {
  const { passport } = board;
  if (!(ageOf(passport.neurons) < CALIBRATION_LIFETIME))
    passport.saveNeurons(await calibrateNeurons(board, options));
  return checkNeurons(passport.neurons!, board.description);
}
