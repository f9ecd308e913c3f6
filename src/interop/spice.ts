/**
 * Netlists of neurons for ngspice, from the continuous equations (mif.ts): an oracle that shares no code
 * with the integrators. States x, a and i are the voltages of capacitors (1 V is 1, or 1 A × `AMPERE`).
 */

import { type MifParameters, type MifState, restState } from '../model/devices/mif.js';
import type { Pulse } from '../model/devices/simulate.js';
import { checkAllDense } from '../model/network/layers.js';
import { type Network, WAVEFORM_UNIT } from '../model/network/network.js';
import { neuronOf, pulsedDrives } from '../model/network/reference.js';
import { MemloopError } from '../shared/errors.js';

/** Volts that stand for one ampere of alpha current: keeps them near 1 V, where SPICE's tolerances are. */
const AMPERE = 1e5;

const number = (value: number): string => {
  const text = value.toPrecision(12);
  return String(Number(text));
};
/** Signed, for the middle of an expression. */
const term = (value: number): string => `(${number(value)})`;

/** Alpha current of pulses (A as an expression of `time`): the exact solution of Eq. 2. */
function alphaCurrent(pulses: readonly Pulse[], tauAlpha: number): string {
  if (pulses.length === 0) return '0';
  return pulses
    .map(({ time, drive }) => {
      const since = `((time-${number(time)})/${number(tauAlpha)})`;
      return `(time > ${number(time)} ? ${term(drive)}*${since}*exp(-${since}) : 0)`;
    })
    .join(' + ');
}

/** Elements of one neuron; its nodes end in `name`. `current` is an expression in A. */
function neuronElements(
  name: string,
  p: MifParameters,
  current: string,
  start: Pick<MifState, 'v' | 'x1' | 'x2'>,
): string[] {
  const on = (e: number) => `1/(1+exp(-(V(v${name})-${term(e + p.von)})/${number(p.k)}))`;
  const off = (e: number) => `1/(1+exp(-(${term(p.voff + e)}-V(v${name}))/${number(p.k)}))`;
  const conductance = (x: string) => `(V(${x}${name})/${number(p.ron)}+(1-V(${x}${name}))/${number(p.roff)})`;
  const lines = [`C${name} v${name} 0 ${number(p.capacitance)} IC=${number(start.v)}`];
  lines.push(`BI${name} 0 v${name} I = ${current}`);
  for (const [x, e] of [
    ['x1', p.e1],
    ['x2', p.e2],
  ] as const) {
    lines.push(`BG${x}${name} v${name} 0 I = ${conductance(x)}*(V(v${name})-${term(e)})`);
    lines.push(`C${x}${name} ${x}${name} 0 1e-6 IC=${number(start[x])}`);
    lines.push(
      `B${x}${name} 0 ${x}${name} I = ${number(1e-6 / p.tau)}*((1-V(${x}${name}))*${on(e)} - V(${x}${name})*${off(e)})`,
    );
  }
  return lines;
}

export interface SpiceOptions {
  /** s */
  duration: number;
  /** Samples written, evenly spaced, the last at `duration`. */
  samples: number;
  /** File that ngspice writes: time, then the membrane potentials. */
  output: string;
}

function frame(
  title: string,
  elements: readonly string[],
  nodes: readonly string[],
  options: SpiceOptions,
): string {
  const { duration, samples, output } = options;
  const period = duration / samples;
  if (/\s/.test(output))
    throw new MemloopError('bad-input', `ngspice cannot write to a path with spaces: ${output}`);
  return [
    title,
    ...elements,
    '.options reltol=1e-7 abstol=1e-16 vntol=1e-10 chgtol=1e-20 method=gear',
    '.control',
    'set wr_singlescale',
    'set wr_vecnames',
    'set numdgt=12',
    `tran ${number(period)} ${number(duration)} 0 ${number(Math.min(period, duration / 2000))} uic`,
    'linearize',
    `wrdata ${output} ${nodes.map((node) => `v(${node})`).join(' ')}`,
    'quit 0',
    '.endc',
    '.end',
    '',
  ].join('\n');
}

