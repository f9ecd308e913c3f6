import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const shipped = readFileSync(at('assets/firmware.wasm'));
const producers = Buffer.from(
  WebAssembly.Module.customSections(new WebAssembly.Module(shipped), 'producers')[0],
);
/** The compiler that made the shipped file: another one may well make other bytes of the same source. */
const version = /Debian clang.*?(\d+\.\d+\.\d+)/s.exec(producers.toString('latin1'))?.[1];
const output = (command: string): string =>
  spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout ?? '';
const same = output('clang').includes(`Debian clang version ${version}`) && output('wasm-ld').length > 0;

describe.skipIf(!same)(`assets/firmware.wasm (needs Debian's clang ${version} and its wasm-ld)`, () => {
  test('comes from the sources, byte for byte', () => {
    const folder = mkdtempSync(join(tmpdir(), 'memloop-firmware-'));
    try {
      const file = join(folder, 'firmware.wasm');
      execFileSync(at('firmware-protocol/firmware/build.sh'), [file]);
      expect(readFileSync(file).equals(shipped), 'run `npm run firmware` and commit the result').toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
