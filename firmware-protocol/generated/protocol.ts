/** Generated from protocol.json by generate.mjs (npm run protocol). Do not edit. */

export const PROTOCOL_VERSION = 2;
/** Of the wire shape: it seeds the CRC of every frame but Hello and HelloReply. */
export const PROTOCOL_HASH = 0x3b5167e1;
/** Largest payload of a frame, bytes. */
export const MAX_PAYLOAD = 2048;
/** Depth of the board's result cache: request n may be sent only when n - WINDOW has been answered. */
export const WINDOW = 8;
/** Most cell operations in one Cells request. */
export const MAX_OPS = 200;
/** Most DAC codes or ADC counts in a ReadRows or Multiply, each way. */
export const MAX_COUNTS = 1020;
/** Most membrane counts in one Samples frame. */
export const MAX_STREAM = 1000;
/** Most ADC samples that one read, row or product averages. */
export const MAX_SAMPLES = 255;
/** As the reference resistor: none, the path is left open. */
export const OPEN_PATH = 255;
/** Bytes before the payload: type u8, session u32, sequence u32. */
export const HEADER_SIZE = 9;

/** Most elements (bytes of a string) of each array. */
export const BOUNDS = {
  HelloReply: { firmwareVersion: 24, boardSerial: 32 },
  DescribeReply: { ampsPerCount: 4, references: 8 },
  ArrayInfoReply: { serial: 32 },
  Cells: { ops: 200 },
  CellsReply: { results: 200 },
  ReadRowsReply: { counts: 1020 },
  Multiply: { codes: 1020 },
  MultiplyReply: { counts: 1020 },
  Run: { pulseSteps: 32, drives: 900 },
  Reference: { codes: 64 },
  ReferenceReply: { counts: 64 },
  Samples: { counts: 1000 },
} as const;

export type Status = 'OK' | 'LIMIT_VOLTAGE' | 'LIMIT_WIDTH' | 'LIMIT_ENERGY' | 'LIMIT_PULSES' | 'BAD_ADDRESS' | 'BAD_REQUEST' | 'NO_SESSION' | 'OUT_OF_ORDER' | 'BUSY' | 'UNSUPPORTED' | 'STOPPED' | 'EXPIRED' | 'FENCED';
/** Code on the wire and meaning of each Status. */
export const STATUS: Record<Status, { readonly code: number; readonly doc: string }> = {
  OK: { code: 0, doc: "done" },
  LIMIT_VOLTAGE: { code: 1, doc: "refused: voltage or drive outside the board's limits" },
  LIMIT_WIDTH: { code: 2, doc: "refused: pulse width outside the board's limits" },
  LIMIT_ENERGY: { code: 3, doc: "refused: the pulse could put more energy into the cell than the limit" },
  LIMIT_PULSES: { code: 4, doc: "refused: the cell has had all the pulses it may have" },
  BAD_ADDRESS: { code: 5, doc: "refused: no such array, row, column, reference or range" },
  BAD_REQUEST: { code: 6, doc: "refused: malformed, of the wrong length, or asking for nothing or too much" },
  NO_SESSION: { code: 7, doc: "not executed: the board does not know this session; detail is its boot id" },
  OUT_OF_ORDER: { code: 8, doc: "not executed: an earlier request is missing; detail is the sequence number expected" },
  BUSY: { code: 9, doc: "no answer yet: the request waits or is under way, or more than WINDOW are unanswered" },
  UNSUPPORTED: { code: 10, doc: "not executed: unknown message" },
  STOPPED: { code: 11, doc: "not executed, or cut short, by Stop, the dead-man or a fault" },
  EXPIRED: { code: 12, doc: "not executed again: the result of this old request is no longer in the cache" },
  FENCED: { code: 13, doc: "refused: a newer holder has claimed the board, or the claim is of another boot; as the answer to Claim, detail is the low half of the highest token" },
};
const STATUS_OF: readonly (Status | undefined)[] = ['OK', 'LIMIT_VOLTAGE', 'LIMIT_WIDTH', 'LIMIT_ENERGY', 'LIMIT_PULSES', 'BAD_ADDRESS', 'BAD_REQUEST', 'NO_SESSION', 'OUT_OF_ORDER', 'BUSY', 'UNSUPPORTED', 'STOPPED', 'EXPIRED', 'FENCED'];

export type OpKind = 'PULSE' | 'READ';
/** Code on the wire and meaning of each OpKind. */
export const OP_KIND: Record<OpKind, { readonly code: number; readonly doc: string }> = {
  PULSE: { code: 1, doc: "voltage pulse through the series resistor onto one cell" },
  READ: { code: 2, doc: "current of one cell at a read voltage, all columns at virtual ground" },
};
const OP_KIND_OF: readonly (OpKind | undefined)[] = [undefined, 'PULSE', 'READ'];

export type NoticeCode = 'BOOTED' | 'DEAD_MAN' | 'FAULT';
/** Code on the wire and meaning of each NoticeCode. */
export const NOTICE_CODE: Record<NoticeCode, { readonly code: number; readonly doc: string }> = {
  BOOTED: { code: 1, doc: "the board has started; detail is its boot id" },
  DEAD_MAN: { code: 2, doc: "the host was silent for the dead-man time; all lines are at 0 V" },
  FAULT: { code: 3, doc: "the analog front end reported a fault; all lines are at 0 V; detail is the front end's code" },
};
const NOTICE_CODE_OF: readonly (NoticeCode | undefined)[] = [undefined, 'BOOTED', 'DEAD_MAN', 'FAULT'];

/** Part of Cells. */
export interface CellOp {
  /** what to do */
  kind: OpKind;
  /** array index */
  array: number;
  /** row index */
  row: number;
  /** column index */
  column: number;
  /** row DAC code */
  code: number;
  /** pulse width; ignored by READ, s */
  width: number;
  /** ADC samples to average; ignored by PULSE */
  samples: number;
}

/** Part of CellsReply. */
export interface CellResult {
  /** OK, or why the operation was refused */
  status: Status;
  /** mean ADC count in current range 0; 0 for PULSE */
  count: number;
}

/** Opens a session. Its CRC and its reply's are never seeded with the protocol hash, so that host and board of different protocols can name each other. The board answers a repeated nonce with the session already given; a new nonce ends the running session and opens another. */
export interface Hello {
  name: 'Hello';
  /** random; marks the reply */
  nonce: number;
  /** the host's version */
  protocolVersion: number;
  /** the host's hash of protocol.json */
  protocolHash: number;
}

