import { describe, expect, it } from 'vitest';
import { memristorCurrent, stateAfterPulse } from '../../../../src/model/devices/memristor.js';
import { Random } from '../../../../src/model/random.js';
import { Crossbar } from '../../../../src/virtual-board/physics/crossbar.js';
import { loadProfile, type Profile, withEffects } from '../../../../src/virtual-board/profile.js';
import { biased, ngspice, spicePulse } from './circuit.js';

const READ = 0.05;
const TIME = 2e-6;

interface Wanted {
  size: number;
  segment: number;
  biasing?: Partial<Profile['pulse']>;
  disturb?: boolean;
  unselected?: boolean;
  spread?: boolean;
}

function lossy({ size, segment, biasing, disturb = false, unselected = false, spread = false }: Wanted) {
  const profile = structuredClone(withEffects(loadProfile('w-sdc-8x8x4'), spread ? ['deviceSpread'] : []));
  Object.assign(profile, { rows: size, columns: size });
  Object.assign(profile.pulse, biasing);
  const exact = { driver: 20, sense: 10 };
  Object.assign(profile.effects.lineResistance, { enabled: true, segment, exact });
  Object.assign(profile.effects.halfSelectDisturb, { enabled: disturb, unselected });
  return { profile, array: new Crossbar(profile, new Random(4), new Random(5)) };
}

const fill = (array: Crossbar, low: number, high: number) => {
  const random = new Random(6);
  array.state.forEach((_, i, state) => {
    state[i] = low + (high - low) * random.uniform();
  });
};

describe('a crossbar with exact lines', () => {
  it('reads and multiplies as the network does: the row of a read is driven, the others are at 0 V', () => {
    const { array } = lossy({ size: 6, segment: 100 });
    fill(array, 0.1, 0.9);
    const rows = Array.from({ length: 6 }, (_, r) => {
      const currents = new Float64Array(6);
      array.readRow(r, READ, TIME, 1, currents);
      return currents;
    });
    const currents = new Float64Array(6);
    array.multiply(new Float64Array(6).fill(READ), TIME, 1, currents);
    for (let c = 0; c < 6; c++) {
      // All but the Schottky part is linear.
      expect(currents[c] / rows.reduce((sum, row) => sum + row[c], 0)).toBeCloseTo(1, 4);
      expect(currents[c]).toBeLessThan(
        0.95 * READ * rows.reduce((sum, _, r) => sum + array.conductances(READ)[r * 6 + c], 0),
      );
    }
  });

  it('sees every change of a cell: a pulse, a write to its state, drift', () => {
    const { array, profile } = lossy({ size: 4, segment: 1 });
    const read = () => {
      const currents = new Float64Array(4);
      array.readRow(1, READ, TIME, 1, currents);
      return currents.reduce((sum, current) => sum + current, 0);
    };
    const first = read();
    expect(read()).toBe(first);
    array.pulse(1, 2, 0.6, 50e-6);
    const second = read();
    expect(second).toBeGreaterThan(1.1 * first);
    array.state[6] = 0;
    expect(read()).toBeLessThan(first);
    array.state[6] = 0.5;
    Object.assign(profile.effects.drift, { enabled: true, exponent: 0.1, time: 1 });
    const before = read();
    array.advance(100);
    expect(read()).toBeLessThan(before);
  });

  it('noise of a product is that of its cells', () => {
    const { array, profile } = lossy({ size: 8, segment: 1 });
    Object.assign(profile.effects.readNoise, { enabled: true, relative: 0.01 });
    array.state.fill(0.5);
    const sums = Array.from({ length: 2000 }, () => {
      const currents = new Float64Array(8);
      array.multiply(new Float64Array(8).fill(READ), TIME, 1, currents);
      return currents[0];
    });
    const mean = sums.reduce((sum, value) => sum + value, 0) / sums.length;
    const spread = Math.sqrt(sums.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sums.length);
    expect(spread / mean).toBeCloseTo(0.01 / Math.sqrt(8), 3);
  });

  it('a cell behind its own switch is alone with its lines', () => {
    const { array, profile } = lossy({ size: 4, segment: 100, biasing: { halfSelect: 0 } });
    array.state.fill(0.3);
    array.pulse(1, 2, 0.4, 20e-6);
    const resistance = profile.pulse.seriesResistance + 20 + 10 + 100 * (3 + 3);
    expect(array.state[6]).toBe(stateAfterPulse(array.parameters(1, 2), 0.3, 0.4, 20e-6, resistance));
  });

  it('drivers and meters take their share of a single cell', () => {
    const { array } = lossy({ size: 1, segment: 1e-6 });
    array.state[0] = 1;
    const currents = new Float64Array(1);
    array.readRow(0, READ, TIME, 1, currents);
    const alone = memristorCurrent(array.parameters(0, 0), 1, READ);
    expect(currents[0] / alone).toBeCloseTo(1 / (1 + (30 * alone) / READ), 5);
  });
});

describe.skipIf(!ngspice)('pulses against ngspice transients (skipped where it is not installed)', () => {
  // Near the thresholds, where the states depend on the voltages most.
  const pulses = [
    ['V/2, 4×4, 10 Ω', { size: 4, segment: 10, biasing: { halfSelect: 1 / 2 } }, 0.36, 60e-6],
    [
      'V/3 and all cells move, 4×4, 1 Ω',
      { size: 4, segment: 1, biasing: { halfSelect: 1 / 3 }, unselected: true },
      0.31,
      60e-6,
    ],
    ['V/3, erasing, 6×6, 10 Ω', { size: 6, segment: 10, biasing: { halfSelect: 1 / 3 } }, -0.16, 60e-6],
    [
      'lines float, 6×6, 5 Ω',
      { size: 6, segment: 5, biasing: { linesFloat: true }, unselected: true },
      0.45,
      60e-6,
    ],
    [
      'lines float behind 20 kΩ, erasing, 4×4, 10 Ω',
      { size: 4, segment: 10, biasing: { linesFloat: true, seriesResistance: 20e3 } },
      -0.25,
      100e-6,
    ],
  ] as const;

  it.each(pulses)('%s: the state of every cell within 0.5 % of the window', (_, wanted, voltage, width) => {
    const { array, profile } = lossy({ ...wanted, disturb: true, spread: true });
    const { size, segment } = wanted;
    fill(array, 0.1, 0.7);
    const before = array.state.slice();
    const [row, column] = [1, size - 1];
    const selected = row * size + column;
    array.pulse(row, column, voltage, width);
    const { device, pulse } = profile;
    const share = pulse.linesFloat ? undefined : pulse.halfSelect;
    const cells = before.map(() => 0);
    const problem = biased(
      {
        rows: size,
        columns: size,
        segment,
        switches: cells,
        amplitude: (1 - device.phi) * 2 * device.alpha,
        beta: device.beta,
      },
      { row, column, voltage, series: pulse.seriesResistance, share },
      20,
      10,
    );
    const all = 'unselected' in wanted;
    const spice = spicePulse(
      problem,
      Array.from(before, (_x, i) => array.parameters(Math.floor(i / size), i % size)),
      before,
      { selected, width, moves: (i) => all || Math.floor(i / size) === row || i % size === column },
    );
    expect(Math.abs(spice[selected] - before[selected])).toBeGreaterThan(0.05);
    const errors = spice.map((x, i) => Math.abs(x - array.state[i]));
    expect(Math.max(...errors)).toBeLessThan(0.005);
  });
});
