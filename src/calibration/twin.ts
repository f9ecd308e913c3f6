/** The digital twin: a virtual board drawn from what a passport knows of a chip. */
import type { BoardDescription } from '../driver/board/board.js';
import { memristorCurrent, W_SDC } from '../model/devices/memristor.js';
import type { MifParameters } from '../model/devices/mif.js';
import { MemloopError } from '../shared/errors.js';
import { DEFAULT_READ_VOLTAGE } from './converters/calibrated-board.js';
import type { Passport } from './passport/passport.js';

/** The fields of a virtual board's profile that a passport or a board's description can tell. */
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

/** Conductance beside the switches at the read voltage, S: what the Schottky path adds. */
const BESIDE =
  memristorCurrent({ ...W_SDC, ron: Infinity, roff: Infinity }, 0, DEFAULT_READ_VOLTAGE) /
  DEFAULT_READ_VOLTAGE;

const resistance = (conductance: number): number => W_SDC.phi / Math.max(1e-8, conductance - BESIDE);

/**
 * The cells of the first arrays of a chip, up to the last that was measured, one by one: with them a twin stands and
 * answers as this chip does, and is no other of its kind.
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
  const values = { ron: [], roff: [], von: [], vonSigma: [], voff: [], tau: [] } as Record<string, number[]>;
  let cells = 0;
  const stuck = { low: 0, high: 0 };
  for (const index of arrays) {
    const chip = passport.array(index);
    const { windowHigh, windowLow, von, vonSigma, voff, tau } = chip.tables;
    for (let cell = 0; cell < von.length; cell++) {
      cells += 1;
      const health = chip.unhealthy.get(cell)?.health;
      if (health === 'stuck low') stuck.low += 1;
      if (health === 'stuck high') stuck.high += 1;
      if (health !== undefined || !Number.isFinite(windowHigh[cell]) || !Number.isFinite(von[cell])) continue;
      values.ron!.push(Math.log(resistance(windowHigh[cell])));
      values.roff!.push(Math.log(resistance(windowLow[cell])));
      values.von!.push(von[cell]);
      values.vonSigma!.push(vonSigma[cell]);
      values.voff!.push(voff[cell]);
      values.tau!.push(Math.log(tau[cell]));
    }
  }
  const { converters, neurons } = passport;
  if (values.von!.length < 16 || !converters) {
    throw new MemloopError(
      'calibration',
      `too little is known of the chip on board ${description.boardSerial} for a twin: run \`memloop calibrate\` first`,
    );
  }
  const of = (name: string) => population(values[name]);
  const { ron, roff, von, voff, tau } = {
    ron: of('ron'),
    roff: of('roff'),
    von: of('von'),
    voff: of('voff'),
    tau: of('tau'),
  };
  const within = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
  const spread = base.effects.deviceSpread;
  const lines = converters.columns[0];
  const [range] = description.currentRanges;
  return {
    ...base,
    description: `twin of board ${description.boardSerial}, ${arrays.length} of its arrays measured`,
    arrays: description.arrays,
    rows: description.rows,
    columns: description.columns,
    neurons: description.neurons,
    device: {
      ...base.device,
      ron: Math.exp(ron.middle),
      roff: Math.exp(roff.middle),
      von: within(von.middle, spread.von.min, spread.von.max),
      voff: within(voff.middle, spread.voff.min, spread.voff.max),
      tau: Math.exp(tau.middle),
    },
    pulse: {
      ...base.pulse,
      seriesResistance: description.seriesResistance,
      halfSelect: description.halfSelect,
    },
    references: description.references,
    effects: {
      ...base.effects,
      deviceSpread: {
        ...spread,
        ron: ron.deviation,
        roff: roff.deviation,
        tau: tau.deviation,
        // The beliefs are drawn together by what is not known of each cell; its deviation is put back.
        von: { ...spread.von, deviation: Math.hypot(von.deviation, of('vonSigma').middle) },
        voff: { ...spread.voff, scale: voff.deviation },
      },
      stuckCells: { ...base.effects.stuckCells, low: stuck.low / cells, high: stuck.high / cells },
      converterErrors: {
        ...base.effects.converterErrors,
        rowOffset: deviationOf(
          converters.rows.map((l) => l.offset),
          0,
        ),
        rowGain: deviationOf(
          converters.rows.map((l) => l.gain),
          1,
        ),
        columnOffset:
          deviationOf(
            lines.map((l) => l.offset),
            0,
          ) / range!.max,
        columnGain: deviationOf(
          lines.map((l) => l.gain),
          1,
        ),
        // The errors of the neurons' converters are in their effective parameters.
        ...(neurons && { driveOffset: 0, driveGain: 0, membraneOffset: 0, membraneGain: 0 }),
      },
      ...(neurons && {
        neuronMismatch: {
          ...base.effects.neuronMismatch,
          enabled: true,
          measured: neurons.neurons.map(({ parameters, driveOffset }) => ({ ...parameters, driveOffset })),
        },
      }),
    },
  };
}
