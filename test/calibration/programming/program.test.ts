import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Belief,
  DeviceEstimate,
  parametersOf,
  pulseTime,
  stateOf,
} from '../../../src/calibration/devices/device-estimate.js';
import {
  arrayWindow,
  CalibratedBoard,
  calibrateDevices,
  nominalCalibration,
  Passport,
  programArray,
  W_SDC_PRIOR,
} from '../../../src/calibration/index.js';
import { readConductance, stateAfterPulse, W_SDC } from '../../../src/model/devices/memristor.js';
import { Random } from '../../../src/model/random.js';
import type { EventBody, MemloopEvent } from '../../../src/shared/events.js';
import { pointsOf } from '../../../src/telemetry/points.js';
import type { Profile } from '../../../src/virtual-board/profile.js';
import { type BoardOptions, calibratedBoard, virtualBoard } from '../boards.js';

const limits = {
  seriesResistance: 5000,
  minVoltage: -1,
  maxVoltage: 0.75,
  minWidth: 2.5e-6,
  maxWidth: 5e-4,
  maxEnergy: 1e-8,
};
const estimate = new DeviceEstimate(W_SDC_PRIOR, limits, 0.05);

describe('the time that a pulse needs', () => {
  test('is the inverse of the pulse: the device equations arrive where it says', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.02, max: 0.95, noNaN: true }),
        fc.double({ min: 0.02, max: 0.95, noNaN: true }),
        fc.double({ min: -0.02, max: 0.06, noNaN: true }),
        (from, to, beyond) => {
          const p = { ...W_SDC };
          fc.pre(Math.abs(to - from) > 0.005);
          const up = to > from;
          // At the end of the path the divider leaves about the threshold to the device.
          const applied = up ? 0.29 + beyond : -(0.15 + beyond);
          const time = pulseTime(p, from, to, applied, 5000);
          fc.pre(Number.isFinite(time) && time < 0.05);
          const moved = stateAfterPulse(p, from, applied, time, 5000) - from;
          expect(Math.abs(moved / (to - from) - 1)).toBeLessThan(0.06);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the belief about a cell', () => {
  const fresh = (): Belief => ({
    von: W_SDC_PRIOR.parameters.von,
    vonSigma: W_SDC_PRIOR.vonSigma,
    voff: W_SDC_PRIOR.parameters.voff,
    voffSigma: W_SDC_PRIOR.voffSigma,
    logTau: Math.log(W_SDC_PRIOR.parameters.tau),
    tauSigma: W_SDC_PRIOR.tauSigma,
    low: 2e-6,
    high: 6.8e-5,
  });

  test.each([0.15, 0.19, 0.25, 0.29])(
    'a cell with von = %f V is written to its target within six pulses',
    (von) => {
      const belief = fresh();
      const truth = { ...parametersOf(W_SDC_PRIOR, belief, 0.05), von };
      let state = 0.05;
      const target = 0.6;
      let pulses = 0;
      while (Math.abs(state - target) > 0.02 && pulses < 6) {
        const p = parametersOf(W_SDC_PRIOR, belief, 0.05);
        const pulse = estimate.aim(belief, p, { from: state, to: target, tolerance: 0.02 });
        const after = stateAfterPulse(truth, state, pulse.voltage, pulse.width, 5000);
        estimate.learn(belief, p, pulse, { before: state, after, noise: 0.002 });
        state = after;
        pulses += 1;
      }
      expect(Math.abs(state - target)).toBeLessThanOrEqual(0.02);
    },
  );

  test('a cell that does not move is believed to have a higher threshold', () => {
    const belief = fresh();
    const p = parametersOf(W_SDC_PRIOR, belief, 0.05);
    const pulse = estimate.aim(belief, p, { from: 0.1, to: 0.5, tolerance: 0.02 });
    expect(estimate.learn(belief, p, pulse, { before: 0.1, after: 0.1, noise: 0.002 })).toBe(false);
    expect(belief.von).toBeGreaterThan(W_SDC_PRIOR.parameters.von + 0.01);
  });

  test('its range turns conductances into states and back', () => {
    const p = parametersOf(W_SDC_PRIOR, fresh(), 0.05);
    expect(readConductance(p, 1, 0.05)).toBeCloseTo(6.8e-5, 9);
    expect(readConductance(p, 0, 0.05)).toBeCloseTo(2e-6, 9);
    expect(stateOf(p, readConductance(p, 0.37, 0.05), 0.05)).toBeCloseTo(0.37, 6);
  });
});

const randomTargets = (count: number, { low, high }: { low: number; high: number }, seed: number) => {
  const random = new Random(seed);
  return Float64Array.from({ length: count }, () => low + (high - low) * random.uniform());
};

