/** What is known of a board's neurons. SI units. */
import type { MifParameters } from '../../model/devices/mif.js';

/** One neuron as measured. */
export interface NeuronFit {
  /** Effective ones: for drives as asked of the board and voltages as it shows them. */
  parameters: MifParameters;
  /** What its drive DAC adds to every input pulse, A. */
  driveOffset: number;
  /** Standard deviation of each of the above. */
  sigma: MifParameters & { driveOffset: number };
  /** RMS of what the fit leaves unexplained of the mean of all repeats, V. */
  residual: number;
  /** RMS expected of it from the spread of the repeats, V. */
  noise: number;
}

export interface NeuronCalibration {
  boardSerial: string;
  /** ISO 8601 */
  measured: string;
  neurons: NeuronFit[];
}