/** Answers Hello. */
export interface HelloReply {
  name: 'HelloReply';
  /** of the request */
  nonce: number;
  /** the board's version */
  protocolVersion: number;
  /** the board's hash */
  protocolHash: number;
  /** changes at every start of the board */
  bootId: number;
  /** for the headers to come; 0 when the protocols differ and the session is refused */
  session: number;
  /** of the board; at most 24 */
  firmwareVersion: string;
  /** of the board; at most 32 */
  boardSerial: string;
}

/** What the board is and may do. */
export interface Describe {
  name: 'Describe';
}

/** Answers Describe. */
export interface DescribeReply {
  name: 'DescribeReply';
  /** number of crossbar arrays */
  arrays: number;
  /** rows of each array */
  rows: number;
  /** columns of each array */
  columns: number;
  /** MIF neurons */
  neurons: number;
  /** nominal step of the row DACs, V */
  rowVoltsPerCount: number;
  /** row DAC codes run from -max to +max */
  rowMaxCount: number;
  /** nominal step of the column ADCs in each current range; range 0 is for single cells and rows, the last for whole columns, A; at most 4 */
  ampsPerCount: Float32Array;
  /** a column count at this size is saturated */
  currentMaxCount: number;
  /** nominal step of a neuron's drive: the jump of the alpha current's state a, A */
  driveAmpsPerCount: number;
  /** drive codes run from -max to +max */
  driveMaxCount: number;
  /** nominal step of the membrane ADC, V */
  membraneVoltsPerCount: number;
  /** a membrane count at this size is saturated */
  membraneMaxCount: number;
  /** time between two steps of a run, s */
  stepTime: number;
  /** longest run, steps */
  maxSteps: number;
  /** in series with a cell during a pulse, Ω */
  seriesResistance: number;
  /** share of a pulse's voltage that cells on the selected row or column see */
  halfSelect: number;
  /** highest pulse voltage, V */
  maxVoltage: number;
  /** lowest (most negative) pulse voltage, V */
  minVoltage: number;
  /** largest absolute voltage of a read, a multiplication or a reference, V */
  maxReadVoltage: number;
  /** time the voltage is applied for each ADC sample, s */
  readTime: number;
  /** shortest pulse, s */
  minWidth: number;
  /** longest pulse, s */
  maxWidth: number;
  /** largest energy of a pulse, taken as V^2 / (4 R) x width with R the series resistance: the most that it can put into any cell, J */
  maxEnergy: number;
  /** pulses a cell may have in one boot */
  maxPulses: number;
  /** silence of the host after which all lines go to 0 V, s */
  deadManTime: number;
  /** reference resistors that can be switched between any row and any column, Ω; at most 8 */
  references: Float32Array;
}

/** The serial number of an array. */
export interface ArrayInfo {
  name: 'ArrayInfo';
  /** array index */
  array: number;
}

/** Answers ArrayInfo. */
export interface ArrayInfoReply {
  name: 'ArrayInfoReply';
  /** of the array; at most 32 */
  serial: string;
}

/** Heartbeat; feeds the dead-man, as every valid frame does. */
export interface Ping {
  name: 'Ping';
}

/** Answers Ping. */
export interface PingReply {
  name: 'PingReply';
  /** time since boot, s */
  uptime: number;
  /** valid frames since boot */
  framesReceived: number;
  /** frames dropped for their CRC or framing */
  crcErrors: number;
  /** requests answered from the result cache */
  duplicates: number;
  /** pulses put on cells since boot */
  pulsesApplied: number;
}

/** Cell operations, in order. Each is refused by itself if it is outside the limits; the others are done. */
export interface Cells {
  name: 'Cells';
  /** the operations; at most 200 */
  ops: CellOp[];
}

/** Answers Cells. */
export interface CellsReply {
  name: 'CellsReply';
  /** one for each operation; at most 200 */
  results: CellResult[];
}

/** Currents of all cells of some rows: each row in turn is driven at the read voltage, all columns are at virtual ground. */
export interface ReadRows {
  name: 'ReadRows';
  /** array index */
  array: number;
  /** row index */
  firstRow: number;
  /** rows to read */
  rowCount: number;
  /** row DAC code */
  code: number;
  /** ADC samples to average */
  samples: number;
}

/** Answers ReadRows. */
export interface ReadRowsReply {
  name: 'ReadRowsReply';
  /** rowCount x columns, row by row, current range 0; at most 1020 */
  counts: Int16Array;
}

/** Column currents of an array for vectors of row voltages: the analog vector-matrix product. */
export interface Multiply {
  name: 'Multiply';
  /** array index */
  array: number;
  /** current range */
  range: number;
  /** ADC samples to average */
  samples: number;
  /** vectors x rows, vector by vector; at most 1020 */
  codes: Int16Array;
}

/** Answers Multiply. */
export interface MultiplyReply {
  name: 'MultiplyReply';
  /** vectors x columns; at most 1020 */
  counts: Int16Array;
}

/** Resets the neurons to their rest state, applies a stimulus and streams their membrane voltages as Samples; the reply comes after the last of them. It can be repeated under another run number at no risk: it moves no synapse. */
export interface Run {
  name: 'Run';
  /** run number, chosen by the host */
  run: number;
  /** length of the run */
  steps: number;
  /** steps between two samples; the first sample is after step `decimation` */
  decimation: number;
  /** most samples of each neuron in a frame, for a line on which long frames are lost; 0: as many as it holds */
  frameSamples: number;
  /** steps at which input pulses arrive, ascending; at most 32 */
  pulseSteps: Uint16Array;
  /** pulses x neurons drive codes; at most 900 */
  drives: Int16Array;
}

/** Answers Run. */
export interface RunReply {
  name: 'RunReply';
  /** of the request */
  run: number;
  /** OK or STOPPED */
  status: Status;
  /** Samples frames sent */
  frames: number;
  /** samples of each neuron sent */
  samples: number;
}

/** Current through a reference resistor switched between a row and a column. */
export interface Reference {
  name: 'Reference';
  /** row DAC */
  row: number;
  /** column ADC */
  column: number;
  /** reference resistor; OPEN_PATH leaves the path open */
  reference: number;
  /** current range */
  range: number;
  /** ADC samples to average */
  samples: number;
  /** row DAC codes to apply in turn; at most 64 */
  codes: Int16Array;
}

