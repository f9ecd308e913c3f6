/**
 * The calls by which the emulated firmware uses its front end: those of
 * firmware-protocol/firmware/ports/netduinoplus2/front-end.c.
 */
import { encodePayload, MAX_PAYLOAD } from '../../../firmware-protocol/generated/protocol.js';
import type { SimulatedFrontEnd } from '../physics/front-end.js';
import type { Profile } from '../profile.js';

export const CALLS = {
  describe: 0x20,
  boardSerial: 0x21,
  arraySerial: 0x22,
  entropy: 0x23,
  status: 0x24,
  linesToZero: 0x25,
  pulses: 0x26,
  readCell: 0x27,
  readRow: 0x28,
  multiply: 0x29,
  reference: 0x2a,
  neuronsBegin: 0x2b,
  neuronsSample: 0x2c,
} as const;
export type FrontEndCall = keyof typeof CALLS;
/** Bytes that describe one pulse in a call. */
const PULSE_SIZE = 7;
const CALL_NAMES = new Map(Object.entries(CALLS).map(([name, id]) => [id as number, name as FrontEndCall]));

/** A call with its arguments, little-endian. */
export interface Call {
  name: FrontEndCall;
  arguments: DataView;
}

const NOTHING = new Uint8Array(0);
/** Typed arrays are little-endian on every machine that Node runs on, as the frames are. */
const bytesOf = (counts: Int16Array) => new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength);

export function decodeCall(type: number, view: DataView, from: number, to: number): Call | undefined {
  const name = CALL_NAMES.get(type);
  return name && { name, arguments: new DataView(view.buffer.slice(from, to)) };
}

/** What the front end answers to one call. */
export function doCall(
  { name, arguments: at }: Call,
  frontEnd: SimulatedFrontEnd,
  { rows, columns, neurons }: Profile,
  onStackUsed: (bytes: number) => void,
): Uint8Array {
  const u8 = (offset: number) => at.getUint8(offset);
  const u16 = (offset: number) => at.getUint16(offset, true);
  const i16 = (offset: number) => at.getInt16(offset, true);
  const codes = (offset: number, count: number) =>
    Int16Array.from({ length: count }, (_, i) => i16(offset + 2 * i));
  switch (name) {
    case 'describe': {
      const payload = new DataView(new ArrayBuffer(MAX_PAYLOAD));
      const end = encodePayload({ name: 'DescribeReply', ...frontEnd.description }, payload, 0);
      return new Uint8Array(payload.buffer, 0, end);
    }
    case 'boardSerial':
      return new TextEncoder().encode(frontEnd.boardSerial);
    case 'arraySerial':
      return new TextEncoder().encode(frontEnd.arraySerial(u8(0)));
    case 'entropy':
      return new Uint8Array(Uint32Array.of(frontEnd.entropy()).buffer);
    case 'status':
      onStackUsed(at.getUint32(0, true));
      return NOTHING;
    case 'linesToZero':
      frontEnd.linesToZero();
      return NOTHING;
    case 'pulses':
      for (let o = 0; o + PULSE_SIZE <= at.byteLength; o += PULSE_SIZE)
        frontEnd.pulse(u8(o), u8(o + 1), u8(o + 2), i16(o + 3), u16(o + 5));
      return NOTHING;
    case 'readCell': {
      const counts = new Int16Array(columns);
      frontEnd.readRow(u8(0), u8(1), i16(3), u8(5), counts);
      return bytesOf(counts.subarray(u8(2), u8(2) + 1));
    }
    case 'readRow': {
      const counts = new Int16Array(columns);
      frontEnd.readRow(u8(0), u8(1), i16(2), u8(4), counts);
      return bytesOf(counts);
    }
    case 'multiply': {
      const counts = new Int16Array(columns);
      frontEnd.multiply(u8(0), u8(1), u8(2), codes(3, rows), counts);
      return bytesOf(counts);
    }
    case 'reference':
      return bytesOf(Int16Array.of(frontEnd.reference(u8(0), u8(1), u8(2), u8(3), u8(4), i16(5))));
    case 'neuronsBegin': {
      const pulses = u8(0);
      const steps = Uint16Array.from({ length: pulses }, (_, i) => u16(1 + 2 * i));
      frontEnd.neuronsBegin(steps, codes(1 + 2 * pulses, pulses * neurons));
      return NOTHING;
    }
    case 'neuronsSample': {
      const counts = new Int16Array(u16(0) * neurons);
      frontEnd.neuronsSample(u16(0), u16(2), counts);
      return bytesOf(counts);
    }
  }
}
