/** What the commands share that run a network on a board or in software. */
import type { Deployment, LayerScales } from '../loop/index.js';
import type { Trained } from '../model/index.js';
import type { OpenOptions } from '../open-board.js';
import type { Session } from './command.js';

export interface DatasetOptions {
  dataset?: string;
  dataDir?: string;
  /** Test on all samples of a data file that training never saw. */
  whole?: boolean;
  /** Only so many of the test images, the first ones. */
  samples?: number;
}

export interface LoadedNetwork extends Trained {
  scales: LayerScales;
}

/** A network with its dataset, and the scales by which it is placed on a chip. */
export async function loadForBoard(file: string, options: DatasetOptions): Promise<LoadedNetwork> {
  const { loadTrained, slice } = await import('../model/index.js');
  const { networkScales } = await import('../loop/index.js');
  const trained = await loadTrained(file, options);
  const { network, metadata, train } = trained;
  const { count } = trained.test;
  const test = slice(trained.test, 0, options.samples ?? count);
  return { ...trained, test, scales: networkScales(file, network, metadata, train) };
}

/** After an accuracy, what the array and the board did not do themselves: of such boards only. */
export const inBrackets = ({ doneByHost }: Deployment): string =>
  doneByHost === '' ? '' : ` (${doneByHost})`;

/** The network placed on the board behind `--port`. */
export async function deploy(
  session: Session,
  { network, scales }: Pick<LoadedNetwork, 'network' | 'scales'>,
  options: OpenOptions & { url?: string; decimation?: number } = {},
) {
  const { Deployment } = await import('../loop/index.js');
  const { decimation, ...opening } = options;
  const board = await session.board(opening);
  return Deployment.open(
    {
      board,
      emit: session.emit,
      signal: session.signal,
      ...(decimation !== undefined && { decimation }),
    },
    network,
    scales,
  );
}
