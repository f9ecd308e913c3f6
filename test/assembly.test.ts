import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
/** AssemblyScript takes 100 MB and is needed here only, so it is no dependency: `npm install -g assemblyscript@0.28.20`. */
const compiler = (process.env.PATH ?? '')
  .split(':')
  .map((folder) => join(folder, 'asc'))
  .find(existsSync);

it.skipIf(!compiler).each([
  ['build:kernel', 'mif-kernel.wasm'],
  ['build:wires', 'wires.wasm'],
])(
  '%s: the committed %s is what its source compiles to (skipped where `asc` of AssemblyScript is not installed)',
  (script, file) => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const command: string[] = scripts[script].split(' ');
    const options = command.slice(command.indexOf('asc') + 1);
    const out = join(mkdtempSync(join(tmpdir(), 'memloop-')), file);
    options[options.indexOf('-o') + 1] = out;
    execFileSync(compiler!, options, { cwd: root });
    expect(readFileSync(out).equals(readFileSync(join(root, 'assets', file)))).toBe(true);
  },
);
