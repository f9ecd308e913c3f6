/** A population of MIF neurons on the kernel: its constants and the calls that run it. */
import { MemloopError } from '../../shared/errors.js';
import {
  alphaStep,
  type IntegratorName,
  integratorNames,
  type MifParameters,
  restState,
} from '../devices/mif.js';
import { PEAK_SCALE } from '../network/network.js';
import type { Call } from './calls.js';
import type { KernelMemory, Layout } from './kernel.js';

/** Bytes: one neuron's constants and rest in the kernel's layout. */
const CONSTANTS = 80;
const REST = 16;
/** Bytes of one value in four samples. */
export const VECTOR = 16;
const STATE = 3 * VECTOR;

/** The kernel's constants of one neuron, in the order it expects. */
export function neuronConstants(p: MifParameters, integrator: IntegratorName, dt: number): Float32Array {
  const alpha = alphaStep(p.tauAlpha, integrator, dt);
  const gates = [(p.e1 + p.von) / p.k, (p.e1 + p.voff) / p.k, (p.e2 + p.von) / p.k, (p.e2 + p.voff) / p.k];
  // Beyond this e^(−v/k) every gate is saturated; larger values would overflow float32 products.
  const largest = Math.min(30, ...[0, 2].map((i) => (80 - gates[i] - gates[i + 1]) / 2));
  return Float32Array.of(
    -1 / p.k,
    ...gates.map(Math.exp),
    dt / p.tau,
    dt / p.capacitance,
    1 / p.roff,
    1 / p.ron - 1 / p.roff,
    p.e1,
    p.e2,
    alpha.before,
    alpha.after,
    alpha.keep,
    alpha.gain,
    alpha.meanKeep,
    alpha.meanGain,
    Math.exp(largest),
  );
}

/** The kernel's exponential step uses a series in dt/τ that is exact to float32 up to this. */
export const LARGEST_EXPONENTIAL_STEP = 0.25;

/** Throws if the kernel cannot take steps of dt (s) with these parameters. */
function checkStep(p: MifParameters, integrator: IntegratorName, dt: number): void {
  if (integrator === 'exponential' && dt > LARGEST_EXPONENTIAL_STEP * p.tau * (1 + 1e-9))
    throw new MemloopError(
      'limit',
      `a step of ${dt} s is too coarse for the exponential integrator: at most τ/4 = ${LARGEST_EXPONENTIAL_STEP * p.tau} s, so use more steps`,
    );
}

/** A population of MIF neurons over one group of four samples at a time. */
export class Population {
  readonly constants: number;
  readonly stride: number;
  readonly rest: number;
  readonly restStride: number;

  readonly #parameters: readonly MifParameters[];
  readonly #dt: number;

  constructor(
    readonly neurons: number,
    parameters: readonly MifParameters[],
    readonly integrator: IntegratorName,
    readonly steps: number,
    dt: number,
    layout: Layout,
  ) {
    this.#parameters = parameters;
    this.#dt = dt;

    for (const p of parameters) checkStep(p, integrator, dt);
    const each = parameters.length > 1;
    this.constants = layout.take(parameters.length * CONSTANTS);
    this.rest = layout.take(parameters.length * REST);
    this.stride = each ? CONSTANTS : 0;
    this.restStride = each ? REST : 0;
  }

  /** Fills the constants once the memory is there; again with others of the same number, to vary them. */
  fill(memory: KernelMemory, parameters: readonly MifParameters[] = this.#parameters): void {
    parameters.forEach((p, i) => {
      memory
        .floats(this.constants + i * CONSTANTS, CONSTANTS / 4)
        .set(neuronConstants(p, this.integrator, this.#dt));
      const { v, x1, x2 } = restState(p);
      memory.floats(this.rest + i * REST, 3).set([v, x1, x2]);
    });
  }

  get trajectoryBytes(): number {
    return (this.steps + 1) * this.neurons * STATE;
  }

  get kind(): number {
    return integratorNames.indexOf(this.integrator);
  }

  forward(slots: number, drives: number, trajectory: number, alpha: number, peaks: number): Call[] {
    return [
      ['mifStart', this.rest, this.restStride, this.neurons, trajectory, alpha, peaks],
      [
        'mifForward',
        this.kind,
        this.constants,
        this.stride,
        slots,
        drives,
        this.steps,
        this.neurons,
        trajectory,
        alpha,
        peaks,
      ],
    ];
  }

  backward(
    slots: number,
    driveBars: number,
    driveSlots: number,
    trajectory: number,
    bars: number,
    source:
      | { voltageBars: number }
      | {
          labels: number;
          smoothing: number;
          scale: number;
          losses: number;
          scratch: number;
          decision: number;
          peaks: number;
        },
  ): Call[] {
    const fused = 'labels' in source;
    return [
      ['clear', driveBars, driveSlots * this.neurons * VECTOR],
      ['clear', bars, this.neurons * 5 * VECTOR],
      [
        'mifBackward',
        this.kind,
        this.constants,
        this.stride,
        slots,
        driveBars,
        this.steps,
        this.neurons,
        trajectory,
        bars,
        ...(fused
          ? ([
              0,
              source.labels,
              source.smoothing,
              source.scale,
              source.losses,
              source.scratch,
              source.decision,
              source.peaks,
              1 / PEAK_SCALE,
            ] as const)
          : ([source.voltageBars, 0, 0, 0, 0, 0, 0, 0, 0] as const)),
      ],
    ];
  }
}
