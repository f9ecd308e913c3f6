/** A new virtual chip that has been through all of `calibrate`: what the benches of twins have in common. */
import {
  CalibratedBoard,
  calibrateConverters,
  calibrateDevices,
  calibrateNeurons,
  type GuardedBoard,
  guardBoard,
} from '../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../src/driver/index.js';
import { createVirtualBoard, type Profile } from '../src/virtual-board/index.js';

/** @param home where its passport is kept */
export async function calibratedChip(
  profile: Profile,
  seed: number,
  home: string,
): Promise<{ board: GuardedBoard; close(): Promise<void> }> {
  const virtual = createVirtualBoard({ profile, seed });
  const board = guardBoard(await connectBoard(inProcessTransport('virtual:bench', virtual)), { home });
  const { passport } = board;
  passport.saveConverters(await calibrateConverters(board));
  const calibrated = new CalibratedBoard(board, passport.converters!);
  for (let i = 0; i < board.description.arrays; i++) await calibrateDevices(calibrated, i);
  passport.saveNeurons(await calibrateNeurons(board));
  return {
    board,
    close: async () => {
      await board.close();
      virtual.close();
    },
  };
}