async function programmed(options: BoardOptions, seed = 5) {
  const made = await calibratedBoard(options);
  const targets = randomTargets(64, arrayWindow(made.passport.array(0)), seed);
  const report = await programArray(made.calibrated, 0, targets);
  return { ...made, targets, report };
}

describe('programming an array', () => {
  test('an array without stuck cells takes random targets, in truth as well as in the final read', async () => {
    const { report, targets, crossbars } = await programmed({
      change: (profile) => {
        profile.effects.stuckCells.enabled = false;
      },
    });
    expect(report.inTolerance).toBeGreaterThanOrEqual(0.98);
    expect(report.pulsesPerCell).toBeLessThanOrEqual(6);
    const truth = crossbars[0].conductances(0.05);
    const off = targets.filter((target, i) => Math.abs(truth[i] - target) > 1.25 * report.tolerance);
    expect(off.length).toBeLessThanOrEqual(1);
  });

  test('stuck cells are given up by name, and no healthy cell is called stuck', async () => {
    const { report, crossbars } = await programmed({
      change: (profile) => {
        profile.effects.stuckCells.low = 0.06;
        profile.effects.stuckCells.high = 0.06;
      },
    });
    const { stuck } = crossbars[0];
    expect(stuck.filter((s) => s !== 0).length).toBeGreaterThan(4);
    const named = report.failed.filter(({ reason }) => reason.startsWith('stuck'));
    for (const { row, column, reason } of named) {
      expect(stuck[row * 8 + column], `row ${row} column ${column}: ${reason}`).toBe(
        reason === 'stuck low' ? -1 : 1,
      );
    }
    expect(named.length).toBeGreaterThan(2);
  });

  test('the passport counts what the board applied, cell by cell', async () => {
    const { passport, trace } = await programmed({ seed: 3 });
    const applied = new Float64Array(64);
    for (const { row, column } of trace) applied[row * 8 + column] += 1;
    expect([...passport.array(0).tables.pulses]).toEqual([...applied]);
    expect(passport.array(0).tables.energy.reduce((a, b) => a + b)).toBeGreaterThan(0);
  });

  test('a second call finds nothing to do; one changed target pulses that cell alone', async () => {
    const { calibrated, targets, trace, report } = await programmed({
      effects: ['deviceSpread', 'pulseSpread', 'readNoise', 'converterErrors'],
    });
    expect(report.inTolerance).toBe(1);
    const before = trace.length;
    const again = await programArray(calibrated, 0, targets);
    expect(again.pulses).toBe(0);
    expect(trace.length).toBe(before);
    const one = new Float64Array(64).fill(Number.NaN);
    one[19] = targets[19] > 2.5e-5 ? 1.2e-5 : 4e-5;
    const small = await programArray(calibrated, 0, one);
    expect(small.inTolerance).toBe(1);
    expect(small.cells).toBe(1);
    expect(new Set(trace.slice(before).map(({ row, column }) => row * 8 + column))).toEqual(new Set([19]));
    // Rows without a target were not even read.
    expect(small.conductance[0]).toBeNaN();
    expect(small.conductance[16]).not.toBeNaN();
  });

  test('cells that were never read are null in its events, and are left out of what InfluxDB gets', async () => {
    const { calibrated } = await calibratedBoard({ effects: ['deviceSpread'] });
    const targets = new Float64Array(64).fill(Number.NaN).fill(2e-5, 16, 24);
    const maps: MemloopEvent[] = [];
    const emit = (event: EventBody) => {
      if (event.type === 'conductance') maps.push({ ...event, time: 0 });
    };
    await programArray(calibrated, 0, targets, { emit });
    expect(maps.length).toBeGreaterThan(1);
    for (const event of maps) {
      if (event.type !== 'conductance') continue;
      expect(event.conductance.every((g, i) => (g === null) !== (i >= 16 && i < 24))).toBe(true);
      const [point] = pointsOf(event);
      expect(point?.fields.cells).toBe(8);
      expect(point?.fields.least).toBe(Math.min(...event.conductance.filter((g) => g !== null)));
    }
    const [point] = pointsOf(maps.at(-1)!);
    expect(Math.abs((point?.fields.mean as number) / 2e-5 - 1)).toBeLessThan(0.05);
  });

  test('an abort ends it as interrupted, and the next call finishes', async () => {
    const { calibrated, passport, trace } = await calibratedBoard({ effects: ['deviceSpread', 'readNoise'] });
    const targets = randomTargets(64, arrayWindow(passport.array(0)), 9);
    const abort = new AbortController();
    const emit = (event: EventBody) => {
      if (event.type === 'progress' && trace.length > 0) abort.abort(new Error('stop'));
    };
    await expect(programArray(calibrated, 0, targets, { emit, signal: abort.signal })).rejects.toThrow(
      'stop',
    );
    expect(passport.array(0).tables.pulses.reduce((a, b) => a + b)).toBe(trace.length);
    const report = await programArray(calibrated, 0, targets);
    expect(report.failed).toEqual([]);
  });

  test('targets of the wrong length or outside the window are refused before a pulse', async () => {
    const { calibrated, passport, trace } = await calibratedBoard();
    await expect(programArray(calibrated, 0, new Float64Array(9))).rejects.toThrow(
      /9 values, array 0 has 8x8/,
    );
    const targets = new Float64Array(64).fill(Number.NaN);
    targets[10] = 1e-3;
    await expect(programArray(calibrated, 0, targets)).rejects.toThrow(
      /array 0 row 1 column 2 is 1.00 mS, outside the array's window/,
    );
    expect(() => passport.array(7)).toThrow(/no array 7: the board has 4/);
    expect(trace).toHaveLength(0);
  });

  test('beyond the window a target is tried for, and a cell that cannot get there stays in use', async () => {
    const { calibrated, passport } = await calibratedBoard({ effects: ['deviceSpread'] });
    const chip = passport.array(0);
    const { high, reach } = arrayWindow(chip);
    expect(reach).toBeGreaterThan(1.2 * high);
    const targets = new Float64Array(64).fill(reach);
    const { failed } = await programArray(calibrated, 0, targets);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(40);
    for (const { reason, conductance } of failed) {
      expect(reason).toBe('out of reach');
      expect(conductance).toBeLessThan(reach);
    }
    expect(chip.unhealthy.size).toBe(0);
    const back = new Float64Array(64).fill(high);
    expect((await programArray(calibrated, 0, back)).failed).toEqual([]);
  });

  test('a quarantined cell is never pulsed', async () => {
    const { calibrated, passport, trace } = await calibratedBoard();
    passport.array(0).setHealth(12, 'quarantined');
    const report = await programArray(calibrated, 0, randomTargets(64, arrayWindow(passport.array(0)), 3), {
      maxRounds: 10,
    });
    expect(trace.some(({ row, column }) => row * 8 + column === 12)).toBe(false);
    expect(report.failed.find(({ row, column }) => row === 1 && column === 4)?.reason).toBe('quarantined');
  });
});

