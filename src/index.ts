/**
 * memloop as a library; the command line is its first user.
 *
 * ```ts
 * import { openBoard } from 'memloop';
 * const board = await openBoard('/dev/ttyACM0');
 * board.neurons.subscribe((frame) => console.log(frame.run, frame.step, frame.voltages));
 * ```
 */
export * from './calibration/index.js';
export * from './driver/index.js';
export * from './interop/index.js';
export * from './interop/tfjs.js';
export * from './loop/index.js';
export * from './model/index.js';
export { type OpenOptions, openBoard } from './open-board.js';
export { type ErrorReason, MemloopError } from './shared/errors.js';
export { type Emit, type EventBody, type EventOf, eventSchema, type MemloopEvent } from './shared/events.js';
export { openRun, type RunFolder, readJournal } from './telemetry/index.js';
export * from './virtual-board/index.js';
