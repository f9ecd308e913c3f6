/** Samples as signals in time: their values are vectors of channels, one after the other. */
import { MemloopError } from '../../shared/errors.js';
import type { Dataset } from './datasets.js';
import { badFile, type FileContent, type ReadOptions, type Samples } from './files/samples.js';

/** What a file holds as signals of `times`, where that is asked for and the file is not of events. Error: `bad-file`. */
export function asSignal(
  path: string,
  { samples, test }: FileContent,
  { times, channels }: ReadOptions,
): FileContent {
  const inTimes = (from: Samples): Samples => {
    if (from.times !== undefined) return from;
    if (channels !== undefined) throw badFile(path, 'it does not hold events: leave out --channels');
    if (times === undefined) return from;
    const text = from.columns.find(({ categories }) => categories !== undefined);
    if (text)
      throw badFile(path, `column ${text.name} holds texts: it cannot be a signal; leave out --times`);
    checkTimes(path, from.columns.length, times);
    return { ...from, image: from.image ?? {}, times };
  };
  return { samples: inTimes(samples), ...(test && { test: inTimes(test) }) };
}

function checkTimes(name: string, values: number, times: number): void {
  if (values % times !== 0)
    throw new MemloopError(
      'bad-input',
      `${name}: samples of ${values} values are no ${times} vectors of one length; give --times a divisor of ${values}`,
    );
}

/** A dataset whose samples are vectors, one after the other: rows of an image, one at a time. Error: `bad-input`. */
export function inTimes(dataset: Dataset, times: number): Dataset {
  checkTimes(dataset.name, dataset.features, times);
  return { ...dataset, times };
}
