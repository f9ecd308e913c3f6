import { cpSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  arrayWindow,
  CalibratedBoard,
  calibrateDevices,
  driveCell,
  type GuardedBoard,
  guardBoard,
  nominalCalibration,
  programArray,
  waveSteps,
} from '../../../src/calibration/index.js';
import { type ByteDevice, connectBoard, inProcessTransport } from '../../../src/driver/index.js';
import { Random } from '../../../src/model/random.js';
import { createVirtualBoard } from '../../../src/virtual-board/board.js';
import type { TracedPulse } from '../../../src/virtual-board/physics/front-end.js';
import { temporaryHome } from '../boards.js';

const KILLS = Number(process.env.MEMLOOP_KILLS ?? 4);

const jobs: Record<string, (board: GuardedBoard) => Promise<unknown>> = {
  program: async (board) => {
    const calibrated = new CalibratedBoard(board, nominalCalibration(board));
    const { low, high } = arrayWindow(board.passport.array(0));
    const random = new Random(1);
    const targets = Float64Array.from({ length: 64 }, () => low + (high - low) * random.uniform());
    return programArray(calibrated, 0, targets);
  },
  calibrate: async (board) => calibrateDevices(new CalibratedBoard(board, nominalCalibration(board)), 0),
  sweep: async (board) => {
    const calibrated = new CalibratedBoard(board, nominalCalibration(board));
    const steps = waveSteps(board.description.limits, { amplitude: 0.4, frequency: 50, points: 300 });
    const five = Array.from({ length: 5 }, () => steps).flat();
    return driveCell(calibrated, { array: 0, row: 3, column: 4 }, five, {
      budget: five.length,
    });
  },
};

/** A host that dies at its n-th write, in the middle of it: the rest never leaves, and nothing is heard any more. */
function mortal(device: ByteDevice, dieAt: number, died: () => void): ByteDevice {
  let writes = 0;
  return {
    ...device,
    write: (bytes) => {
      writes += 1;
      if (writes > dieAt) return;
      if (writes < dieAt) return device.write(bytes);
      died();
      return device.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
    },
    onData: (listener) => device.onData((bytes) => (writes >= dieAt ? undefined : listener(bytes))),
    close: () => undefined,
  };
}

describe.each(Object.keys(jobs))('a kill during %s', (name) => {
  test(`at any of ${KILLS} moments: a second start finishes, and the passport counts what was applied`, async () => {
    const random = new Random(name.length);
    for (let kill = 0; kill < KILLS; kill++) {
      const trace: TracedPulse[] = [];
      const virtual = createVirtualBoard({
        profile: 'w-sdc-8x8x4',
        seed: 2,
        trace: (pulse) => trace.push(pulse),
      });
      const device = virtual as unknown as ByteDevice;
      const home = temporaryHome();
      const after = temporaryHome();
      const dieAt = 8 + random.integer(name === 'program' ? 120 : 20);
      let job: Promise<unknown> = Promise.resolve();
      await new Promise<void>((resolve, reject) => {
        const dying = mortal(device, dieAt, () => {
          // What is on the disk at this moment is all that the next process has.
          cpSync(home, after, { recursive: true });
          resolve();
        });
        job = (async () => {
          const living = await connectBoard(inProcessTransport('virtual:mortal', dying));
          await jobs[name](guardBoard(living, { home }));
          // It was quicker than death.
          cpSync(home, after, { recursive: true });
          resolve();
        })();
        job.catch(reject);
      });
      job.catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));

      const next = await connectBoard(inProcessTransport('virtual:next', device));
      const board = guardBoard(next, { home: after });
      await jobs[name](board);
      const applied = new Float64Array(64);
      for (const { row, column } of trace) applied[row * 8 + column] += 1;
      expect([...board.passport.array(0).tables.pulses], `killed at write ${dieAt}`).toEqual([...applied]);
      await board.close();
      virtual.close();
    }
  });
});
