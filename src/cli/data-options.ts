/** How a data file is read, where the defaults do not fit. */
import type { Command } from 'commander';
import { wholeNumber } from './numbers.js';

export const dataOptions = (command: Command): Command =>
  command
    .option('--label <column>', "of a data file: name or number of the label's column, or its array")
    .option('--inputs <array>', 'of a data file: name of the array of inputs (NPZ, HDF5)')
    .option(
      '--times <n>',
      'signals in time: each sample is so many vectors, one after the other (rows of an image, parts of the time of events)',
      wholeNumber(1, 10_000),
    )
    .option(
      '--channels <n>',
      'of a file of events: fields that the addresses of the sensor are cut into',
      wholeNumber(1, 100_000),
    )
    .option('--header', 'of a CSV file: the first row holds names (default: guessed)')
    .option('--no-header', 'of a CSV file: the first row is a sample');
