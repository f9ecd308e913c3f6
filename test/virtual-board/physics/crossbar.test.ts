import { describe, expect, it } from 'vitest';
import {
  memristorCurrent,
  readConductance,
  stateAfter,
  stateAfterPulse,
} from '../../../src/model/devices/memristor.js';
import { Random } from '../../../src/model/random.js';
import { Crossbar } from '../../../src/virtual-board/physics/crossbar.js';
import {
  type EffectName,
  loadProfile,
  type Profile,
  withEffects,
} from '../../../src/virtual-board/profile.js';

const real = loadProfile('w-sdc-8x8x4');
const ideal = loadProfile('ideal');

/** A profile with only some imperfections, and those changed as asked. */
function only(effects: Partial<{ [N in EffectName]: Partial<Profile['effects'][N]> }>, base = real): Profile {
  const profile = structuredClone(withEffects(base, []));
  for (const [name, change] of Object.entries(effects)) {
    Object.assign(profile.effects[name as EffectName], { enabled: true }, change);
  }
  return profile;
}

const crossbar = (profile: Profile, seed = 1, noise = 2) =>
  new Crossbar(profile, new Random(seed), new Random(noise));

const rms = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0) / values.length);

const READ = 0.05;
const TIME = 2e-6;

describe('a crossbar without imperfections', () => {
  it('moves a pulsed cell as the device equations say, and no other', () => {
    const array = crossbar(ideal);
    const p = array.parameters(3, 4);
    expect(p.ron).toBe(ideal.device.ron);
    const before = array.state.slice();
    array.pulse(3, 4, 0.35, 50e-6);
    const moved = stateAfterPulse(p, before[3 * 32 + 4], 0.35, 50e-6, ideal.pulse.seriesResistance);
    expect(moved).toBeGreaterThan(before[0] + 0.1);
    for (let i = 0; i < before.length; i++) {
      expect(array.state[i]).toBe(i === 3 * 32 + 4 ? moved : before[i]);
    }
    array.pulse(3, 4, -0.2, 50e-6);
    expect(array.state[3 * 32 + 4]).toBeLessThan(moved - 0.1);
  });

  it('reads the current of each cell of a row', () => {
    const array = crossbar(ideal);
    array.state.forEach((_, i) => {
      array.state[i] = i / 1024;
    });
    const currents = new Float64Array(32);
    array.readRow(5, READ, TIME, 1, currents);
    const p = array.parameters(0, 0);
    currents.forEach((current, c) => {
      expect(current).toBeCloseTo(memristorCurrent(p, (5 * 32 + c) / 1024, READ), 12);
    });
    expect(array.conductances(READ)[33]).toBeCloseTo(readConductance(p, 33 / 1024, READ), 12);
  });

  it('multiplies: a column current is the sum over its cells', () => {
    const array = crossbar(ideal);
    const random = new Random(9);
    array.state.forEach((_, i) => {
      array.state[i] = random.uniform();
    });
    const voltages = Float64Array.from({ length: 32 }, () => 0.1 * random.uniform());
    const currents = new Float64Array(32);
    array.multiply(voltages, TIME, 1, currents);
    const p = array.parameters(0, 0);
    for (const c of [0, 17, 31]) {
      const expected = voltages.reduce(
        (sum, v, r) => sum + memristorCurrent(p, array.state[r * 32 + c], v),
        0,
      );
      expect(currents[c] / expected).toBeCloseTo(1, 9);
    }
  });

  it('holds its state while nothing is driven', () => {
    const array = crossbar(ideal);
    const before = array.state.slice();
    array.advance(1e7);
    array.multiply(new Float64Array(32), TIME, 1, new Float64Array(32));
    expect(array.state).toEqual(before);
  });
});

