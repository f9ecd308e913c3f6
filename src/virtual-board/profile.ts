/**
 * The profile of a virtual board: its size, its devices and converters, and how imperfect they are. Every
 * field is required and described here; docs/reference/profiles.md is made from these descriptions.
 */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { z } from 'zod';
import { mifSchema } from '../model/devices/mif.js';
import { MemloopError } from '../shared/errors.js';
import { checkJson, readJson } from '../shared/json.js';

const count = (max: number) => z.int().min(1).max(max);
const positive = z.number().positive();
const spread = z.number().min(0);
const share = z.number().min(0).max(1);
const enabled = z.boolean().describe('whether this imperfection is simulated at all');
const bits = z.int().min(4).max(16);

const device = z
  .strictObject({
    ron: positive.describe('resistance with all switches on, Ω'),
    roff: positive.describe('resistance with all switches off, Ω'),
    von: positive.describe('threshold towards on, V; the mean where thresholds are spread'),
    voff: positive.describe(
      'threshold towards off, V, as a positive number; the location where thresholds are spread',
    ),
    tau: positive.describe('time constant of the switches, s'),
    vt: positive.describe('effective thermal voltage, V'),
    phi: share.describe('share of the current through the switches'),
    alpha: z.number().min(0).describe('Schottky amplitude, A'),
    beta: positive.describe('Schottky exponent, 1/V'),
    initialState: z
      .tuple([share, share])
      .describe('lowest and highest state x of the cells of a new chip, drawn uniformly'),
  })
  .describe('nominal memristor: generalised metastable switch, see src/model/devices/memristor.ts');

const pulse = z
  .strictObject({
    seriesResistance: positive.describe('in series with a cell during a pulse, Ω'),
    halfSelect: z
      .number()
      .min(0)
      .max(0.9)
      .describe("share of a pulse's voltage that the other cells of the selected row and column see"),
    linesFloat: z
      .boolean()
      .optional()
      .describe(
        'may be left out: whether unselected lines float, so that those cells see that share of the voltage across the selected cell alone',
      ),
    minVoltage: z.number().negative().describe('lowest pulse voltage, V'),
    maxVoltage: positive.describe('highest pulse voltage, V'),
    minWidth: positive.describe('shortest pulse, s'),
    maxWidth: positive.max(6.5e-3).describe('longest pulse, s'),
    maxEnergy: positive.describe(
      'largest energy of one pulse, J, counted as V²/(4 · seriesResistance) · width',
    ),
    maxPulses: count(65535).describe('pulses a cell may have between two starts of the board'),
  })
  .describe('how pulses are driven, and the limits that the firmware enforces');

const read = z
  .strictObject({
    maxVoltage: positive.describe('largest absolute voltage of a read or a multiplication, V'),
    readTime: positive.describe('time the voltage is applied for each ADC sample, s'),
  })
  .describe('reads and multiplications');

const converters = z
  .strictObject({
    rowDac: z
      .strictObject({
        bits: bits.describe('resolution, sign included'),
        fullScale: positive.describe('largest voltage, V'),
      })
      .describe('row drivers: one for each row index, shared by the arrays'),
    columnAdc: z
      .strictObject({
        bits: bits.describe('resolution, sign included'),
        fullScales: z
          .tuple([positive, positive])
          .describe('largest current, A, of range 0 (single cells) and range 1 (whole columns)'),
      })
      .describe('column current meters: one for each column index, shared by the arrays'),
    driveDac: z
      .strictObject({
        bits: bits.describe('resolution, sign included'),
        fullScale: positive.describe("largest drive of a neuron (jump of the alpha current's state a), A"),
      })
      .describe('one for each neuron'),
    membraneAdc: z
      .strictObject({
        bits: bits.describe('resolution, sign included'),
        fullScale: positive.describe('largest membrane voltage, V'),
      })
      .describe('one for each neuron'),
  })
  .describe('digital resolution; their errors and noise are effects');

const run = z
  .strictObject({
    stepTime: positive.describe('time between two steps of the neurons, s'),
    maxSteps: count(65535).describe('longest run, steps'),
  })
  .describe('runs of the MIF neurons, whose nominal parameters are those of src/model/devices/mif.ts');

const cells = (value: z.ZodNumber, meaning: string) => z.array(value.nullable()).describe(meaning);

const measuredArray = z.strictObject({
  ron: cells(positive, 'device.ron of each cell, row by row; null where it is drawn'),
  roff: cells(positive, 'device.roff of each cell'),
  von: cells(positive, 'device.von of each cell'),
  voff: cells(positive, 'device.voff of each cell'),
  tau: cells(positive, 'device.tau of each cell'),
  state: cells(share, 'state x that each cell starts with'),
  stuck: cells(
    z.int().min(-1).max(1),
    '−1 for cells stuck low, 1 for cells stuck high, 0 for those that move',
  ),
});

