/** docs/reference/codes.md lists exactly the codes and reasons of the sources. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { STATUS } from '../../firmware-protocol/generated/protocol.js';
import { HOST_CODE, outcomeText } from '../../src/driver/codes.js';
import { LinkError, ProtocolError, RefusedError } from '../../src/driver/link/errors.js';
import { type ErrorReason, MemloopError } from '../../src/shared/errors.js';

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const [outcomes, errors] = text('docs/reference/codes.md').split('## Errors');
const firstColumn = (table: string) => [...table.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
const codes = [...Object.keys(STATUS).filter((status) => status !== 'OK'), ...Object.keys(HOST_CODE)];

test('every outcome code, in the order of the sources', () => {
  expect(firstColumn(outcomes)).toEqual(codes);
  for (const code of codes) expect(outcomeText(code as keyof typeof HOST_CODE)).toMatch(/\w/);
});

test('every error reason, with its exit code', () => {
  const [, union] = /export type ErrorReason =([^;]+);/.exec(text('src/shared/errors.ts')) ?? [];
  const reasons = [...union.matchAll(/'([^']+)'/g)].map(([, reason]) => reason);
  expect(firstColumn(errors)).toEqual(reasons);
  for (const reason of reasons) {
    const { exitCode } = new MemloopError(reason as ErrorReason, '');
    expect(errors).toContain(`| \`${reason}\` | ${exitCode} |`);
  }
});

test('every error of a request has a code of the list', () => {
  const failures = [
    new LinkError('board-lost', '', 'unknown'),
    new LinkError('board-lost', '', 'not-sent'),
    new RefusedError('Cells', 'STOPPED'),
    new RefusedError('Cells', 'OK'),
    new ProtocolError('two answers'),
  ];
  expect(failures.map(({ code }) => code)).toEqual([
    'BOARD_LOST',
    'NOT_SENT',
    'STOPPED',
    'PROTOCOL_BREACH',
    'PROTOCOL_BREACH',
  ]);
  for (const { code } of failures) expect(codes).toContain(code);
});