describe('device spread', () => {
  const wide = structuredClone(only({ deviceSpread: {} }));
  wide.rows = 64;
  wide.columns = 64;

  it('draws thresholds around their location and within the cut', () => {
    const array = crossbar(wide);
    const cells = Array.from({ length: 4096 }, (_, i) => array.parameters(i >> 6, i & 63));
    const { von, voff } = wide.effects.deviceSpread;
    const mean = cells.reduce((sum, p) => sum + p.von, 0) / cells.length;
    expect(mean).toBeCloseTo(wide.device.von, 2);
    expect(rms(cells.map((p) => p.von - mean))).toBeGreaterThan(0.7 * von.deviation);
    for (const p of cells) {
      expect(p.von).toBeGreaterThanOrEqual(von.min);
      expect(p.von).toBeLessThanOrEqual(von.max);
      expect(p.voff).toBeGreaterThanOrEqual(voff.min);
      expect(p.voff).toBeLessThanOrEqual(voff.max);
    }
    const voffs = cells.map((p) => p.voff).sort((a, b) => a - b);
    expect(voffs[2048]).toBeCloseTo(wide.device.voff, 1);
    expect(rms(cells.map((p) => Math.log(p.tau / wide.device.tau)))).toBeCloseTo(
      wide.effects.deviceSpread.tau,
      1,
    );
    expect(rms(cells.map((p) => Math.log(p.ron / wide.device.ron)))).toBeCloseTo(
      wide.effects.deviceSpread.ron,
      1,
    );
  });

  it('comes from the seed alone', () => {
    expect(crossbar(wide, 7).parameters(3, 3)).toEqual(crossbar(wide, 7, 99).parameters(3, 3));
    expect(crossbar(wide, 7).parameters(3, 3)).not.toEqual(crossbar(wide, 8).parameters(3, 3));
  });

  it('stays the same when other effects are switched off', () => {
    expect(crossbar(wide).parameters(2, 5)).toEqual(
      crossbar({ ...wide, effects: { ...real.effects } }).parameters(2, 5),
    );
  });

  it('off: all cells are nominal', () => {
    const array = crossbar(only({}));
    for (const key of ['ron', 'roff', 'von', 'voff', 'tau'] as const) {
      expect(array.parameters(1, 1)[key]).toBe(real.device[key]);
    }
  });
});

describe('pulse spread', () => {
  const moves = (profile: Profile) =>
    Float64Array.from({ length: 200 }, (_, noise) => {
      const array = crossbar(profile, 1, noise);
      array.state.fill(0.1);
      array.pulse(0, 0, 0.3, 10e-6);
      return array.state[0] - 0.1;
    });

  it('makes equal pulses answer differently, by the stated spread of the rate', () => {
    const changes = moves(only({ pulseSpread: { tau: 0.1, threshold: 0 } }));
    const mean = changes.reduce((sum, x) => sum + x, 0) / 200;
    expect(rms(changes.map((x) => x / mean - 1))).toBeGreaterThan(0.07);
    expect(rms(changes.map((x) => x / mean - 1))).toBeLessThan(0.13);
  });

  it('off: equal pulses answer equally', () => {
    expect(new Set(moves(only({}))).size).toBe(1);
  });
});

describe('stuck cells', () => {
  const profile = structuredClone(only({ stuckCells: { low: 0.05, high: 0.02 } }));
  profile.rows = 64;
  profile.columns = 64;

  it('come in the stated shares and do not move', () => {
    const array = crossbar(profile);
    const low = array.stuck.indexOf(-1);
    const high = array.stuck.indexOf(1);
    expect(array.stuck.filter((s) => s === -1).length / 4096).toBeCloseTo(0.05, 1);
    expect(array.stuck.filter((s) => s === 1).length / 4096).toBeCloseTo(0.02, 1);
    const before = array.conductances(READ);
    expect(before[low]).toBeLessThan(3e-6);
    expect(before[high]).toBeGreaterThan(50e-6);
    for (const cell of [low, high]) {
      array.pulse(cell >> 6, cell & 63, 0.7, 500e-6);
      array.pulse(cell >> 6, cell & 63, -0.5, 100e-6);
      expect(array.conductances(READ)[cell]).toBe(before[cell]);
    }
  });

  it('off: there are none', () => {
    expect(crossbar(only({})).stuck.some((s) => s !== 0)).toBe(false);
  });
});