const effects = z
  .strictObject({
    deviceSpread: z
      .strictObject({
        enabled,
        ron: spread.describe('standard deviation of ln(ron)'),
        roff: spread.describe('standard deviation of ln(roff)'),
        tau: spread.describe('standard deviation of ln(tau)'),
        von: z
          .strictObject({
            deviation: spread.describe('standard deviation, V'),
            min: positive.describe('lowest value, V: draws below are drawn again'),
            max: positive.describe('highest value, V'),
          })
          .describe('normal distribution around device.von'),
        voff: z
          .strictObject({
            alpha: z.number().gt(0).max(2).describe('stability index'),
            beta: z.number().min(-1).max(1).describe('skewness, towards large voff where positive'),
            scale: spread.describe('scale, V'),
            min: positive.describe('lowest value, V: draws below are drawn again'),
            max: positive.describe('highest value, V'),
          })
          .describe("alpha-stable distribution located at device.voff, in Nolan's S0 form"),
        measured: z
          .array(measuredArray)
          .optional()
          .describe('may be left out: the cells of the first arrays as measured on a chip, instead of drawn'),
      })
      .describe('cells differ from one another'),
    pulseSpread: z
      .strictObject({
        enabled,
        tau: spread.describe('standard deviation of ln(tau) from pulse to pulse'),
        threshold: spread.describe('standard deviation of both thresholds from pulse to pulse, V'),
      })
      .describe('a cell answers equal pulses differently'),
    stuckCells: z
      .strictObject({
        enabled,
        low: share.describe('share of cells fixed at their lowest conductance'),
        high: share.describe('share of cells fixed at their highest conductance'),
      })
      .describe('cells whose conductance does not move'),
    readNoise: z
      .strictObject({
        enabled,
        relative: spread.describe('standard deviation of the current of a cell in one sample, relative'),
      })
      .describe('noise of the cells'),
    halfSelectDisturb: z
      .strictObject({
        enabled,
        unselected: z
          .boolean()
          .optional()
          .describe(
            'may be left out: whether cells that share neither move too; only with exact lines, which know what they see',
          ),
      })
      .describe('pulses move the other cells of the row and the column'),
    readDisturb: z
      .strictObject({ enabled })
      .describe('reads and multiplications move the cells that they drive'),
    lineResistance: z
      .strictObject({
        enabled,
        segment: spread.describe('resistance of a row or column between two neighbouring cells, Ω'),
        exact: z
          .strictObject({
            driver: spread.describe('resistance of the driver of each row, Ω'),
            sense: spread.describe('resistance of the current meter of each column, Ω'),
          })
          .optional()
          .describe(
            'may be left out: lines, cells, drivers and meters as one network that is solved exactly, for reads, products and pulses; needs a segment over 0',
          ),
      })
      .describe('voltage drop along the lines, to first order where exact is left out'),
    converterErrors: z
      .strictObject({
        enabled,
        rowOffset: spread.describe('standard deviation of the offset of the row DACs, V'),
        rowGain: spread.describe('standard deviation of their gain error, relative'),
        rowNonlinearity: spread.describe(
          'standard deviation of their bow at 0.58 of full scale, share of it',
        ),
        columnOffset: spread.describe(
          'standard deviation of the offset of the column ADCs, share of full scale',
        ),
        columnGain: spread.describe('standard deviation of their gain error, relative, drawn for each range'),
        driveOffset: spread.describe(
          'standard deviation of the offset of the drive DACs, share of full scale',
        ),
        driveGain: spread.describe('standard deviation of their gain error, relative'),
        membraneOffset: spread.describe('standard deviation of the offset of the membrane ADCs, V'),
        membraneGain: spread.describe('standard deviation of their gain error, relative'),
      })
      .describe('offset, gain and linearity of each converter channel'),
    converterNoise: z
      .strictObject({
        enabled,
        column: spread.describe('standard deviation of a sample of the column ADCs, share of full scale'),
        membrane: spread.describe('standard deviation of a sample of the membrane ADCs, V'),
      })
      .describe('noise of the converters'),
    neuronMismatch: z
      .strictObject({
        enabled,
        relative: spread.describe(
          'standard deviation, relative, of every parameter of a neuron but its reversal potentials',
        ),
        measured: z
          .array(
            mifSchema.extend({
              driveOffset: z.number().describe('added to the drive of every input pulse, A'),
            }),
          )
          .optional()
          .describe('may be left out: the neurons of a measured chip, taken in turn instead of drawn'),
      })
      .describe('neurons differ from one another'),
    relaxation: z
      .strictObject({
        enabled,
        share: share.describe('share of each change of state that is lost again'),
        time: positive.describe('time constant of the loss, s'),
      })
      .describe('after a pulse a cell moves part of the way back'),
    drift: z
      .strictObject({
        enabled,
        exponent: spread.describe('mean ν of the decay of the state as (1 + t/time)^−ν since the last pulse'),
        deviation: spread.describe('standard deviation of ν between cells'),
        time: positive.describe('onset of the decay, s'),
      })
      .describe('slow loss of state over board time'),
  })
  .describe('imperfections, each of which can be switched off by itself');

