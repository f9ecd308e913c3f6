/** A frame in a line of text, for logs and errors. */
import type { Frame } from './frame.js';
import type { Message } from './generated/protocol.js';

/** `#7 Cells ops[200]`: sequence, name and fields, lists by their length. */
export function describeFrame({ message, sequence }: Frame): string {
  const { name, ...fields } = message as Message & Record<string, unknown>;
  const parts = Object.entries(fields).map(([field, value]) =>
    typeof value === 'object' && value !== null && 'length' in value
      ? `${field}[${value.length}]`
      : `${field}=${typeof value === 'number' ? Number(value.toPrecision(7)) : value}`,
  );
  return [`#${sequence}`, name, ...parts].join(' ');
}
