/** Puts the sample frames of one run together and finds what was lost on the way. */
import type { Samples } from '../../../firmware-protocol/generated/protocol.js';
import type { NeuronFrame, NeuronRun } from './board.js';

export class RunAssembly {
  readonly #voltages: Float32Array;
  /** First sample that no frame has reached yet. */
  #next = 0;

  readonly #run: number;
  readonly #samples: number;
  readonly #decimation: number;
  readonly #neurons: number;
  readonly #step: number;

  /** `step`: volts a count. */
  constructor(run: number, samples: number, decimation: number, neurons: number, step: number) {
    this.#run = run;
    this.#samples = samples;
    this.#decimation = decimation;
    this.#neurons = neurons;
    this.#step = step;

    this.#voltages = new Float32Array(samples * neurons).fill(Number.NaN);
  }

  /** The frame in volts, a view into the run's voltages; undefined if it is not of this run. */
  add({ run, step, decimation, counts }: Samples): NeuronFrame | undefined {
    const neurons = this.#neurons;
    // The first sample follows step `decimation`.
    const first = step / this.#decimation - 1;
    const count = counts.length / neurons;
    const fits =
      run === this.#run &&
      decimation === this.#decimation &&
      Number.isInteger(first) &&
      Number.isInteger(count) &&
      first >= 0 &&
      first + count <= this.#samples;
    if (!fits) return undefined;
    const begin = first * neurons;
    const voltages = this.#voltages.subarray(begin, begin + counts.length);
    const volts = this.#step;
    for (let i = 0; i < counts.length; i++) voltages[i] = counts[i] * volts;
    const lost = Math.max(0, first - this.#next);
    this.#next = first + count;
    return { run, step, decimation, neurons, voltages, lost };
  }

  finish(): NeuronRun {
    let lost = 0;
    for (let i = 0; i < this.#voltages.length; i += this.#neurons)
      if (Number.isNaN(this.#voltages[i])) lost++;
    return {
      run: this.#run,
      decimation: this.#decimation,
      voltages: this.#voltages,
      samples: this.#samples,
      lost,
    };
  }
}

/** A repeat of a run, with what it lost taken from before. Both had the same stimulus, from the neurons' rest. */
export function fillLost(run: NeuronRun, before: NeuronRun): NeuronRun {
  const { voltages, samples } = run;
  const neurons = voltages.length / samples;
  let lost = 0;
  for (let i = 0; i < voltages.length; i += neurons) {
    if (!Number.isNaN(voltages[i])) continue;
    voltages.set(before.voltages.subarray(i, i + neurons), i);
    if (Number.isNaN(voltages[i])) lost++;
  }
  return { ...run, lost };
}
