import { expect, test } from 'vitest';
import {
  CalibratedBoard,
  calibrateDevices,
  nominalCalibration,
  Passport,
  programArray,
  twinCells,
  twinProfile,
} from '../../src/calibration/index.js';
import { createVirtualBoard } from '../../src/virtual-board/index.js';
import { loadProfile, parseProfile } from '../../src/virtual-board/profile.js';
import { calibratedBoard, temporaryHome, virtualBoard } from './boards.js';

test('a passport makes a profile: its devices and converters are those of the chip', async () => {
  const { calibrated, passport, board } = await calibratedBoard({
    profile: 'w-sdc-32x32x5',
    change: (profile) => {
      profile.device.ron = 16e3;
      profile.effects.converterErrors.columnGain = 0.08;
      profile.effects.deviceSpread.ron = 0.05;
    },
  });
  passport.saveConverters(calibrated.calibration);
  await calibrateDevices(calibrated, 0);
  const base = loadProfile('w-sdc-8x8x4');
  const twin = parseProfile(twinProfile(base, passport, board.description, [0]), 'twin');
  expect(twin.rows).toBe(32);
  expect(twin.device.ron).toBeGreaterThan(14.5e3);
  expect(twin.device.ron).toBeLessThan(17.5e3);
  expect(twin.device.von).toBeCloseTo(0.217, 1);
  expect(twin.effects.deviceSpread.von.deviation).toBeGreaterThan(0.02);
  expect(twin.effects.deviceSpread.von.deviation).toBeLessThan(0.05);
  expect(twin.effects.converterErrors.columnGain).toBeGreaterThan(0.05);
  expect(twin.effects.readNoise).toEqual(base.effects.readNoise);
  const empty = Passport.open(board.description, temporaryHome());
  expect(() => twinProfile(base, empty, board.description, [0])).toThrow(
    /too little is known .*memloop calibrate/,
  );
});

test('a chip without references and neurons has a twin without them, whose converters are exact', async () => {
  const { board } = await virtualBoard({ profile: 'knowm-discrete-16', seed: 2 });
  const calibrated = new CalibratedBoard(board, nominalCalibration(board));
  await calibrateDevices(calibrated, 0);
  const base = loadProfile('w-sdc-8x8x4');
  const twin = parseProfile(twinProfile(base, board.passport, board.description, [0]), 'twin');
  expect(twin).toMatchObject({ rows: 8, columns: 2, neurons: 0, references: [] });
  expect(twin.effects.converterErrors).toMatchObject({ rowOffset: 0, columnGain: 0 });
  expect(twin.pulse).toMatchObject({ seriesResistance: 10e3, halfSelect: 0 });
});

test('with its cells a twin is that chip: it stands, switches and sticks alike, whatever its seed', async () => {
  const made = await calibratedBoard({
    profile: 'w-sdc-32x32x5',
    change: (profile) => {
      profile.arrays = 2;
    },
  });
  const { calibrated, passport, board } = made;
  passport.saveConverters(calibrated.calibration);
  const chip = passport.array(0);
  await calibrateDevices(calibrated, 0);
  const targets = Float64Array.from({ length: 1024 }, (_, i) => (8 + (i % 32)) * 1e-6);
  await programArray(calibrated, 0, targets);

  const profile = twinProfile(loadProfile('w-sdc-32x32x5'), passport, board.description, [0]);
  profile.effects.deviceSpread.measured = twinCells(passport, [0]);
  const parsed = parseProfile(JSON.parse(JSON.stringify(profile)), 'twin');
  const [real] = made.crossbars;
  const board2 = createVirtualBoard({ profile: parsed, seed: 99 });
  const [twin, other] = board2.frontEnd.crossbars;
  const healthy: number[] = [];
  real!.stuck.forEach((stuck, i) => {
    expect(twin!.stuck[i]).toBe(chip.unhealthy.get(i)?.health.startsWith('stuck') ? stuck : 0);
    if (stuck === 0) healthy.push(i);
  });
  const rms = (difference: (cell: number) => number) =>
    Math.sqrt(healthy.reduce((sum, i) => sum + difference(i) ** 2, 0) / healthy.length);
  const [is, seems] = [real!.conductances(0.05), twin!.conductances(0.05)];
  expect(rms((i) => seems[i] / is[i] - 1)).toBeLessThan(0.03);
  const of = (crossbar: typeof real, i: number) => crossbar!.parameters(Math.floor(i / 32), i % 32);
  // Half of what any other chip of the kind would be off by.
  for (const name of ['ron', 'roff', 'von', 'voff', 'tau'] as const) {
    const off = (crossbar: typeof real) => rms((i) => Math.log(of(crossbar, i)[name] / of(real, i)[name]));
    expect([name, off(twin) < 0.5 * off(other)]).toEqual([name, true]);
  }
  profile.effects.deviceSpread.measured[0].tau.pop();
  expect(() => parseProfile(profile, 'twin')).toThrow(/measured.0.tau": 1023 values for 1024 cells/);
  board2.close();
});
