/** Talk to a board: transport (bytes) → link (exactly-once requests, streams) → board (typed operations). */

export type { Frame } from '../../firmware-protocol/frame.js';
export { describeFrame } from '../../firmware-protocol/frame-text.js';
export type * as protocol from '../../firmware-protocol/generated/protocol.js';
export type * from './board/board.js';
export { checkCellOperation } from './board/limits.js';
export { type ConnectOptions, connectBoard, ProtocolBoard } from './board/protocol-board.js';
export { HOST_CODE, type HostCode, type OutcomeCode, outcomeText } from './codes.js';
export { type Fate, LinkError, ProtocolError, RefusedError } from './link/errors.js';
export type { LinkCounters } from './link/link.js';
export { LINK_OPTIONS, type LinkOptions } from './link/link-options.js';
export type { ReconnectOptions } from './link/reconnect.js';
export { type ByteDevice, inProcessTransport } from './transport/in-process.js';
export { listPorts, type PortInfo } from './transport/ports.js';
export { type RecordedFrame, Recorder, type Recording, readRecording } from './transport/recording.js';
export { openTransport, registerTransport } from './transport/registry.js';
export { type Exchange, exchangesOf } from './transport/replay.js';
export { type SessionSummary, summariseSession, transcriptOf } from './transport/transcript.js';
export type { Claim, Opener, Transport } from './transport/transport.js';
