/**
 * The MIF neurons of a board, each with its own parameters: the exponential integrator of src/model/devices/mif.ts,
 * written out for speed. All four gates come from one exponential of the membrane potential.
 */
import { alphaStep, MIF, type MifParameters, restState } from '../../model/devices/mif.js';
import type { Random } from '../../model/random.js';
import type { Profile } from '../profile.js';

/** Parameters of each neuron of a chip: nominal, or drawn around it with a relative deviation. */
export function drawNeurons(count: number, deviation: number, chip: Random): MifParameters[] {
  return Array.from({ length: count }, (_, n) => {
    const random = chip.fork(`neuron ${n}`);
    const around = (nominal: number) => nominal * Math.max(0.1, 1 + deviation * random.normal());
    return {
      ...MIF,
      capacitance: around(MIF.capacitance),
      k: around(MIF.k),
      voff: around(MIF.voff),
      von: around(MIF.von),
      roff: around(MIF.roff),
      ron: around(MIF.ron),
      tau: around(MIF.tau),
      tauAlpha: around(MIF.tauAlpha),
    };
  });
}

/** The neurons of a board: those measured on a chip, in turn, or drawn. The offsets add to drives, A. */
export function neuronsOf(
  { neurons, effects }: Profile,
  chip: Random,
): { parameters: MifParameters; driveOffset: number }[] {
  const { enabled, relative, measured } = effects.neuronMismatch;
  if (!enabled || !measured?.length)
    return drawNeurons(neurons, enabled ? relative : 0, chip).map((parameters) => ({
      parameters,
      driveOffset: 0,
    }));
  return Array.from({ length: neurons }, (_, n) => {
    const { driveOffset, ...parameters } = measured[n % measured.length];
    return { parameters, driveOffset };
  });
}

/** One neuron stepping at a fixed step. */
export class Neuron {
  readonly #p: MifParameters;
  readonly #dt: number;
  readonly #alpha;
  readonly #rest;
  /**
   * With e = exp(−v/k) the gates are σ((v − E − Von)/k) = 1/(1 + on·e) and σ((Voff − (v − E))/k) =
   * e/(e + off): one exponential and, over their common denominator, one division for all four.
   */
  readonly #on1: number;
  readonly #on2: number;
  readonly #off1: number;
  readonly #off2: number;
  #a = 0;
  #i = 0;
  #v = 0;
  #x1 = 0;
  #x2 = 0;
  #step = 0;

  constructor(p: MifParameters, dt: number) {
    this.#p = p;
    this.#dt = dt;
    this.#alpha = alphaStep(p.tauAlpha, 'exponential', dt);
    this.#rest = restState(p);
    this.#on1 = Math.exp((p.e1 + p.von) / p.k);
    this.#on2 = Math.exp((p.e2 + p.von) / p.k);
    this.#off1 = Math.exp(-(p.e1 + p.voff) / p.k);
    this.#off2 = Math.exp(-(p.e2 + p.voff) / p.k);
    this.reset();
  }

  /** To rest, at step 0. */
  reset(): void {
    ({ a: this.#a, i: this.#i, v: this.#v, x1: this.#x1, x2: this.#x2 } = this.#rest);
    this.#step = 0;
  }

  /**
   * Runs on; `voltages` (V) takes one sample after every `decimation` steps. `drives[p]` (A) is the jump of
   * the alpha current's state at step `pulseSteps[p]`; the steps ascend.
   */
  run(pulseSteps: Uint16Array, drives: Float64Array, decimation: number, voltages: Float64Array): void {
    const { tau, capacitance, roff, ron, e1, e2, k } = this.#p;
    const { after, keep, gain, meanKeep, meanGain } = this.#alpha;
    const dt = this.#dt;
    const on1 = this.#on1;
    const on2 = this.#on2;
    const off1 = this.#off1;
    const off2 = this.#off2;
    const perTau = dt / tau;
    const perC = dt / capacitance;
    const gOff = 1 / roff;
    const gSpan = 1 / ron - gOff;
    const perK = -1 / k;
    let a = this.#a;
    let i = this.#i;
    let v = this.#v;
    let x1 = this.#x1;
    let x2 = this.#x2;
    let step = this.#step;
    let pulse = 0;
    while (pulse < pulseSteps.length && pulseSteps[pulse] < step) pulse++;
    for (let sample = 0; sample < voltages.length; sample++) {
      for (let n = 0; n < decimation; n++, step++) {
        while (pulse < pulseSteps.length && pulseSteps[pulse] === step) a += drives[pulse++];
        const current = meanKeep * i + meanGain * a;
        const e = exp(v * perK);
        const a1 = 1 + on1 * e;
        const b1 = e + off1;
        const a2 = 1 + on2 * e;
        const b2 = e + off2;
        const ab1 = a1 * b1;
        const ab2 = a2 * b2;
        const over = perTau / (ab1 * ab2);
        const open1 = over * ab2 * b1;
        const open2 = over * ab1 * b2;
        const z1 = open1 + over * ab2 * a1 * e;
        const z2 = open2 + over * ab1 * a2 * e;
        x1 += mean(z1) * (open1 - z1 * x1);
        x2 += mean(z2) * (open2 - z2 * x2);
        const g1 = gOff + gSpan * x1;
        const g2 = gOff + gSpan * x2;
        const g = g1 + g2;
        v += (1 - exp(-perC * g)) * ((current + g1 * e1 + g2 * e2) / g - v);
        i = keep * i + gain * a;
        a *= after;
      }
      voltages[sample] = v;
    }
    this.#a = a;
    this.#i = i;
    this.#v = v;
    this.#x1 = x1;
    this.#x2 = x2;
    this.#step = step;
  }
}

/** (1 − e^−z)/z; below 0.05 by its series, whose next term is under 1e-13. */
const mean = (z: number): number =>
  z < 0.05
    ? 1 - z * (1 / 2 - z * (1 / 6 - z * (1 / 24 - z * (1 / 120 - z * (1 / 720 - z / 5040)))))
    : (1 - exp(-z)) / z;

const POWERS_OF_TWO = Float64Array.from({ length: 512 }, (_, n) => 2 ** (n - 256));
/** Adding and taking it away again rounds to a whole number. */
const ROUNDER = 1.5 * 2 ** 52;

/**
 * e^x to a relative 1e-11, in the loop's own code: calling out for it costs a third of a run. Beyond ±150
 * gates have long been shut and exponentials decayed; products of four must not overflow.
 */
function exp(x: number): number {
  const within = Math.max(-150, Math.min(150, x));
  const n = within * Math.LOG2E + ROUNDER - ROUNDER;
  const r = within - n * Math.LN2;
  const q = r * r;
  const even = 1 + q * (1 / 2 + q * (1 / 24 + q * (1 / 720 + q / 40320)));
  const odd = 1 + q * (1 / 6 + q * (1 / 120 + q * (1 / 5040 + q / 362880)));
  return (even + r * odd) * POWERS_OF_TWO[n + 256];
}
