import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const FILES = ['firmware.wasm', 'front-end.wasm'];
const shipped = FILES.map((file) => readFileSync(at(`assets/${file}`)));
const producers = Buffer.from(
  WebAssembly.Module.customSections(new WebAssembly.Module(shipped[0]), 'producers')[0],
);
/** The compiler that made the shipped files: another one may well make other bytes of the same source. */
const version = /Debian clang.*?(\d+\.\d+\.\d+)/s.exec(producers.toString('latin1'))?.[1];
const output = (command: string): string =>
  spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout ?? '';
const same = output('clang').includes(`Debian clang version ${version}`) && output('wasm-ld').length > 0;

describe.skipIf(!same)(
  `assets/*.wasm of the firmware (need Debian's clang ${version} and its wasm-ld)`,
  () => {
    test('come from the sources, byte for byte', () => {
      const folder = mkdtempSync(join(tmpdir(), 'memloop-firmware-'));
      try {
        execFileSync(at('firmware-protocol/firmware/build.sh'), [folder]);
        for (const [n, file] of FILES.entries())
          expect(
            readFileSync(join(folder, file)).equals(shipped[n]),
            `${file}: run \`npm run firmware\` and commit the result`,
          ).toBe(true);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  },
);

const GCC = '12.2';
const forPico = output('arm-none-eabi-gcc').includes(GCC);

describe.skipIf(!forPico)(`assets/pico.uf2 (needs Debian's arm-none-eabi-gcc ${GCC})`, () => {
  test('comes from the sources, byte for byte', () => {
    const folder = mkdtempSync(join(tmpdir(), 'memloop-pico-'));
    try {
      const file = join(folder, 'pico.uf2');
      execFileSync(at('firmware-protocol/firmware/ports/rp2040/build.sh'), [file]);
      expect(
        readFileSync(file).equals(readFileSync(at('assets/pico.uf2'))),
        'run `npm run firmware:pico` and commit the result',
      ).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
