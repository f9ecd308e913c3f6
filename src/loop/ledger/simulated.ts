/** A chip of the ledger: a board made for it, calibrated, programmed and evaluated. */
import { join } from 'node:path';
import { type NeuronCalibration, Passport } from '../../calibration/index.js';
import type { Board } from '../../driver/board/board.js';
import type { Dataset, Network } from '../../model/index.js';
import { Deployment, type LayerScales } from '../chip/deployment.js';
import { correctOnBoard } from './ledger.js';

export interface MeasureOptions {
  network: Network;
  scales: LayerScales;
  /** Images that every chip is evaluated on. */
  images: Dataset;
  /** Opens chip 0, 1, … with just these imperfections. */
  open: (enabled: ReadonlySet<string>, chip: number) => Promise<Board>;
  /** Folder for the passports: they are of no use afterwards. */
  home: string;
  signal: AbortSignal;
}

/** The `measure` of `keepLedger`. */
export function chipMeasurer({ network, scales, images, open, home, signal }: MeasureOptions) {
  let made = 0;
  // Calibrating the neurons takes longest, and only these imperfections change what it finds.
  const neurons = new Map<string, NeuronCalibration | undefined>();
  return async (enabled: ReadonlySet<string>, chip: number): Promise<Uint8Array> => {
    signal.throwIfAborted();
    const board = await open(enabled, chip);
    try {
      const folder = join(home, String(made++));
      const key = `${chip} ${enabled.has('neuronMismatch')} ${enabled.has('converterErrors')}`;
      const known = neurons.get(key);
      const { boardSerial } = board.description;
      if (known) Passport.open(board.description, folder).saveNeurons({ ...known, boardSerial });
      const deployment = await Deployment.open(
        { board, emit: () => {}, signal, home: folder },
        network,
        scales,
      );
      neurons.set(key, Passport.open(board.description, folder).neurons);
      await deployment.program();
      return await correctOnBoard(deployment.hardware, images);
    } finally {
      await board.close();
    }
  };
}
