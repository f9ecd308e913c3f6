/** A network from its file, with the dataset that it was trained on. */
import { MemloopError } from '../../shared/errors.js';
import { parseJson } from '../../shared/json.js';
import { isDatasetName, loadDataset } from '../data/catalogue.js';
import type { Dataset } from '../data/datasets.js';
import { dataRecordSchema, loadForRecord } from '../data/own-data.js';
import type { Network } from '../network/network.js';
import { loadNetwork } from '../network/network-file.js';

export interface Trained {
  network: Network;
  metadata: Record<string, string>;
  /** That it was trained with; 1 where the file does not say. */
  seed: number;
  /** Split as in training: the test images are those that training never saw. */
  train: Dataset;
  test: Dataset;
}

/**
 * @param options.dataset name or file; where the network's file does not say what it was trained on, or to try another
 * @param options.dataDir folder of the dataset; default the cache
 * @param options.whole test on all samples of a data file that training never saw
 *
 * Errors: `bad-file` for the network, `usage` if no dataset is known, `bad-input` if it has another shape.
 */
export async function loadTrained(
  file: string,
  options: { dataset?: string; dataDir?: string; whole?: boolean } = {},
): Promise<Trained> {
  const { network, metadata } = loadNetwork(file);
  const name = options.dataset ?? metadata['memloop.dataset'];
  if (name === undefined)
    throw new MemloopError('usage', `${file} does not say what it was trained on; give --dataset NAME`);
  const seed = Number(metadata['memloop.seed'] ?? 1);
  const { dataDir } = options;
  const record = metadata['memloop.data'];
  const { train, test } =
    record === undefined || isDatasetName(name)
      ? await loadDataset(name, { seed, ...(dataDir !== undefined && { dataDir }) })
      : await loadForRecord(
          name,
          parseJson(record, dataRecordSchema, {
            what: `${file}: its memloop.data`,
            hint: 'train the network again',
          }),
          options.whole,
        );
  if (train.features !== network.features || train.classes !== network.classes)
    throw new MemloopError(
      'bad-input',
      `${file} takes ${network.features} inputs to ${network.classes} classes, ${name} has ${train.features} and ${train.classes}; give the dataset it was trained on`,
    );
  return { network, metadata, seed, train, test };
}
