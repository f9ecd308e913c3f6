/**
 * Calibration of a board's neurons: each is driven with a few stimuli and its parameters are fitted to the
 * membrane voltages that come back.
 *
 * What is fitted are *effective* parameters: those with which the MIF equations (Eq. 1–2, `model/mif.ts`)
 * give the voltage as the board shows it for the drive as the board was asked for it. Offset and gain of a
 * neuron's membrane ADC are in its reversal potentials, thresholds and k, the gain of its drive DAC in
 * its capacitance and resistances: the equations keep their form under both, so nothing is lost and nothing is
 * confounded. Only the offset of the drive DAC has no place in them; it is fitted beside them.
 */
import { CholeskyDecomposition, inverse, Matrix } from 'ml-matrix';
import type { Board, BoardDescription, NeuronRun, Stimulus } from '../../driver/board/board.js';
import { MIF, type MifParameters, mifStepper, restState } from '../../model/devices/mif.js';
import { MemloopError } from '../../shared/errors.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import { CALIBRATION_LIFETIME } from '../converters/calibrated-board.js';
import type { NeuronCalibration, NeuronFit } from './types.js';

type Name = keyof MifParameters | 'driveOffset';

/**
 * What is fitted, in units of its prior's standard deviation: parameters that are positive by their logarithm. The
 * prior is far wider than chips are, and only keeps what a neuron does not show from running away.
 */
const COORDINATES: readonly { name: Name; nominal: number; deviation: number; log: boolean }[] = [
  ...(['capacitance', 'k', 'von', 'roff', 'ron', 'tau', 'tauAlpha'] as const).map((name) => ({
    name,
    nominal: MIF[name],
    deviation: 0.3,
    log: true,
  })),
  { name: 'voff', nominal: MIF.voff, deviation: 3e-3, log: false },
  { name: 'e1', nominal: MIF.e1, deviation: 5e-3, log: false },
  { name: 'e2', nominal: MIF.e2, deviation: 5e-3, log: false },
  { name: 'driveOffset', nominal: 0, deviation: 2e-6, log: false },
];

const valueAt = (i: number, u: number): number => {
  const { nominal, deviation, log } = COORDINATES[i];
  return log ? nominal * Math.exp(deviation * u) : nominal + deviation * u;
};

/** Input pulses of each stimulus, [s, A]: rest; the drive's offset; weak, strong, inhibiting; trains and turns. */
const STIMULI: readonly (readonly (readonly [time: number, drive: number])[])[] = [
  [],
  [
    [0, 0],
    [3e-3, 0],
    [6e-3, 0],
  ],
  [[0, 8e-6]],
  [[0, 30e-6]],
  [[0, 100e-6]],
  [[0, -15e-6]],
  [[0, -60e-6]],
  [
    [0, 15e-6],
    [4e-3, 15e-6],
    [8e-3, 15e-6],
  ],
  [
    [0, -30e-6],
    [4e-3, 60e-6],
    [8e-3, -30e-6],
  ],
];
/** How long each is watched, s, where the board's longest run allows it. */
const DURATION = 10e-3;
const REPEATS = 4;
const DECIMATION = 4;
const STEPS_MAX = 50;
/** Longest step of the fit, in deviations of the prior. */
const LONGEST_MOVE = 1;
/** With a residual above this (V), or a parameter this many deviations of the prior off, it is no MIF neuron. */
const LARGEST_RESIDUAL = 5e-3;
const FARTHEST = 8;

