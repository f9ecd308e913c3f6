import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { calibrateDevices, guardBoard } from '../../../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../../../src/driver/index.js';
import {
  Deployment,
  type FinetuneOptions,
  finetune,
  layerScales,
  methodNames,
  recover,
} from '../../../src/loop/index.js';
import { Network, networkSpec, predict, train } from '../../../src/model/index.js';
import type { EventBody } from '../../../src/shared/events.js';
import { initialState, reduce } from '../../../src/tui/state.js';
import { createVirtualBoard, type Profile } from '../../../src/virtual-board/index.js';
import { temporaryHome } from '../../calibration/boards.js';
import { patterns, type SmallNetwork, smallNetwork, smallProfile } from '../small.js';

/** A chip whose neurons differ so much that the programmed network errs. */
function badChip(): Profile {
  const profile = smallProfile();
  Object.assign(profile.effects, {
    neuronMismatch: { enabled: true, relative: 0.1 },
    converterNoise: { enabled: true, column: 2e-4, membrane: 2e-4 },
  });
  return profile;
}

/** A copy of the network on a new chip; the caller closes `board`. */
async function onChip({ network, scales }: SmallNetwork, profile = badChip(), seed = 3) {
  const virtual = createVirtualBoard({ profile, seed });
  const port = await connectBoard(inProcessTransport('virtual:small', virtual));
  const home = temporaryHome();
  const board = guardBoard(port, { home });
  const controller = new AbortController();
  const context = { board, emit: () => {}, signal: controller.signal };
  const own = network.clone();
  const deployment = await Deployment.open(context, own, scales);
  const open = (signal = new AbortController().signal, network = own) =>
    Deployment.open({ ...context, signal }, network, scales);
  return { virtual, board, home, own, deployment, open, controller };
}

const QUICK: Partial<FinetuneOptions> = { adapt: 0, epochs: 1, batch: 10, learningRate: 0.02, seed: 1 };
const pictures = patterns(200, 2);
let small: SmallNetwork;
beforeAll(async () => {
  small = await smallNetwork();
});