describe('read noise', () => {
  const currents = (profile: Profile, samples: number) => {
    const array = crossbar(profile);
    const out = new Float64Array(8);
    return Float64Array.from({ length: 2000 }, () => {
      array.readRow(0, READ, TIME, samples, out);
      return out[3];
    });
  };
  const relative = (values: Float64Array) => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return rms(values.map((x) => x / mean - 1));
  };

  it('has the stated deviation and averages out over samples', () => {
    const profile = only({ readNoise: { relative: 0.01 } });
    expect(relative(currents(profile, 1))).toBeCloseTo(0.01, 3);
    expect(relative(currents(profile, 16))).toBeCloseTo(0.0025, 3);
  });

  it('adds up in a column as independent cells do', () => {
    const array = crossbar(only({ readNoise: { relative: 0.01 } }));
    array.state.fill(0.5);
    const out = new Float64Array(8);
    const sums = Float64Array.from({ length: 2000 }, () => {
      array.multiply(new Float64Array(8).fill(READ), TIME, 1, out);
      return out[0];
    });
    expect(relative(sums)).toBeCloseTo(0.01 / Math.sqrt(8), 3);
  });

  it('off: reads repeat exactly', () => {
    expect(new Set(currents(only({}), 1)).size).toBe(1);
  });
});

describe('half-select disturb', () => {
  it('moves the row and the column by the model at the shared voltage, and nothing else', () => {
    const profile = only({ halfSelectDisturb: {} });
    const array = crossbar(profile);
    array.state.fill(0.3);
    array.pulse(2, 5, 0.6, 20e-6);
    const p = array.parameters(0, 0);
    const expected = stateAfter(p, 0.3, 0.6 * profile.pulse.halfSelect, 20e-6);
    expect(expected).toBeGreaterThan(0.3005);
    for (let r = 0; r < 8; r++) {
      for (let c = 0; c < 8; c++) {
        const state = array.state[r * 8 + c];
        if (r === 2 && c === 5) expect(state).toBeGreaterThan(0.3);
        else if (r === 2 || c === 5) expect(state).toBeCloseTo(expected, 6);
        else expect(state).toBe(0.3);
      }
    }
  });

  it('erases with negative pulses', () => {
    const array = crossbar(only({ halfSelectDisturb: {} }));
    array.state.fill(0.8);
    array.pulse(0, 0, -0.24, 20e-6);
    const expected = stateAfter(array.parameters(0, 1), 0.8, -0.24 * real.pulse.halfSelect, 20e-6);
    // The model's rates at rest, which a cell at 0 V does not follow, are within this.
    expect(array.state[1]).toBeCloseTo(expected, 4);
    expect(array.state[1]).toBeLessThan(0.79);
  });

  it('off: neighbours stay', () => {
    const array = crossbar(only({}));
    const before = array.state.slice();
    array.pulse(0, 0, 0.7, 500e-6);
    expect(array.state.subarray(1)).toEqual(before.subarray(1));
  });
});

describe('read disturb', () => {
  it('moves cells by the model over the time of the samples', () => {
    const array = crossbar(only({ readDisturb: {} }));
    array.state.fill(0.3);
    array.readRow(1, 0.2, 100e-6, 10, new Float64Array(8));
    expect(array.state[8]).toBeCloseTo(stateAfter(array.parameters(1, 0), 0.3, 0.2, 100e-6), 5);
    expect(array.state[0]).toBe(0.3);
  });

  it('vanishes with the voltage', () => {
    const array = crossbar(only({ readDisturb: {} }));
    array.state.fill(0.3);
    // The model itself would erase by 1 % here, as it would at 0 V.
    array.multiply(new Float64Array(8).fill(1e-4), 10e-3, 1, new Float64Array(8));
    expect(stateAfter(array.parameters(0, 0), 0.3, 1e-4, 10e-3)).toBeLessThan(0.297);
    expect(array.state[0]).toBeCloseTo(0.3, 6);
  });

  it('off: reads leave the cells alone', () => {
    const array = crossbar(only({}));
    const before = array.state.slice();
    array.readRow(1, 0.2, 1, 10, new Float64Array(8));
    expect(array.state).toEqual(before);
  });
});

