import { expect, test } from 'vitest';
import { calibrateDevices, Passport, twinProfile } from '../../src/calibration/index.js';
import { loadProfile, parseProfile } from '../../src/virtual-board/profile.js';
import { calibratedBoard, temporaryHome } from './boards.js';

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
  await calibrateDevices(calibrated, passport.array(0), 0);
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
