import { describe, expect, it } from 'vitest';
import { smallChip, smallNetwork, smallProfile, wholeArray } from '../small.js';

const small = await smallNetwork();

const REPEATS = 20;

/** Largest product of the programmed chip, its noise, and the largest of what the measured conductances say, A. */
async function products(fullScales: [number, number]) {
  const profile = smallProfile();
  profile.converters.columnAdc.fullScales = fullScales;
  profile.effects.converterNoise = { enabled: true, column: 2e-4, membrane: 0 };
  const { board, deployment } = await smallChip(profile, 4, small);
  await deployment.program();
  const { chip } = deployment;
  const [[array, conductance]] = chip.measured;
  const vector = Float32Array.from({ length: 8 }, (_, row) => (0.2 * (1 + row)) / 8);
  const voltages = Float32Array.from({ length: 8 * REPEATS }, (_, i) => vector[i % 8]);
  const currents = await chip.multiply(wholeArray(array), voltages);
  await board.close();
  const means = Array.from({ length: 8 }, (_, column) => {
    let sum = 0;
    for (let n = 0; n < REPEATS; n++) sum += currents[n * 8 + column] / REPEATS;
    return sum;
  });
  const squares = currents.reduce((sum, current, i) => sum + (current - means[i % 8]) ** 2, 0);
  const expected = means.map((_, column) =>
    vector.reduce((sum, v, row) => sum + v * (conductance[row * 8 + column] || 0), 0),
  );
  return {
    largest: Math.max(...means),
    expected: Math.max(...expected),
    noise: Math.sqrt(squares / (8 * (REPEATS - 1))),
  };
}

describe('products on a chip', () => {
  it('are measured in parts that fit into the lowest range, and have little more than its noise', async () => {
    const { largest, expected, noise } = await products([12e-6, 1e-3]);
    expect(largest).toBeGreaterThan(16e-6);
    expect(largest).toBeGreaterThan(0.95 * expected);
    expect(noise).toBeLessThan(5e-9);
  });

  it('too large for a few parts are measured in the next range, not clipped', async () => {
    const { largest, expected, noise } = await products([5e-6, 1e-3]);
    expect(largest).toBeGreaterThan(0.95 * expected);
    expect(noise).toBeGreaterThan(5e-8);
  });
});

it('cells over their budget are left out like quarantined ones: their partners make up for them', async () => {
  const { board, deployment } = await smallChip(smallProfile(), 4, small);
  const { chip } = deployment;
  const [array] = chip.measured.keys();
  const passport = board.passport.array(array);
  const before = await deployment.rehearse();
  passport.budget = 20;
  const spent = [0, 3, 9];
  for (const cell of spent) passport.tables.pulses[cell] = 20;
  const rehearsal = await deployment.rehearse();
  const { failed } = await deployment.program();
  const lost = failed
    .filter(({ reason }) => reason === 'pulse budget')
    .map(({ row, column }) => row * 8 + column);
  expect(lost).not.toEqual([]);
  for (const cell of lost) {
    expect(chip.frozen.get(array)![cell]).toBe(chip.measured.get(array)![cell]);
    expect(passport.refusal(cell)).toBe('BUDGET');
  }
  expect(rehearsal.cells).toBe(before.cells);
  expect(rehearsal.leftOut).toBeGreaterThan(0);
  expect(rehearsal.outside + rehearsal.leftOut).toBe(before.outside + before.leftOut);
  await board.close();
});
