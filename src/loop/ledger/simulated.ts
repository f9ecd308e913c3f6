/** A chip of the ledger: a board made for it, calibrated, programmed and evaluated. */
import type { GuardedBoard, NeuronCalibration } from '../../calibration/index.js';
import type { Dataset, Network } from '../../model/index.js';
import { Deployment } from '../chip/deployment.js';
import type { LayerScales } from '../chip/scales.js';
import { correctOnBoard } from './ledger.js';

export interface MeasureOptions {
  network: Network;
  scales: LayerScales;
  /** Images that every chip is evaluated on. */
  images: Dataset;
  /** Opens chip 0, 1, … with just these imperfections, and with a passport of its own. */
  open: (enabled: ReadonlySet<string>, chip: number) => Promise<GuardedBoard>;
  signal: AbortSignal;
}

/** The `measure` of `keepLedger`. */
export function chipMeasurer({ network, scales, images, open, signal }: MeasureOptions) {
  // Calibrating the neurons takes longest, and only these imperfections change what it finds.
  const neurons = new Map<string, NeuronCalibration | undefined>();
  return async (enabled: ReadonlySet<string>, chip: number): Promise<Uint8Array> => {
    signal.throwIfAborted();
    const board = await open(enabled, chip);
    try {
      const key = `${chip} ${enabled.has('neuronMismatch')} ${enabled.has('converterErrors')}`;
      const known = neurons.get(key);
      const { boardSerial } = board.description;
      if (known) board.passport.saveNeurons({ ...known, boardSerial });
      const deployment = await Deployment.open({ board, emit: () => {}, signal }, network, scales);
      neurons.set(key, board.passport.neurons);
      await deployment.program();
      return await correctOnBoard(deployment.hardware, images);
    } finally {
      await board.close();
    }
  };
}
