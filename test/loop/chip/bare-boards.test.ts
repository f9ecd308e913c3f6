/** Boards as labs have them: without neurons, references and analog products, with few columns. */
import { describe, expect, it } from 'vitest';
import {
  CalibratedBoard,
  calibrateDevices,
  calibrateNeurons,
  guardBoard,
  nominalCalibration,
  Passport,
} from '../../../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../../../src/driver/index.js';
import {
  finetune,
  layerScales,
  maintain,
  recover,
  recoveryPage,
  twinTraining,
} from '../../../src/loop/index.js';
import { Network, networkSpec, predict, train } from '../../../src/model/index.js';
import type { EventBody } from '../../../src/shared/events.js';
import { createVirtualBoard, loadProfile, type Profile } from '../../../src/virtual-board/index.js';
import { temporaryHome } from '../../calibration/boards.js';
import { bareProfile, patterns, smallChip, smallNetwork, wholeArray, withoutProducts } from '../small.js';

const small = await smallNetwork();
const pictures = patterns(200, 2);
const own = () => ({ ...small, network: small.network.clone() });
const inSoftware = predict(small.network, pictures.inputs);
const accuracy = inSoftware.filter((d, n) => d === pictures.labels[n]).length / pictures.count;
const QUICK = { adapt: 0, epochs: 1, batch: 10, learningRate: 0.02, seed: 1 } as const;

describe('a board without neurons and references', () => {
  it('runs the network as software does: the host has the neurons', async () => {
    const events: EventBody[] = [];
    const emit = (event: EventBody) => events.push(event);
    const { board, deployment } = await smallChip(bareProfile(), 4, own(), { emit: (e) => void emit(e) });
    expect(board.description).toMatchObject({ neurons: 0, references: [] });
    await deployment.program();
    const measured = await deployment.evaluate(pictures);
    expect(measured.accuracy).toBeGreaterThan(accuracy - 0.02);
    expect(measured.lost).toBe(0);
    expect(deployment.origin).toEqual({ sums: 'array', neurons: 'host' });
    const told = events.flatMap((event) => (event.type === 'log' ? [event.message] : []));
    expect(told.filter((line) => /no reference resistors/.test(line))).toHaveLength(1);
    expect(told.filter((line) => line === 'neurons by the host')).toHaveLength(1);
    const membranes = events.filter((event) => event.type === 'membrane');
    expect(membranes[0].voltages.flat().every(Number.isFinite)).toBe(true);
    await board.close();
  });

  it('measures the same twice, however many images are under way at once', async () => {
    const { board, deployment } = await smallChip(bareProfile(), 4, own());
    await deployment.program();
    const run = async (batch: number) => {
      const all: number[] = [];
      for await (const { forward } of deployment.hardware.forward(pictures, batch))
        for (const voltages of forward.voltages) all.push(...voltages);
      return all;
    };
    expect(await run(7)).toEqual(await run(50));
    await board.close();
  });

  it('is fine-tuned, with training offline for the chip first, and upheld', async () => {
    const profile = bareProfile();
    profile.effects.stuckCells = { enabled: true, low: 0.06, high: 0.06 };
    profile.effects.converterErrors.enabled = true;
    const { board, deployment } = await smallChip(profile, 7, own());
    const data = { train: small.dataset, test: pictures };
    const recovery = await recover(deployment, data, { epochs: 1, batch: 10, adapt: 2000, seed: 1 });
    expect(recovery.after.accuracy).toBeGreaterThan(accuracy - 0.03);
    expect(recoveryPage(deployment, recovery, {})).toContain('neurons by the host');
    const round = await maintain(deployment, small.dataset);
    expect(round.accuracyAfter).toBeGreaterThan(accuracy - 0.05);
    expect((await board.health()).pulsesApplied).toBeGreaterThan(0);
    await board.close();
  });

  it('has the offsets of its columns taken off its products, also after they were programmed', async () => {
    const profile = bareProfile();
    Object.assign(profile.effects.converterErrors, {
      ...{ enabled: true, columnOffset: 0.02, rowOffset: 5e-4 },
      ...{ rowGain: 0, columnGain: 0, rowNonlinearity: 0 },
    });
    const { board, deployment, virtual } = await smallChip(profile, 4, own());
    const { chip } = deployment;
    for (const program of [false, true]) {
      if (program) await deployment.program();
      const voltages = new Float32Array(16).fill(0.05, 8);
      const sums = await chip.multiply(wholeArray(0), voltages);
      const truth = virtual.frontEnd.crossbars[0].conductances(0.05);
      for (let c = 0; c < 8; c++) {
        let expected = 0;
        for (let r = 0; r < 8; r++) expected += 0.05 * truth[r * 8 + c];
        expect(Math.abs(sums[c])).toBeLessThan(5e-9);
        expect(Math.abs(sums[8 + c] - expected)).toBeLessThan(0.02 * expected);
      }
    }
    await board.close();
  });

  it('has a twin for training: nominal neurons, exact converters', async () => {
    const { board } = await smallChip(bareProfile(), 4, own());
    const { twin, settings } = twinTraining(board.passport, small.network.spec);
    expect(twin.neurons).toHaveLength(4);
    expect(twin.neurons[0].parameters).toEqual(small.network.spec.neuron);
    expect(settings.sumNoise).toBe(0);
    await board.close();
  });

  it('has no neurons to calibrate, and says so', async () => {
    const { board } = await smallChip(bareProfile(), 4, own());
    await expect(calibrateNeurons(board)).rejects.toMatchObject({
      reason: 'calibration',
      message: expect.stringMatching(/has no neurons to calibrate/),
    });
    await board.close();
  });

  it('runs hidden MIF neurons too, each layer behind the waveforms of the one before', async () => {
    const spec = networkSpec([8, 6, 4], { steps: 100, driveScale: 5e-6, hidden: 'mif' });
    const { network } = await train({
      spec,
      dataset: small.dataset,
      epochs: 8,
      batch: 20,
      validation: 0,
      seed: 1,
    });
    const profile = { ...bareProfile(), rows: 16, columns: 16, arrays: 2 };
    const chip = { network, scales: layerScales(network, small.dataset) };
    const { board, deployment } = await smallChip(profile, 4, chip);
    await deployment.program();
    const decisions = predict(network, pictures.inputs);
    const right = decisions.filter((d, n) => d === pictures.labels[n]).length / pictures.count;
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(right - 0.06);
    await board.close();
  });
});

