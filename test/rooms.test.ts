import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Which rooms a room may import; what all share (events, errors, whole files) is open to all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'firmware-protocol': [],
  'src/driver': ['firmware-protocol'],
  'src/model': [],
  'src/virtual-board': ['firmware-protocol', 'src/model'],
  'src/calibration': ['src/driver', 'src/model'],
  'src/loop': ['src/driver', 'src/model', 'src/calibration'],
  'src/telemetry': [],
  'src/tui': [],
};
const SHARED = new Set(['src/events.ts', 'src/errors.ts', 'src/files.ts']);

const root = resolve(import.meta.dirname, '..');
const roomOf = (path: string): string =>
  path.startsWith('src/') ? path.split('/').slice(0, 2).join('/') : path.split('/')[0];

const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('/assembly/'));

describe.each(Object.keys(MAY_IMPORT))('%s', (room) => {
  it(`imports only ${MAY_IMPORT[room].join(', ') || 'nothing of ours'}`, () => {
    const strangers: string[] = [];
    for (const path of sources(room)) {
      const text = readFileSync(join(root, path), 'utf8');
      for (const [, specifier] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
        const target = relative(root, resolve(root, dirname(path), specifier)).replace(/\.js$/, '.ts');
        const other = roomOf(target);
        if (other !== room && !SHARED.has(target) && !MAY_IMPORT[room].includes(other))
          strangers.push(`${path} → ${target}`);
      }
    }
    expect(strangers).toEqual([]);
  });
});
