/** A board without hardware: the firmware as WebAssembly over simulated physics. */
export { createVirtualBoard, type VirtualBoard, type VirtualBoardOptions } from './board.js';
export { type Fault, type FaultKind, type Faults, faultsSchema, loadFaults, parseFaults } from './faults.js';
export { type FaultCounts, faultyBoard } from './faulty-board.js';
export { openVirtualTransport } from './open.js';
export type { TracedPulse } from './physics/front-end.js';
export {
  builtInProfiles,
  type EffectName,
  loadProfile,
  type Profile,
  parseProfile,
  withEffects,
} from './profile.js';
export { type FrontEndCall, type QemuBoardOptions, startQemuBoard } from './qemu.js';
export { openPty, type Pty } from './serving/pty.js';
export { type Served, servePty, serveTcp } from './serving/serve.js';
export { type SpawnedBoard, type SpawnOptions, spawnBoard } from './serving/spawn.js';
