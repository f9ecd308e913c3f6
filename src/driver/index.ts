/** Talk to a board: transport (bytes) → link (exactly-once requests, streams) → board (typed operations). */
export type * from './board/board.js';
export { checkCellOperation } from './board/limits.js';
export { HOST_CODE, type HostCode, type OutcomeCode, outcomeText } from './board/outcome.js';
export { type ConnectOptions, connectBoard, ProtocolBoard } from './board/protocol-board.js';
export { describeFrame } from './link/flight.js';
export type { LinkCounters } from './link/link.js';
export { type Fate, LINK_OPTIONS, LinkError, type LinkOptions } from './link/link-machine.js';
export type { ReconnectOptions } from './link/reconnect.js';
export { type ByteDevice, inProcessTransport } from './transport/in-process.js';
export { Recorder, type Recording, readRecording } from './transport/recording.js';
export { type Exchange, exchangesOf } from './transport/replay.js';
export { listPorts, type PortInfo } from './transport/serial.js';
export { openTransport, type Transport } from './transport/transport.js';