/** A chip of nobody's making: other devices, sizes and converters than any profile of ours. */
const foreign = (profile: Profile) => {
  Object.assign(profile, { arrays: 1, rows: 12, columns: 20 });
  Object.assign(profile.device, { ron: 22e3, roff: 250e3, von: 0.26, voff: 0.07, tau: 150e-6, vt: 0.011 });
  Object.assign(profile.pulse, { seriesResistance: 10e3, halfSelect: 0.25, minVoltage: -0.9 });
  profile.converters.rowDac = { bits: 13, fullScale: 1.2 };
  profile.converters.columnAdc = { bits: 13, fullScales: [1e-5, 3e-4] };
  profile.effects.deviceSpread.von = { deviation: 0.02, min: 0.2, max: 0.32 };
  profile.effects.deviceSpread.voff = { alpha: 2, beta: 0, scale: 0.006, min: 0.045, max: 0.12 };
};

/** Share of healthy cells that are in tolerance in truth; and those out of it that the report does not name. */
async function calibratedAndProgrammed(options: BoardOptions) {
  const made = await calibratedBoard(options);
  const chip = made.passport.array(0);
  await calibrateDevices(made.calibrated, 0);
  const cells = chip.rows * chip.columns;
  const targets = randomTargets(cells, arrayWindow(chip), 5);
  const report = await programArray(made.calibrated, 0, targets);
  const crossbar = made.crossbars[0];
  const truth = crossbar.conductances(0.05);
  const named = new Set(report.failed.map(({ row, column }) => row * chip.columns + column));
  let healthy = 0;
  let good = 0;
  let silent = 0;
  crossbar.stuck.forEach((stuck, i) => {
    if (stuck !== 0) return;
    healthy += 1;
    const miss = Math.abs(truth[i] - targets[i]) / report.tolerance;
    if (miss <= 1.25) good += 1;
    else if (!named.has(i) && miss > 2) silent += 1;
  });
  return { share: good / healthy, silent };
}