describe('a board without analog products', () => {
  const onHost = async (profile = bareProfile(), events: EventBody[] = []) => {
    const chip = await smallChip(profile, 4, own(), {
      wrap: withoutProducts,
      emit: (event) => void events.push(event),
    });
    let reads = 0;
    const { readRows } = chip.board;
    chip.board.readRows = (...args) => {
      reads++;
      return readRows.apply(chip.board, args);
    };
    return { ...chip, reads: () => reads };
  };

  it('has the sums of its measured conductances, and says that the host made them', async () => {
    const events: EventBody[] = [];
    const { board, deployment } = await onHost(bareProfile(), events);
    await deployment.program();
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(accuracy - 0.02);
    expect(deployment.origin).toEqual({ sums: 'host', neurons: 'host' });
    const told = events.flatMap((event) => (event.type === 'log' ? [event.message] : []));
    expect(told).toContain('column sums by the host from measured conductances, neurons by the host');
    const { chip } = deployment;
    const [[array, conductance]] = chip.measured;
    const voltages = Float32Array.from({ length: 16 }, (_, i) => 0.002 * i);
    const sums = await chip.multiply(wholeArray(array), voltages);
    for (let v = 0; v < 2; v++)
      for (let c = 0; c < 8; c++) {
        let expected = 0;
        for (let r = 0; r < 8; r++) expected += voltages[v * 8 + r] * conductance[r * 8 + c];
        expect(Math.abs(sums[v * 8 + c] - expected)).toBeLessThan(1e-12);
      }
    await board.close();
  });

  it('is read once, and again after every pulse', async () => {
    const { board, deployment, reads } = await onHost();
    const { chip } = deployment;
    const [array] = chip.measured.keys();
    const ask = () =>
      Promise.all([1, 2].map(() => chip.multiply(wholeArray(array), new Float32Array(8).fill(0.05))));
    await ask();
    const once = reads();
    expect(once).toBe(1);
    await ask();
    expect(reads()).toBe(once);
    await deployment.program();
    const programmed = reads();
    await ask();
    expect(reads()).toBe(programmed + 1);
    await ask();
    expect(reads()).toBe(programmed + 1);
    await chip.measure();
    await ask();
    expect(reads()).toBe(programmed + 2);
    await board.close();
  });

  it('is fine-tuned by what its cells are read at', async () => {
    const profile = bareProfile();
    profile.effects.stuckCells = { enabled: true, low: 0.06, high: 0.06 };
    const { board, deployment } = await onHost(profile);
    await deployment.program();
    await finetune(deployment, small.dataset, QUICK);
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(accuracy - 0.03);
    await board.close();
  });
});

