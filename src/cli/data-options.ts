/** How a data file is read, where the defaults do not fit. */
import type { Command } from 'commander';

export const dataOptions = (command: Command): Command =>
  command
    .option('--label <column>', "of a data file: name or number of the label's column, or its array")
    .option('--inputs <array>', 'of a data file: name of the array of inputs (NPZ, HDF5)')
    .option('--header', 'of a CSV file: the first row holds names (default: guessed)')
    .option('--no-header', 'of a CSV file: the first row is a sample');
