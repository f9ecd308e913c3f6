/** What the firmware's pins are wired to: crossbars, converters, reference resistors and neurons of one chip. */
import { createHash, randomInt } from 'node:crypto';
import { OPEN_PATH } from '../../../firmware-protocol/generated/protocol.js';
import type { MifParameters } from '../../model/devices/mif.js';
import { Random } from '../../model/random.js';
import type { AnalogFrontEnd } from '../firmware.js';
import type { Profile } from '../profile.js';
import { type ChipConverters, drawConverters } from './converters.js';
import { Crossbar } from './crossbar.js';
import { Neuron, neuronsOf } from './neurons.js';

const WIDTH_STEP = 1e-7; // s

/** A pulse that the physics received. */
export interface TracedPulse {
  /** Board time, s. */
  time: number;
  array: number;
  row: number;
  column: number;
  /** V, as the code stands for: the row's own offset and gain error are not in it. */
  voltage: number;
  /** s */
  width: number;
}

export interface FrontEndOptions {
  /** Decides the chip and all its noise. */
  seed: number;
  /** Makes the boot ids repeatable; without it they are drawn by the operating system. */
  boot?: number | undefined;
  /** Our time passes with board time already: the clock must not count both. */
  realTime?: boolean | undefined;
  onPulse?: ((pulse: TracedPulse) => void) | undefined;
}

/**
 * Board time is simulated: an operation takes its time on the board and none of ours. The firmware's clock
 * runs on both, so that the dead-man notices a silent host.
 */
export class SimulatedFrontEnd implements AnalogFrontEnd {
  readonly description: AnalogFrontEnd['description'];
  readonly firmwareVersion = '0.1.0-virtual';
  readonly boardSerial: string;
  readonly crossbars: readonly Crossbar[];
  /** Told of each pulse that the cells received. */
  readonly pulseListeners: ((pulse: TracedPulse) => void)[] = [];
  /** A fault: every ADC shows full scale. */
  adcsSaturated = false;

  readonly #profile: Profile;
  readonly #entropy: () => number;
  readonly #realTime: boolean;
  readonly #converters: ChipConverters;
  readonly #noise: Random;
  readonly #neurons: readonly Neuron[];
  readonly #driveOffsets: readonly number[];
  readonly #neuronParameters: readonly MifParameters[];
  /** A stream for each neuron: its noise does not depend on how a run is cut into frames. */
  readonly #membraneNoise: readonly Random[];
  #pulseSteps = new Uint16Array(0);
  #drives: Float64Array[] = [];
  #time = 0;
  readonly #currents: Float64Array;
  readonly #voltages: Float64Array;

  constructor(profile: Profile, options: FrontEndOptions) {
    const { rows, columns } = profile;
    this.#profile = profile;
    if (options.onPulse) this.pulseListeners.push(options.onPulse);
    this.#realTime = options.realTime ?? false;
    const identity = createHash('sha256')
      .update(JSON.stringify([profile, options.seed]))
      .digest('hex');
    this.boardSerial = `VB-${identity.slice(0, 8)}`;

    const chip = new Random(options.seed).fork('chip');
    const noise = new Random(options.seed).fork('noise');
    const boots = options.boot === undefined ? undefined : noise.fork(`boot ${options.boot}`);
    this.#entropy = () => (boots ? boots.integer(2 ** 32) : randomInt(2 ** 32));

    this.#converters = drawConverters(profile, chip);
    this.crossbars = Array.from(
      { length: profile.arrays },
      (_, array) => new Crossbar(profile, chip.fork(`array ${array}`), noise.fork(`array ${array}`), array),
    );
    const own = neuronsOf(profile, chip);
    this.#neurons = own.map(({ parameters }) => new Neuron(parameters, profile.run.stepTime));
    this.#driveOffsets = own.map(({ driveOffset }) => driveOffset);
    this.#neuronParameters = own.map(({ parameters }) => parameters);
    this.#membraneNoise = this.#neurons.map((_, n) => noise.fork(`membrane ${n}`));
    this.#noise = noise.fork('columns');
    this.#currents = new Float64Array(columns);
    this.#voltages = new Float64Array(rows);
    this.description = this.#describe();
  }

  /** Board time, s: the sum of what its operations took. */
  get time(): number {
    return this.#time;
  }

