/** One neuron or a population under given input pulses: the traces a person looks at. */
import { MemloopError } from '../../shared/errors.js';
import {
  driveOfPeak,
  type IntegratorName,
  MIF,
  type MifParameters,
  type MifState,
  restState,
  runMif,
} from './mif.js';

export interface Pulse {
  /** s */
  time: number;
  /** Jump of the alpha current's state a, A. */
  drive: number;
}

export interface SimulateOptions {
  neuron?: MifParameters;
  integrator?: IntegratorName;
  /** s */
  duration?: number;
  steps?: number;
  /** What differs from rest at the start. */
  start?: Partial<MifState>;
}

/** The states of one neuron at the times of its trace, first at 0; V, A. */
export type NeuronTrace = Record<keyof MifState, number[]>;

export interface Trace {
  /** s */
  time: number[];
  neurons: NeuronTrace[];
}

/** @param stimuli the input pulses of each neuron; they take effect at the nearest step */
export function simulate(stimuli: readonly (readonly Pulse[])[], options: SimulateOptions = {}): Trace {
  const { neuron = MIF, integrator = 'exponential', duration = 10e-3, steps = 1000, start } = options;
  if (!(duration > 0) || !(Number.isInteger(steps) && steps > 0))
    throw new MemloopError('bad-input', `duration ${duration} s and ${steps} steps must both be above 0`);
  const dt = duration / steps;
  const first = { ...restState(neuron), ...start };
  const neurons = stimuli.map((pulses): NeuronTrace => {
    const drives = new Map<number, number>();
    for (const { time, drive } of pulses) {
      const step = Math.round(time / dt);
      if (step < 0 || step >= steps)
        throw new MemloopError(
          'bad-input',
          `the pulse at ${time} s is not within the ${duration} s simulated`,
        );
      drives.set(step, (drives.get(step) ?? 0) + drive);
    }
    const { states } = runMif(neuron, integrator, dt, steps, drives, first);
    if (!states.every((s) => Number.isFinite(s.v)))
      throw new MemloopError(
        'bad-input',
        `${integrator} overflows with ${steps} steps at this input: take more steps, a smaller input or --integrator exponential`,
      );
    // The exponential integrator's memristors are half a step ahead of the time that is shown.
    const shown =
      integrator === 'exponential'
        ? states.map((s, n) =>
            n === 0 ? s : { ...s, x1: (s.x1 + states[n - 1].x1) / 2, x2: (s.x2 + states[n - 1].x2) / 2 },
          )
        : states;
    const column = (key: keyof MifState) => shown.map((s) => s[key]);
    return { a: column('a'), i: column('i'), v: column('v'), x1: column('x1'), x2: column('x2') };
  });
  return { time: Array.from({ length: steps + 1 }, (_, n) => n * dt), neurons };
}

/** The stimulus whose alpha current peaks at `peak` (A), given at time 0. */
export const pulseOfPeak = (peak: number): Pulse[] => [{ time: 0, drive: driveOfPeak(peak) }];

/** One line a time and neuron. */
export function traceCsv(trace: Trace): string {
  const lines = ['time,neuron,a,i,v,x1,x2'];
  trace.neurons.forEach((neuron, k) => {
    trace.time.forEach((time, n) => {
      lines.push(
        [
          Number(time.toPrecision(12)),
          k,
          neuron.a[n],
          neuron.i[n],
          neuron.v[n],
          neuron.x1[n],
          neuron.x2[n],
        ].join(','),
      );
    });
  });
  return `${lines.join('\n')}\n`;
}

/**
 * Pulses from CSV: a header, then the time (s) and one drive (A) per neuron in each line; an empty cell is
 * no pulse. `source` is for messages.
 */
export function readStimulus(csv: string, source: string): Pulse[][] {
  const lines = csv.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length < 2)
    throw new MemloopError('bad-file', `${source}: a header and at least one pulse are needed`);
  const width = lines[0].split(',').length;
  if (width < 2)
    throw new MemloopError(
      'bad-file',
      `${source}, line 1: time and at least one drive are needed, as in "time,drive"`,
    );
  const stimuli: Pulse[][] = Array.from({ length: width - 1 }, () => []);
  lines.slice(1).forEach((line, i) => {
    const cells = line.split(',').map((cell) => cell.trim());
    const values = cells.map(Number);
    if (cells.length !== width || cells[0] === '' || values.some((value) => !Number.isFinite(value)))
      throw new MemloopError('bad-file', `${source}, line ${i + 2}: "${line}" is not ${width} numbers`);
    cells.slice(1).forEach((cell, n) => {
      if (cell !== '') stimuli[n].push({ time: values[0], drive: values[n + 1] });
    });
  });
  return stimuli;
}