describe('line resistance', () => {
  const segment = 2;
  const profile = only({ lineResistance: { segment } });

  /** Node voltages of the whole network by Gauss-Seidel: rows driven from the left, columns grounded below. */
  function solved(conductance: Float64Array, voltages: Float64Array, n: number): Float64Array {
    const row = Float64Array.from({ length: n * n }, (_, i) => voltages[Math.floor(i / n)]);
    const column = new Float64Array(n * n);
    const wire = 1 / segment;
    for (let sweep = 0; sweep < 4000; sweep++) {
      for (let r = 0; r < n; r++) {
        for (let c = 0; c < n; c++) {
          const i = r * n + c;
          const left = c === 0 ? voltages[r] : row[i - 1];
          const right = c === n - 1 ? 0 : row[i + 1];
          const rowWires = c === n - 1 ? wire : 2 * wire;
          row[i] = (wire * (left + right) + conductance[i] * column[i]) / (rowWires + conductance[i]);
          const above = r === 0 ? 0 : column[i - n];
          const below = r === n - 1 ? 0 : column[i + n];
          const columnWires = r === 0 ? wire : 2 * wire;
          column[i] = (wire * (above + below) + conductance[i] * row[i]) / (columnWires + conductance[i]);
        }
      }
    }
    return Float64Array.from({ length: n }, (_, c) => column[(n - 1) * n + c] * wire);
  }

  it('agrees with the solved network to a few per cent of the drop', () => {
    const array = crossbar(profile);
    const random = new Random(3);
    array.state.forEach((_, i) => {
      array.state[i] = random.uniform();
    });
    const voltages = Float64Array.from({ length: 8 }, () => READ * random.uniform());
    const currents = new Float64Array(8);
    array.multiply(voltages, TIME, 1, currents);
    const without = new Float64Array(8);
    const plain = crossbar(only({}));
    plain.state.set(array.state);
    plain.multiply(voltages, TIME, 1, without);
    const exact = solved(array.conductances(READ), voltages, 8);
    for (let c = 0; c < 8; c++) {
      const drop = without[c] - exact[c];
      expect(drop / without[c]).toBeGreaterThan(1e-3);
      expect(Math.abs(currents[c] - exact[c])).toBeLessThan(0.05 * drop);
    }
  });

  it('lowers what a far cell reads and sees of a pulse', () => {
    const strong = only({ lineResistance: { segment: 100 } });
    const array = crossbar(strong);
    array.state.fill(0.5);
    const currents = new Float64Array(8);
    array.readRow(0, READ, TIME, 1, currents);
    for (let c = 1; c < 8; c++) expect(currents[c]).toBeLessThan(currents[c - 1]);
    array.pulse(0, 7, 0.35, 10e-6);
    array.pulse(7, 0, 0.35, 10e-6);
    expect(array.state[7]).toBeLessThan(array.state[56]);
  });

  it('off: position does not matter', () => {
    const array = crossbar(only({}));
    array.state.fill(0.5);
    const currents = new Float64Array(8);
    array.readRow(0, READ, TIME, 1, currents);
    expect(new Set(currents).size).toBe(1);
  });
});

describe('relaxation and drift', () => {
  it('a share of a change is lost again, with its time constant', () => {
    const array = crossbar(only({ relaxation: { share: 0.1, time: 1 } }));
    array.state.fill(0.2);
    array.pulse(0, 0, 0.35, 50e-6);
    const written = array.state[0];
    array.advance(1);
    expect(array.state[0]).toBeCloseTo(written - 0.1 * (1 - Math.exp(-1)) * (written - 0.2), 9);
    array.advance(100);
    expect(array.state[0]).toBeCloseTo(written - 0.1 * (written - 0.2), 9);
    expect(array.state[1]).toBe(0.2);
  });

  it('does not depend on how the time is cut', () => {
    const profile = only({ relaxation: {}, drift: { exponent: 0.05, deviation: 0 } });
    const [once, often] = [crossbar(profile), crossbar(profile)];
    for (const array of [once, often]) array.pulse(0, 0, 0.35, 50e-6);
    once.advance(1000);
    for (let t = 1; t <= 1000; t++) often.advance(t);
    expect(often.state[0]).toBeCloseTo(once.state[0], 6);
  });

  it('drift follows the power law since the last pulse', () => {
    const array = crossbar(only({ drift: { exponent: 0.05, deviation: 0, time: 1 } }));
    const before = array.state.slice();
    array.advance(99);
    array.state.forEach((x, i) => {
      expect(x).toBeCloseTo(before[i] * 100 ** -0.05, 9);
    });
  });

  it('off: the cells hold', () => {
    const array = crossbar(only({}));
    array.pulse(0, 0, 0.35, 50e-6);
    const before = array.state.slice();
    array.advance(1e8);
    expect(array.state).toEqual(before);
  });
});
