import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  calibrateDevices,
  calibrateNeurons,
  checkNeurons,
  correctedStimuli,
  Passport,
  passportText,
  twinProfile,
} from '../../../src/calibration/index.js';
import { MIF, type MifParameters, runMif } from '../../../src/model/devices/mif.js';
import { loadProfile, type Profile, parseProfile } from '../../../src/virtual-board/profile.js';
import { calibratedBoard, temporaryHome, virtualBoard } from '../boards.js';

/** Two neurons that nobody tuned to, one with an offset in its drive. */
const OWN: (MifParameters & { driveOffset: number })[] = [
  { ...MIF, e1: 1e-3, capacitance: 1.3e-9, k: 13e-3, von: 0.125, tau: 0.8e-3, driveOffset: 0.7e-6 },
  { ...MIF, e2: 49e-3, voff: 6e-3, roff: 0.8e5, ron: 1.2e3, tauAlpha: 1.25e-3, driveOffset: 0 },
];

const ownNeurons = (effects: Parameters<typeof virtualBoard>[0] = {}) =>
  virtualBoard({
    ...effects,
    change: (profile) => {
      profile.neurons = OWN.length;
      profile.effects.neuronMismatch = { enabled: true, relative: 0, measured: OWN };
      Object.assign(profile.effects.converterErrors, {
        driveOffset: 0,
        driveGain: 0,
        membraneOffset: 0,
        membraneGain: 0,
      });
    },
  });