/** A netlist of neurons that do not touch each other, each with its pulses. */
export function neuronNetlist(
  stimuli: readonly (readonly Pulse[])[],
  parameters: MifParameters,
  options: SpiceOptions,
  start?: Partial<MifState>,
): string {
  const from = { ...restState(parameters), ...start };
  const elements = stimuli.flatMap((pulses, n) => [
    `* neuron ${n}`,
    ...neuronElements(`_${n}`, parameters, alphaCurrent(pulses, parameters.tauAlpha), from),
  ]);
  return frame(
    'MIF neurons, from the continuous equations (SI units)',
    elements,
    stimuli.map((_, n) => `v_${n}`),
    options,
  );
}

/** A netlist of all MIF neurons of a network, driven as one input drives them. */
export function networkNetlist(network: Network, input: ArrayLike<number>, options: SpiceOptions): string {
  const { spec } = network;
  const last = spec.layers.length - 1;
  const dt = spec.duration / spec.steps;
  const elements: string[] = [];
  const { layer, drives } = pulsedDrives(network, input);
  for (let n = 0; n < spec.layers[layer].outputs; n++) {
    const pulses = spec.pulseSteps.map((step, i) => ({ time: step * dt, drive: drives[i][n] }));
    const p = neuronOf(spec, layer, n);
    elements.push(`* layer ${layer}, neuron ${n}`);
    elements.push(...neuronElements(`_${layer}_${n}`, p, alphaCurrent(pulses, p.tauAlpha), restState(p)));
  }
  checkAllDense(spec.layers.slice(layer + 1), 'a netlist');
  const rest = restState(spec.neuron).v;
  for (let l = layer + 1; l <= last; l++) {
    const { inputs, outputs } = spec.layers[l];
    for (let n = 0; n < outputs; n++) {
      const name = `_${l}_${n}`;
      const p = neuronOf(spec, l, n);
      // τα da/dt = −a + drive, τα di/dt = a − i: the waveform's drive is a current, not a pulse.
      const scale = spec.driveScale * AMPERE;
      elements.push(`* layer ${l}, neuron ${n}`);
      const perVolt = Array.from(
        { length: inputs },
        (_, i) => (network.weights[l][n * inputs + i] * scale) / WAVEFORM_UNIT,
      );
      const constant = network.biases[l][n] * scale - perVolt.reduce((sum, w) => sum + w * rest, 0);
      const time = 1e-6 / p.tauAlpha;
      perVolt.forEach((w, i) => {
        elements.push(`G${name}_${i} 0 a${name} v_${l - 1}_${i} 0 ${number(w * time)}`);
      });
      elements.push(
        `Ia${name} 0 a${name} ${number(constant * time)}`,
        `Ra${name} a${name} 0 ${number(1 / time)}`,
        `Ca${name} a${name} 0 1e-6 IC=0`,
        `Gi${name} 0 i${name} a${name} 0 ${number(time)}`,
        `Ri${name} i${name} 0 ${number(1 / time)}`,
        `Ci${name} i${name} 0 1e-6 IC=0`,
        ...neuronElements(name, p, `V(i${name})*${number(1 / AMPERE)}`, restState(p)),
      );
    }
  }
  const nodes = Array.from({ length: spec.layers[last].outputs }, (_, n) => `v_${last}_${n}`);
  return frame(
    'MIF neurons of a network, from the continuous equations (SI units)',
    elements,
    nodes,
    options,
  );
}

/** Reads what `wrdata` wrote: a header, then time and one column a node. */
export function readSpiceOutput(text: string): { time: number[]; voltages: number[][] } {
  const rows = text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/).map(Number));
  return {
    time: rows.map((row) => row[0]),
    voltages: rows[0].slice(1).map((_, n) => rows.map((row) => row[n + 1])),
  };
}
