/** JSON from outside, checked by its schema. */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { type ErrorReason, MemloopError } from './errors.js';
import { clean } from './text.js';

/** What an error says of the JSON: `<what> is not JSON: …; <hint>`, `<what>: field "a.0.b": …; <hint>`. */
export interface JsonSource {
  /** What it is and where it is kept: 'the passport /home/me/A1.json', 'net.safetensors: its memloop.spec'. */
  what: string;
  /** What to do about it: 'mend it or move it away'. */
  hint: string;
  /** Default 'bad-file'. */
  reason?: ErrorReason;
}

/** The value of a JSON text. Throws a one-line MemloopError if it is not JSON or not as the schema says. */
export function parseJson<S extends z.ZodType>(text: string, schema: S, source: JsonSource): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw failure(source, ` is not JSON: ${(error as Error).message}`, error);
  }
  return checkJson(value, schema, source);
}

/** A parsed value as the schema says; throws a one-line MemloopError that names the first field that is not. */
export function checkJson<S extends z.ZodType>(value: unknown, schema: S, source: JsonSource): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw failure(source, `: ${describeIssue(parsed.error, value)}`, parsed.error);
}

/**
 * The value of a JSON file. Throws a one-line MemloopError if the file is missing, cannot be read, is not JSON or not
 * as the schema says. `what` is the file's path unless given. With `missing: 'undefined'` a missing file is undefined.
 */
export function readJson<S extends z.ZodType>(
  path: string,
  schema: S,
  source: Omit<JsonSource, 'what'> & { what?: string; missing: 'undefined' },
): z.output<S> | undefined;
export function readJson<S extends z.ZodType>(
  path: string,
  schema: S,
  source: Omit<JsonSource, 'what'> & { what?: string },
): z.output<S>;
export function readJson<S extends z.ZodType>(
  path: string,
  schema: S,
  { missing, what = path, ...rest }: Omit<JsonSource, 'what'> & { what?: string; missing?: 'undefined' },
): z.output<S> | undefined {
  const source = { what, ...rest };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw failure(source, ` cannot be read: ${message}`, error);
    if (missing) return undefined;
    throw failure(source, ' does not exist', error);
  }
  return parseJson(text, schema, source);
}

/** The first fault that a schema has found in a value, and where: 'field "a.0.b": expected number, received string'. */
export function describeIssue(error: z.ZodError, value: unknown): string {
  const { issue, path } = deepest(error.issues[0], []);
  if (issue.code === 'unrecognized_keys') return `unknown field "${[...path, issue.keys[0]].join('.')}"`;
  const message =
    issue.code === 'invalid_type' && path.length > 0 && at(value, path) === undefined
      ? 'is missing'
      : issue.message.replace(/^Invalid input: /, '');
  return path.length === 0 ? message : `field "${path.join('.')}": ${message}`;
}

/** Of the alternatives of a union, the one that a value came farthest in is the one that was meant. */
function deepest(
  issue: z.core.$ZodIssue,
  above: readonly PropertyKey[],
): { issue: z.core.$ZodIssue; path: string[] } {
  const path = [...above, ...issue.path].map(String);
  if (issue.code !== 'invalid_union') return { issue, path };
  const inner = issue.errors.flatMap(([first]) => (first ? [deepest(first, path)] : []));
  return inner.reduce((best, one) => (one.path.length > best.path.length ? one : best), { issue, path });
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);

const failure = ({ what, hint, reason = 'bad-file' }: JsonSource, fault: string, cause: unknown) =>
  new MemloopError(reason, clean(`${what}${fault}; ${hint}`), { cause });