export const profileSchema = z.strictObject({
  description: z.string().describe('what this board stands for, one line'),
  arrays: count(255).describe('number of crossbar arrays'),
  rows: count(255).describe('rows of each array'),
  columns: count(255).describe('columns of each array'),
  neurons: z
    .int()
    .min(0)
    .max(255)
    .describe('number of MIF neurons; 0: the host runs them on the measured column currents'),
  device,
  pulse,
  read,
  converters,
  run,
  deadManTime: positive.describe('silence of the host after which all lines go to 0 V, s'),
  references: z
    .array(positive)
    .max(8)
    .describe('reference resistors, Ω; none: the converters are taken at their word'),
  effects,
});

export type Profile = z.infer<typeof profileSchema>;
export type Effects = Profile['effects'];
export type EffectName = keyof Effects;

const folder = (): string =>
  createRequire(import.meta.url)
    .resolve('#assets/profiles/ideal.json')
    .replace(/ideal\.json$/, '');

/** Names of the profiles that come with the package. */
export const builtInProfiles = (): string[] =>
  readdirSync(folder())
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();

const HINT = 'docs/reference/profiles.md lists the fields';

/**
 * A profile by its built-in name or by the path of a JSON file. Errors: `bad-input` for an unknown name, for
 * text that is not JSON, and for a field that is unknown, missing or out of range.
 */
export function loadProfile(nameOrPath: string): Profile {
  const builtIn = builtInProfiles();
  const path = builtIn.includes(nameOrPath) ? join(folder(), `${nameOrPath}.json`) : nameOrPath;
  if (!existsSync(path)) {
    throw new MemloopError(
      'bad-input',
      `no profile "${nameOrPath}": give the path of a JSON file or one of ${builtIn.join(', ')}`,
    );
  }
  const what = `profile ${path}`;
  return checkRanges(readJson(path, profileSchema, { what, hint: HINT, reason: 'bad-input' }), path);
}

/** Validates a profile; `source` names it in the error. */
export const parseProfile = (json: unknown, source: string): Profile =>
  checkRanges(
    checkJson(json, profileSchema, { what: `profile ${source}`, hint: HINT, reason: 'bad-input' }),
    source,
  );

/** What no field can tell by itself. */
function checkRanges(profile: Profile, source: string): Profile {
  checkLines(profile, source);
  const { von, voff } = profile.effects.deviceSpread;
  const ordered: [string, number, number][] = [
    ['device.ron', profile.device.ron, profile.device.roff],
    ['device.initialState', profile.device.initialState[0], profile.device.initialState[1]],
    ['pulse.minWidth', profile.pulse.minWidth, profile.pulse.maxWidth],
    ['read.maxVoltage', profile.read.maxVoltage, profile.converters.rowDac.fullScale],
    ['pulse.maxVoltage', profile.pulse.maxVoltage, profile.converters.rowDac.fullScale],
    ['pulse.minVoltage (absolute)', -profile.pulse.minVoltage, profile.converters.rowDac.fullScale],
    ['effects.deviceSpread.von.min', von.min, profile.device.von],
    ['effects.deviceSpread.von', profile.device.von, von.max],
    ['effects.deviceSpread.voff.min', voff.min, profile.device.voff],
    ['effects.deviceSpread.voff', profile.device.voff, voff.max],
    ['effects.stuckCells', profile.effects.stuckCells.low, 1 - profile.effects.stuckCells.high],
  ];
  const cells = profile.rows * profile.columns;
  for (const [array, measured] of (profile.effects.deviceSpread.measured ?? []).entries())
    for (const [name, list] of Object.entries(measured))
      if (list.length !== cells)
        throw new MemloopError(
          'bad-input',
          `profile ${source}: field "effects.deviceSpread.measured.${array}.${name}": ${list.length} values for ${cells} cells`,
        );
  for (const [field, low, high] of ordered) {
    if (low > high) {
      throw new MemloopError(
        'bad-input',
        `profile ${source}: field "${field}": ${low} is above its bound ${high}`,
      );
    }
  }
  return profile;
}

/** Imperfections that its chips have: those that are on, and that there is something to be imperfect for. */
export const imperfectionsOf = ({ effects, neurons }: Profile): EffectName[] =>
  (Object.keys(effects) as EffectName[]).filter(
    (name) => effects[name].enabled && (name !== 'neuronMismatch' || neurons > 0),
  );

function checkLines({ effects }: Profile, source: string): void {
  const { lineResistance, halfSelectDisturb } = effects;
  if (lineResistance.exact && lineResistance.segment === 0)
    throw new MemloopError(
      'bad-input',
      `profile ${source}: field "effects.lineResistance.segment": exact lines need more than 0 Ω`,
    );
  if (halfSelectDisturb.unselected && !lineResistance.exact)
    throw new MemloopError(
      'bad-input',
      `profile ${source}: field "effects.halfSelectDisturb.unselected": only with "effects.lineResistance.exact"`,
    );
}

/** The profile with only those of its imperfections that are named. */
export function withEffects(profile: Profile, kept: readonly EffectName[]): Profile {
  const effects = structuredClone(profile.effects);
  for (const name of Object.keys(effects) as EffectName[])
    effects[name].enabled = kept.includes(name) && effects[name].enabled;
  return { ...profile, effects };
}