  /**
   * The parameters, and the offset of the drive (A), with which a neuron's equations give what its ADC shows for what
   * its DAC was asked for: the truth, for tests.
   */
  effectiveNeuron(n: number): MifParameters & { driveOffset: number } {
    const p = this.#neuronParameters[n];
    const { driveDac, membraneAdc } = this.#converters;
    const gain = membraneAdc.gain[n];
    const shown = (v: number) => membraneAdc.offset[n] + gain * v;
    const scale = gain * driveDac.gain[n];
    return {
      ...p,
      e1: shown(p.e1),
      e2: shown(p.e2),
      k: gain * p.k,
      von: gain * p.von,
      voff: gain * p.voff,
      capacitance: p.capacitance / scale,
      ron: p.ron * scale,
      roff: p.roff * scale,
      driveOffset: (driveDac.offset[n] + this.#driveOffsets[n]) / driveDac.gain[n],
    };
  }

  /** Lets board time pass, s: cells relax and drift. */
  elapse(time: number): void {
    this.#time += time;
    for (const crossbar of this.crossbars) crossbar.advance(this.#time);
  }

  arraySerial(array: number): string {
    return `${this.boardSerial}-A${array}`;
  }

  now(): number {
    return (this.#realTime ? 0 : this.#time * 1e6) + performance.now() * 1e3;
  }

  entropy(): number {
    return this.#entropy();
  }

  linesToZero(): void {
    this.#pulseSteps = new Uint16Array(0);
  }

  pulse(array: number, row: number, column: number, code: number, width: number): void {
    const seconds = width * WIDTH_STEP;
    const { rowDac } = this.#converters;
    this.#at(array).pulse(row, column, rowDac.output(row, code), seconds);
    const voltage = code * rowDac.step;
    for (const told of this.pulseListeners)
      told({ time: this.#time, array, row, column, voltage, width: seconds });
    this.#time += seconds;
  }

  readRow(array: number, row: number, code: number, samples: number, counts: Int16Array): void {
    const time = samples * this.#profile.read.readTime;
    this.#at(array).readRow(row, this.#converters.rowDac.output(row, code), time, samples, this.#currents);
    this.#digitise(0, samples, counts);
    this.#time += time;
  }

  multiply(array: number, range: number, samples: number, codes: Int16Array, counts: Int16Array): void {
    const time = samples * this.#profile.read.readTime;
    const { rowDac } = this.#converters;
    for (let r = 0; r < codes.length; r++) this.#voltages[r] = rowDac.output(r, codes[r]);
    this.#at(array).multiply(this.#voltages, time, samples, this.#currents);
    this.#digitise(range, samples, counts);
    this.#time += time;
  }

  reference(
    row: number,
    column: number,
    reference: number,
    range: number,
    samples: number,
    code: number,
  ): number {
    this.#time += samples * this.#profile.read.readTime;
    const { references, effects } = this.#profile;
    const { enabled, exact } = effects.lineResistance;
    // A reference resistor is beside the array: between driver and meter, and behind no line.
    const ends = enabled && exact ? exact.driver + exact.sense : 0;
    const conductance = reference === OPEN_PATH ? 0 : 1 / (references[reference] + ends);
    const { rowDac, columnAdcs } = this.#converters;
    const current = rowDac.output(row, code) * conductance;
    const count = columnAdcs[range].count(column, current, samples, this.#noise);
    return this.adcsSaturated ? columnAdcs[range].maxCount : count;
  }

  neuronsBegin(pulseSteps: Uint16Array, drives: Int16Array): void {
    const count = this.#neurons.length;
    this.#pulseSteps = pulseSteps.slice();
    this.#drives = this.#neurons.map((neuron, n) => {
      neuron.reset();
      return Float64Array.from(
        pulseSteps,
        (_, p) => this.#converters.driveDac.output(n, drives[p * count + n]) + this.#driveOffsets[n],
      );
    });
  }

  neuronsSample(samples: number, decimation: number, counts: Int16Array): void {
    const { membraneAdc } = this.#converters;
    const count = this.#neurons.length;
    const voltages = new Float64Array(samples);
    for (let n = 0; n < count; n++) {
      this.#neurons[n].run(this.#pulseSteps, this.#drives[n], decimation, voltages);
      const noise = this.#membraneNoise[n];
      for (let s = 0; s < samples; s++) {
        counts[s * count + n] = membraneAdc.count(n, voltages[s], 1, noise);
      }
    }
    if (this.adcsSaturated) counts.fill(membraneAdc.maxCount);
    this.#time += samples * decimation * this.#profile.run.stepTime;
  }

  #at(array: number): Crossbar {
    const crossbar = this.crossbars[array];
    crossbar.advance(this.#time);
    return crossbar;
  }

  #digitise(range: number, samples: number, counts: Int16Array): void {
    const adc = this.#converters.columnAdcs[range];
    for (let c = 0; c < counts.length; c++) {
      counts[c] = adc.count(c, this.#currents[c], samples, this.#noise);
    }
    if (this.adcsSaturated) counts.fill(adc.maxCount);
  }

  #describe(): AnalogFrontEnd['description'] {
    const { pulse, read, run, effects } = this.#profile;
    const { rowDac, columnAdcs, driveDac, membraneAdc } = this.#converters;
    return {
      arrays: this.#profile.arrays,
      rows: this.#profile.rows,
      columns: this.#profile.columns,
      neurons: this.#profile.neurons,
      rowVoltsPerCount: rowDac.step,
      rowMaxCount: rowDac.maxCount,
      ampsPerCount: Float32Array.from(columnAdcs, (adc) => adc.step),
      currentMaxCount: columnAdcs[0].maxCount,
      driveAmpsPerCount: driveDac.step,
      driveMaxCount: driveDac.maxCount,
      membraneVoltsPerCount: membraneAdc.step,
      membraneMaxCount: membraneAdc.maxCount,
      stepTime: run.stepTime,
      maxSteps: run.maxSteps,
      seriesResistance: pulse.seriesResistance,
      halfSelect: effects.halfSelectDisturb.enabled ? pulse.halfSelect : 0,
      maxVoltage: pulse.maxVoltage,
      minVoltage: pulse.minVoltage,
      maxReadVoltage: read.maxVoltage,
      readTime: read.readTime,
      minWidth: pulse.minWidth,
      maxWidth: pulse.maxWidth,
      maxEnergy: pulse.maxEnergy,
      maxPulses: pulse.maxPulses,
      deadManTime: this.#profile.deadManTime,
      references: Float32Array.from(this.#profile.references),
    };
  }
}
