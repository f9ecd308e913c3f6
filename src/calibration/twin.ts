/** The digital twin: a virtual board drawn from what a passport knows of a chip. */
import type { BoardDescription } from '../driver/board/board.js';
import { memristorCurrent, W_SDC } from '../model/devices/memristor.js';
import type { MifParameters } from '../model/devices/mif.js';
import { MemloopError } from '../shared/errors.js';
import { DEFAULT_READ_VOLTAGE } from './converters/calibrated-board.js';
import type { ConverterCalibration, ConverterLine } from './converters/types.js';
import type { Passport } from './passport/passport.js';

/** The fields of a virtual board's profile that follow from a passport and a board's description. */
export interface TwinFields {
  description: string;
  arrays: number;
  rows: number;
  columns: number;
  neurons: number;
  device: { ron: number; roff: number; von: number; voff: number; tau: number };
  pulse: { seriesResistance: number; halfSelect: number };
  references: number[];
  effects: {
    deviceSpread: {
      ron: number;
      roff: number;
      tau: number;
      von: { deviation: number; min: number; max: number };
      voff: { scale: number; min: number; max: number };
    };
    stuckCells: { low: number; high: number };
    converterErrors: {
      rowOffset: number;
      rowGain: number;
      columnOffset: number;
      columnGain: number;
      driveOffset: number;
      driveGain: number;
      membraneOffset: number;
      membraneGain: number;
    };
    neuronMismatch: {
      enabled: boolean;
      measured?: (MifParameters & { driveOffset: number })[] | undefined;
    };
  };
}

/** Cells of one array, row by row; null where nothing is known. See `effects.deviceSpread.measured` of a profile. */
export type TwinCells = Record<
  'ron' | 'roff' | 'von' | 'voff' | 'tau' | 'state' | 'stuck',
  (number | null)[]
>;

/** Cells that must be known to tell what the population is; of small chips, half of them. */
const CELLS_MIN = 16;
/** Conductance beside the switches at the read voltage, S: what the Schottky path adds. */
const BESIDE =
  memristorCurrent({ ...W_SDC, ron: Infinity, roff: Infinity }, 0, DEFAULT_READ_VOLTAGE) /
  DEFAULT_READ_VOLTAGE;

const resistance = (conductance: number): number => W_SDC.phi / Math.max(1e-8, conductance - BESIDE);

/**
 * The cells of the first arrays of a chip, up to the last that was measured, one by one: with them a twin starts in the
 * state of this very chip and answers as it does, not as another of its kind.
 */
export function twinCells(passport: Passport, arrays: readonly number[]): TwinCells[] {
  return Array.from({ length: Math.max(...arrays) + 1 }, (_, index) => {
    const { tables, unhealthy } = passport.array(index);
    const { windowHigh, windowLow, conductance, von, voff, tau } = tables;
    const rounded = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(5)) : null);
    const cells: TwinCells = { ron: [], roff: [], von: [], voff: [], tau: [], state: [], stuck: [] };
    for (let cell = 0; cell < von.length; cell++) {
      const health = unhealthy.get(cell)?.health;
      const stuck = health === 'stuck high' ? 1 : health === 'stuck low' ? -1 : 0;
      const stands = conductance[cell];
      const high = stuck === 1 ? stands : windowHigh[cell];
      const low = stuck === -1 ? stands : windowLow[cell];
      const measured = Number.isFinite(high) && Number.isFinite(low);
      cells.ron.push(rounded(resistance(high)));
      cells.roff.push(rounded(resistance(low)));
      cells.von.push(measured ? rounded(von[cell]) : null);
      cells.voff.push(measured ? rounded(voff[cell]) : null);
      cells.tau.push(measured ? rounded(tau[cell]) : null);
      cells.state.push(measured ? rounded(Math.min(1, Math.max(0, (stands - low) / (high - low)))) : null);
      cells.stuck.push(measured || stuck !== 0 ? stuck : null);
    }
    return cells;
  });
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

/** Middle, and half the width of the middle 68 %: the standard deviation where there are no outliers. */
function population(values: readonly number[]): { middle: number; deviation: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { middle: quantile(sorted, 0.5), deviation: (quantile(sorted, 0.84) - quantile(sorted, 0.16)) / 2 };
}

const deviationOf = (values: readonly number[], about: number): number =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - about) ** 2, 0) / values.length);