export interface NeuronOptions {
  emit?: Emit | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Drives all neurons of the board, at once, and fits each. No array is touched. Throws `calibration` if a neuron
 * does not answer as a MIF neuron, or if there are none.
 */
export async function calibrateNeurons(
  board: Board,
  { emit, signal }: NeuronOptions = {},
): Promise<NeuronCalibration> {
  const { neurons, boardSerial } = board.description;
  if (neurons === 0)
    throw new MemloopError(
      'calibration',
      `board ${boardSerial} has no neurons to calibrate: the host runs nominal ones`,
    );
  const progress = progressOf(emit, 'calibrate neurons', 'neurons', neurons);
  const stimuli = stimuliOf(board.description);
  const runs = await board.run(Array.from({ length: REPEATS }, () => stimuli).flat());
  const fits: NeuronFit[] = [];
  for (let n = 0; n < neurons; n++) {
    signal?.throwIfAborted();
    const { fit, farthest } = fitNeuron(
      stimuli.map((stimulus, s) => ({
        stimulus,
        drives: Array.from(stimulus.pulseSteps, (_, p) => stimulus.drives[p * neurons + n]),
        ...averaged(
          runs.filter((_, i) => i % stimuli.length === s),
          n,
          neurons,
        ),
      })),
      board.description,
    );
    if (!(fit.residual < LARGEST_RESIDUAL && farthest < FARTHEST))
      throw new MemloopError(
        'calibration',
        `neuron ${n} of board ${boardSerial} does not answer as a MIF neuron (residual ${(1e3 * fit.residual).toFixed(1)} mV, a parameter ${farthest.toFixed(0)} deviations from any chip's): check its drive and its membrane line`,
      );
    fits.push(fit);
    progress.step();
    await new Promise(setImmediate);
  }
  return { boardSerial, measured: new Date().toISOString(), neurons: fits };
}

/** Throws `calibration` when the calibration is of another board, of another size, or too old. */
export function checkNeurons(
  calibration: NeuronCalibration,
  { boardSerial, neurons }: Pick<BoardDescription, 'boardSerial' | 'neurons'>,
  now: Date = new Date(),
): NeuronCalibration {
  const fail = (what: string): never => {
    throw new MemloopError('calibration', `${what}: run \`memloop calibrate --neurons-only\``);
  };
  if (calibration.boardSerial !== boardSerial)
    fail(`the neuron calibration is of board ${calibration.boardSerial}, this is ${boardSerial}`);
  if (calibration.neurons.length !== neurons)
    fail(
      `the neuron calibration of board ${boardSerial} has ${calibration.neurons.length} neurons, the board ${neurons}`,
    );
  const age = (now.getTime() - Date.parse(calibration.measured)) / 1000;
  if (!(age < CALIBRATION_LIFETIME))
    fail(`the neuron calibration of board ${boardSerial} is ${Math.round(age / 86400)} days old`);
  return calibration;
}

/** The stimuli with which the neurons put out what was asked for: the offsets of their drive DACs taken out. */
export function correctedStimuli(
  stimuli: readonly Stimulus[],
  neurons: readonly Pick<NeuronFit, 'driveOffset'>[],
): Stimulus[] {
  return stimuli.map((stimulus) => ({
    ...stimulus,
    drives: stimulus.drives.map((drive, i) => drive - neurons[i % neurons.length].driveOffset),
  }));
}

function stimuliOf({ neurons, stepTime, maxSteps, driveStep, driveMax }: BoardDescription): Stimulus[] {
  const steps = Math.min(maxSteps, Math.round(DURATION / stepTime));
  // On the DAC's codes, so that rounding is no error of the neuron's.
  const code = (drive: number) =>
    Math.round(Math.max(-driveMax, Math.min(driveMax, drive)) / driveStep) * driveStep;
  return STIMULI.map((pulses) => {
    const within = pulses
      .map(([time, drive]) => ({ step: Math.round(time / stepTime), drive: code(drive) }))
      .filter(({ step }) => step < steps);
    return {
      steps,
      decimation: DECIMATION,
      pulseSteps: within.map(({ step }) => step),
      drives: Float32Array.from(within.flatMap(({ drive }) => Array<number>(neurons).fill(drive))),
    };
  });
}

/** One neuron's answer to one stimulus. */
interface Answer {
  stimulus: Stimulus;
  /** A, one per pulse. */
  drives: number[];
  /** Mean over the repeats, V, NaN where every one was lost. */
  voltages: Float64Array;
  /** Variance of one sample, V². */
  variance: number;
}

function averaged(
  runs: readonly NeuronRun[],
  n: number,
  neurons: number,
): Pick<Answer, 'voltages' | 'variance'> {
  const samples = runs[0].samples;
  const voltages = new Float64Array(samples);
  let squares = 0;
  let freedom = 0;
  for (let s = 0; s < samples; s++) {
    const values = runs.map((run) => run.voltages[s * neurons + n]).filter(Number.isFinite);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    voltages[s] = mean;
    squares += values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    freedom += Math.max(0, values.length - 1);
  }
  return { voltages, variance: freedom > 0 ? squares / freedom : 0 };
}

/**
 * Voltages that a neuron with coordinates u would answer with, of all stimuli, one after the other.
 * @param every board steps in one of the model's; the decimation is a multiple of it
 */
function predicted(
  u: readonly number[],
  answers: readonly Answer[],
  stepTime: number,
  every: number,
): Float64Array {
  const { driveOffset, ...parameters } = parametersAt(u);
  const stepper = mifStepper(parameters, 'exponential', every * stepTime);
  const rest = restState(parameters);
  const result = new Float64Array(answers.reduce((sum, { voltages }) => sum + voltages.length, 0));
  let at = 0;
  for (const { stimulus, drives, voltages } of answers) {
    const { decimation, pulseSteps } = stimulus;
    let state = rest;
    let pulse = 0;
    for (let sample = 0; sample < voltages.length; sample++) {
      for (let step = sample * decimation; step < (sample + 1) * decimation; step += every) {
        let drive = 0;
        while (pulse < pulseSteps.length && pulseSteps[pulse] < step + every)
          drive += drives[pulse++] + driveOffset;
        state = stepper.step(state, drive);
      }
      result[at++] = state.v;
    }
  }
  return result;
}

const parametersAt = (u: readonly number[]): MifParameters & { driveOffset: number } =>
  Object.fromEntries(COORDINATES.map(({ name }, i) => [name, valueAt(i, u[i])])) as Record<Name, number>;

/** Residuals at some coordinates. */
interface Point {
  u: readonly number[];
  /** Over the noise; 0 where nothing was measured. */
  residuals: Float64Array;
  cost: number;
}

/**
 * Levenberg–Marquardt on the residuals over `noise` (V), with the prior as one more residual per coordinate.
 * @returns where it ends, and JᵀJ + 1 there, J being d(prediction)/du over the noise
 */
function minimised(
  start: readonly number[],
  answers: readonly Answer[],
  stepTime: number,
  noise: number,
  every: number,
): { end: Point; normal: Matrix } {
  const size = start.length;
  const measured = answers.flatMap(({ voltages }) => Array.from(voltages));
  const at = (u: readonly number[]): Point => {
    const residuals = predicted(u, answers, stepTime, every).map((value, i) =>
      Number.isNaN(measured[i]) ? 0 : (measured[i] - value) / noise,
    );
    const squares = (list: ArrayLike<number>) => Array.from(list).reduce((sum, r) => sum + r * r, 0);
    return { u, residuals, cost: squares(residuals) + squares(u) };
  };
  const linearised = ({ u, residuals }: Point) => {
    const delta = 1e-4;
    const slopes = u.map((value, i) =>
      at(u.with(i, value + delta)).residuals.map((r, k) => (residuals[k] - r) / delta),
    );
    const normal = Matrix.eye(size);
    const pull = u.map((value) => -value);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k < residuals.length; k++) sum += slopes[i][k] * slopes[j][k];
        normal.set(i, j, normal.get(i, j) + sum);
        if (j < i) normal.set(j, i, sum);
      }
      for (let k = 0; k < residuals.length; k++) pull[i] += slopes[i][k] * residuals[k];
    }
    return { normal, pull };
  };

  let end = at(start);
  let { normal, pull } = linearised(end);
  let damping = 1e-3;
  for (let step = 0; step < STEPS_MAX && damping < 1e6; step++) {
    const damped = normal.clone();
    for (let i = 0; i < size; i++) damped.set(i, i, damped.get(i, i) * (1 + damping));
    const move = new CholeskyDecomposition(damped).solve(Matrix.columnVector(pull)).to1DArray();
    // Far from the minimum the linearised model leads astray: steps are kept within where it holds.
    const share = Math.min(1, LONGEST_MOVE / Math.max(...move.map(Math.abs)));
    const next = at(end.u.map((value, i) => value + share * move[i]));
    if (!(next.cost < end.cost)) {
      damping *= 10;
      continue;
    }
    const gained = end.cost - next.cost;
    end = next;
    damping = Math.max(1e-9, damping / 10);
    ({ normal, pull } = linearised(end));
    if (gained < (every === 1 ? 0.01 : 0.1)) break;
  }
  return { end, normal };
}

