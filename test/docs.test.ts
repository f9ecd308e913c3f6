/** The docs name only what is there: links, anchors, files, npm scripts, commands. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => join('docs', name)),
  'firmware-protocol/README.md',
  'firmware-protocol/fuzz/README.md',
];
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

/** As GitHub makes the anchor of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
const anchorsOf = (page: string) =>
  [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));

describe.each(pages)('%s', (page) => {
  const text = textOf(page);

  it('links to pages and headings that exist', () => {
    const broken = [...text.replace(/^```.*?^```/gms, '').matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [path, anchor] = target.split('#');
        const file = path ? relative(root, resolve(root, dirname(page), path)) : page;
        if (!existsSync(join(root, file))) return true;
        return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  it('names files, npm scripts and commands that exist', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    const paths = [
      ...text.matchAll(/`((?:src|test|bench|docs|examples|firmware-protocol)\/[\w./-]+)`(?! \(planned\))/g),
    ]
      .map(([, path]) => path)
      .filter((path) => !existsSync(join(root, path)));
    const runs = [...text.matchAll(/npm run (?:--silent )?([\w:]+)/g)]
      .map(([, name]) => name)
      .filter((name) => scripts[name] === undefined);
    const commands = [...text.matchAll(/`memloop ([a-z]+)/g)]
      .map(([, name]) => name)
      .filter((name) => !existsSync(join(root, `src/cli/commands/${name}.ts`)));
    expect({ paths, runs, commands }).toEqual({ paths: [], runs: [], commands: [] });
  });
});
