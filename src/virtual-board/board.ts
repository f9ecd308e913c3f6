/** A board in this process: the firmware over simulated physics, as bytes in and bytes out. */
import { loadFaults, parseFaults } from './faults/faults.js';
import { faultyBoard } from './faults/faulty-board.js';
import { Firmware } from './firmware.js';
import { InProcessBoard } from './in-process.js';
import { SimulatedFrontEnd } from './physics/front-end.js';
import { loadProfile } from './profile.js';
import { TraceFile } from './trace.js';
import type { VirtualBoard, VirtualBoardOptions } from './types.js';

/** Errors: `bad-input` for the profile and the faults, `disk` for the trace. */
export function createVirtualBoard(options: VirtualBoardOptions): VirtualBoard {
  const { faults } = options;
  if (faults === undefined) return boardOf(options);
  const schedule = typeof faults === 'string' ? loadFaults(faults) : parseFaults(faults, 'given');
  return faultyBoard(boardOf(options), schedule);
}

function boardOf(options: VirtualBoardOptions): VirtualBoard {
  const { trace, realTime = false } = options;
  const profile = typeof options.profile === 'string' ? loadProfile(options.profile) : options.profile;
  const file = typeof trace === 'string' ? new TraceFile(trace) : undefined;
  const parts = new SimulatedFrontEnd(profile, {
    seed: options.seed ?? 1,
    boot: options.boot,
    realTime,
    onPulse: typeof trace === 'function' ? trace : file?.add,
  });
  const machine = (transmit: (bytes: Uint8Array) => void, space: () => number) =>
    new Firmware(parts, transmit, space);
  return new InProcessBoard({ profile, parts, trace: file, realTime, machine });
}
