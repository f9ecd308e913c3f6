import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MemloopError } from '../../src/shared/errors.js';
import { parseJson, readJson } from '../../src/shared/json.js';

const folder = mkdtempSync(join(tmpdir(), 'memloop-json-'));
afterAll(() => rmSync(folder, { recursive: true }));

const schema = z.strictObject({ name: z.string(), cells: z.array(z.object({ row: z.int().min(0) })) });
const source = { what: 'the table t.json', hint: 'write it anew' };

function failure(action: () => unknown): MemloopError {
  try {
    action();
  } catch (error) {
    if (error instanceof MemloopError) return error;
    throw error;
  }
  throw new Error('did not fail');
}

describe('JSON that is', () => {
  it.each([
    [
      'as the schema says is returned',
      '{"name":"a","cells":[{"row":1}]}',
      { name: 'a', cells: [{ row: 1 }] },
    ],
  ])('%s', (_, text, value) => {
    expect(parseJson(text, schema, source)).toEqual(value);
  });

  it.each([
    ['no JSON', '{"name"\n: ', /^the table t\.json is not JSON: .+; write it anew$/],
    ['of another type', '[]', /^the table t\.json: expected object, received array; write it anew$/],
    [
      'wrong deep inside',
      '{"name":"a","cells":[{"row":1},{"row":"2"}]}',
      /^the table t\.json: field "cells\.1\.row": expected number, received string; write it anew$/,
    ],
    ['short of a field', '{"cells":[]}', /: field "name": is missing;/],
    ['out of range', '{"name":"a","cells":[{"row":-1}]}', /: field "cells\.0\.row": Too small: /],
    ['with a field too many', '{"name":"a","cells":[],"more":1}', /: unknown field "more";/],
  ])('%s is refused in one line', (_, text, message) => {
    const error = failure(() => parseJson(text, schema, source));
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
    expect(error).toMatchObject({ reason: 'bad-file', exitCode: 2 });
  });

  it('of the wrong shape in a union is named by the alternative it came farthest in', () => {
    const union = z.union([z.array(z.array(z.number())), z.object({ rows: z.array(z.number()) })]);
    const at = (text: string) => failure(() => parseJson(text, union, source)).message;
    expect(at('[[1, 2], [3, "x"]]')).toMatch(/field "1\.1": expected number, received string/);
    expect(at('{"rows": [null]}')).toMatch(/field "rows\.0": expected number, received null/);
    const kinds = z.discriminatedUnion('kind', [z.object({ kind: z.literal('a'), n: z.number() })]);
    expect(failure(() => parseJson('{"kind":"b"}', kinds, source)).message).toMatch(/field "kind"/);
  });
});

describe('a file of JSON', () => {
  const path = join(folder, 't.json');
  const hint = 'write it anew';

  it('that is missing is an error, or undefined', () => {
    expect(failure(() => readJson(join(folder, 'none'), schema, { hint })).message).toBe(
      `${join(folder, 'none')} does not exist; write it anew`,
    );
    expect(readJson(join(folder, 'none'), schema, { hint, missing: 'undefined' })).toBeUndefined();
  });

  it('that cannot be read is an error in either case', () => {
    const read = () => readJson(folder, schema, { hint, missing: 'undefined' });
    expect(failure(read).message).toMatch(/cannot be read: .*EISDIR/);
  });

  it('gives its value, or an error with the reason asked for', () => {
    writeFileSync(path, '{"name":"a","cells":[]}');
    expect(readJson(path, schema, { hint })).toEqual({ name: 'a', cells: [] });
    writeFileSync(path, '{');
    expect(failure(() => readJson(path, schema, { hint, reason: 'bad-input' }))).toMatchObject({
      reason: 'bad-input',
    });
  });
});
