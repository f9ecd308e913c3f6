/** Talk to a board: transport (bytes) → link (exactly-once requests, streams) → board (typed operations). */
export type * from './board.js';
export { describeFrame } from './flight.js';
export { type ByteDevice, inProcessTransport } from './in-process.js';
export { checkCellOperation } from './limits.js';
export type { LinkCounters } from './link.js';
export { type Fate, LINK_OPTIONS, LinkError, type LinkOptions } from './link-machine.js';
export { type ConnectOptions, connectBoard, ProtocolBoard } from './protocol-board.js';
export type { ReconnectOptions } from './reconnect.js';
export { Recorder, type Recording, readRecording } from './recording.js';
export { type Exchange, exchangesOf } from './replay.js';
export { listPorts, type PortInfo } from './serial.js';
export { openTransport, type Transport } from './transport.js';
