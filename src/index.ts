/**
 * memloop as a library: what a program needs first. The rest is in the rooms: `memloop/driver`, `memloop/model`,
 * `memloop/calibration`, `memloop/loop`, `memloop/virtual-board`, `memloop/telemetry`, `memloop/interop` and
 * `memloop/tfjs`. The command line is the library's first user.
 *
 * ```ts
 * import { openBoard } from 'memloop';
 *
 * const board = await openBoard('/dev/ttyACM0');
 * board.neurons.subscribe(({ run, step, voltages }) => console.log(run, step, voltages));
 * ```
 */
export { calibrateConverters } from './calibration/converters/converters.js';
export { calibrateDevices } from './calibration/devices/calibrate-devices.js';
export { calibrateNeurons } from './calibration/neurons/neurons.js';
export { Passport } from './calibration/passport/passport.js';
export { programArray } from './calibration/programming/program.js';
export type { Board, BoardDescription, CellOperation, CellOutcome } from './driver/board/board.js';
export { listPorts } from './driver/index.js';
export {
  Deployment,
  evaluateOnBoard,
  finetune,
  layerScales,
  type MethodName,
  maintain,
} from './loop/index.js';
export { loadDataset } from './model/data/catalogue.js';
export type { Dataset } from './model/data/datasets.js';
export { Network, type NetworkSpec, networkSpec } from './model/network/network.js';
export { loadNetwork, saveNetwork } from './model/network/network-file.js';
export { evaluate } from './model/training/evaluate.js';
export { recipeOf } from './model/training/recipes.js';
export { type TrainOptions, train } from './model/training/train.js';
export { type OpenOptions, openBoard } from './open-board.js';
export { type ErrorReason, MemloopError } from './shared/errors.js';
export { type Emit, type EventBody, eventSchema, type MemloopEvent } from './shared/events.js';
export { openRun, readJournal } from './telemetry/index.js';
export { spawnBoard } from './virtual-board/serving/spawn.js';
