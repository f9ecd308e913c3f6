/**
 * MIF neurons as one differentiable TensorFlow.js operation around the kernel. Op by op, 1000 steps would cost seconds
 * and gigabytes.
 */
import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Task } from '../../model/kernel/calls.js';
import { KernelMemory, Layout } from '../../model/kernel/kernel.js';
import { Population, VECTOR } from '../../model/kernel/population.js';
import type { NetworkSpec } from '../../model/network/network.js';
import type { Tensorflow } from './tensorflow.js';

/** `outputNeurons`: one entry a neuron where they differ. */
export type MifLayerSpec = Pick<
  NetworkSpec,
  'neuron' | 'outputNeurons' | 'integrator' | 'duration' | 'steps' | 'pulseSteps'
>;

/**
 * Makes the operation: drives → membrane voltages (V; batch × steps × neurons, after each step). Drives (A) are batch ×
 * neurons, applied at every pulse step, or batch × steps × neurons, one at each step. Runs on every backend; its gradient
 * is the exact adjoint.
 */
export function mifLayer(tf: Tensorflow, spec: MifLayerSpec): (drives: Tensor2D | Tensor3D) => Tensor3D {
  const run = (x: Tensor, bars?: Tensor) => {
    const values = x.dataSync() as Float32Array;
    const voltageBars = bars?.dataSync() as Float32Array | undefined;
    return withRunner(spec, x.shape, (runner) => runner.run(values, voltageBars));
  };
  return (drives) =>
    tf.tidy(() => {
      const operation = tf.customGrad((x, save) => {
        const input = x as Tensor;
        (save as (tensors: Tensor[]) => void)([input]);
        const gradFunc = (dy: Tensor3D, saved: unknown) => {
          const [kept] = saved as Tensor[];
          return tf.tensor(run(kept, dy), kept.shape);
        };
        const shape: [number, number, number] = [input.shape[0], spec.steps, input.shape.at(-1)!];
        return { value: tf.tensor3d(run(input), shape), gradFunc: gradFunc as never };
      });
      return operation(drives) as Tensor3D;
    });
}

/** The last ones used, those of a training step: opening a memory takes longer than running it. */
const runners = new Map<string, Runner>();
const MOST_RUNNERS = 8;
/** Bytes; a larger memory is freed after use. */
const LARGEST_KEPT = 2 ** 26;

function withRunner<Result>(
  { neuron, outputNeurons, integrator, duration, steps, pulseSteps }: MifLayerSpec,
  shape: readonly number[],
  use: (runner: Runner) => Result,
): Result {
  const spec = { neuron, ...(outputNeurons && { outputNeurons }), integrator, duration, steps, pulseSteps };
  const key = JSON.stringify([spec, shape]);
  const runner = runners.get(key) ?? new Runner(spec, shape);
  runners.delete(key);
  try {
    return use(runner);
  } finally {
    if (runner.bytes <= LARGEST_KEPT) runners.set(key, runner);
    else runner.dispose();
    const [oldest] = runners.keys();
    if (runners.size > MOST_RUNNERS) {
      runners.get(oldest)?.dispose();
      runners.delete(oldest);
    }
  }
}

/** The kernel on drives of one shape. */
class Runner {
  readonly #batch: number;
  /** Values of one sample: drives, voltages. */
  readonly #drives: number;
  readonly #voltages: number;
  readonly #neurons: number;
  readonly #memory: KernelMemory;
  readonly #places: { drives: number; driveBars: number; trajectory: number; voltageBars: number }[];
  readonly #forward: () => void;
  readonly #backward: () => void;

  constructor(spec: MifLayerSpec, shape: readonly number[]) {
    const { steps, integrator, duration, neuron, outputNeurons } = spec;
    const neurons = shape.at(-1)!;
    const slotCount = shape.length === 3 ? steps : 1;
    this.#batch = shape[0];
    this.#neurons = neurons;
    this.#drives = slotCount * neurons;
    this.#voltages = steps * neurons;
    const layout = new Layout();
    const list = outputNeurons ?? [neuron];
    const population = new Population(neurons, list, integrator, steps, duration / steps, layout);
    const slots = layout.take(steps * 4);
    const places = Array.from({ length: Math.ceil(this.#batch / 4) }, () => ({
      drives: layout.take(this.#drives * VECTOR),
      driveBars: layout.take(this.#drives * VECTOR),
      trajectory: layout.take(population.trajectoryBytes),
      alpha: layout.take(2 * neurons * VECTOR),
      peaks: layout.take(neurons * VECTOR),
      bars: layout.take(5 * neurons * VECTOR),
      voltageBars: layout.take(this.#voltages * VECTOR),
    }));
    this.#places = places;
    this.#memory = new KernelMemory(layout.bytes);
    population.fill(this.#memory);
    const slotOf = this.#memory.ints(slots, steps);
    if (slotCount > 1) slotOf.set(slotOf.map((_, t) => t));
    else {
      slotOf.fill(-1);
      for (const step of spec.pulseSteps) slotOf[step] = 0;
    }
    const forward = places.map(
      ({ drives, trajectory, alpha, peaks }): Task =>
        population.forward(slots, drives, trajectory, alpha, peaks),
    );
    const backward = places.map(
      ({ driveBars, trajectory, bars, voltageBars }): Task =>
        population.backward(slots, driveBars, slotCount, trajectory, bars, { voltageBars }),
    );
    this.#forward = this.#memory.program(forward);
    this.#backward = this.#memory.program(forward.map((calls, i) => [...calls, ...backward[i]]));
  }

  get bytes(): number {
    return this.#memory.bytes;
  }

  /**
   * Voltages (batch × steps × neurons), or with their gradient given the gradient of the drives (in their shape). The
   * backward pass runs the forward again: trajectories are not kept.
   */
  run(drives: Float32Array, voltageBars?: Float32Array): Float32Array {
    this.#places.forEach((place, group) => {
      this.#toLanes(place.drives, drives, group, this.#drives);
      if (voltageBars) this.#toLanes(place.voltageBars, voltageBars, group, this.#voltages);
    });
    if (voltageBars) this.#backward();
    else this.#forward();
    const each = voltageBars ? this.#drives : this.#voltages;
    const result = new Float32Array(this.#batch * each);
    this.#places.forEach(({ driveBars, trajectory }, group) => {
      // A state is three vectors, v being the first; the first states are those of rest.
      const [from, stride] = voltageBars ? [driveBars, 4] : [trajectory + this.#neurons * 3 * VECTOR, 12];
      const vectors = this.#memory.floats(from, each * stride);
      this.#lanes(group, (lane, sample) => {
        for (let i = 0; i < each; i++) result[sample * each + i] = vectors[i * stride + lane];
      });
    });
    return result;
  }

  dispose(): void {
    this.#memory.dispose();
  }

  /** Four samples, `each` values of one, side by side as the kernel takes them. */
  #toLanes(address: number, values: Float32Array, group: number, each: number): void {
    const vectors = this.#memory.floats(address, each * 4);
    this.#lanes(group, (lane, sample) => {
      for (let i = 0; i < each; i++) vectors[i * 4 + lane] = values[sample * each + i];
    });
  }

  #lanes(group: number, visit: (lane: number, sample: number) => void): void {
    for (let lane = 0; lane < Math.min(4, this.#batch - group * 4); lane++) visit(lane, group * 4 + lane);
  }
}