/** What is known of healthy cells of some arrays, and how many others are stuck. */
function survey(passport: Passport, arrays: readonly number[]) {
  const known = {
    logRon: [] as number[],
    logRoff: [] as number[],
    von: [] as number[],
    vonSigma: [] as number[],
    voff: [] as number[],
    logTau: [] as number[],
  };
  const stuck = { low: 0, high: 0 };
  let cells = 0;
  for (const index of arrays) {
    const { tables, unhealthy } = passport.array(index);
    const { windowHigh, windowLow, von, vonSigma, voff, tau } = tables;
    for (let cell = 0; cell < von.length; cell++) {
      cells += 1;
      const health = unhealthy.get(cell)?.health;
      if (health === 'stuck low') stuck.low += 1;
      if (health === 'stuck high') stuck.high += 1;
      if (health !== undefined || !Number.isFinite(windowHigh[cell]) || !Number.isFinite(von[cell])) continue;
      known.logRon.push(Math.log(resistance(windowHigh[cell])));
      known.logRoff.push(Math.log(resistance(windowLow[cell])));
      known.von.push(von[cell]);
      known.vonSigma.push(vonSigma[cell]);
      known.voff.push(voff[cell]);
      known.logTau.push(Math.log(tau[cell]));
    }
  }
  return { known, cells, stuck: { low: stuck.low / cells, high: stuck.high / cells } };
}

const within = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/** The devices of a profile and their spread. */
function devicesOf(
  { device, effects: { deviceSpread } }: TwinFields,
  known: ReturnType<typeof survey>['known'],
): { device: TwinFields['device']; deviceSpread: TwinFields['effects']['deviceSpread'] } {
  const ron = population(known.logRon);
  const roff = population(known.logRoff);
  const von = population(known.von);
  const voff = population(known.voff);
  const tau = population(known.logTau);
  return {
    device: {
      ...device,
      ron: Math.exp(ron.middle),
      roff: Math.exp(roff.middle),
      von: within(von.middle, deviceSpread.von.min, deviceSpread.von.max),
      voff: within(voff.middle, deviceSpread.voff.min, deviceSpread.voff.max),
      tau: Math.exp(tau.middle),
    },
    deviceSpread: {
      ...deviceSpread,
      ron: ron.deviation,
      roff: roff.deviation,
      tau: tau.deviation,
      // What is not known of each cell draws the beliefs together; its deviation is put back.
      von: {
        ...deviceSpread.von,
        deviation: Math.hypot(von.deviation, population(known.vonSigma).middle),
      },
      voff: { ...deviceSpread.voff, scale: voff.deviation },
    },
  };
}

/** Spread of the converters' errors over the rows and, in the finest range, the columns. */
function converterErrorsOf(
  { rows, columns }: ConverterCalibration,
  { currentRanges }: BoardDescription,
): Pick<TwinFields['effects']['converterErrors'], 'rowOffset' | 'rowGain' | 'columnOffset' | 'columnGain'> {
  const offsets = (lines: readonly ConverterLine[]) =>
    deviationOf(
      lines.map(({ offset }) => offset),
      0,
    );
  const gains = (lines: readonly ConverterLine[]) =>
    deviationOf(
      lines.map(({ gain }) => gain),
      1,
    );
  return {
    rowOffset: offsets(rows),
    rowGain: gains(rows),
    columnOffset: offsets(columns[0]) / currentRanges[0].max,
    columnGain: gains(columns[0]),
  };
}

/**
 * `base` with devices, spreads, stuck cells, converter errors and, one by one, the neurons as measured on the chip; what
 * a passport does not know (noise, line resistance, relaxation) stays. Throws `calibration` where too little is known.
 */
export function twinProfile<T extends TwinFields>(
  base: T,
  passport: Passport,
  description: BoardDescription,
  arrays: readonly number[],
): T {
  const { known, cells, stuck } = survey(passport, arrays);
  const enough = known.von.length >= Math.min(CELLS_MIN, cells / 2);
  const { converters, neurons } = passport;
  const { seriesResistance, halfSelect, references } = description;
  if (!enough || (!converters && references.length > 0)) {
    throw new MemloopError(
      'calibration',
      `too little is known of the chip on board ${description.boardSerial} for a twin: run \`memloop calibrate\` first`,
    );
  }
  const { device, deviceSpread } = devicesOf(base, known);
  const { effects } = base;
  return {
    ...base,
    description: `twin of board ${description.boardSerial}, ${arrays.length} of its arrays measured`,
    arrays: description.arrays,
    rows: description.rows,
    columns: description.columns,
    neurons: description.neurons,
    device,
    pulse: { ...base.pulse, seriesResistance, halfSelect },
    references,
    effects: {
      ...effects,
      deviceSpread,
      stuckCells: { ...effects.stuckCells, ...stuck },
      converterErrors: {
        ...effects.converterErrors,
        // Without references their errors are in the conductances that were measured of the cells.
        ...(converters
          ? converterErrorsOf(converters, description)
          : { rowOffset: 0, rowGain: 0, columnOffset: 0, columnGain: 0 }),
        // The errors of the neurons' converters are in their effective parameters.
        ...(neurons && { driveOffset: 0, driveGain: 0, membraneOffset: 0, membraneGain: 0 }),
      },
      ...(neurons && {
        neuronMismatch: {
          ...effects.neuronMismatch,
          enabled: true,
          measured: neurons.neurons.map(({ parameters, driveOffset }) => ({ ...parameters, driveOffset })),
        },
      }),
    },
  };
}