/** Answers Reference. */
export interface ReferenceReply {
  name: 'ReferenceReply';
  /** one for each code; at most 64 */
  counts: Int16Array;
}

/** All lines to 0 V. It acts when it arrives: a request under way ends at once (a run or the rest of a batch with STOPPED), those still waiting before it are refused with STOPPED. */
export interface Stop {
  name: 'Stop';
}

/** Answers Stop. */
export interface StopReply {
  name: 'StopReply';
}

/** Takes the board for whoever holds this token. The board keeps the highest token since boot; while there is one, pulses are refused with FENCED in every session that has not claimed with it. */
export interface Claim {
  name: 'Claim';
  /** the boot for which the token was given */
  bootId: number;
  /** upper half of the token */
  tokenHigh: number;
  /** lower half of the token */
  tokenLow: number;
}

/** Answers Claim. */
export interface ClaimReply {
  name: 'ClaimReply';
}

/** Membrane voltages of a run. */
export interface Samples {
  name: 'Samples';
  /** run number */
  run: number;
  /** counts the frames of the run from 0 */
  frame: number;
  /** step of the first sample */
  step: number;
  /** steps between two samples */
  decimation: number;
  /** samples x neurons; at most 1000 */
  counts: Int16Array;
}

/** Something the host did not ask for. Sent with session 0 and sequence 0. */
export interface Notice {
  name: 'Notice';
  /** what */
  code: NoticeCode;
  /** see the code */
  detail: number;
}

/** In place of a reply: the request was not executed, or had no effect. */
export interface Refused {
  name: 'Refused';
  /** why */
  status: Status;
  /** see the status */
  detail: number;
}

/** All that travels; `name` tells which. */
export type Message =
  | Hello
  | HelloReply
  | Describe
  | DescribeReply
  | ArrayInfo
  | ArrayInfoReply
  | Ping
  | PingReply
  | Cells
  | CellsReply
  | ReadRows
  | ReadRowsReply
  | Multiply
  | MultiplyReply
  | Run
  | RunReply
  | Reference
  | ReferenceReply
  | Stop
  | StopReply
  | Claim
  | ClaimReply
  | Samples
  | Notice
  | Refused
  ;

export type MessageName = Message['name'];
export type MessageOf<N extends MessageName> = Extract<Message, { name: N }>;

export type RequestName =
  | 'Hello'
  | 'Describe'
  | 'ArrayInfo'
  | 'Ping'
  | 'Cells'
  | 'ReadRows'
  | 'Multiply'
  | 'Run'
  | 'Reference'
  | 'Stop'
  | 'Claim'
  ;
export type Request = MessageOf<RequestName>;
/** What answers a request, when it is not Refused. */
export type ReplyOf<N extends RequestName> = MessageOf<`${N}Reply`>;

