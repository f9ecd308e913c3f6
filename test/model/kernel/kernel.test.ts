import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

const root = dirname(createRequire(import.meta.url).resolve('memloop/package.json'));
const compiler = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');

it.skipIf(!existsSync(compiler))(
  'the committed kernel is what its source compiles to (skipped where AssemblyScript is not installed)',
  () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const options = scripts['build:kernel'].split(' ').slice(1);
    const out = join(mkdtempSync(join(tmpdir(), 'memloop-')), 'kernel.wasm');
    options[options.indexOf('-o') + 1] = out;
    execFileSync(process.execPath, [compiler, ...options], { cwd: root });
    expect(readFileSync(out).equals(readFileSync(join(root, 'assets', 'mif-kernel.wasm')))).toBe(true);
  },
);
