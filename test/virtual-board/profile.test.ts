import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MemloopError } from '../../src/shared/errors.js';
import {
  builtInProfiles,
  type EffectName,
  imperfectionsOf,
  loadProfile,
  parseProfile,
  profileSchema,
  withEffects,
} from '../../src/virtual-board/profile.js';

const folder = mkdtempSync(join(tmpdir(), 'memloop-profile-'));
afterAll(() => rmSync(folder, { recursive: true }));

function failure(work: () => unknown): MemloopError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(MemloopError);
    return error as MemloopError;
  }
  throw new Error('it did not fail');
}

describe('built-in profiles', () => {
  it('are valid and have the sizes that their names say', () => {
    expect(builtInProfiles()).toEqual([
      'ideal',
      'knowm-16x16x2',
      'knowm-2x2x16',
      'knowm-32x32x1',
      'knowm-4x4x8',
      'knowm-8x8x4',
      'knowm-discrete-16',
      'pico-8x8',
      'w-sdc-128x128x15',
      'w-sdc-32x32x5',
      'w-sdc-8x8x4',
    ]);
    for (const name of builtInProfiles()) {
      const profile = loadProfile(name);
      const other = name === 'ideal' ? [32, 32, 5] : [8, 2, 1];
      const size =
        /(\d+)x(\d+)(?:x(\d+))?$/
          .exec(name)
          ?.slice(1)
          .map((n) => Number(n ?? 1)) ?? other;
      expect([profile.rows, profile.columns, profile.arrays]).toEqual(size);
      const bare = name.startsWith('knowm');
      expect(profile.neurons).toBe(bare || name.startsWith('pico') ? 0 : 10);
      expect(profile.references.length > 0).toBe(!bare);
    }
  });

  it('ideal has no effect switched on', () => {
    expect(Object.values(loadProfile('ideal').effects).some((effect) => effect.enabled)).toBe(false);
  });

  it('the standard boards neither relax nor drift', () => {
    for (const name of builtInProfiles()) {
      expect(loadProfile(name).effects.relaxation.enabled).toBe(false);
      expect(loadProfile(name).effects.drift.enabled).toBe(false);
    }
  });
});

describe('loading', () => {
  const good = loadProfile('w-sdc-8x8x4');
  const file = (content: string) => {
    const path = join(folder, 'mine.json');
    writeFileSync(path, content);
    return path;
  };

  it('takes the path of a file', () => {
    expect(loadProfile(file(JSON.stringify({ ...good, rows: 5 }))).rows).toBe(5);
  });

  it('names an unknown profile and those there are', () => {
    const { reason, message } = failure(() => loadProfile('w-sdc-9x9'));
    expect(reason).toBe('bad-input');
    expect(message).toMatch(/"w-sdc-9x9".*ideal, .*w-sdc-128x128x15/);
  });

  it.each([
    [
      'an unknown field',
      { effects: { ...good.effects, readNoise: { enabled: true, relativ: 0.01, relative: 0.1 } } },
      /unknown field "effects\.readNoise\.relativ"/,
    ],
    ['a missing field', { device: { ...good.device, tau: undefined } }, /"device\.tau"/],
    ['a value out of range', { rows: 0 }, /"rows"/],
    ['text for a number', { neurons: 'ten' }, /"neurons"/],
    ['limits in the wrong order', { pulse: { ...good.pulse, minWidth: 1e-3 } }, /"pulse\.minWidth"/],
    [
      'exact lines without resistance',
      {
        effects: {
          ...good.effects,
          lineResistance: { enabled: true, segment: 0, exact: { driver: 0, sense: 0 } },
        },
      },
      /"effects\.lineResistance\.segment": exact lines need more than 0 Ω/,
    ],
    [
      'cells that only exact lines can move',
      { effects: { ...good.effects, halfSelectDisturb: { enabled: true, unselected: true } } },
      /"effects\.halfSelectDisturb\.unselected": only with "effects\.lineResistance\.exact"/,
    ],
    ['a pulse beyond the converter', { pulse: { ...good.pulse, maxVoltage: 3 } }, /"pulse\.maxVoltage"/],
  ])('names the field and the file: %s', (_, change, pattern) => {
    const path = file(JSON.stringify({ ...good, ...change }));
    const { reason, message } = failure(() => loadProfile(path));
    expect(reason).toBe('bad-input');
    expect(message).toMatch(pattern);
    expect(message).toContain(path);
    expect(message).not.toContain('\n');
  });

  it('says so when it is not JSON', () => {
    expect(failure(() => loadProfile(file('{"rows": '))).message).toMatch(/is not JSON/);
    expect(failure(() => loadProfile(folder)).message).toMatch(/EISDIR/);
  });

  it('keeps only the effects that are asked for', () => {
    const reduced = withEffects(good, ['readNoise', 'drift']);
    const on = (Object.keys(reduced.effects) as EffectName[]).filter((name) => reduced.effects[name].enabled);
    expect(on).toEqual(['readNoise']);
    expect(parseProfile(reduced, 'reduced')).toEqual(reduced);
  });

  it('has no imperfections of what it has not: those that are on, and mismatch with neurons only', () => {
    const whole = loadProfile('w-sdc-8x8x4');
    expect(imperfectionsOf(whole)).toContain('neuronMismatch');
    const bare = { ...whole, neurons: 0 };
    expect(imperfectionsOf(bare)).not.toContain('neuronMismatch');
    expect(imperfectionsOf(withEffects(bare, ['readNoise']))).toEqual(['readNoise']);
  });
});

describe('docs/reference/profiles.md', () => {
  interface Node {
    description?: string;
    properties?: Record<string, Node>;
    type?: string;
    minimum?: number;
    maximum?: number;
    exclusiveMinimum?: number;
    exclusiveMaximum?: number;
    prefixItems?: Node[];
    items?: Node;
  }

  function range(node: Node): string {
    if (node.prefixItems) return `[${node.prefixItems.map(range).join(', ')}]`;
    if (node.type === 'array') return `list: ${range(node.items!)}`;
    if (node.type === 'boolean') return 'true or false';
    if (node.type === 'string') return 'text';
    const low =
      node.minimum ?? (node.exclusiveMinimum !== undefined ? `over ${node.exclusiveMinimum}` : undefined);
    const high =
      node.maximum ?? (node.exclusiveMaximum !== undefined ? `under ${node.exclusiveMaximum}` : undefined);
    return [low, high].filter((bound) => bound !== undefined).join(' to ') || 'number';
  }

  function rows(node: Node, path: string): string[] {
    return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
      const field = path ? `${path}.${key}` : key;
      if (child.items?.properties)
        return [`| **\`${field}\`** | list | ${child.description} |`, ...rows(child.items, `${field}[]`)];
      if (!child.properties) return [`| \`${field}\` | ${range(child)} | ${child.description} |`];
      return [`| **\`${field}\`** | | ${child.description} |`, ...rows(child, field)];
    });
  }

  it('lists every field with its range and meaning (vitest -u brings it up to date)', async () => {
    const path = new URL('../../docs/reference/profiles.md', import.meta.url).pathname;
    const fields = rows(z.toJSONSchema(profileSchema) as Node, '');
    for (const row of fields) expect(row).not.toContain('undefined');
    const table = ['| field | range | meaning |', '|---|---|---|', ...fields].join('\n');
    const begin = '<!-- begin generated table -->';
    const text = readFileSync(path, 'utf8').replace(
      new RegExp(`${begin}[^]*?(?=<!-- end generated table -->)`),
      () => `${begin}\n\n${table}\n\n`,
    );
    await expect(text).toMatchFileSnapshot(path);
  });
});