/** Message ids; a reply has its request's with the highest bit set. */
export const MESSAGE_ID: Record<MessageName, number> = {
  Hello: 1,
  HelloReply: 129,
  Describe: 2,
  DescribeReply: 130,
  ArrayInfo: 3,
  ArrayInfoReply: 131,
  Ping: 4,
  PingReply: 132,
  Cells: 5,
  CellsReply: 133,
  ReadRows: 6,
  ReadRowsReply: 134,
  Multiply: 7,
  MultiplyReply: 135,
  Run: 8,
  RunReply: 136,
  Reference: 9,
  ReferenceReply: 137,
  Stop: 10,
  StopReply: 138,
  Claim: 11,
  ClaimReply: 139,
  Samples: 144,
  Notice: 145,
  Refused: 255,
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function text(d: DataView, at: number, length: number): string | undefined {
  try {
    return utf8.decode(new Uint8Array(d.buffer, d.byteOffset + at, length));
  } catch {
    return undefined;
  }
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Samples come by the million: where this machine orders bytes as the wire does, they are copied at once. */
function int16s(d: DataView, at: number, count: number): Int16Array {
  const from = d.byteOffset + at;
  if (LITTLE_ENDIAN) return new Int16Array(d.buffer.slice(from, from + 2 * count) as ArrayBuffer);
  return Int16Array.from({ length: count }, (_, i) => d.getInt16(at + 2 * i, true));
}

function integer(value: number, min: number, max: number, path: string): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${path}: ${value} is not an integer from ${min} to ${max}`);
  return value;
}

function real(value: number, path: string): number {
  if (!Number.isFinite(Math.fround(value))) throw new RangeError(`${path}: ${value} is not a finite 32-bit number`);
  return value;
}

function enumCode<K extends string>(table: Record<K, { readonly code: number }>, key: K, path: string): number {
  const entry = table[key];
  if (entry === undefined) throw new RangeError(`${path}: no such value, ${key}`);
  return entry.code;
}

function putCount(length: number, max: number, d: DataView, at: number, path: string): number {
  d.setUint16(at, integer(length, 0, max, `${path}.length`), true);
  return at + 2;
}

function putText(value: string, max: number, d: DataView, at: number, path: string): number {
  const bytes = new TextEncoder().encode(value);
  d.setUint8(at, integer(bytes.length, 0, max, `${path}.length`));
  new Uint8Array(d.buffer, d.byteOffset + at + 1).set(bytes);
  return at + 1 + bytes.length;
}

type Getter = (d: DataView, at: number, end: number) => Message | undefined;

const getHello: Getter = (d, at, end) => {
  if (end - at < 10) return undefined;
  const nonce = d.getUint32(at, true);
  at += 4;
  const protocolVersion = d.getUint16(at, true);
  at += 2;
  const protocolHash = d.getUint32(at, true);
  at += 4;
  if (at !== end) return undefined;
  return { name: 'Hello', nonce, protocolVersion, protocolHash };
};

function putHello(m: Hello, d: DataView, at: number): number {
  d.setUint32(at, integer(m.nonce, 0, 4294967295, 'Hello.nonce'), true);
  at += 4;
  d.setUint16(at, integer(m.protocolVersion, 0, 65535, 'Hello.protocolVersion'), true);
  at += 2;
  d.setUint32(at, integer(m.protocolHash, 0, 4294967295, 'Hello.protocolHash'), true);
  at += 4;
  return at;
}

const getHelloReply: Getter = (d, at, end) => {
  if (end - at < 20) return undefined;
  const nonce = d.getUint32(at, true);
  at += 4;
  const protocolVersion = d.getUint16(at, true);
  at += 2;
  const protocolHash = d.getUint32(at, true);
  at += 4;
  const bootId = d.getUint32(at, true);
  at += 4;
  const session = d.getUint32(at, true);
  at += 4;
  const firmwareVersionLength = d.getUint8(at);
  at += 1;
  if (firmwareVersionLength > 24 || end - at < firmwareVersionLength + 1) return undefined;
  const firmwareVersion = text(d, at, firmwareVersionLength);
  if (firmwareVersion === undefined) return undefined;
  at += firmwareVersionLength;
  const boardSerialLength = d.getUint8(at);
  at += 1;
  if (boardSerialLength > 32 || end - at < boardSerialLength) return undefined;
  const boardSerial = text(d, at, boardSerialLength);
  if (boardSerial === undefined) return undefined;
  at += boardSerialLength;
  if (at !== end) return undefined;
  return { name: 'HelloReply', nonce, protocolVersion, protocolHash, bootId, session, firmwareVersion, boardSerial };
};

function putHelloReply(m: HelloReply, d: DataView, at: number): number {
  d.setUint32(at, integer(m.nonce, 0, 4294967295, 'HelloReply.nonce'), true);
  at += 4;
  d.setUint16(at, integer(m.protocolVersion, 0, 65535, 'HelloReply.protocolVersion'), true);
  at += 2;
  d.setUint32(at, integer(m.protocolHash, 0, 4294967295, 'HelloReply.protocolHash'), true);
  at += 4;
  d.setUint32(at, integer(m.bootId, 0, 4294967295, 'HelloReply.bootId'), true);
  at += 4;
  d.setUint32(at, integer(m.session, 0, 4294967295, 'HelloReply.session'), true);
  at += 4;
  at = putText(m.firmwareVersion, 24, d, at, 'HelloReply.firmwareVersion');
  at = putText(m.boardSerial, 32, d, at, 'HelloReply.boardSerial');
  return at;
}

const getDescribe: Getter = (_d, at, end) => (at === end ? { name: 'Describe' } : undefined);

const putDescribe = (_m: Describe, _d: DataView, at: number): number => at;

const getDescribeReply: Getter = (d, at, end) => {
  if (end - at < 80) return undefined;
  const arrays = d.getUint8(at);
  at += 1;
  const rows = d.getUint16(at, true);
  at += 2;
  const columns = d.getUint16(at, true);
  at += 2;
  const neurons = d.getUint8(at);
  at += 1;
  const rowVoltsPerCount = d.getFloat32(at, true);
  if (!Number.isFinite(rowVoltsPerCount)) return undefined;
  at += 4;
  const rowMaxCount = d.getInt16(at, true);
  at += 2;
  const ampsPerCountLength = d.getUint16(at, true);
  at += 2;
  if (ampsPerCountLength > 4 || end - at < ampsPerCountLength * 4 + 66) return undefined;
  const ampsPerCount = new Float32Array(ampsPerCountLength);
  for (let i = 0; i < ampsPerCountLength; i++, at += 4) ampsPerCount[i] = d.getFloat32(at, true);
  if (!ampsPerCount.every(Number.isFinite)) return undefined;
  const currentMaxCount = d.getInt16(at, true);
  at += 2;
  const driveAmpsPerCount = d.getFloat32(at, true);
  if (!Number.isFinite(driveAmpsPerCount)) return undefined;
  at += 4;
  const driveMaxCount = d.getInt16(at, true);
  at += 2;
  const membraneVoltsPerCount = d.getFloat32(at, true);
  if (!Number.isFinite(membraneVoltsPerCount)) return undefined;
  at += 4;
  const membraneMaxCount = d.getInt16(at, true);
  at += 2;
  const stepTime = d.getFloat32(at, true);
  if (!Number.isFinite(stepTime)) return undefined;
  at += 4;
  const maxSteps = d.getUint16(at, true);
  at += 2;
  const seriesResistance = d.getFloat32(at, true);
  if (!Number.isFinite(seriesResistance)) return undefined;
  at += 4;
  const halfSelect = d.getFloat32(at, true);
  if (!Number.isFinite(halfSelect)) return undefined;
  at += 4;
  const maxVoltage = d.getFloat32(at, true);
  if (!Number.isFinite(maxVoltage)) return undefined;
  at += 4;
  const minVoltage = d.getFloat32(at, true);
  if (!Number.isFinite(minVoltage)) return undefined;
  at += 4;
  const maxReadVoltage = d.getFloat32(at, true);
  if (!Number.isFinite(maxReadVoltage)) return undefined;
  at += 4;
  const readTime = d.getFloat32(at, true);
  if (!Number.isFinite(readTime)) return undefined;
  at += 4;
  const minWidth = d.getFloat32(at, true);
  if (!Number.isFinite(minWidth)) return undefined;
  at += 4;
  const maxWidth = d.getFloat32(at, true);
  if (!Number.isFinite(maxWidth)) return undefined;
  at += 4;
  const maxEnergy = d.getFloat32(at, true);
  if (!Number.isFinite(maxEnergy)) return undefined;
  at += 4;
  const maxPulses = d.getUint32(at, true);
  at += 4;
  const deadManTime = d.getFloat32(at, true);
  if (!Number.isFinite(deadManTime)) return undefined;
  at += 4;
  const referencesLength = d.getUint16(at, true);
  at += 2;
  if (referencesLength > 8 || end - at < referencesLength * 4) return undefined;
  const references = new Float32Array(referencesLength);
  for (let i = 0; i < referencesLength; i++, at += 4) references[i] = d.getFloat32(at, true);
  if (!references.every(Number.isFinite)) return undefined;
  if (at !== end) return undefined;
  return { name: 'DescribeReply', arrays, rows, columns, neurons, rowVoltsPerCount, rowMaxCount, ampsPerCount, currentMaxCount, driveAmpsPerCount, driveMaxCount, membraneVoltsPerCount, membraneMaxCount, stepTime, maxSteps, seriesResistance, halfSelect, maxVoltage, minVoltage, maxReadVoltage, readTime, minWidth, maxWidth, maxEnergy, maxPulses, deadManTime, references };
};

function putDescribeReply(m: DescribeReply, d: DataView, at: number): number {
  d.setUint8(at, integer(m.arrays, 0, 255, 'DescribeReply.arrays'));
  at += 1;
  d.setUint16(at, integer(m.rows, 0, 65535, 'DescribeReply.rows'), true);
  at += 2;
  d.setUint16(at, integer(m.columns, 0, 65535, 'DescribeReply.columns'), true);
  at += 2;
  d.setUint8(at, integer(m.neurons, 0, 255, 'DescribeReply.neurons'));
  at += 1;
  d.setFloat32(at, real(m.rowVoltsPerCount, 'DescribeReply.rowVoltsPerCount'), true);
  at += 4;
  d.setInt16(at, integer(m.rowMaxCount, -32768, 32767, 'DescribeReply.rowMaxCount'), true);
  at += 2;
  at = putCount(m.ampsPerCount.length, 4, d, at, 'DescribeReply.ampsPerCount');
  for (let i = 0; i < m.ampsPerCount.length; i++, at += 4) d.setFloat32(at, real(m.ampsPerCount[i], 'DescribeReply.ampsPerCount'), true);
  d.setInt16(at, integer(m.currentMaxCount, -32768, 32767, 'DescribeReply.currentMaxCount'), true);
  at += 2;
  d.setFloat32(at, real(m.driveAmpsPerCount, 'DescribeReply.driveAmpsPerCount'), true);
  at += 4;
  d.setInt16(at, integer(m.driveMaxCount, -32768, 32767, 'DescribeReply.driveMaxCount'), true);
  at += 2;
  d.setFloat32(at, real(m.membraneVoltsPerCount, 'DescribeReply.membraneVoltsPerCount'), true);
  at += 4;
  d.setInt16(at, integer(m.membraneMaxCount, -32768, 32767, 'DescribeReply.membraneMaxCount'), true);
  at += 2;
  d.setFloat32(at, real(m.stepTime, 'DescribeReply.stepTime'), true);
  at += 4;
  d.setUint16(at, integer(m.maxSteps, 0, 65535, 'DescribeReply.maxSteps'), true);
  at += 2;
  d.setFloat32(at, real(m.seriesResistance, 'DescribeReply.seriesResistance'), true);
  at += 4;
  d.setFloat32(at, real(m.halfSelect, 'DescribeReply.halfSelect'), true);
  at += 4;
  d.setFloat32(at, real(m.maxVoltage, 'DescribeReply.maxVoltage'), true);
  at += 4;
  d.setFloat32(at, real(m.minVoltage, 'DescribeReply.minVoltage'), true);
  at += 4;
  d.setFloat32(at, real(m.maxReadVoltage, 'DescribeReply.maxReadVoltage'), true);
  at += 4;
  d.setFloat32(at, real(m.readTime, 'DescribeReply.readTime'), true);
  at += 4;
  d.setFloat32(at, real(m.minWidth, 'DescribeReply.minWidth'), true);
  at += 4;
  d.setFloat32(at, real(m.maxWidth, 'DescribeReply.maxWidth'), true);
  at += 4;
  d.setFloat32(at, real(m.maxEnergy, 'DescribeReply.maxEnergy'), true);
  at += 4;
  d.setUint32(at, integer(m.maxPulses, 0, 4294967295, 'DescribeReply.maxPulses'), true);
  at += 4;
  d.setFloat32(at, real(m.deadManTime, 'DescribeReply.deadManTime'), true);
  at += 4;
  at = putCount(m.references.length, 8, d, at, 'DescribeReply.references');
  for (let i = 0; i < m.references.length; i++, at += 4) d.setFloat32(at, real(m.references[i], 'DescribeReply.references'), true);
  return at;
}

const getArrayInfo: Getter = (d, at, end) => {
  if (end - at < 1) return undefined;
  const array = d.getUint8(at);
  at += 1;
  if (at !== end) return undefined;
  return { name: 'ArrayInfo', array };
};

function putArrayInfo(m: ArrayInfo, d: DataView, at: number): number {
  d.setUint8(at, integer(m.array, 0, 255, 'ArrayInfo.array'));
  at += 1;
  return at;
}

const getArrayInfoReply: Getter = (d, at, end) => {
  if (end - at < 1) return undefined;
  const serialLength = d.getUint8(at);
  at += 1;
  if (serialLength > 32 || end - at < serialLength) return undefined;
  const serial = text(d, at, serialLength);
  if (serial === undefined) return undefined;
  at += serialLength;
  if (at !== end) return undefined;
  return { name: 'ArrayInfoReply', serial };
};

function putArrayInfoReply(m: ArrayInfoReply, d: DataView, at: number): number {
  at = putText(m.serial, 32, d, at, 'ArrayInfoReply.serial');
  return at;
}

const getPing: Getter = (_d, at, end) => (at === end ? { name: 'Ping' } : undefined);

const putPing = (_m: Ping, _d: DataView, at: number): number => at;

const getPingReply: Getter = (d, at, end) => {
  if (end - at < 20) return undefined;
  const uptime = d.getUint32(at, true) * 0.001;
  at += 4;
  const framesReceived = d.getUint32(at, true);
  at += 4;
  const crcErrors = d.getUint32(at, true);
  at += 4;
  const duplicates = d.getUint32(at, true);
  at += 4;
  const pulsesApplied = d.getUint32(at, true);
  at += 4;
  if (at !== end) return undefined;
  return { name: 'PingReply', uptime, framesReceived, crcErrors, duplicates, pulsesApplied };
};

function putPingReply(m: PingReply, d: DataView, at: number): number {
  d.setUint32(at, integer(Math.round(m.uptime / 0.001), 0, 4294967295, 'PingReply.uptime'), true);
  at += 4;
  d.setUint32(at, integer(m.framesReceived, 0, 4294967295, 'PingReply.framesReceived'), true);
  at += 4;
  d.setUint32(at, integer(m.crcErrors, 0, 4294967295, 'PingReply.crcErrors'), true);
  at += 4;
  d.setUint32(at, integer(m.duplicates, 0, 4294967295, 'PingReply.duplicates'), true);
  at += 4;
  d.setUint32(at, integer(m.pulsesApplied, 0, 4294967295, 'PingReply.pulsesApplied'), true);
  at += 4;
  return at;
}

const getCells: Getter = (d, at, end) => {
  if (end - at < 2) return undefined;
  const opsLength = d.getUint16(at, true);
  at += 2;
  if (opsLength > 200 || end - at < opsLength * 9) return undefined;
  const ops: CellOp[] = new Array(opsLength);
  for (let i = 0; i < opsLength; i++, at += 9) {
    const kind = OP_KIND_OF[d.getUint8(at + 0)];
    if (kind === undefined) return undefined;
    const array = d.getUint8(at + 1);
    const row = d.getUint8(at + 2);
    const column = d.getUint8(at + 3);
    const code = d.getInt16(at + 4, true);
    const width = d.getUint16(at + 6, true) * 1e-7;
    const samples = d.getUint8(at + 8);
    ops[i] = { kind, array, row, column, code, width, samples };
  }
  if (at !== end) return undefined;
  return { name: 'Cells', ops };
};

function putCells(m: Cells, d: DataView, at: number): number {
  at = putCount(m.ops.length, 200, d, at, 'Cells.ops');
  for (const each of m.ops) {
    d.setUint8(at + 0, enumCode(OP_KIND, each.kind, 'Cells.ops.kind'));
    d.setUint8(at + 1, integer(each.array, 0, 255, 'Cells.ops.array'));
    d.setUint8(at + 2, integer(each.row, 0, 255, 'Cells.ops.row'));
    d.setUint8(at + 3, integer(each.column, 0, 255, 'Cells.ops.column'));
    d.setInt16(at + 4, integer(each.code, -32768, 32767, 'Cells.ops.code'), true);
    d.setUint16(at + 6, integer(Math.round(each.width / 1e-7), 0, 65535, 'Cells.ops.width'), true);
    d.setUint8(at + 8, integer(each.samples, 0, 255, 'Cells.ops.samples'));
    at += 9;
  }
  return at;
}

const getCellsReply: Getter = (d, at, end) => {
  if (end - at < 2) return undefined;
  const resultsLength = d.getUint16(at, true);
  at += 2;
  if (resultsLength > 200 || end - at < resultsLength * 3) return undefined;
  const results: CellResult[] = new Array(resultsLength);
  for (let i = 0; i < resultsLength; i++, at += 3) {
    const status = STATUS_OF[d.getUint8(at + 0)];
    if (status === undefined) return undefined;
    const count = d.getInt16(at + 1, true);
    results[i] = { status, count };
  }
  if (at !== end) return undefined;
  return { name: 'CellsReply', results };
};

function putCellsReply(m: CellsReply, d: DataView, at: number): number {
  at = putCount(m.results.length, 200, d, at, 'CellsReply.results');
  for (const each of m.results) {
    d.setUint8(at + 0, enumCode(STATUS, each.status, 'CellsReply.results.status'));
    d.setInt16(at + 1, integer(each.count, -32768, 32767, 'CellsReply.results.count'), true);
    at += 3;
  }
  return at;
}

const getReadRows: Getter = (d, at, end) => {
  if (end - at < 6) return undefined;
  const array = d.getUint8(at);
  at += 1;
  const firstRow = d.getUint8(at);
  at += 1;
  const rowCount = d.getUint8(at);
  at += 1;
  const code = d.getInt16(at, true);
  at += 2;
  const samples = d.getUint8(at);
  at += 1;
  if (at !== end) return undefined;
  return { name: 'ReadRows', array, firstRow, rowCount, code, samples };
};

function putReadRows(m: ReadRows, d: DataView, at: number): number {
  d.setUint8(at, integer(m.array, 0, 255, 'ReadRows.array'));
  at += 1;
  d.setUint8(at, integer(m.firstRow, 0, 255, 'ReadRows.firstRow'));
  at += 1;
  d.setUint8(at, integer(m.rowCount, 0, 255, 'ReadRows.rowCount'));
  at += 1;
  d.setInt16(at, integer(m.code, -32768, 32767, 'ReadRows.code'), true);
  at += 2;
  d.setUint8(at, integer(m.samples, 0, 255, 'ReadRows.samples'));
  at += 1;
  return at;
}

const getReadRowsReply: Getter = (d, at, end) => {
  if (end - at < 2) return undefined;
  const countsLength = d.getUint16(at, true);
  at += 2;
  if (countsLength > 1020 || end - at < countsLength * 2) return undefined;
  const counts = int16s(d, at, countsLength);
  at += countsLength * 2;
  if (at !== end) return undefined;
  return { name: 'ReadRowsReply', counts };
};

function putReadRowsReply(m: ReadRowsReply, d: DataView, at: number): number {
  at = putCount(m.counts.length, 1020, d, at, 'ReadRowsReply.counts');
  for (let i = 0; i < m.counts.length; i++, at += 2) d.setInt16(at, m.counts[i], true);
  return at;
}

const getMultiply: Getter = (d, at, end) => {
  if (end - at < 5) return undefined;
  const array = d.getUint8(at);
  at += 1;
  const range = d.getUint8(at);
  at += 1;
  const samples = d.getUint8(at);
  at += 1;
  const codesLength = d.getUint16(at, true);
  at += 2;
  if (codesLength > 1020 || end - at < codesLength * 2) return undefined;
  const codes = int16s(d, at, codesLength);
  at += codesLength * 2;
  if (at !== end) return undefined;
  return { name: 'Multiply', array, range, samples, codes };
};

function putMultiply(m: Multiply, d: DataView, at: number): number {
  d.setUint8(at, integer(m.array, 0, 255, 'Multiply.array'));
  at += 1;
  d.setUint8(at, integer(m.range, 0, 255, 'Multiply.range'));
  at += 1;
  d.setUint8(at, integer(m.samples, 0, 255, 'Multiply.samples'));
  at += 1;
  at = putCount(m.codes.length, 1020, d, at, 'Multiply.codes');
  for (let i = 0; i < m.codes.length; i++, at += 2) d.setInt16(at, m.codes[i], true);
  return at;
}

const getMultiplyReply: Getter = (d, at, end) => {
  if (end - at < 2) return undefined;
  const countsLength = d.getUint16(at, true);
  at += 2;
  if (countsLength > 1020 || end - at < countsLength * 2) return undefined;
  const counts = int16s(d, at, countsLength);
  at += countsLength * 2;
  if (at !== end) return undefined;
  return { name: 'MultiplyReply', counts };
};

function putMultiplyReply(m: MultiplyReply, d: DataView, at: number): number {
  at = putCount(m.counts.length, 1020, d, at, 'MultiplyReply.counts');
  for (let i = 0; i < m.counts.length; i++, at += 2) d.setInt16(at, m.counts[i], true);
  return at;
}

const getRun: Getter = (d, at, end) => {
  if (end - at < 12) return undefined;
  const run = d.getUint16(at, true);
  at += 2;
  const steps = d.getUint16(at, true);
  at += 2;
  const decimation = d.getUint16(at, true);
  at += 2;
  const frameSamples = d.getUint16(at, true);
  at += 2;
  const pulseStepsLength = d.getUint16(at, true);
  at += 2;
  if (pulseStepsLength > 32 || end - at < pulseStepsLength * 2 + 2) return undefined;
  const pulseSteps = new Uint16Array(pulseStepsLength);
  for (let i = 0; i < pulseStepsLength; i++, at += 2) pulseSteps[i] = d.getUint16(at, true);
  const drivesLength = d.getUint16(at, true);
  at += 2;
  if (drivesLength > 900 || end - at < drivesLength * 2) return undefined;
  const drives = int16s(d, at, drivesLength);
  at += drivesLength * 2;
  if (at !== end) return undefined;
  return { name: 'Run', run, steps, decimation, frameSamples, pulseSteps, drives };
};

function putRun(m: Run, d: DataView, at: number): number {
  d.setUint16(at, integer(m.run, 0, 65535, 'Run.run'), true);
  at += 2;
  d.setUint16(at, integer(m.steps, 0, 65535, 'Run.steps'), true);
  at += 2;
  d.setUint16(at, integer(m.decimation, 0, 65535, 'Run.decimation'), true);
  at += 2;
  d.setUint16(at, integer(m.frameSamples, 0, 65535, 'Run.frameSamples'), true);
  at += 2;
  at = putCount(m.pulseSteps.length, 32, d, at, 'Run.pulseSteps');
  for (let i = 0; i < m.pulseSteps.length; i++, at += 2) d.setUint16(at, m.pulseSteps[i], true);
  at = putCount(m.drives.length, 900, d, at, 'Run.drives');
  for (let i = 0; i < m.drives.length; i++, at += 2) d.setInt16(at, m.drives[i], true);
  return at;
}

const getRunReply: Getter = (d, at, end) => {
  if (end - at < 7) return undefined;
  const run = d.getUint16(at, true);
  at += 2;
  const status = STATUS_OF[d.getUint8(at)];
  if (status === undefined) return undefined;
  at += 1;
  const frames = d.getUint16(at, true);
  at += 2;
  const samples = d.getUint16(at, true);
  at += 2;
  if (at !== end) return undefined;
  return { name: 'RunReply', run, status, frames, samples };
};

function putRunReply(m: RunReply, d: DataView, at: number): number {
  d.setUint16(at, integer(m.run, 0, 65535, 'RunReply.run'), true);
  at += 2;
  d.setUint8(at, enumCode(STATUS, m.status, 'RunReply.status'));
  at += 1;
  d.setUint16(at, integer(m.frames, 0, 65535, 'RunReply.frames'), true);
  at += 2;
  d.setUint16(at, integer(m.samples, 0, 65535, 'RunReply.samples'), true);
  at += 2;
  return at;
}

const getReference: Getter = (d, at, end) => {
  if (end - at < 7) return undefined;
  const row = d.getUint8(at);
  at += 1;
  const column = d.getUint8(at);
  at += 1;
  const reference = d.getUint8(at);
  at += 1;
  const range = d.getUint8(at);
  at += 1;
  const samples = d.getUint8(at);
  at += 1;
  const codesLength = d.getUint16(at, true);
  at += 2;
  if (codesLength > 64 || end - at < codesLength * 2) return undefined;
  const codes = int16s(d, at, codesLength);
  at += codesLength * 2;
  if (at !== end) return undefined;
  return { name: 'Reference', row, column, reference, range, samples, codes };
};

function putReference(m: Reference, d: DataView, at: number): number {
  d.setUint8(at, integer(m.row, 0, 255, 'Reference.row'));
  at += 1;
  d.setUint8(at, integer(m.column, 0, 255, 'Reference.column'));
  at += 1;
  d.setUint8(at, integer(m.reference, 0, 255, 'Reference.reference'));
  at += 1;
  d.setUint8(at, integer(m.range, 0, 255, 'Reference.range'));
  at += 1;
  d.setUint8(at, integer(m.samples, 0, 255, 'Reference.samples'));
  at += 1;
  at = putCount(m.codes.length, 64, d, at, 'Reference.codes');
  for (let i = 0; i < m.codes.length; i++, at += 2) d.setInt16(at, m.codes[i], true);
  return at;
}

const getReferenceReply: Getter = (d, at, end) => {
  if (end - at < 2) return undefined;
  const countsLength = d.getUint16(at, true);
  at += 2;
  if (countsLength > 64 || end - at < countsLength * 2) return undefined;
  const counts = int16s(d, at, countsLength);
  at += countsLength * 2;
  if (at !== end) return undefined;
  return { name: 'ReferenceReply', counts };
};

function putReferenceReply(m: ReferenceReply, d: DataView, at: number): number {
  at = putCount(m.counts.length, 64, d, at, 'ReferenceReply.counts');
  for (let i = 0; i < m.counts.length; i++, at += 2) d.setInt16(at, m.counts[i], true);
  return at;
}

const getStop: Getter = (_d, at, end) => (at === end ? { name: 'Stop' } : undefined);

const putStop = (_m: Stop, _d: DataView, at: number): number => at;

const getStopReply: Getter = (_d, at, end) => (at === end ? { name: 'StopReply' } : undefined);

const putStopReply = (_m: StopReply, _d: DataView, at: number): number => at;

const getClaim: Getter = (d, at, end) => {
  if (end - at < 12) return undefined;
  const bootId = d.getUint32(at, true);
  at += 4;
  const tokenHigh = d.getUint32(at, true);
  at += 4;
  const tokenLow = d.getUint32(at, true);
  at += 4;
  if (at !== end) return undefined;
  return { name: 'Claim', bootId, tokenHigh, tokenLow };
};

function putClaim(m: Claim, d: DataView, at: number): number {
  d.setUint32(at, integer(m.bootId, 0, 4294967295, 'Claim.bootId'), true);
  at += 4;
  d.setUint32(at, integer(m.tokenHigh, 0, 4294967295, 'Claim.tokenHigh'), true);
  at += 4;
  d.setUint32(at, integer(m.tokenLow, 0, 4294967295, 'Claim.tokenLow'), true);
  at += 4;
  return at;
}

const getClaimReply: Getter = (_d, at, end) => (at === end ? { name: 'ClaimReply' } : undefined);

const putClaimReply = (_m: ClaimReply, _d: DataView, at: number): number => at;

const getSamples: Getter = (d, at, end) => {
  if (end - at < 10) return undefined;
  const run = d.getUint16(at, true);
  at += 2;
  const frame = d.getUint16(at, true);
  at += 2;
  const step = d.getUint16(at, true);
  at += 2;
  const decimation = d.getUint16(at, true);
  at += 2;
  const countsLength = d.getUint16(at, true);
  at += 2;
  if (countsLength > 1000 || end - at < countsLength * 2) return undefined;
  const counts = int16s(d, at, countsLength);
  at += countsLength * 2;
  if (at !== end) return undefined;
  return { name: 'Samples', run, frame, step, decimation, counts };
};

function putSamples(m: Samples, d: DataView, at: number): number {
  d.setUint16(at, integer(m.run, 0, 65535, 'Samples.run'), true);
  at += 2;
  d.setUint16(at, integer(m.frame, 0, 65535, 'Samples.frame'), true);
  at += 2;
  d.setUint16(at, integer(m.step, 0, 65535, 'Samples.step'), true);
  at += 2;
  d.setUint16(at, integer(m.decimation, 0, 65535, 'Samples.decimation'), true);
  at += 2;
  at = putCount(m.counts.length, 1000, d, at, 'Samples.counts');
  for (let i = 0; i < m.counts.length; i++, at += 2) d.setInt16(at, m.counts[i], true);
  return at;
}

const getNotice: Getter = (d, at, end) => {
  if (end - at < 5) return undefined;
  const code = NOTICE_CODE_OF[d.getUint8(at)];
  if (code === undefined) return undefined;
  at += 1;
  const detail = d.getUint32(at, true);
  at += 4;
  if (at !== end) return undefined;
  return { name: 'Notice', code, detail };
};

function putNotice(m: Notice, d: DataView, at: number): number {
  d.setUint8(at, enumCode(NOTICE_CODE, m.code, 'Notice.code'));
  at += 1;
  d.setUint32(at, integer(m.detail, 0, 4294967295, 'Notice.detail'), true);
  at += 4;
  return at;
}

const getRefused: Getter = (d, at, end) => {
  if (end - at < 5) return undefined;
  const status = STATUS_OF[d.getUint8(at)];
  if (status === undefined) return undefined;
  at += 1;
  const detail = d.getUint32(at, true);
  at += 4;
  if (at !== end) return undefined;
  return { name: 'Refused', status, detail };
};

function putRefused(m: Refused, d: DataView, at: number): number {
  d.setUint8(at, enumCode(STATUS, m.status, 'Refused.status'));
  at += 1;
  d.setUint32(at, integer(m.detail, 0, 4294967295, 'Refused.detail'), true);
  at += 4;
  return at;
}

const GETTERS: (Getter | undefined)[] = [];
GETTERS[1] = getHello;
GETTERS[129] = getHelloReply;
GETTERS[2] = getDescribe;
GETTERS[130] = getDescribeReply;
GETTERS[3] = getArrayInfo;
GETTERS[131] = getArrayInfoReply;
GETTERS[4] = getPing;
GETTERS[132] = getPingReply;
GETTERS[5] = getCells;
GETTERS[133] = getCellsReply;
GETTERS[6] = getReadRows;
GETTERS[134] = getReadRowsReply;
GETTERS[7] = getMultiply;
GETTERS[135] = getMultiplyReply;
GETTERS[8] = getRun;
GETTERS[136] = getRunReply;
GETTERS[9] = getReference;
GETTERS[137] = getReferenceReply;
GETTERS[10] = getStop;
GETTERS[138] = getStopReply;
GETTERS[11] = getClaim;
GETTERS[139] = getClaimReply;
GETTERS[144] = getSamples;
GETTERS[145] = getNotice;
GETTERS[255] = getRefused;

/**
 * The message of type `id` whose payload fills d from `at` to `end` exactly; undefined if it is not one:
 * unknown id, wrong length, bad enum value, array longer than its bound, a number that is not finite.
 */
export function decodePayload(id: number, d: DataView, at: number, end: number): Message | undefined {
  return GETTERS[id]?.(d, at, end);
}

/**
 * Writes the payload at `at` and returns its end. d has room for MAX_PAYLOAD bytes from there. Throws a
 * RangeError that names the field if a value does not fit the wire.
 */
export function encodePayload(message: Message, d: DataView, at: number): number {
  switch (message.name) {
    case 'Hello':
      return putHello(message, d, at);
    case 'HelloReply':
      return putHelloReply(message, d, at);
    case 'Describe':
      return putDescribe(message, d, at);
    case 'DescribeReply':
      return putDescribeReply(message, d, at);
    case 'ArrayInfo':
      return putArrayInfo(message, d, at);
    case 'ArrayInfoReply':
      return putArrayInfoReply(message, d, at);
    case 'Ping':
      return putPing(message, d, at);
    case 'PingReply':
      return putPingReply(message, d, at);
    case 'Cells':
      return putCells(message, d, at);
    case 'CellsReply':
      return putCellsReply(message, d, at);
    case 'ReadRows':
      return putReadRows(message, d, at);
    case 'ReadRowsReply':
      return putReadRowsReply(message, d, at);
    case 'Multiply':
      return putMultiply(message, d, at);
    case 'MultiplyReply':
      return putMultiplyReply(message, d, at);
    case 'Run':
      return putRun(message, d, at);
    case 'RunReply':
      return putRunReply(message, d, at);
    case 'Reference':
      return putReference(message, d, at);
    case 'ReferenceReply':
      return putReferenceReply(message, d, at);
    case 'Stop':
      return putStop(message, d, at);
    case 'StopReply':
      return putStopReply(message, d, at);
    case 'Claim':
      return putClaim(message, d, at);
    case 'ClaimReply':
      return putClaimReply(message, d, at);
    case 'Samples':
      return putSamples(message, d, at);
    case 'Notice':
      return putNotice(message, d, at);
    case 'Refused':
      return putRefused(message, d, at);
  }
}
