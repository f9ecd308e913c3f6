/** What the commands that run a network on a board or in software share. */

import type { LayerScales } from '../loop/index.js';
import type { Dataset, Network } from '../model/index.js';
import type { OpenOptions } from '../open-board.js';
import { MemloopError } from '../shared/errors.js';
import type { Session } from './command.js';

export interface DatasetOptions {
  dataset?: string;
  dataDir?: string;
}

export interface LoadedNetwork {
  network: Network;
  metadata: Record<string, string>;
  scales: LayerScales;
  train: Dataset;
  test: Dataset;
}

/** A network with the dataset it was trained on (or the one named), split as it was then. */
export async function loadForBoard(file: string, options: DatasetOptions): Promise<LoadedNetwork> {
  const { loadDataset, loadNetwork } = await import('../model/index.js');
  const { networkScales } = await import('../loop/index.js');
  const { network, metadata } = loadNetwork(file);
  const name = options.dataset ?? metadata['memloop.dataset'];
  if (name === undefined)
    throw new MemloopError('usage', `${file} does not say what it was trained on; give --dataset NAME`);
  const { train, test } = await loadDataset(name, {
    seed: Number(metadata['memloop.seed'] ?? 1),
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
  });
  if (train.features !== network.features || train.classes !== network.classes)
    throw new MemloopError(
      'bad-input',
      `${file} takes ${network.features} inputs to ${network.classes} classes, ${name} has ${train.features} and ${train.classes}; give the dataset it was trained on`,
    );
  return { network, metadata, scales: networkScales(file, network, metadata, train), train, test };
}

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