/**
 * Noise (V) assumed in each stage of the fit: from where the prior rules to where the measurement does. A fit that is
 * exact from the start finds wrong minima.
 */
const NOISES = [20e-3, 4e-3, 0.8e-3];

function fitNeuron(
  answers: readonly Answer[],
  { stepTime, membraneStep }: BoardDescription,
): { fit: NeuronFit; farthest: number } {
  const size = COORDINATES.length;
  const variance = answers.reduce((sum, a) => sum + a.variance, 0) / answers.length;
  // Without noise the rounding to the ADC's steps is the same in every repeat.
  const noise = Math.sqrt(Math.max(variance / REPEATS, membraneStep ** 2 / 12));
  let begin: readonly number[] = Array<number>(size).fill(0);
  for (const coarse of NOISES) begin = minimised(begin, answers, stepTime, coarse, DECIMATION).end.u;
  const { end, normal } = minimised(begin, answers, stepTime, noise, 1);
  const { u, residuals } = end;

  const known = answers.reduce((sum, { voltages }) => sum + voltages.filter(Number.isFinite).length, 0);
  const squares = residuals.reduce((sum, r) => sum + r * r, 0);
  const neighbours = residuals.reduce((sum, r, i) => sum + r * (residuals[i + 1] ?? 0), 0);
  // Where the equations do not explain all that was measured, the parameters are known less well; still less where
  // residuals resemble their neighbours, as such samples count as fewer.
  const alike = Math.min(0.95, Math.max(0, neighbours / squares));
  const scatter = Math.max(1, (squares / Math.max(1, known - size)) * ((1 + alike) / (1 - alike)));
  const covariance = inverse(normal);
  const { driveOffset, ...parameters } = parametersAt(u);
  const sigma = Object.fromEntries(
    COORDINATES.map(({ name, deviation, log }, i) => [
      name,
      Math.sqrt(covariance.get(i, i) * scatter) * deviation * (log ? valueAt(i, u[i]) : 1),
    ]),
  ) as Record<Name, number>;
  const residual = noise * Math.sqrt(squares / Math.max(1, known));
  return {
    fit: { parameters, driveOffset, sigma, residual, noise },
    farthest: Math.max(...u.map(Math.abs)),
  };
}
