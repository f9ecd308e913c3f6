/** The plan of the house, held: which room may import which, no circles, and no room with too much in it. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
/** Files directly in one folder. */
const MOST_FILES = 12;

/** What a room may import besides itself and `src/shared`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'firmware-protocol': [],
  'src/shared': [],
  'src/plots': [],
  'src/driver': ['firmware-protocol'],
  'src/boards': ['src/driver'],
  'src/model': [],
  'src/interop': ['src/model', 'types of src/calibration'],
  'src/virtual-board': ['firmware-protocol', 'src/model', 'src/driver'],
  'src/calibration': ['src/driver', 'src/model'],
  'src/loop': ['src/driver', 'src/model', 'src/calibration', 'src/plots'],
  'src/telemetry': [],
  'src/tui': [],
  'src/hub': ['src/driver', 'src/telemetry'],
};
/** Put rooms together, and may import all. */
const TOGETHER = ['src/cli', 'src/index.ts', 'src/open-board.ts', 'src/schemas.ts'];

interface Arrow {
  from: string;
  to: string;
  typeOnly: boolean;
}

const filesIn = (folder: string, kind: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && kind.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));

const sources = ['src', 'firmware-protocol']
  .flatMap((folder) => filesIn(folder, /\.tsx?$/))
  .filter((path) => !path.includes('/assembly/') && !path.endsWith('.d.ts'));

const roomOf = (path: string): string =>
  path.startsWith('src/') ? path.split('/').slice(0, 2).join('/') : path.split('/')[0];

/** Imports and re-exports of our own files, dynamic ones and `import('…')` types included. */
function arrowsOf(path: string): Arrow[] {
  const text = readFileSync(join(root, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const found = text.matchAll(
    /(?:\b(?:import|export)\s+(type\s+)?[^'";]*?\bfrom|\bimport\(|\bimport)\s*'(\.[^']+)'/g,
  );
  return [...found].map(([, type, specifier]) => {
    const target = relative(root, resolve(root, dirname(path), specifier));
    const to = [target, target.replace(/\.js$/, '.ts'), target.replace(/\.js$/, '.tsx')].find((file) =>
      sources.includes(file),
    );
    return { from: path, to: to ?? target, typeOnly: type !== undefined };
  });
}

const arrows = sources.flatMap(arrowsOf);

/** Each circle once: the strongly connected parts of a graph that have more than one node. */
function circlesOf(edges: readonly (readonly [string, string])[]): string[] {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) next.set(from, (next.get(from) ?? new Set()).add(to));
  const reached = (start: string): Set<string> => {
    const seen = new Set<string>();
    for (const queue = [start]; queue.length > 0; )
      for (const to of next.get(queue.pop()!) ?? [])
        if (!seen.has(to)) {
          seen.add(to);
          queue.push(to);
        }
    return seen;
  };
  const from = new Map([...next.keys()].map((node) => [node, reached(node)]));
  const circles = new Set<string>();
  for (const [node, targets] of from)
    if (targets.has(node))
      circles.add(
        [...targets]
          .filter((other) => from.get(other)?.has(node))
          .sort()
          .join(' ↔ '),
      );
  return [...circles];
}

it('the imports are found', () => {
  expect(arrows.length).toBeGreaterThan(300);
  expect(arrows.filter(({ to }) => !sources.includes(to))).toEqual([]);
  expect(arrows).toContainEqual({
    from: 'src/model/index.ts',
    to: 'src/model/training/train.ts',
    typeOnly: false,
  });
});

describe('every room imports only what it may', () => {
  const rooms = [...new Set(sources.map(roomOf))].filter((room) => !TOGETHER.includes(room));
  it.each(rooms)('%s', (room) => {
    expect(Object.keys(MAY_IMPORT), 'a room that the table does not have').toContain(room);
    const may = MAY_IMPORT[room];
    const strangers = arrows.filter(({ from, to, typeOnly }) => {
      const other = roomOf(to);
      if (roomOf(from) !== room || other === room || other === 'src/shared') return false;
      return !may.includes(other) && !(typeOnly && may.includes(`types of ${other}`));
    });
    expect(strangers.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });
});

it('docs/architecture.md has the same table', () => {
  const rows = readFileSync(join(root, 'docs/architecture.md'), 'utf8').matchAll(
    /^\| `((?:src\/)?[\w-]+)\/`(?: \(planned\))? \|.*\| ([^|]+) \|$/gm,
  );
  const full = (room: string) => (room === 'firmware-protocol' ? room : `src/${room}`);
  const table = [...rows]
    .filter(([, room]) => !TOGETHER.includes(room))
    .map(([, room, may]) => [
      room,
      may === 'nothing of ours'
        ? []
        : may
            .split(', ')
            .map((name) =>
              name.startsWith('types of ') ? `types of ${full(name.slice('types of '.length))}` : full(name),
            ),
    ]);
  expect(Object.fromEntries(table)).toEqual(MAY_IMPORT);
});

it('no circle of files, imports of types included', () => {
  expect(circlesOf(arrows.map(({ from, to }) => [from, to]))).toEqual([]);
});

it('the firmware has no circle of files, by include or by call', () => {
  const folder = 'firmware-protocol/firmware';
  // The ports of WebAssembly and of each chip have the same functions, so one is looked at at a time.
  const files = filesIn(folder, /\.[ch]$/).filter((path) => !path.includes('/ports/wasm/'));
  const texts = new Map(
    files.map((path) => [
      path,
      readFileSync(join(root, path), 'utf8').replaceAll(
        /\/\*[\s\S]*?\*\/|\/\/.*$|"(?:\\.|[^"\\\n])*"(?=[^\n]*;)/gm,
        '',
      ),
    ]),
  );
  const includes = [...texts].flatMap(([path, text]) =>
    [...text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)]
      .map(([, name]) => [path, join(dirname(path), name)] as const)
      .filter(([, to]) => texts.has(to)),
  );
  expect(includes.length).toBeGreaterThan(5);
  expect(circlesOf(includes)).toEqual([]);

  // A definition begins in the first column and is not static; whatever is followed by `(` elsewhere is a call.
  const definedIn = new Map<string, string>();
  for (const [path, text] of texts)
    if (path.endsWith('.c'))
      for (const [, name] of text.matchAll(
        /^(?!static\b|typedef\b)[a-z]\w*[\w\s*]*?\b([a-z]\w*)\([^;{}]*\)\s*\{/gm,
      ))
        definedIn.set(name, path);
  expect(definedIn.size).toBeGreaterThan(10);
  const calls = [...texts].flatMap(([path, text]) =>
    path.endsWith('.c')
      ? [...text.matchAll(/\b([a-z]\w*)\s*\(/g)].flatMap(([, name]) => {
          const to = definedIn.get(name);
          return to !== undefined && to !== path ? [[path, to] as const] : [];
        })
      : [],
  );
  expect(calls.length).toBeGreaterThan(3);
  expect(circlesOf(calls)).toEqual([]);
});

it(`no folder has more than ${MOST_FILES} files directly in it`, () => {
  const counts = new Map<string, number>();
  for (const path of sources) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  // One file a command: a table of contents, not a room.
  counts.delete('src/cli/commands');
  expect([...counts].filter(([, count]) => count > MOST_FILES)).toEqual([]);
});