describe('fine-tuning on a chip', () => {
  it('wins back what mismatched neurons cost, and counts each pulse that the board applied', async () => {
    const { board, own, deployment } = await onChip(small);
    const { before, after, tuning, software } = await recover(
      deployment,
      { train: small.dataset, test: pictures },
      { ...QUICK, epochs: 2 },
    );
    expect(software - before.accuracy).toBeGreaterThan(0.05);
    expect(after.accuracy - before.accuracy).toBeGreaterThan(0.5 * (software - before.accuracy));
    expect(before.programming.pulses + tuning.pulses).toBe((await board.health()).pulsesApplied);
    expect(tuning.images).toBe(2 * 360);
    expect(own.weights[0]).not.toEqual(small.network.weights[0]);
    await board.close();
  });

  it.each([0, 7, 60])(
    "never gives more than its budget of %i pulses, in the board's count",
    async (maxPulses) => {
      const { board, deployment } = await onChip(small);
      await deployment.program();
      const { pulsesApplied } = await board.health();
      const tuning = await finetune(deployment, small.dataset, { ...QUICK, maxPulses });
      const given = (await board.health()).pulsesApplied! - pulsesApplied!;
      expect(given).toBe(tuning.pulses);
      expect(given).toBeLessThanOrEqual(maxPulses);
      // What costs no pulse is tuned all the same.
      expect(tuning.history.at(-1)!.loss).not.toBe(tuning.history[0].loss);
      if (maxPulses === 60) expect(given).toBeGreaterThan(0);
      await board.close();
    },
  );

  it('adapts first to what is known of the chip, without an image on the board', async () => {
    const { board, own, deployment } = await onChip(small);
    await deployment.program();
    const start = own.clone();
    const { pulsesApplied } = await board.health();
    const tuning = await finetune(deployment, small.dataset, { ...QUICK, adapt: 4000, epochs: 0.1 });
    const [before, adapted] = tuning.history;
    expect(adapted.images).toBe(0);
    expect(adapted.accuracy).toBeGreaterThan(before.accuracy + 0.05);
    expect(own.weights).not.toEqual(start.weights);
    expect((await board.health()).pulsesApplied! - pulsesApplied!).toBe(tuning.pulses);
    await board.close();
  });

  it('tells its stages, so that the headline never stays at one that has ended', async () => {
    const { board, deployment } = await onChip(small);
    let state = initialState;
    const headlines: string[] = [];
    deployment.context.emit = (event) => {
      state = reduce(state, { ...event, time: 0 });
      const headline = `${state.stage?.stage}, ${state.progress?.stage ?? '–'}`;
      if (headline !== headlines.at(-1)) headlines.push(headline);
      if (event.type === 'training')
        expect(state.stage?.stage).toBe(event.phase === 'offline' ? 'adapt' : 'fine-tune');
    };
    await recover(
      deployment,
      { train: small.dataset, test: pictures },
      { ...QUICK, adapt: 4000, epochs: 0.2 },
    );
    expect(headlines.filter((headline, i) => headline !== headlines[i - 1])).toEqual([
      'undefined, –',
      'program, –',
      'program, program',
      'evaluate, –',
      'evaluate, evaluate',
      'evaluate, –',
      'fine-tune, –',
      'adapt, –',
      'adapt, train',
      'adapt, –',
      'program, –',
      'fine-tune, –',
      'fine-tune, fine-tune',
      'evaluate, –',
      'evaluate, evaluate',
      'evaluate, –',
    ]);
    expect(state.log.map(({ text }) => text)).toContain('adapt: offline, to what is known of this chip');
    await board.close();
  });

  it('adapts within the budget of pulses', async () => {
    const { board, deployment } = await onChip(small);
    await deployment.program();
    const { pulsesApplied } = await board.health();
    const enough = await finetune(deployment, small.dataset, { ...QUICK, adapt: 4000, maxPulses: 600 });
    expect(enough.history[1]).toMatchObject({ images: 0 });
    expect(enough.history[1].pulses).toBeGreaterThan(0);
    expect(enough.history[1].pulses).toBeLessThanOrEqual(300);
    // Fewer than the cells that it would move: it is left out, and nothing else with it.
    const few = await finetune(deployment, small.dataset, { ...QUICK, seed: 2, adapt: 4000, maxPulses: 8 });
    expect(few.history[1].images).toBeGreaterThan(0);
    expect(few.pulses).toBeLessThanOrEqual(8);
    const given = (await board.health()).pulsesApplied! - pulsesApplied!;
    expect(given).toBe(enough.pulses + few.pulses);
    await board.close();
  });

  it('keeps to a budget of energy', async () => {
    const { board, deployment } = await onChip(small);
    await deployment.program();
    const free = await finetune(deployment, small.dataset, QUICK);
    await board.close();
    const other = await onChip(small);
    await other.deployment.program();
    const maxEnergy = free.energy / 4;
    const tuning = await finetune(other.deployment, small.dataset, {
      ...QUICK,
      learningRate: 0.02,
      maxEnergy,
    });
    // The energy of pulses is known when they are planned only as that of those before.
    expect(tuning.energy).toBeLessThanOrEqual(1.5 * maxEnergy);
    expect(tuning.energy).toBeGreaterThan(0);
    await other.board.close();
  });

  it('ends in the best state measured, not in the last', async () => {
    const { board, own, deployment } = await onChip(small, smallProfile());
    await deployment.program();
    const before = own.clone();
    const accuracy = (await deployment.evaluate(pictures)).accuracy;
    const tuning = await finetune(deployment, small.dataset, {
      ...QUICK,
      epochs: 2,
      batch: 180,
      learningRate: 1,
      patience: 1,
    });
    expect(tuning.history.at(-1)!.accuracy).toBeLessThan(tuning.history[0].accuracy);
    expect(tuning).toMatchObject({ best: 0, ended: 'no better state' });
    expect(own.weights).toEqual(before.weights);
    expect(own.biases).toEqual(before.biases);
    expect((await deployment.evaluate(pictures)).accuracy).toBeGreaterThan(accuracy - 0.03);
    await board.close();
  });

  it('stopped and taken up by another process, loses no update and no pulse', async () => {
    const { board, home, own, controller, open } = await onChip(small);
    const checkpoint = join(home, 'tuned.checkpoint');
    const options = { ...QUICK, checkpoint };
    const data = { train: small.dataset, test: pictures };
    let updates = 0;
    const stopping = await open(controller.signal);
    stopping.context.emit = (event) => {
      if (event.type === 'training' && event.validationAccuracy === undefined && ++updates === 7)
        controller.abort();
    };
    await expect(recover(stopping, data, options)).rejects.toMatchObject({ reason: 'interrupted' });
    expect(existsSync(checkpoint)).toBe(true);

    const again = await open(undefined, small.network.clone());
    const shown: number[] = [];
    again.context.emit = (event) => {
      if (event.type === 'training' && event.validationAccuracy === undefined) shown.push(event.epoch);
    };
    await expect(recover(again, data, { ...options, batch: 20 })).rejects.toMatchObject({
      reason: 'bad-input',
    });
    const { before, after, tuning } = await recover(again, data, options);
    expect(shown.length + updates).toBe(36);
    expect(after.accuracy).toBeGreaterThan(before.accuracy);
    expect(before.programming.pulses + tuning.pulses).toBe((await board.health()).pulsesApplied);
    expect(own.weights[0]).not.toEqual(small.network.weights[0]);
    expect(existsSync(checkpoint)).toBe(false);
    await board.close();
  });

  it('loses little with half of the membrane samples missing, or with a quarter of them asked for', async () => {
    const reached: number[] = [];
    for (const [lost, decimation] of [
      [0, 1],
      [0.5, 1],
      [0, 4],
    ]) {
      const { board, own } = await onChip(small);
      let draw = 1;
      const run: typeof board.run = async (stimuli) =>
        (await board.run(stimuli)).map((each) => ({
          ...each,
          voltages: each.voltages.map((v) => {
            draw = (draw * 16807) % 2147483647;
            return draw / 2147483647 < lost ? Number.NaN : v;
          }),
        }));
      const gappy = new Proxy(board, {
        get(target, key) {
          if (key === 'run') return run;
          const value = target[key as keyof typeof target] as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const deployment = await Deployment.open(
        { board: gappy, emit: () => {}, signal: new AbortController().signal, decimation },
        own,
        small.scales,
      );
      const { after } = await recover(
        deployment,
        { train: small.dataset, test: pictures },
        { ...QUICK, epochs: 2 },
      );
      reached.push(after.accuracy);
      await board.close();
    }
    expect(reached[1]).toBeGreaterThan(reached[0] - 0.03);
    expect(reached[2]).toBeGreaterThan(reached[0] - 0.03);
  });
});

it('a chip whose devices were never calibrated is said to be taken for a usual one', async () => {
  const { board, own, deployment } = await onChip(small);
  const said = async () => {
    const events: EventBody[] = [];
    const { signal } = new AbortController();
    await Deployment.open({ board, emit: (event) => events.push(event), signal }, own, small.scales);
    return events.flatMap((event) => (event.type === 'log' ? [event.message] : []));
  };
  expect(await said()).toContainEqual(expect.stringContaining('memloop calibrate'));
  await calibrateDevices(deployment.chip.board, 0);
  expect(await said()).not.toContainEqual(expect.stringContaining('memloop calibrate'));
  await board.close();
});

describe('hidden layers', () => {
  const profile = () => ({ ...smallProfile(), arrays: 3 });

  it('of MIF neurons, in turn on fewer neurons of the board, decide as in software', async () => {
    const spec = networkSpec([8, 6, 4], { steps: 100, driveScale: 10e-6, hidden: 'mif' });
    const { network } = await train({
      spec,
      dataset: small.dataset,
      epochs: 15,
      batch: 20,
      validation: 0,
      decision: 1,
      seed: 1,
    });
    const scales = layerScales(network, small.dataset);
    expect(scales[1].inputMin).toBeLessThan(0);
    const { board, deployment } = await onChip({ ...small, network, scales }, profile());
    await deployment.program();
    const decisions: number[] = [];
    for await (const { forward } of deployment.hardware.forward(pictures, 64))
      decisions.push(...forward.decisions);
    const software = predict(network, pictures.inputs);
    const same = decisions.filter((decision, n) => decision === software[n]).length;
    expect(same).toBeGreaterThan(0.9 * pictures.count);
    const tuning = await finetune(deployment, small.dataset, { ...QUICK, epochs: 0.5 });
    expect(tuning.history.length).toBeGreaterThan(1);
    await board.close();
  });

  it.each(methodNames)('are trained by %s as it says', async (method) => {
    const spec = networkSpec([8, 6, 4], { steps: 100, driveScale: 5e-6 });
    const network = Network.initialise(spec, 1);
    const scales = layerScales(network, small.dataset);
    const { board, own, deployment } = await onChip({ ...small, network, scales }, profile());
    await deployment.program();
    const start = own.clone();
    await finetune(deployment, small.dataset, { ...QUICK, method });
    const moved = own.weights.map((list, l) => list.some((w, i) => w !== start.weights[l][i]));
    const all = method === 'state-injection' || method === 'model-gradient';
    expect(moved).toEqual([all, true]);
    await board.close();
  });
});
