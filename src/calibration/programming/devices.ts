/** What each cell can do: its range, its thresholds, and whether it answers at all. */

import { dividedVoltage, memristorCurrent } from '../../model/devices/memristor.js';
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import { type CalibratedBoard, readVoltageOf } from '../converters/calibrated-board.js';
import type { ArrayPassport } from '../passport/passport.js';
import { beliefOf, remember } from './beliefs.js';
import { Breather } from './breather.js';
import { type Belief, DeviceEstimate, type Prior } from './device-estimate.js';
import { LineDoses } from './half-select.js';
import { W_SDC_PRIOR } from './prior.js';
import { PulseSender } from './pulse-sender.js';

export interface DeviceCalibration {
  array: number;
  cells: number;
  pulses: number;
  /** Range that nearly all healthy cells reach, S. */
  window: { low: number; high: number };
  /** Cells that do not answer. */
  stuckLow: number;
  stuckHigh: number;
}

const SAMPLES = 16;
/** Share of healthy cells whose range the array's window lies within, at each end. */
const COVERED = 0.98;
/**
 * Strength of a pulse that drives every cell to its end: standard deviations above the population's mean threshold. Erasing
 * thresholds have a heavy tail. What it does to neighbours is no harm: they are driven the same way.
 */
const STRONG = { write: 3, erase: 6 };
/** And of one that moves weak cells only, standard deviations below it. */
const GENTLE = { write: 2, erase: 2 };

type Strength = 'gentle' | 'half' | 'strong';

/**
 * Erases all cells, then writes them gently, half way and fully, then erases them gently and half way, and reads after
 * each: six pulses a cell, which give its range, both thresholds, whether it is weak and whether it moves. Destroys what
 * the array held. The passport is saved; its window and the cells' health are set anew.
 */
