/**
 * The MIF layer as one differentiable TensorFlow.js operation around the kernel, for models that mix it
 * with other layers. Op by op, 1000 steps would cost seconds and gigabytes.
 */
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Call, Task } from '../model/kernel/calls.js';
import { KernelMemory, Layout } from '../model/kernel/kernel.js';
import { Population, VECTOR } from '../model/kernel/population.js';
import type { NetworkSpec } from '../model/network/network.js';
import type { Tensorflow } from './backend.js';

export type MifLayerSpec = Pick<NetworkSpec, 'neuron' | 'integrator' | 'duration' | 'steps' | 'pulseSteps'>;

/**
 * Makes the operation: drives (A; batch × neurons, applied at every pulse step) → membrane voltages (V;
 * batch × steps × neurons, after each step). Runs on every backend; its gradient is the exact adjoint.
 */
export function mifLayer(tf: Tensorflow, spec: MifLayerSpec): (drives: Tensor2D) => Tensor3D {
  return (drives) =>
    tf.tidy(() => {
      const operation = tf.customGrad((x, save) => {
        const input = x as Tensor2D;
        (save as (tensors: Tensor2D[]) => void)([input]);
        const [batch, neurons] = input.shape;
        const voltages = runLayer(spec, input.dataSync() as Float32Array, batch, neurons);
        const gradFunc = (dy: Tensor3D, saved: unknown) => {
          const [kept] = saved as Tensor2D[];
          const bars = runLayer(
            spec,
            kept.dataSync() as Float32Array,
            batch,
            neurons,
            dy.dataSync() as Float32Array,
          );
          return tf.tensor2d(bars, [batch, neurons]);
        };
        return { value: tf.tensor3d(voltages, [batch, spec.steps, neurons]), gradFunc: gradFunc as never };
      });
      return operation(drives) as Tensor3D;
    });
}

/**
 * Voltages (batch × steps × neurons), or with their gradient given the gradient of the drives
 * (batch × neurons). The backward pass runs the forward again: trajectories are not kept.
 */
function runLayer(
  spec: MifLayerSpec,
  drives: Float32Array,
  batch: number,
  neurons: number,
  voltageBars?: Float32Array,
): Float32Array {
  const { steps, integrator, neuron } = spec;
  const groups = Math.ceil(batch / 4);
  const layout = new Layout();
  const population = new Population(neurons, [neuron], integrator, steps, spec.duration / steps, layout);
  const slots = layout.take(steps * 4);
  const places = Array.from({ length: groups }, () => ({
    drives: layout.take(neurons * VECTOR),
    driveBars: layout.take(neurons * VECTOR),
    trajectory: layout.take(population.trajectoryBytes),
    alpha: layout.take(2 * neurons * VECTOR),
    peaks: layout.take(neurons * VECTOR),
    bars: layout.take(5 * neurons * VECTOR),
    voltageBars: voltageBars ? layout.take(steps * neurons * VECTOR) : 0,
  }));
  const memory = new KernelMemory(layout.bytes);
  try {
    population.fill(memory);
    memory.ints(slots, steps).fill(-1);
    for (const step of spec.pulseSteps) memory.ints(slots, steps)[step] = 0;
    const tasks: Task[] = places.map((place, group) => {
      const vectors = memory.floats(place.drives, neurons * 4);
      const barVectors = voltageBars && memory.floats(place.voltageBars, steps * neurons * 4);
      for (let lane = 0; lane < Math.min(4, batch - group * 4); lane++) {
        const sample = group * 4 + lane;
        for (let n = 0; n < neurons; n++) vectors[n * 4 + lane] = drives[sample * neurons + n];
        if (barVectors && voltageBars)
          for (let i = 0; i < steps * neurons; i++)
            barVectors[i * 4 + lane] = voltageBars[sample * steps * neurons + i];
      }
      const calls: Call[] = population.forward(
        slots,
        place.drives,
        place.trajectory,
        place.alpha,
        place.peaks,
      );
      if (voltageBars)
        calls.push(
          ...population.backward(slots, place.driveBars, 1, place.trajectory, place.bars, {
            voltageBars: place.voltageBars,
          }),
        );
      return calls;
    });
    memory.program(tasks)();
    const result = new Float32Array(batch * neurons * (voltageBars ? 1 : steps));
    places.forEach((place, group) => {
      for (let lane = 0; lane < Math.min(4, batch - group * 4); lane++) {
        const sample = group * 4 + lane;
        if (voltageBars) {
          const bars = memory.floats(place.driveBars, neurons * 4);
          for (let n = 0; n < neurons; n++) result[sample * neurons + n] = bars[n * 4 + lane];
        } else {
          const states = memory.floats(place.trajectory, (steps + 1) * neurons * 12);
          for (let t = 0; t < steps; t++)
            for (let n = 0; n < neurons; n++)
              result[(sample * steps + t) * neurons + n] = states[((t + 1) * neurons + n) * 12 + lane];
        }
      }
    });
    return result;
  } finally {
    memory.dispose();
  }
}
