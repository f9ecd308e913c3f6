/** MIF neurons alone on the kernel, four runs at a time: drives in, membrane voltages out. */
import type { IntegratorName, MifParameters } from '../devices/mif.js';
import { KernelMemory, Layout } from './kernel.js';
import { Population, VECTOR } from './population.js';

/** Vectors of a neuron's state in the kernel: v, x1, x2. */
const STATES = 3;
/** Runs that the kernel makes at once. */
const LANES = 4;

export interface MifPopulation {
  neuron: MifParameters;
  integrator: IntegratorName;
  neurons: number;
  /** s */
  stepTime: number;
  steps: number;
}

export class MifRunner {
  readonly #population: MifPopulation;
  readonly #memory: KernelMemory;
  readonly #slots: Int32Array;
  readonly #drives: Float32Array;
  readonly #trajectory: Float32Array;
  readonly #forward: () => void;

  /** Throws `limit` for steps that are too coarse for the integrator. */
  constructor(population: MifPopulation) {
    const { neuron, integrator, neurons, stepTime, steps } = population;
    const layout = new Layout();
    const kernel = new Population(neurons, [neuron], integrator, steps, stepTime, layout);
    const slots = layout.take(steps * 4);
    const drives = layout.take(steps * neurons * VECTOR);
    const trajectory = layout.take(kernel.trajectoryBytes);
    const alpha = layout.take(2 * neurons * VECTOR);
    const peaks = layout.take(neurons * VECTOR);
    this.#population = population;
    this.#memory = new KernelMemory(layout.bytes);
    kernel.fill(this.#memory);
    this.#slots = this.#memory.ints(slots, steps);
    this.#drives = this.#memory.floats(drives, steps * neurons * LANES);
    this.#trajectory = this.#memory.floats(trajectory, (steps + 1) * neurons * STATES * LANES);
    this.#forward = this.#memory.program([kernel.forward(slots, drives, trajectory, alpha, peaks)]);
  }

  /**
   * Runs from rest; the i-th sample follows step (i + 1) × decimation.
   *
   * @param pulseSteps steps at which drives arrive, ascending.
   * @param drives of each run, pulses × neurons, A.
   * @returns voltages of each run, samples × neurons, V.
   */
  run(
    pulseSteps: readonly number[],
    drives: readonly Float32Array[],
    decimation: number,
  ): Float32Array<ArrayBuffer>[] {
    const { neurons, steps } = this.#population;
    this.#slots.fill(-1);
    pulseSteps.forEach((step, pulse) => {
      this.#slots[step] = pulse;
    });
    const samples = Math.floor(steps / decimation);
    const voltages = drives.map(() => new Float32Array(samples * neurons));
    for (let first = 0; first < drives.length; first += LANES) {
      const runs = drives.slice(first, first + LANES);
      runs.forEach((list, lane) => {
        for (let i = 0; i < list.length; i++) this.#drives[i * LANES + lane] = list[i];
      });
      this.#forward();
      runs.forEach((_, lane) => {
        const result = voltages[first + lane];
        for (let s = 0; s < samples; s++)
          for (let n = 0; n < neurons; n++)
            result[s * neurons + n] =
              this.#trajectory[((s + 1) * decimation * neurons + n) * STATES * LANES + lane];
      });
    }
    return voltages;
  }

  dispose(): void {
    this.#memory.dispose();
  }
}
