/** Heat maps as PNG (W3C PNG, third edition): 8-bit palette with transparency. */
import { deflateSync } from 'node:zlib';

/** Red, green, blue, 0…255. */
export type Shade = readonly [number, number, number];

/** Levels of each of the two colours. */
const LEVELS = 127;
/** Palette entry of what is not known: half-transparent grey. */
const UNKNOWN = 2 * LEVELS + 1;

/**
 * One pixel a value, `width` × `height`, row by row: transparent at 0, more of `positive` (or `negative`) the further
 * from it, up to the full colour at ±`max`. Values that are not finite are grey.
 */
export function colourMap(
  width: number,
  height: number,
  values: ArrayLike<number>,
  max: number,
  negative: Shade,
  positive: Shade,
): Buffer {
  const raw = Buffer.alloc(height * (width + 1));
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const value = values[row * width + column];
      raw[row * (width + 1) + 1 + column] = Number.isFinite(value)
        ? LEVELS + Math.round(LEVELS * Math.max(-1, Math.min(1, max > 0 ? value / max : 0)))
        : UNKNOWN;
    }
  const palette: number[] = [];
  const alpha: number[] = [];
  for (let i = -LEVELS; i <= LEVELS; i++) {
    palette.push(...(i < 0 ? negative : positive));
    alpha.push(Math.round((255 * Math.abs(i)) / LEVELS));
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from([...palette, 128, 128, 128])),
    chunk('tRNS', Buffer.from([...alpha, 70])),
    chunk('IDAT', deflateSync(raw, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const result = Buffer.alloc(data.length + 12);
  result.writeUInt32BE(data.length, 0);
  result.write(type, 4, 'latin1');
  data.copy(result, 8);
  result.writeUInt32BE(crc32(result.subarray(4, data.length + 8)), data.length + 8);
  return result;
}

/** CRC-32 of ISO 3309, as PNG has it (`zlib.crc32` is younger than the oldest Node that memloop runs on). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
