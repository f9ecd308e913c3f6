/**
 * MIF neurons as one differentiable TensorFlow.js operation around the kernel. Op by op, 1000 steps would cost seconds
 * and gigabytes.
 */
import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Call, Task } from '../../model/kernel/calls.js';
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
  return (drives) =>
    tf.tidy(() => {
      const operation = tf.customGrad((x, save) => {
        const input = x as Tensor;
        (save as (tensors: Tensor[]) => void)([input]);
        const voltages = runLayer(spec, input);
        const gradFunc = (dy: Tensor3D, saved: unknown) => {
          const [kept] = saved as Tensor[];
          return tf.tensor(runLayer(spec, kept, dy.dataSync() as Float32Array), kept.shape);
        };
        const [batch, neurons] = [input.shape[0], input.shape.at(-1)!];
        return { value: tf.tensor3d(voltages, [batch, spec.steps, neurons]), gradFunc: gradFunc as never };
      });
      return operation(drives) as Tensor3D;
    });
}

/**
 * Voltages (batch × steps × neurons), or with their gradient given the gradient of the drives (in their shape). The
 * backward pass runs the forward again: trajectories are not kept.
 */
function runLayer(spec: MifLayerSpec, input: Tensor, voltageBars?: Float32Array): Float32Array {
  const { steps, integrator, neuron, outputNeurons } = spec;
  const [batch, neurons] = [input.shape[0], input.shape.at(-1)!];
  /** How many drives a neuron takes. */
  const slotCount = input.rank === 3 ? steps : 1;
  const layout = new Layout();
  const population = new Population(
    neurons,
    outputNeurons ?? [neuron],
    integrator,
    steps,
    spec.duration / steps,
    layout,
  );
  const slots = layout.take(steps * 4);
  const places = Array.from({ length: Math.ceil(batch / 4) }, () => ({
    drives: layout.take(slotCount * neurons * VECTOR),
    driveBars: layout.take(slotCount * neurons * VECTOR),
    trajectory: layout.take(population.trajectoryBytes),
    alpha: layout.take(2 * neurons * VECTOR),
    peaks: layout.take(neurons * VECTOR),
    bars: layout.take(5 * neurons * VECTOR),
    voltageBars: voltageBars ? layout.take(steps * neurons * VECTOR) : 0,
  }));
  const memory = new KernelMemory(layout.bytes);
  try {
    population.fill(memory);
    const slotOf = memory.ints(slots, steps);
    if (slotCount > 1) slotOf.set(slotOf.map((_, t) => t));
    else {
      slotOf.fill(-1);
      for (const step of spec.pulseSteps) slotOf[step] = 0;
    }
    const values = input.dataSync() as Float32Array;
    const tasks = places.map((place, group): Task => {
      toLanes(memory, place.drives, values, group, { batch, each: slotCount * neurons });
      if (voltageBars)
        toLanes(memory, place.voltageBars, voltageBars, group, { batch, each: steps * neurons });
      const calls: Call[] = population.forward(
        slots,
        place.drives,
        place.trajectory,
        place.alpha,
        place.peaks,
      );
      if (voltageBars) {
        const source = { voltageBars: place.voltageBars };
        const { driveBars, trajectory, bars } = place;
        calls.push(...population.backward(slots, driveBars, slotCount, trajectory, bars, source));
      }
      return calls;
    });
    memory.program(tasks)();
    const each = (voltageBars ? slotCount : steps) * neurons;
    const result = new Float32Array(batch * each);
    places.forEach(({ driveBars, trajectory }, group) => {
      // A state is three vectors, v being the first; the first states are those of rest.
      const [from, stride] = voltageBars ? [driveBars, 1] : [trajectory + neurons * 3 * VECTOR, 3];
      const vectors = memory.floats(from, each * stride * 4);
      for (let lane = 0; lane < Math.min(4, batch - group * 4); lane++)
        for (let i = 0; i < each; i++) result[(group * 4 + lane) * each + i] = vectors[i * stride * 4 + lane];
    });
    return result;
  } finally {
    memory.dispose();
  }
}

/** Values of four samples, `each` of one, side by side as the kernel takes them. */
function toLanes(
  memory: KernelMemory,
  address: number,
  values: Float32Array,
  group: number,
  { batch, each }: { batch: number; each: number },
): void {
  const vectors = memory.floats(address, each * 4);
  for (let lane = 0; lane < Math.min(4, batch - group * 4); lane++)
    for (let i = 0; i < each; i++) vectors[i * 4 + lane] = values[(group * 4 + lane) * each + i];
}
