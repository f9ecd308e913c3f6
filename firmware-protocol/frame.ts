/**
 * Messages to frames and back.
 *
 *     0x00 │ COBS( type u8 │ session u32 │ sequence u32 │ payload │ crc u32 ) │ 0x00
 *
 * COBS leaves no zero inside a frame, so a receiver that lost its place finds the next frame at the next
 * zero. The CRC-32 (IEEE) starts from 0xffffffff xor PROTOCOL_HASH: frames of another protocol never pass.
 * Hello and HelloReply use the plain CRC, so that host and board of different protocols can name each other.
 */
import {
  decodePayload,
  encodePayload,
  HEADER_SIZE,
  MAX_PAYLOAD,
  MESSAGE_ID,
  type Message,
  PROTOCOL_HASH,
} from './generated/protocol.js';

/** `M` is another set of messages where two other parties use the same framing. */
export interface Frame<M = Message> {
  message: M;
  session: number;
  sequence: number;
}

/** What the payload in view[from, to) stands for; undefined where it is no message. */
export type DecodePayload<M> = (type: number, view: DataView, from: number, to: number) => M | undefined;

const CRC_SIZE = 4;
/** From so many bytes on, copying a COBS block at once is faster than byte by byte. */
const LONG_BLOCK = 48;
const MAX_BODY = HEADER_SIZE + MAX_PAYLOAD + CRC_SIZE;
/** Longest frame on the wire, bytes, with both delimiters. */
export const MAX_FRAME = 2 + MAX_BODY + Math.ceil(MAX_BODY / 254);

/** Entry 256 k + b: the CRC of byte b with k zero bytes behind it, so that eight bytes are done at once. */
const CRC_TABLE = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  CRC_TABLE[byte] = crc;
}
for (let i = 256; i < CRC_TABLE.length; i++) {
  const before = CRC_TABLE[i - 256];
  CRC_TABLE[i] = (before >>> 8) ^ CRC_TABLE[before & 0xff];
}

/** CRC-32 of bytes[0, end) with its initial value mixed with `seed`. */
function crc32(bytes: Uint8Array, end: number, seed: number): number {
  const table = CRC_TABLE;
  let crc = 0xffffffff ^ seed;
  let i = 0;
  for (; i + 8 <= end; i += 8) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc =
      table[1792 + (crc & 0xff)] ^
      table[1536 + ((crc >>> 8) & 0xff)] ^
      table[1280 + ((crc >>> 16) & 0xff)] ^
      table[1024 + (crc >>> 24)] ^
      table[768 + bytes[i + 4]] ^
      table[512 + bytes[i + 5]] ^
      table[256 + bytes[i + 6]] ^
      table[bytes[i + 7]];
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}

const seedOf = (type: number): number =>
  type === MESSAGE_ID.Hello || type === MESSAGE_ID.HelloReply ? 0 : PROTOCOL_HASH;

const body = new Uint8Array(MAX_BODY);
const bodyView = new DataView(body.buffer);

/** The bytes of one frame. Throws a RangeError that names the field if a value does not fit the wire. */
export function encodeFrame(frame: Frame): Uint8Array {
  const { message, session, sequence } = frame;
  return frameOf(MESSAGE_ID[message.name], session, sequence, encodePayload(message, bodyView, HEADER_SIZE));
}

/** A frame of any type with a payload of at most MAX_PAYLOAD bytes. */
export function encodeRawFrame(
  type: number,
  session: number,
  sequence: number,
  payload: Uint8Array,
): Uint8Array {
  body.set(payload, HEADER_SIZE);
  return frameOf(type, session, sequence, HEADER_SIZE + payload.length);
}