export async function calibrateDevices(
  board: CalibratedBoard,
  passport: ArrayPassport,
  array: number,
  { prior = W_SDC_PRIOR, emit, signal }: { prior?: Prior; emit?: Emit; signal?: AbortSignal } = {},
): Promise<DeviceCalibration> {
  const { rows, columns, limits, seriesResistance, halfSelect, rowVoltageStep } = board.description;
  const cells = rows * columns;
  const readVoltage = readVoltageOf(board.description);
  const estimate = new DeviceEstimate(prior, { ...limits, seriesResistance }, readVoltage);
  const { vt } = prior.parameters;
  const beliefs: Belief[] = Array.from({ length: cells }, (_, i) => beliefOf(passport, i, prior));
  const sender = await PulseSender.open(board, passport, array, {
    ...(emit && { emit }),
    ...(signal && { signal }),
  });
  const progress = progressOf(emit, 'calibrate devices', 'rounds', 6);
  const breather = new Breather();
  const read = () => board.conductances(array, { voltage: readVoltage, samples: SAMPLES });

  /** One pulse on every cell: of the same strength for all, or half way to the end with what is believed of it. */
  const pulseAll = async (up: boolean, strength: Strength, from: Float64Array) => {
    const doses = new LineDoses(rows, columns, halfSelect, vt);
    const pulses = [];
    for (const [cell, belief] of beliefs.entries()) {
      await breather.breathe();
      const row = Math.floor(cell / columns);
      const p = estimate.parametersOf(belief);
      const state = estimate.stateOf(p, from[cell]);
      let wanted: { voltage: number; width: number };
      if (strength === 'half') {
        wanted = estimate.aim(belief, p, {
          from: state,
          to: up ? (1 + state) / 2 : state / 2,
          tolerance: 0.05,
        });
      } else {
        const { von, voff } = prior.parameters;
        const { write, erase } =
          strength === 'strong' ? STRONG : { write: -GENTLE.write, erase: -GENTLE.erase };
        const device = up ? von + write * prior.vonSigma : -voff - erase * prior.voffSigma;
        // The divider: a strong pulse must be strong to the end, a gentle one is so from the start.
        const against = strength === 'strong' ? 1 : state;
        const voltage = Math.max(
          limits.minVoltage,
          Math.min(limits.maxVoltage, device + seriesResistance * memristorCurrent(p, against, device)),
        );
        const longest = (limits.maxEnergy * 4 * seriesResistance) / voltage ** 2;
        wanted = { voltage, width: Math.min(limits.maxWidth, longest, 8 * p.tau) };
      }
      const nominal = Math.round(board.nominalVoltage(row, wanted.voltage) / rowVoltageStep) * rowVoltageStep;
      const width = Math.max(limits.minWidth, Math.floor(wanted.width * 1e7) / 1e7);
      const voltage = board.trueVoltage(row, nominal);
      const middle = up ? 0.7 : 0.3;
      const device = dividedVoltage(p, middle, voltage, seriesResistance);
      doses.add(row, cell % columns, voltage, width);
      pulses.push({
        cell,
        nominal,
        width,
        energy: device * memristorCurrent(p, middle, device) * width,
        voltage,
        state,
      });
    }
    // As in programming: what disturbs most goes first.
    await sender.send(pulses.toSorted((a, b) => Math.abs(b.voltage) - Math.abs(a.voltage)));
    progress.step();
    return { pulses, doses };
  };

  const learnFrom = async ({ pulses, doses }: Awaited<ReturnType<typeof pulseAll>>, after: Float64Array) => {
    for (const pulse of pulses) {
      await breather.breathe();
      const belief = beliefs[pulse.cell];
      const p = estimate.parametersOf(belief);
      const disturb = doses.disturb(
        belief,
        pulse.state,
        Math.floor(pulse.cell / columns),
        pulse.cell % columns,
        pulse,
      );
      const noise = (0.01 * after[pulse.cell]) / (belief.high - belief.low);
      const state = estimate.stateOf(p, after[pulse.cell]) - disturb;
      estimate.learn(belief, p, pulse, {
        before: pulse.state,
        after: state,
        noise: Math.hypot(noise, 0.5 * disturb),
      });
    }
  };

  try {
    await pulseAll(false, 'strong', await read());
    const low = await read();
    beliefs.forEach((belief, i) => {
      if (low[i] < 0.5 * belief.high) belief.low = Math.max(low[i], 1e-8);
    });
    const touched = await pulseAll(true, 'gentle', low);
    const above = await read();
    await learnFrom(touched, above);
    const written = await pulseAll(true, 'half', above);
    const half = await read();
    await learnFrom(written, half);
    await pulseAll(true, 'strong', half);
    const high = await read();
    beliefs.forEach((belief, i) => {
      if (high[i] > 2 * belief.low) belief.high = high[i];
    });
    const nudged = await pulseAll(false, 'gentle', high);
    const below = await read();
    await learnFrom(nudged, below);
    const erased = await pulseAll(false, 'half', below);
    const last = await read();
    await learnFrom(erased, last);

    const t = passport.tables;
    let stuckLow = 0;
    let stuckHigh = 0;
    const lows: number[] = [];
    const highs: number[] = [];
    const middle = (high.toSorted()[Math.floor(cells / 2)] + low.toSorted()[Math.floor(cells / 2)]) / 2;
    for (let i = 0; i < cells; i++) {
      remember(passport, i, beliefs[i]);
      t.conductance[i] = last[i];
      // Half of its own low range is far more than noise and disturb can do.
      const answers = high[i] > 1.5 * low[i];
      if (passport.unhealthy.get(i)?.health !== 'quarantined') {
        passport.setHealth(i, answers ? undefined : high[i] > middle ? 'stuck high' : 'stuck low');
      }
      if (!answers) {
        if (high[i] > middle) stuckHigh += 1;
        else stuckLow += 1;
        continue;
      }
      t.windowLow[i] = low[i];
      t.windowHigh[i] = high[i];
      lows.push(low[i]);
      highs.push(high[i]);
    }
    lows.sort((a, b) => a - b);
    highs.sort((a, b) => b - a);
    const at = (values: number[]) => values[Math.min(values.length - 1, Math.floor(COVERED * values.length))];
    const window = { low: at(lows) ?? 0, high: at(highs) ?? 0 };
    if (window.high > 2 * window.low) passport.window = window;
    return { array, cells, pulses: 6 * cells, window, stuckLow, stuckHigh };
  } finally {
    sender.save();
  }
}
