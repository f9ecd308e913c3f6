/** A board without hardware: the firmware as WebAssembly over simulated physics. */
export { createVirtualBoard } from './board.js';
export {
  type Fault,
  type FaultCounts,
  type FaultKind,
  type Faults,
  faultsSchema,
  loadFaults,
  parseFaults,
} from './faults/faults.js';
export { faultyBoard } from './faults/faulty-board.js';
export { openVirtualTransport, parseVirtualUrl } from './open.js';
export type { TracedPulse } from './physics/front-end.js';
export {
  createPicoBoard,
  emulatorOf,
  PICO_PROFILE,
  type PicoBoard,
  type PicoBoardOptions,
} from './pico/board.js';
export type { Circuit, CircuitFaults, TracedFrame } from './pico/circuit.js';
export type { Emulator } from './pico/emulator.js';
export {
  builtInProfiles,
  type EffectName,
  imperfectionsOf,
  loadProfile,
  type Profile,
  parseProfile,
  withEffects,
} from './profile.js';
export { type QemuBoardOptions, startQemuBoard } from './qemu/board.js';
export type { FrontEndCall } from './qemu/calls.js';
export { openPty, type Pty } from './serving/pty.js';
export { type PortDevice, type Served, servePty, serveTcp } from './serving/serve.js';
export { type SpawnedBoard, type SpawnOptions, spawnBoard } from './serving/spawn.js';
export {
  type ServedStandIn,
  STAND_INS,
  type StandIn,
  type StandInOptions,
  standInOf,
} from './stand-ins/kinds.js';
export type { VirtualBoard, VirtualBoardOptions } from './types.js';