describe('on other chips', () => {
  test('one that no profile of ours describes is calibrated and programmed', async () => {
    const { share, silent } = await calibratedAndProgrammed({ change: foreign });
    expect(share).toBeGreaterThanOrEqual(0.97);
    expect(silent).toBe(0);
  });

  test('with noise and spreads doubled and relaxation on it ends, and names what it could not set', async () => {
    const { share, silent } = await calibratedAndProgrammed({
      change: ({ effects }) => {
        effects.readNoise.relative *= 2;
        effects.deviceSpread.ron *= 2;
        effects.deviceSpread.roff *= 2;
        effects.deviceSpread.tau *= 2;
        effects.deviceSpread.von.deviation *= 2;
        effects.deviceSpread.voff.scale *= 2;
        effects.pulseSpread.tau *= 2;
        effects.pulseSpread.threshold *= 2;
        effects.relaxation.enabled = true;
      },
    });
    expect(share).toBeGreaterThanOrEqual(0.9);
    expect(silent).toBe(0);
  });
});

describe('calibrating devices', () => {
  test('finds the stuck cells and the ranges of the others, in six pulses per cell', async () => {
    const { calibrated, passport, crossbars, trace } = await calibratedBoard({
      seed: 4,
      change: (profile) => {
        profile.effects.stuckCells.low = 0.05;
        profile.effects.stuckCells.high = 0.05;
      },
    });
    const crossbar = crossbars[0];
    const fit = await calibrateDevices(calibrated, 0);
    expect(trace).toHaveLength(6 * 64);
    const chip = Passport.open(calibrated.description, passport.folder.replace(/\/passports.*/, '')).array(0);
    crossbar.stuck.forEach((stuck, cell) => {
      const expected = stuck === 0 ? undefined : stuck < 0 ? 'stuck low' : 'stuck high';
      expect(chip.unhealthy.get(cell)?.health).toBe(expected);
      if (stuck !== 0) return;
      const { ron, phi } = crossbar.parameters(Math.floor(cell / 8), cell % 8);
      expect(Math.abs((chip.tables.windowHigh[cell] * ron) / phi - 1)).toBeLessThan(0.08);
    });
    expect(fit.window.high).toBeGreaterThan(4e-5);
    expect(fit.window.low).toBeLessThan(6e-6);
    expect(chip.window?.high).toBeCloseTo(fit.window.high, 9);
  });

  test('tells weak cells from the others without being told', async () => {
    const { calibrated, passport, crossbars } = await calibratedBoard({ profile: 'w-sdc-32x32x5', seed: 21 });
    const chip = passport.array(0);
    const done: number[] = [];
    await calibrateDevices(calibrated, 0, {
      emit: (event) => {
        if (event.type === 'progress') done.push(event.done);
      },
    });
    expect(done).toEqual(Array.from({ length: 48 }, (_, i) => 128 * (i + 1)));
    for (const [name, weakBelow] of [
      ['von', 0.182],
      ['voff', 0.065],
    ] as const) {
      const counts = { weak: 0, found: 0, others: 0, falseAlarms: 0 };
      chip.tables[name].forEach((seems, cell) => {
        if (chip.unhealthy.has(cell)) return;
        const weak = crossbars[0].parameters(Math.floor(cell / 32), cell % 32)[name] < weakBelow;
        counts[weak ? 'weak' : 'others']++;
        if (seems < weakBelow) counts[weak ? 'found' : 'falseAlarms']++;
      });
      expect(counts.weak).toBeGreaterThan(50);
      expect(counts.found / counts.weak).toBeGreaterThan(0.85);
      expect(counts.falseAlarms / counts.others).toBeLessThan(0.2);
    }
  });
});

test('sets cells whose neighbours see half of each pulse, where lines float', async () => {
  let [healthy, right] = [0, 0];
  for (const seed of [51, 52]) {
    const { calibrated, board, crossbars } = await floatingBoard(seed);
    await calibrateDevices(calibrated, 0);
    const { low, high } = arrayWindow(board.passport.array(0));
    const random = new Random(seed);
    const targets = Float64Array.from({ length: 64 }, () => low + (high - low) * random.uniform());
    const { tolerance } = await programArray(calibrated, 0, targets);
    const truth = crossbars[0].conductances(0.05);
    for (const [i, g] of truth.entries()) {
      if (crossbars[0].stuck[i] !== 0) continue;
      healthy += 1;
      if (Math.abs(g - targets[i]) <= 1.1 * tolerance) right += 1;
    }
  }
  expect(right / healthy).toBeGreaterThan(0.94);
});

/** A module behind 20 kΩ with floating lines, and converters without errors. */
async function floatingBoard(seed: number) {
  const made = await virtualBoard({
    profile: 'knowm-8x8x4',
    seed,
    change: ({ pulse, effects }) => {
      Object.assign(pulse, { seriesResistance: 20_000, halfSelect: 0.5, linesFloat: true });
      effects.converterErrors.enabled = false;
    },
  });
  // A memloop board has no floating lines, so its protocol does not tell of them.
  Object.assign(made.board.description, { linesFloat: true });
  return { ...made, calibrated: new CalibratedBoard(made.board, nominalCalibration(made.board)) };
}
