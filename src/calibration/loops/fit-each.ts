/** Fits many loops, one after the other or all those of a device together. */
import type { Emit } from '../../shared/events.js';
import { progressOf } from '../../shared/progress.js';
import { fitLoops } from './fit.js';
import type { Fit } from './fit-report.js';
import type { MeasuredLoop } from './loop-model.js';

export interface FitEachOptions {
  /** One parameter set for all loops of a device. */
  joint?: boolean;
  /** With `joint`: each loop has thresholds of its own. */
  ownThresholds?: boolean;
  /** Of the starting points. */
  seed?: number;
  emit?: Emit;
  /** Checked between fits. */
  signal?: AbortSignal;
}

/** Yields each fit with its loops as it is found. */
export async function* fitEach<L extends MeasuredLoop & { device: string | undefined }>(
  loops: readonly L[],
  { joint = false, ownThresholds = false, seed = 1, emit, signal }: FitEachOptions = {},
): AsyncGenerator<{ loops: L[]; fit: Fit }> {
  const devices = [...new Set(loops.map(({ device }) => device))];
  const groups = joint
    ? devices.map((device) => loops.filter((loop) => loop.device === device))
    : loops.map((loop) => [loop]);
  const progress = progressOf(emit, 'fit', 'fits', groups.length);
  for (const group of groups) {
    const fit = fitLoops(group, { seed, ownThresholds });
    progress.step();
    yield { loops: group, fit };
    // A fit takes seconds: signals and screens get their turn.
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
}