it('a board of one current range multiplies in as many parts as that takes', async () => {
  const profile = bareProfile();
  profile.converters.columnAdc.fullScales = [4e-6, 1e-3];
  const oneRange = (board: Parameters<typeof withoutProducts>[0]) => {
    const { multiply } = board;
    const bare = withoutProducts(board);
    const description = { ...bare.description, products: 'analog' as const };
    return new Proxy(bare, {
      get: (target, name) =>
        name === 'description'
          ? description
          : name === 'multiply'
            ? multiply.bind(board)
            : Reflect.get(target, name, target),
    });
  };
  const { board, deployment } = await smallChip(profile, 4, own(), { wrap: oneRange });
  await deployment.program();
  const { chip } = deployment;
  const [[array, conductance]] = chip.measured;
  const sums = await chip.multiply(wholeArray(array), new Float32Array(8).fill(0.05));
  for (let c = 0; c < 8; c++) {
    let expected = 0;
    for (let r = 0; r < 8; r++) expected += 0.05 * (conductance[r * 8 + c] || 0);
    expect(sums[c]).toBeGreaterThan(0.95 * expected);
    expect(sums[c]).toBeLessThan(1.05 * expected + 1e-8);
  }
  await board.close();
});

describe('arrays of one column', () => {
  const linear = (change: Partial<Profile> = {}): Profile => ({
    ...bareProfile(),
    rows: 16,
    columns: 1,
    arrays: 4,
    ...change,
  });

  it.each([
    ['by the array', undefined],
    ['by the host', withoutProducts],
  ])('carry a network in pairs of rows, their sums made %s', async (_, wrap) => {
    const { board, deployment } = await smallChip(linear(), 4, own(), wrap && { wrap });
    expect(deployment.hardware.map.layers[0].tiles).toHaveLength(4);
    const { inTolerance, cells } = await deployment.program();
    expect(cells).toBe(64);
    expect(inTolerance).toBeGreaterThan(0.95);
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(accuracy - 0.03);
    await finetune(deployment, small.dataset, { ...QUICK, epochs: 0.2 });
    await board.close();
  });

  it('the sixteen cells of the discovery board, 8×2, carry one neuron of eight inputs', async () => {
    const spec = networkSpec([8, 1], { steps: 100, driveScale: 5e-6 });
    const weights = [Float32Array.from({ length: 8 }, (_, i) => Math.sin(i))];
    const network = new Network(spec, weights, [new Float32Array(1)]);
    const chip = { network, scales: [{ weightMax: 1, inputMax: 1 }] };
    const { board, deployment } = await smallChip(loadProfile('knowm-discrete-16'), 2, chip);
    const { cells } = await deployment.program();
    expect(cells).toBe(16);
    await board.close();
  });
});

it('slow boards are asked for few rows at once, and reading ends when it is told to', async () => {
  const profile = bareProfile();
  const virtual = createVirtualBoard({ profile, seed: 1 });
  const port = withoutProducts(await connectBoard(inProcessTransport('virtual:small', virtual)));
  const asked: number[] = [];
  const controller = new AbortController();
  const slow = new Proxy(port, {
    get(target, name) {
      if (name === 'description') return { ...target.description, readTime: 50e-3 };
      if (name !== 'readRows') return Reflect.get(target, name, target);
      return (...[array, first, rows, voltage, samples]: Parameters<typeof target.readRows>) => {
        asked.push(rows);
        if (asked.length === 3) controller.abort(new Error('enough'));
        return target.readRows(array, first, rows, voltage, samples);
      };
    },
  });
  const board = guardBoard(slow, { home: temporaryHome() });
  const calibrated = new CalibratedBoard(board, nominalCalibration(board), new Date(), controller.signal);
  await expect(calibrated.conductances(0)).rejects.toThrow('enough');
  expect(asked).toEqual([1, 1, 1]);
  await board.close();
});

it('a chip that was calibrated without references is opened again by its passport alone', async () => {
  const { board } = await smallChip(bareProfile(), 4, own());
  await calibrateDevices(new CalibratedBoard(board, nominalCalibration(board)), 0);
  board.passport.saveBoard();
  const stored = Passport.stored(board.passport.folder);
  expect(stored.description).toMatchObject({ neurons: 0, references: [] });
  expect(stored.array(0).window).toBeDefined();
  await board.close();
});