describe('neuron calibration', () => {
  test('what it takes for the truth is what a neuron does behind converters with errors', async () => {
    const change = (gains: number) => (profile: Profile) => {
      profile.neurons = 1;
      profile.effects.converterErrors.driveGain = gains;
      profile.effects.converterErrors.membraneGain = gains;
      profile.effects.converterNoise.enabled = false;
    };
    const { board, virtual } = await virtualBoard({ change: change(0.05), seed: 3 });
    const { driveOffset, ...parameters } = virtual.frontEnd.effectiveNeuron(0);
    expect(Math.abs(parameters.ron / MIF.ron - 1)).toBeGreaterThan(0.01);
    const asked = Math.fround(50e-6);
    const stimulus = { steps: 500, decimation: 1, pulseSteps: [0], drives: Float32Array.of(asked) };
    const [run] = await board.run([stimulus]);
    const jumps = new Map([
      [0, Math.round(asked / board.description.driveStep) * board.description.driveStep + driveOffset],
    ]);
    const { states } = runMif(parameters, 'exponential', board.description.stepTime, 500, jumps);
    run!.voltages.forEach((v, s) => {
      expect(Math.abs(v - states[s + 1].v)).toBeLessThan(0.6 * board.description.membraneStep);
    });
  });

  test('finds known parameters within a few of its own standard deviations', async () => {
    const { board } = await ownNeurons();
    const { neurons } = await calibrateNeurons(board);
    const deviations = neurons.flatMap(({ parameters, driveOffset, sigma }, n) =>
      (Object.keys(sigma) as (keyof typeof sigma)[]).map(
        (name) => (({ ...parameters, driveOffset })[name] - OWN[n][name]) / sigma[name],
      ),
    );
    expect(deviations.filter((z) => Math.abs(z) < 2).length).toBeGreaterThanOrEqual(19);
    for (const z of deviations) expect(Math.abs(z)).toBeLessThan(4.5);
    // and those are small: the parameter that shows least is known to a few per cent.
    for (const { sigma } of neurons) expect(sigma.voff / MIF.voff).toBeLessThan(0.05);
    expect(neurons[0].parameters.capacitance / 1.3e-9).toBeCloseTo(1, 2);
  });

  test.each([7, 8, 14])('finds neurons that differ by a fifth, chip %i', async (seed) => {
    const { board, virtual } = await virtualBoard({
      profile: 'w-sdc-32x32x5',
      seed,
      change: ({ effects }) => {
        effects.neuronMismatch.relative = 0.2;
      },
    });
    const { neurons } = await calibrateNeurons(board);
    neurons.forEach(({ parameters, sigma, residual }, n) => {
      expect(residual).toBeLessThan(0.5e-3);
      const truth = virtual.frontEnd.effectiveNeuron(n);
      for (const name of ['capacitance', 'e2', 'k', 'von', 'tau'] as const)
        expect(Math.abs(parameters[name] - truth[name]) / sigma[name]).toBeLessThan(5);
    });
  });

  test('predicts stimuli that it has not seen, with errors in every converter', async () => {
    const { board } = await virtualBoard({
      change: (profile) => {
        profile.neurons = 3;
      },
    });
    const { neurons } = await calibrateNeurons(board);
    const { neurons: count, stepTime } = board.description;
    const pulseSteps = [0, 400, 800];
    const drives = Float32Array.from({ length: 3 * count }, (_, i) => 40e-6 * Math.cos(3 * i));
    const stimulus = { steps: 1000, decimation: 8, pulseSteps, drives };
    const [run] = await board.run(correctedStimuli([stimulus], neurons));
    let [before, after] = [0, 0];
    neurons.forEach(({ parameters }, n) => {
      const error = (p: MifParameters) => {
        const jumps = new Map(pulseSteps.map((step, k) => [step, drives[k * count + n]]));
        const { states } = runMif(p, 'exponential', stepTime, 1000, jumps);
        let squares = 0;
        for (let s = 0; s < run!.samples; s++)
          squares += (states[(s + 1) * 8].v - run!.voltages[s * count + n]) ** 2 / run!.samples;
        return squares;
      };
      before += error(MIF) / count;
      after += error(parameters) / count;
    });
    expect(Math.sqrt(before)).toBeGreaterThan(2e-3);
    // A sample has 0.2 mV of noise and is rounded to 0.24 mV.
    expect(Math.sqrt(after)).toBeLessThan(0.3e-3);
  });

  test('goes into the passport and its twin; a passport of before neurons still loads', async () => {
    const { board, calibrated, passport } = await calibratedBoard({
      change: (profile) => {
        profile.neurons = 2;
      },
    });
    const home = temporaryHome();
    const mine = Passport.open(board.description, home);
    mine.saveConverters(calibrated.calibration);
    const path = join(mine.folder, 'board.json');
    const { neurons: _, chip: __, ...old } = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify(old));
    const reopened = Passport.open(board.description, home);
    expect(reopened.neurons).toBeUndefined();
    expect(() => Passport.stored(board.description.boardSerial, home)).toThrow(/does not say how large/);

    const measured = await calibrateNeurons(board);
    reopened.saveNeurons(measured);
    expect(Passport.stored(board.description.boardSerial, home).neurons).toEqual(measured);
    expect(Passport.open(board.description, home).converters).toEqual(calibrated.calibration);
    expect(passportText(reopened, [0], false)).toMatch(/neuron 1: capacitance [+-]\d/);

    passport.saveConverters(calibrated.calibration);
    passport.saveNeurons(measured);
    await calibrateDevices(calibrated, 0);
    const profile = parseProfile(
      twinProfile(loadProfile('w-sdc-8x8x4'), passport, board.description, [0]),
      'twin',
    );
    const { board: twin } = await virtualBoard({ change: (made) => Object.assign(made, profile), seed: 9 });
    const again = await calibrateNeurons(twin);
    again.neurons.forEach(({ parameters }, n) => {
      const { sigma, parameters: before } = measured.neurons[n];
      expect(Math.abs(parameters.tau - before.tau)).toBeLessThan(6 * sigma.tau);
      expect(Math.abs(parameters.e2 - before.e2)).toBeLessThan(6 * sigma.e2);
    });
  });

  test('one of another board, of another size or too old is refused', async () => {
    const { board } = await ownNeurons();
    const measured = await calibrateNeurons(board);
    const { description } = board;
    expect(checkNeurons(measured, description)).toBe(measured);
    expect(() => checkNeurons({ ...measured, boardSerial: 'VB-other' }, description)).toThrow(
      /is of board VB-other, this is VB-.*memloop calibrate/,
    );
    expect(() => checkNeurons(measured, { ...description, neurons: 3 })).toThrow(/has 2 neurons/);
    const later = new Date(Date.parse(measured.measured) + 31 * 86400e3);
    expect(() => checkNeurons(measured, description, later)).toThrow(/31 days old/);
  });

  test('what is no neuron is named', async () => {
    const { board, virtual } = await ownNeurons();
    virtual.frontEnd.adcsSaturated = true;
    await expect(calibrateNeurons(board)).rejects.toThrow(/neuron 0 of board VB-.* does not answer/);
  });
});
