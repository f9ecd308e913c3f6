import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const { exports, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const subpaths = Object.keys(exports).filter((path) => exports[path].types);
const nameOf = (subpath: string) => `memloop${subpath.slice(1)}`;

/** A folder in which the packed package is installed, its dependencies being those of this checkout. */
let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'memloop-package-'));
  const pack = ['pack', '--ignore-scripts', '--pack-destination', home];
  execFileSync('npm', pack, { cwd: root, stdio: 'pipe' });
  const [archive] = readdirSync(home);
  execFileSync('tar', ['-xzf', archive], { cwd: home });
  writeFileSync(join(home, 'package.json'), '{}');
  const modules = join(home, 'node_modules');
  mkdirSync(modules);
  symlinkSync(join(home, 'package'), join(modules, 'memloop'));
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Runs a module in the folder; what it prints, as JSON. */
const run = (code: string) =>
  JSON.parse(
    execFileSync(process.execPath, ['--preserve-symlinks', '--input-type=module', '-e', code], {
      cwd: home,
      encoding: 'utf8',
    }),
  );

/** Files that CommonJS packages (all that matter here are) and the linker have loaded once `name` is imported. */
const loadedBy = (name: string): string[] =>
  run(`
    import { createRequire } from 'node:module';
    await import('${name}');
    const files = Object.keys(createRequire('${home}/x.js').cache);
    console.log(JSON.stringify([...files, ...process.report.getReport().sharedObjects]));
  `);
const HEAVY = /serialport|koffi|@tensorflow/;

describe('the packed package', () => {
  it.each(subpaths.map(nameOf))('%s can be imported', (name) => {
    expect(run(`console.log(JSON.stringify(Object.keys(await import('${name}')).length))`)).toBeGreaterThan(
      0,
    );
  });

  it.each(subpaths)('%s has types', (subpath) => {
    expect(existsSync(join(home, 'package', exports[subpath].types))).toBe(true);
  });

  it('has a root of about thirty names', () => {
    const names: string[] = run(`console.log(JSON.stringify(Object.keys(await import('memloop'))))`);
    expect(names).toContain('openBoard');
    expect(names.length).toBeLessThanOrEqual(35);
  });

  it('has the schemas, and nothing of tests, benches or source maps', () => {
    const files = readdirSync(join(home, 'package'), { recursive: true, encoding: 'utf8' });
    expect(files).toContain(join('schemas', 'profile.schema.json'));
    expect(files.filter((file) => /\.map$|^dist.(test|bench)|\.test\./.test(file))).toEqual([]);
  });

  it('brings every package that it imports', () => {
    const imported = new Set<string>();
    for (const file of readdirSync(join(home, 'package/dist'), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.js')) continue;
      const text = readFileSync(join(home, 'package/dist', file), 'utf8');
      for (const [, name] of text.matchAll(
        /(?:from|import\(|import)\s*'((?:@[\w-]+\/)?[a-z][\w-]*)(?:\/[^']*)?'/g,
      ))
        imported.add(name);
    }
    expect([...imported].filter((name) => name !== 'memloop' && !(name in dependencies)).sort()).toEqual([]);
  });
});

describe('what is loaded', () => {
  it('is seen by this test', () =>
    expect(loadedBy('serialport').some((file) => HEAVY.test(file))).toBe(true));

  it.each(['memloop/model', 'memloop/driver', 'memloop/calibration', 'memloop/loop', 'memloop/interop'])(
    'no serial port, native library or TensorFlow.js by %s',
    (name) => expect(loadedBy(name).filter((file) => HEAVY.test(file))).toEqual([]),
  );
});
