/** Makes the file that a Pico's boot loader takes, of a flash image: node uf2.mjs IMAGE FILE. */
import { readFileSync, writeFileSync } from 'node:fs';

const [image, out] = process.argv.slice(2);
const FLASH = 0x10000000;
const BLOCK = 256;
const RP2040 = 0xe48bff56;

/** CRC-32 as the boot ROM has it: polynomial 0x04C11DB7, not reflected, starting with all ones. */
function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let i = 0; i < 8; i++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

const linked = readFileSync(image);
const count = Math.ceil(linked.length / BLOCK);
const flash = Buffer.alloc(count * BLOCK);
linked.copy(flash);
// Nothing of the image is between the boot block and the vector table.
flash.fill(0, BLOCK - 4, BLOCK);
flash.writeUInt32LE(checksum(flash.subarray(0, BLOCK - 4)), BLOCK - 4);
const file = Buffer.alloc(count * 512);
for (let n = 0; n < count; n++) {
  const block = file.subarray(n * 512, (n + 1) * 512);
  [0x0a324655, 0x9e5d5157, 0x2000, FLASH + n * BLOCK, BLOCK, n, count, RP2040].forEach((word, i) => {
    block.writeUInt32LE(word, 4 * i);
  });
  flash.copy(block, 32, n * BLOCK, (n + 1) * BLOCK);
  block.writeUInt32LE(0x0ab16f30, 508);
}
writeFileSync(out, file);
