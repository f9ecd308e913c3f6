/** Digital-to-analog and analog-to-digital converters, one channel for each line, with errors and noise. */
import type { Random } from '../../model/random.js';
import type { Profile } from '../profile.js';

/** Standard deviations that the channels are drawn from. */
export interface ConverterErrors {
  /** In the converter's unit. */
  offset: number;
  /** Relative. */
  gain: number;
  /** Deviation at 0.58 of full scale, as a share of full scale; 0 at 0 and at full scale. */
  nonlinearity?: number;
}

export const NO_ERRORS: ConverterErrors = { offset: 0, gain: 0 };

/** u − u³ has its maximum, 0.385, at u = 0.577. */
const BOW_PEAK = 2 / (3 * Math.sqrt(3));

abstract class Converter {
  /** Codes and counts run from −maxCount to maxCount. */
  readonly maxCount: number;
  /** Nominal step, in the converter's unit. */
  readonly step: number;
  /** Errors of each channel: the truth, for tests. The bow is in the converter's unit, before u − u³. */
  readonly offset: Float64Array;
  readonly gain: Float64Array;
  readonly bow: Float64Array;

  constructor(channels: number, bits: number, fullScale: number, errors: ConverterErrors, random: Random) {
    this.maxCount = 2 ** (bits - 1) - 1;
    this.step = fullScale / this.maxCount;
    const draw = (label: string, mean: number, deviation: number) => {
      const stream = random.fork(label);
      return Float64Array.from({ length: channels }, () => mean + deviation * stream.normal());
    };
    this.offset = draw('offset', 0, errors.offset);
    this.gain = draw('gain', 1, errors.gain);
    this.bow = draw('nonlinearity', 0, errors.nonlinearity ?? 0).map(
      (share) => (share * fullScale) / BOW_PEAK,
    );
  }
}

export class Dac extends Converter {
  /** What a channel puts out for a code. */
  output(channel: number, code: number): number {
    const u = code / this.maxCount;
    return this.offset[channel] + this.gain[channel] * code * this.step + this.bow[channel] * (u - u * u * u);
  }
}

export class Adc extends Converter {
  readonly #noise: number;

  /** `noise`: standard deviation of a sample, in the converter's unit. */
  constructor(
    channels: number,
    bits: number,
    fullScale: number,
    errors: ConverterErrors,
    random: Random,
    noise: number,
  ) {
    super(channels, bits, fullScale, errors, random);
    this.#noise = noise;
  }

  /** Count shown for the mean of `samples` samples of `value`; saturates at ±maxCount. */
  count(channel: number, value: number, samples: number, noise: Random): number {
    let shown = this.offset[channel] + this.gain[channel] * value;
    if (this.#noise > 0) shown += (this.#noise / Math.sqrt(samples)) * noise.normal();
    return Math.max(-this.maxCount, Math.min(this.maxCount, Math.floor(shown / this.step + 0.5)));
  }
}

/** The converters of a chip; the arrays share them. */
export interface ChipConverters {
  /** A channel for each row. */
  rowDac: Dac;
  /** For each range, a channel for each column. */
  columnAdcs: readonly Adc[];
  /** A channel for each neuron. */
  driveDac: Dac;
  membraneAdc: Adc;
}

/** Each converter draws its errors from its own stream of `chip`. */
export function drawConverters(profile: Profile, chip: Random): ChipConverters {
  const { rows, columns, neurons, converters, effects } = profile;
  const { rowDac, columnAdc, driveDac, membraneAdc } = converters;
  const { converterErrors: errors, converterNoise } = effects;
  const when = (wanted: ConverterErrors) => (errors.enabled ? wanted : NO_ERRORS);
  const noise = converterNoise.enabled ? converterNoise : { column: 0, membrane: 0 };
  return {
    rowDac: new Dac(
      rows,
      rowDac.bits,
      rowDac.fullScale,
      when({ offset: errors.rowOffset, gain: errors.rowGain, nonlinearity: errors.rowNonlinearity }),
      chip.fork('row DAC'),
    ),
    columnAdcs: columnAdc.fullScales.map(
      (fullScale, range) =>
        new Adc(
          columns,
          columnAdc.bits,
          fullScale,
          when({ offset: errors.columnOffset * fullScale, gain: errors.columnGain }),
          chip.fork(`column ADC ${range}`),
          noise.column * fullScale,
        ),
    ),
    driveDac: new Dac(
      neurons,
      driveDac.bits,
      driveDac.fullScale,
      when({ offset: errors.driveOffset * driveDac.fullScale, gain: errors.driveGain }),
      chip.fork('drive DAC'),
    ),
    membraneAdc: new Adc(
      neurons,
      membraneAdc.bits,
      membraneAdc.fullScale,
      when({ offset: errors.membraneOffset, gain: errors.membraneGain }),
      chip.fork('membrane ADC'),
      noise.membrane,
    ),
  };
}
