/** Files that a Pico's boot loader takes, checked as it and the boot ROM check them. */
import { MemloopError } from '../../shared/errors.js';

const BLOCK = 512;
const FLASH = 0x10000000;
const RP2040 = 0xe48bff56;
const BOOT_BLOCK = 256;

/** The image of the flash. Errors: `bad-file`. */
export function readUf2(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const word = (at: number) => view.getUint32(at, true);
  const count = file.length / BLOCK;
  if (!Number.isInteger(count) || count === 0) throw bad('its length is not that of whole blocks');
  const pieces: { at: number; bytes: Uint8Array }[] = [];
  for (let n = 0; n < count; n++) {
    const at = n * BLOCK;
    const magic = word(at) === 0x0a324655 && word(at + 4) === 0x9e5d5157 && word(at + 508) === 0x0ab16f30;
    if (!magic || word(at + 20) !== n || word(at + 24) !== count) throw bad(`block ${n} is none`);
    if (word(at + 28) !== RP2040) throw bad('it is for another chip');
    const size = word(at + 16);
    pieces.push({ at: word(at + 12) - FLASH, bytes: file.subarray(at + 32, at + 32 + size) });
  }
  const image = new Uint8Array(Math.max(...pieces.map(({ at, bytes }) => at + bytes.length)));
  for (const { at, bytes } of pieces) image.set(bytes, at);
  const sum = new DataView(image.buffer).getUint32(BOOT_BLOCK - 4, true);
  if (checksum(image.subarray(0, BOOT_BLOCK - 4)) !== sum)
    throw bad('the checksum of its boot block is wrong');
  return image;
}

/** CRC-32 of the boot ROM: polynomial 0x04C11DB7, not reflected, starting with all ones. */
export function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let i = 0; i < 8; i++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

const bad = (why: string) =>
  new MemloopError(
    'bad-file',
    `the firmware for the Pico cannot be used: ${why}; make it with \`npm run firmware:pico\``,
  );
