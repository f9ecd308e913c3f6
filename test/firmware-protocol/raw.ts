/** Frames taken apart and put together without the codec under test. */
import { PROTOCOL_HASH } from '../../firmware-protocol/generated/protocol.js';

export interface RawFrame {
  id: number;
  session: number;
  sequence: number;
  payload: number[];
}

const u32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);

/** A frame whose framing and CRC are right, whatever its content. */
export function rawFrame({ id, session, sequence, payload }: RawFrame, hash = PROTOCOL_HASH): Uint8Array {
  const body = [id, ...u32(session), ...u32(sequence), ...payload];
  let crc = id === 1 || id === 129 ? 0xffffffff : 0xffffffff ^ hash;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  const bytes = [...body, ...u32(~crc)];
  const out = [0];
  for (let from = 0; from <= bytes.length; ) {
    let run = 0;
    while (run < 254 && from + run < bytes.length && bytes[from + run] !== 0) run++;
    out.push(run + 1, ...bytes.slice(from, from + run));
    from += run + (run < 254 ? 1 : 0);
    if (run === 254 && from === bytes.length) break;
  }
  return Uint8Array.from([...out, 0]);
}

/** What is in a frame; the CRC is not looked at. */
export function parseRaw(wire: Uint8Array): RawFrame {
  const out: number[] = [];
  for (let i = 1; wire[i] !== 0; ) {
    const code = wire[i++];
    for (let k = 1; k < code; k++) out.push(wire[i++]);
    if (code < 255 && wire[i] !== 0) out.push(0);
  }
  const number = (at: number): number => Buffer.from(out).readUInt32LE(at);
  return { id: out[0], session: number(1), sequence: number(5), payload: out.slice(9, -4) };
}
