/** What the tests of `ad2:` share: the simulated device in this process, and its truth. */
import { openAd2, parseAd2Url } from '../../../src/boards/ad2/open.js';
import type { Board, CellOperation } from '../../../src/driver/index.js';
import type { EventBody } from '../../../src/shared/events.js';
import type { TracedPulse } from '../../../src/virtual-board/index.js';
import type { Ad2Fault, Ad2Faults } from '../../../src/virtual-board/stand-ins/ad2/faults.js';
import {
  discreteCells,
  simulatedWaveForms,
  type VirtualAd2Options,
} from '../../../src/virtual-board/stand-ins/ad2/virtual.js';

export const CIRCUITS = [
  { mode: 1, series: 10e3 },
  { mode: 1, series: 20e3 },
  { mode: 2, series: 20e3 },
] as const;

export const faultsOf = (...faults: Ad2Fault[]): Ad2Faults => ({ seed: 1, faults });

/** Every cell moves: what is refused is refused for the board's sake. */
export function healthyCells() {
  const profile = discreteCells('w-sdc-8x8x4');
  profile.effects.stuckCells.enabled = false;
  return profile;
}

export function simulated(options: Partial<VirtualAd2Options> = {}) {
  const { mode = 1, series = mode === 1 ? 10e3 : 20e3 } = options;
  /** All that W1 gave to cells, reads too. */
  const received: TracedPulse[] = [];
  const device = simulatedWaveForms({
    profile: healthyCells(),
    seed: 1,
    onPulse: (pulse) => received.push(pulse),
    ...options,
    mode,
    series,
  });
  const events: EventBody[] = [];
  /** For so many seconds a real device would have been waited for. */
  const waited = { seconds: 0 };
  const open = (query = `mode=${mode}&series=${series}`, reconnect = 0): Promise<Board> =>
    openAd2(device.library, parseAd2Url(`ad2:?${query}`), {
      emit: (event) => events.push(event),
      reconnect,
      pause(seconds) {
        waited.seconds += seconds;
        return new Promise((resolve) => setImmediate(resolve));
      },
    });
  return { ...device, received, events, waited, open };
}

export const pulse = (row: number, column: number, voltage: number, width = 20e-6): CellOperation => ({
  kind: 'pulse',
  array: 0,
  row,
  column,
  voltage,
  width,
});
