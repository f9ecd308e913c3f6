/** Refusals as errors, and messages checked by their schemas. */
import type { z } from 'zod';
import { MemloopError } from '../shared/errors.js';
import { describeIssue } from '../shared/json.js';
import { clean } from '../shared/text.js';
import { HUB_VERSION, type RefusalCode, refusalSchema } from './messages.js';

const SERVICE: ReadonlySet<RefusalCode> = new Set(['busy', 'queue-full', 'no-lease']);

/** Something that the hub or a bench refuses; `reason` is `service` where it may go well later, else `bad-input`. */
export class HubRefusal extends MemloopError {
  constructor(
    readonly code: RefusalCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(SERVICE.has(code) ? 'service' : 'bad-input', message, options);
  }
}

export const encode = (message: object): Uint8Array => Buffer.from(JSON.stringify(message));

/**
 * A message as its schema says. Throws HubRefusal: `newer-schema`, which names both versions, or `bad-message`, which
 * names the first field that is wrong.
 */
export function decode<S extends z.ZodType>(data: Uint8Array, schema: S, what: string): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data).toString());
  } catch (error) {
    throw new HubRefusal('bad-message', clean(`${what} is not JSON: ${(error as Error).message}`));
  }
  const { v } = (value ?? {}) as { v?: unknown };
  if (typeof v === 'number' && v > HUB_VERSION)
    throw new HubRefusal(
      'newer-schema',
      `${what} has version ${v}, and this memloop reads version ${HUB_VERSION}: use a newer memloop here`,
    );
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HubRefusal('bad-message', clean(`${what}: ${describeIssue(parsed.error, value)}`));
}

/** The same of a reply, which may be a refusal: then that is thrown. */
export function decodeReply<S extends z.ZodType>(data: Uint8Array, schema: S, what: string): z.output<S> {
  let refused: z.ZodSafeParseResult<z.infer<typeof refusalSchema>> | undefined;
  try {
    refused = refusalSchema.safeParse(JSON.parse(Buffer.from(data).toString()));
  } catch {
    // What is not JSON is told of below.
  }
  if (refused?.success) throw new HubRefusal(refused.data.refused.code, clean(refused.data.refused.message));
  return decode(data, schema, what);
}

/** A refusal as it is sent. What is no refusal is a fault of ours or of the disk, and said as it is. */
export function encodeRefusal(error: unknown): Uint8Array {
  const code = error instanceof HubRefusal ? error.code : 'bad-message';
  return encode({ v: HUB_VERSION, refused: { code, message: (error as Error).message } });
}
