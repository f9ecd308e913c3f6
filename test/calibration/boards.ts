/** Boards for the tests: the firmware over simulated physics, in this process. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { CalibratedBoard, calibrateConverters, guardBoard } from '../../src/calibration/index.js';
import { connectBoard, inProcessTransport } from '../../src/driver/index.js';
import { createVirtualBoard } from '../../src/virtual-board/board.js';
import type { TracedPulse } from '../../src/virtual-board/physics/front-end.js';
import { type EffectName, loadProfile, type Profile, withEffects } from '../../src/virtual-board/profile.js';

export const temporaryHome = (): string => mkdtempSync(join(tmpdir(), 'memloop-'));

export interface BoardOptions {
  profile?: string;
  seed?: number;
  /** Imperfections that stay on; default: the profile's own. */
  effects?: readonly EffectName[];
  change?: (profile: Profile) => void;
}

export async function virtualBoard({
  profile = 'w-sdc-8x8x4',
  seed = 1,
  effects,
  change,
}: BoardOptions = {}) {
  let made = structuredClone(loadProfile(profile));
  if (effects) made = withEffects(made, effects);
  change?.(made);
  const trace: TracedPulse[] = [];
  const virtual = createVirtualBoard({ profile: made, seed, trace: (pulse) => trace.push(pulse) });
  const port = await connectBoard(inProcessTransport(`virtual:${profile}`, virtual));
  const board = guardBoard(port, { home: temporaryHome() });
  onTestFinished(() => board.close());
  return { board, virtual, crossbars: virtual.frontEnd.crossbars, trace };
}

/** The same with calibrated converters and an empty passport. */
export async function calibratedBoard(options: BoardOptions = {}) {
  const made = await virtualBoard(options);
  const calibrated = new CalibratedBoard(made.board, await calibrateConverters(made.board));
  return { ...made, calibrated, passport: made.board.passport };
}
