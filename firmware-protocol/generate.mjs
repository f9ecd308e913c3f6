/**
 * Writes everything that follows from protocol.json: the TypeScript codec, the C header and codec, the
 * tables of README.md and the golden frames; and from front-ends/crossbar-a.json: the wiring in C and TypeScript. `--check` writes nothing and fails if a file is out of date.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cSource } from './generator/c-codec.mjs';
import { cHeader } from './generator/c-header.mjs';
import { guide } from './generator/front-end/guide.mjs';
import { wiringHeader, wiringTypescript } from './generator/front-end/header.mjs';
import { golden } from './generator/golden.mjs';
import { readme } from './generator/tables.mjs';
import { typescript } from './generator/typescript.mjs';

const here = import.meta.dirname;
const files = {
  'generated/protocol.ts': typescript(),
  'generated/golden.json': golden(),
  'firmware/protocol.h': cHeader(),
  'firmware/protocol.c': cSource(),
  'firmware/front-ends/wiring.h': wiringHeader(),
  'generated/wiring.ts': wiringTypescript(),
  '../docs/how-to/build-a-board.md': guide(
    readFileSync(join(here, '../docs/how-to/build-a-board.md'), 'utf8'),
  ),
  'README.md': readme(readFileSync(join(here, 'README.md'), 'utf8')),
};
const check = process.argv.includes('--check');
let stale = 0;
for (const [name, text] of Object.entries(files)) {
  const path = join(here, name);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  stale++;
  if (check) console.error(`firmware-protocol/${name} is out of date: run \`npm run protocol\``);
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.log(`wrote firmware-protocol/${name}`);
  }
}
if (check && stale) process.exitCode = 1;
