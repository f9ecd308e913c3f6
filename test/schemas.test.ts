import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { jsonSchemas } from '../src/schemas.js';
import { memloop, scratch } from './integration/shell.js';

const root = resolve(import.meta.dirname, '..');
const schemas = jsonSchemas();
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));

const ajv = new Ajv2020({ strict: true, strictTypes: false, strictTuples: false, validateFormats: false });
for (const [name, schema] of Object.entries(schemas)) ajv.addSchema(schema, name);

/** What is wrong with a value; empty for nothing. Not by zod: other tools read the schemas too. */
const faultsOf = (name: string, value: unknown): unknown => (ajv.validate(name, value) ? [] : ajv.errors);

it.each(Object.keys(schemas))('schemas/%s.schema.json is up to date (npm run schemas)', (name) => {
  expect(json(root, 'schemas', `${name}.schema.json`)).toEqual(schemas[name]);
});

describe('real files are valid', () => {
  it.each(readdirSync(join(root, 'assets/profiles')))('profile %s', (file) => {
    expect(faultsOf('profile', json(root, 'assets/profiles', file))).toEqual([]);
  });

  it('a schedule of faults, and what is none', () => {
    const lose = { kind: 'lose', way: 'to-host', every: [5, 10] };
    expect(faultsOf('faults', { seed: 1, faults: [lose] })).toEqual([]);
    expect(faultsOf('faults', { seed: 1, faults: [{ ...lose, every: 5 }] })).not.toEqual([]);
    expect(faultsOf('faults', { seed: 1, faults: [lose], more: 1 })).not.toEqual([]);
  });

  it('passports, journal and record of a calibration; a newer passport is refused in one line', async () => {
    const home = scratch();
    const run = join(home, 'run');
    const environment = { MEMLOOP_HOME: home };
    const small = join(home, 'small.json');
    writeFileSync(small, JSON.stringify({ ...json(root, 'assets/profiles/w-sdc-8x8x4.json'), arrays: 1 }));
    const calibrate = ['calibrate', '--port', `virtual:${small}?seed=3`, '--run', run, '--json'];
    const { code, stderr } = await memloop(calibrate, environment);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(faultsOf('run', json(run, 'run.json'))).toEqual([]);
    const events = readFileSync(join(run, 'events.ndjson'), 'utf8').trim().split('\n');
    expect(events.length).toBeGreaterThan(5);
    for (const event of events) expect(faultsOf('event', JSON.parse(event)), event).toEqual([]);

    const [serial] = readdirSync(join(home, 'passports'));
    const folder = join(home, 'passports', serial);
    const arrays = readdirSync(folder).filter((file) => /^array-.*\.json$/.test(file));
    expect(arrays.length).toBeGreaterThan(0);
    for (const file of arrays) expect(faultsOf('array-passport', json(folder, file)), file).toEqual([]);
    const board = join(folder, 'board.json');
    expect(faultsOf('board-passport', json(board))).toEqual([]);

    writeFileSync(board, JSON.stringify({ ...json(board), memloopPassport: 2 }));
    const newer = await memloop(['passport', '--port', `virtual:${small}?seed=3`], environment);
    expect(newer.code).toBe(2);
    expect(newer.stderr).toMatch(
      /^memloop: [^\n]*board\.json[^\n]*has version 2[^\n]*reads version 1[^\n]*\n$/,
    );
  });
});