/** The payload stands in `body` already and ends at `end`. */
function frameOf(type: number, session: number, sequence: number, end: number): Uint8Array {
  body[0] = type;
  bodyView.setUint32(1, session, true);
  bodyView.setUint32(5, sequence, true);
  bodyView.setUint32(end, crc32(body, end, seedOf(body[0])), true);
  end += CRC_SIZE;

  const out = new Uint8Array(end + Math.ceil(end / 254) + 2);
  let code = 1;
  let to = 2;
  for (let from = 0; from < end; from++) {
    const byte = body[from];
    if (byte !== 0) out[to++] = byte;
    const run = to - code;
    if (byte === 0 || (run === 255 && from + 1 < end)) {
      out[code] = run;
      code = to++;
    }
  }
  out[code] = to - code;
  return out.subarray(0, to + 1);
}

/**
 * Takes bytes as they come, in pieces of any size, and gives the frames that are whole and right. What is
 * not is counted and dropped: `framing` (bad COBS, too short or too long), `crc`, `malformed` (the CRC is
 * right, the content is no message of ours). Holds at most one frame.
 */
export class FrameDecoder<M = Message> {
  readonly counters = { crc: 0, framing: 0, malformed: 0 };
  readonly #decode: DecodePayload<M>;
  readonly #body = new Uint8Array(MAX_BODY);
  readonly #view = new DataView(this.#body.buffer);
  /** Bytes decoded of the frame under way; −1 while skipping to the next delimiter. */
  #length = 0;
  /** Bytes left in the COBS block under way. */
  #left = 0;
  /** Whether a zero stands between this block and the next; false before the first block. */
  #zero = false;
  /** Whether the frame under way has any bytes. */
  #begun = false;

  constructor(decode = decodePayload as DecodePayload<unknown> as DecodePayload<M>) {
    this.#decode = decode;
  }

  push(bytes: Uint8Array): Frame<M>[] {
    const frames: Frame<M>[] = [];
    const out = this.#body;
    const count = bytes.length;
    let length = this.#length;
    let left = this.#left;
    let zero = this.#zero;
    let begun = this.#begun;
    /** The first zero at or after i, once it was looked for; before i otherwise. */
    let delimiter = -1;
    let i = 0;
    while (i < count) {
      const byte = bytes[i++];
      if (byte === 0) {
        if (begun) {
          if (length < HEADER_SIZE + CRC_SIZE || left > 0) this.counters.framing++;
          else this.#finish(length, frames);
        }
        length = 0;
        left = 0;
        zero = false;
        begun = false;
        continue;
      }
      begun = true;
      if (length < 0) continue;
      if (left === 0) {
        if (length + (zero ? 1 : 0) + byte - 1 > MAX_BODY) {
          length = -1;
          continue;
        }
        if (zero) out[length++] = 0;
        left = byte - 1;
        zero = byte !== 255;
        continue;
      }
      out[length++] = byte;
      left--;
      const end = Math.min(count, i + left);
      const from = i;
      if (end - i >= LONG_BLOCK) {
        if (delimiter < i) {
          delimiter = bytes.indexOf(0, i);
          if (delimiter < 0) delimiter = count;
        }
        i = Math.min(end, delimiter);
        out.set(new Uint8Array(bytes.buffer, bytes.byteOffset + from, i - from), length);
        length += i - from;
        left -= i - from;
        continue;
      }
      while (i < end) {
        const next = bytes[i];
        if (next === 0) break;
        out[length++] = next;
        i++;
      }
      left -= i - from;
    }
    this.#length = length;
    this.#left = left;
    this.#zero = zero;
    this.#begun = begun;
    return frames;
  }

  #finish(length: number, frames: Frame<M>[]): void {
    const end = length - CRC_SIZE;
    if (crc32(this.#body, end, seedOf(this.#body[0])) !== this.#view.getUint32(end, true)) {
      this.counters.crc++;
      return;
    }
    const message = this.#decode(this.#body[0], this.#view, HEADER_SIZE, end);
    if (!message) {
      this.counters.malformed++;
      return;
    }
    frames.push({
      message,
      session: this.#view.getUint32(1, true),
      sequence: this.#view.getUint32(5, true),
    });
  }
}
